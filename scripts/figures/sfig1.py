"""Supplementary Figure 1: gene sets in the encoder, in the decoder, in both or in neither."""

import pandas as pd
from matplotlib.figure import FigureBase
from matplotlib.ticker import MaxNLocator

from scripts.figures.data import FigureData
from scripts.figures.layout import Layout, axes, inches, message
from scripts.figures.methods import first_seed, legend_above, silhouette_bars
from scripts.figures.sfig1_architectures import ARCHITECTURES, draw_architectures
from vega.plot import boxes

LAYOUT = Layout(("aa", "bc"), widths=(3.75, 3.65), heights=(3.9, 2.6))
BOTTOM = 0.52  # inches for names of three lines

COLOURS = [architecture.colour for architecture in ARCHITECTURES.values()]
SILHOUETTES = {
    "silhouette_condition": "condition",
    "silhouette_type_control": "cell type,\ncontrol cells",
    "silhouette_type_stimulated": "cell type,\nstimulated cells",
}


def a(figure: FigureBase, data: FigureData) -> None:
    """The four architectures; schematics, the same for all data."""
    draw_architectures(figure, *inches(figure))


def b(figure: FigureBase, data: FigureData) -> None:
    """Silhouettes of conditions and of cell types, mean and standard deviation of the folds."""
    folds = {
        name: table.reindex(columns=list(SILHOUETTES)).rename(columns=SILHOUETTES)
        for name, table in _folds(data).items()
    }
    mean = pd.DataFrame({name: table.mean() for name, table in folds.items()})
    sd = pd.DataFrame({name: table.std() for name, table in folds.items()})
    if mean.isna().all(axis=None):
        message(figure, "no silhouettes: these cells have\nneither conditions nor cell types")
        return
    ax = axes(figure, 0.5, 0.1, bottom=BOTTOM, top=0.5)
    silhouette_bars(ax, mean, sd, colors=COLOURS)
    legend_above(ax, 2, left=-0.11)


def c(figure: FigureBase, data: FigureData) -> None:
    """The lowest validation loss of each fold."""
    losses = {
        name.replace(", ", ",\n").replace(" (", "\n("): table.sort_values("fold")["validation_loss"]
        for name, table in _folds(data).items()
    }
    if not any(loss.notna().any() for loss in losses.values()):
        message(figure, "no fold has a validation loss")
        return
    ax = boxes(losses, colors=COLOURS, ax=axes(figure, 0.45, 0.03, bottom=BOTTOM))
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.set_ylabel("Lowest validation loss per cell")


def _folds(data: FigureData) -> dict[str, pd.DataFrame]:
    """The folds of each architecture, by its name; those of the first seed."""
    table = first_seed(data.tables["kang_architectures_members"])
    return {
        architecture.name: table[table["variant"] == variant]
        for variant, architecture in ARCHITECTURES.items()
    }
