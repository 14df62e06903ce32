"""Supplementary Figure 2: batches of the retina under PCA, linear scVI and VEGA."""

from functools import partial

import pandas as pd
from matplotlib.figure import FigureBase

from scripts.figures.charts import legend_above, silhouette_bars
from scripts.figures.layout import Layout, Panel, axes
from scripts.figures.methods import ROW, method_panel, silhouettes
from vega.plot.colours import COLOURS

LAYOUT = Layout(("abc", "def", "ggg"), widths=ROW, heights=(2.55, 2.55, 2.1))

METHODS = {"retina_pca": "PCA", "retina_linear_scvi": "linear scVI", "retina": "VEGA"}
KINDS = {"silhouette_batch": "batch", "silhouette_cell_type": "cell type"}


def draw_silhouettes(figure: FigureBase, table: pd.DataFrame) -> None:
    left, right = (axes(figure, *sides, top=0.4) for sides in ((0.5, 3.8), (4.1, 0.2)))
    for ax, kind in zip((left, right), KINDS.values(), strict=True):
        # The first two colours are those of the batches.
        rows = table[table["labels"] == kind]
        silhouette_bars(rows, colors=COLOURS[2:], digits=4, ax=ax)
    legend_above(left, 3)


PANELS = {
    letter: method_panel(f"{what} under {METHODS[model]}.", METHODS, model, column)
    for letters, what, column in (("abc", "Batches", "batch"), ("def", "Cell types", "cell_type"))
    for letter, model in zip(letters, METHODS, strict=True)
}
PANELS["g"] = Panel(
    "Silhouettes of batches, and of cell types on a scale of their own.",
    draw_silhouettes,
    partial(silhouettes, methods=METHODS, kinds=KINDS),
)
