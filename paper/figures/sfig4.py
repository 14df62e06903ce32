"""Supplementary Figure 4: significance against the size of the gene set."""

import numpy as np
from matplotlib.figure import FigureBase

from paper.figures.data import FigureData
from paper.figures.page import Layout, axes, message
from vega.plot import set_size

LAYOUT = Layout(("ab",), widths=(3.6, 3.6), heights=(2.7,))
NO_CONTRAST = "the model has no contrast “innate” with GSEA"
CONTRAST = "innate"  # stimulated against control in monocytes and dendritic cells


def a(figure: FigureBase, data: FigureData) -> None:
    """Size against VEGA's Bayes factor."""
    table = data["kang"].with_gsea(CONTRAST)
    if table.empty:
        message(figure, NO_CONTRAST)
        return
    ax = axes(figure, 0.5, 0.1)
    set_size(table["n_genes"], table["log_bf"].abs(), 3, clip=10, ax=ax)
    ax.set_ylabel(r"VEGA, |$\log_e$(Bayes factor)|")


def b(figure: FigureBase, data: FigureData) -> None:
    """Size against GSEA's false discovery rate."""
    table = data["kang"].with_gsea(CONTRAST)
    if table.empty:
        message(figure, NO_CONTRAST)
        return
    ax = axes(figure, 0.5, 0.1)
    set_size(table["n_genes"], table["neg_log10_fdr"], -np.log10(0.05), ax=ax)
    ax.set_ylabel(r"GSEA, $-\log_{10}$(FDR)")
