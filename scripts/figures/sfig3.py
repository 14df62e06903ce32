"""Supplementary Figure 3: what learning the decoder's weights adds to the gene sets themselves."""

import pandas as pd
from matplotlib.figure import FigureBase

from scripts.figures.data import FigureData
from scripts.figures.layout import Layout, axes, message
from scripts.figures.methods import ROW, draw_embedding, legend_above, silhouette_bars, silhouettes
from vega.plot.colours import COLOURS, GUIDE

LAYOUT = Layout(("abc", "ddd"), widths=ROW, heights=(2.3, 2.7))

METHODS = {
    "kang_mask_pca": "mask + PCA",
    "kang_binary": "binary decoder",
    "kang": "trainable decoder (VEGA)",
}
COLOUR_OF = COLOURS[7:]  # the first seven are those of the cell types
# The first three are the published bars. The paper calls the first of them "Condition", but
# computes it from the cell types of all cells; the last is of the conditions (erratum 5).
SILHOUETTES = {
    "silhouette_type": "cell type, all cells\n(published as “Condition”)",
    "silhouette_type_control": "cell type,\ncontrol cells",
    "silhouette_type_stimulated": "cell type,\nstimulated cells",
    "silhouette_condition": "condition\n(not in the paper)",
}


def a(figure: FigureBase, data: FigureData) -> None:
    """Sums of expression over each gene set, and their principal components."""
    _cells(figure, data, "kang_mask_pca")


def b(figure: FigureBase, data: FigureData) -> None:
    """A decoder whose weights are the gene sets, 0 or 1."""
    _cells(figure, data, "kang_binary")


def c(figure: FigureBase, data: FigureData) -> None:
    """VEGA, whose decoder learns its weights, and the colours and markers of a to c."""
    _cells(figure, data, "kang", legend=True)


def d(figure: FigureBase, data: FigureData) -> None:
    """Silhouettes as published, and that of the conditions."""
    heights = pd.DataFrame(
        {
            name: silhouettes(data.tables[f"{model}_silhouettes"], SILHOUETTES)
            for model, name in METHODS.items()
        }
    ).rename(index=SILHOUETTES)
    if heights.isna().all(axis=None):
        message(figure, "no silhouettes: these cells have\nneither conditions nor cell types")
        return
    ax = axes(figure, 0.5, 0.1, bottom=0.45, top=0.4)
    silhouette_bars(ax, heights, colors=COLOUR_OF)
    ax.axvline(len(SILHOUETTES) - 1.5, **GUIDE)
    legend_above(ax, 3)


def _cells(figure: FigureBase, data: FigureData, model: str, *, legend: bool = False) -> None:
    draw_embedding(figure, data, model, METHODS[model], "cell_type", "condition", legend=legend)
