"""Supplementary Figure 4: significance against the size of the gene set."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import FigureBase

from scripts.figures.data import FigureData
from scripts.figures.layout import Content, Layout, Panel, axes
from vega.plot.clip import clipped_markers, mark_clip
from vega.plot.colours import GREY, GUIDE, RED

LAYOUT = Layout(("ab",), widths=(3.6, 3.6), heights=(2.7,))
CONTRAST = "innate"  # stimulated against control in monocytes and dendritic cells


def significance(data: FigureData, measure: str) -> Content:
    """Return the size of each gene set and one measure of its significance."""
    table = data["kang"].with_gsea(CONTRAST).reset_index()
    if table.empty:
        return f"the model has no contrast “{CONTRAST}” with GSEA"
    return table[["gmv", "n_genes", measure]]


def draw_against_size(
    figure: FigureBase, table: pd.DataFrame, threshold: float, ylabel: str, clip: float = np.inf
) -> None:
    """Draw the size of a significance against the size of the gene set (logarithmic).

    Sets above `threshold`, a dashed guide, are red and counted; those beyond `clip` are arrow
    heads there.
    """
    ax = axes(figure, 0.5, 0.15)
    n_genes, value = table["n_genes"], table.iloc[:, 2].abs()
    above, y = value > threshold, value.clip(upper=clip)
    for marker, shown in clipped_markers(value, clip, "^", "v"):
        style = {"marker": marker, "s": 9, "alpha": 0.7, "linewidths": 0}
        for rows, colour in ((shown & ~above, GREY), (shown & above, RED)):
            ax.scatter(n_genes[rows], y[rows], c=colour, **style)
    ax.axhline(threshold, **GUIDE)
    top = 1.08 * max(y.max(), 2 * threshold)
    ax.set(xscale="log", xlabel="Genes in the set", ylabel=ylabel, ylim=(-0.03 * top, top))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    mark_clip(ax.yaxis, value, clip)
    ax.set_title(f"{above.sum()} of {len(above)} sets above the line")


PANELS = {
    "a": Panel(
        "Size against VEGA's Bayes factor.",
        partial(draw_against_size, threshold=3, ylabel="VEGA, |logₑ(Bayes factor)|", clip=10),
        partial(significance, measure="log_bf"),
    ),
    "b": Panel(
        "Size against GSEA's false discovery rate.",
        partial(draw_against_size, threshold=-np.log10(0.05), ylabel="GSEA, −log₁₀(FDR)"),
        partial(significance, measure="neg_log10_fdr"),
    ),
}
