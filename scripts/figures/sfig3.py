"""Supplementary Figure 3: what learning the decoder's weights adds to the gene sets themselves."""

from functools import partial

import pandas as pd
from matplotlib.figure import FigureBase

from scripts.figures.charts import legend_above, silhouette_bars
from scripts.figures.layout import Layout, Panel, axes
from scripts.figures.methods import ROW, method_panel, silhouettes
from vega.plot.colours import COLOURS, GUIDE

LAYOUT = Layout(("abc", "ddd"), widths=ROW, heights=(2.3, 2.7))

METHODS = {
    "kang_mask_pca": "mask + PCA",
    "kang_binary": "binary decoder",
    "kang": "trainable decoder (VEGA)",
}
# The first three are the published bars. The paper calls the first of them "Condition", but
# computes it from the cell types of all cells; the last is of the conditions (erratum 5).
KINDS = {
    "silhouette_type": "cell type, all cells (published as “Condition”)",
    "silhouette_type_control": "cell type, control cells",
    "silhouette_type_stimulated": "cell type, stimulated cells",
    "silhouette_condition": "condition (not in the paper)",
}


def draw_silhouettes(figure: FigureBase, table: pd.DataFrame) -> None:
    ax = axes(figure, 0.5, 0.1, bottom=0.45, top=0.4)
    silhouette_bars(table, colors=COLOURS[7:], ax=ax)  # the first seven are those of cell types
    ax.axvline(len(KINDS) - 1.5, **GUIDE)
    legend_above(ax, 3)


PANELS = {
    letter: method_panel(shows, METHODS, model, "cell_type", "condition")
    for letter, model, shows in (
        ("a", "kang_mask_pca", "Principal components of sums of expression over each gene set."),
        ("b", "kang_binary", "A decoder whose weights are the gene sets, 0 or 1."),
        ("c", "kang", "VEGA, whose decoder learns its weights; colours and markers of a to c."),
    )
}
PANELS["d"] = Panel(
    "Silhouettes as published, and that of the conditions.",
    draw_silhouettes,
    partial(silhouettes, methods=METHODS, kinds=KINDS),
)
