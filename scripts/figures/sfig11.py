"""Supplementary Figure 11: fully connected extra latent variables."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from scripts.figures.data import FigureData
from scripts.figures.layout import Layout, axes
from scripts.figures.methods import first_seed
from vega.plot import sweep

LAYOUT = Layout(("ab",), widths=(3.6, 3.6), heights=(2.7,))

LOSSES = {"train_loss": "training", "validation_loss": "validation"}
SILHOUETTES = {
    "silhouette_condition": "condition",
    "silhouette_type_control": "type, control",
    "silhouette_type_stimulated": "type, stimulated",
}


def a(figure: FigureBase, data: FigureData) -> None:
    """Losses per cell, the lowest of all epochs."""
    _against_nodes(figure, data, LOSSES).set_ylabel("Loss per cell")


def b(figure: FigureBase, data: FigureData) -> None:
    """Silhouettes in the latent space of the annotated GMVs."""
    _against_nodes(figure, data, SILHOUETTES).set_ylabel("Silhouette")


def _against_nodes(figure: FigureBase, data: FigureData, columns: Mapping[str, str]) -> Axes:
    """Columns of the table against the number of extra nodes."""
    table = first_seed(data.tables["kang_extra_nodes_members"])
    ax = axes(figure, 0.55, 0.1, top=0.4)
    sweep(table["extra_nodes"], {name: table[c] for c, name in columns.items()}, ax=ax)
    ax.set_xlabel("Fully connected extra nodes")
    ax.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False, columnspacing=1.2,
        handlelength=1.4, handletextpad=0.5,
    )  # fmt: skip
    return ax
