"""Supplementary Figure 4: significance against the size of the gene set."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import FigureBase

from scripts.figures.data import FigureData
from scripts.figures.layout import Layout, axes, message
from vega.plot import set_size

LAYOUT = Layout(("ab",), widths=(3.6, 3.6), heights=(2.7,))
NO_CONTRAST = "the model has no contrast “innate” with GSEA"
CONTRAST = "innate"  # stimulated against control in monocytes and dendritic cells


def a(figure: FigureBase, data: FigureData) -> None:
    """Size against VEGA's Bayes factor."""
    ylabel = r"VEGA, |$\log_e$(Bayes factor)|"
    _against_size(figure, data, lambda table: table["log_bf"].abs(), 3, ylabel, clip=10)


def b(figure: FigureBase, data: FigureData) -> None:
    """Size against GSEA's false discovery rate."""
    ylabel = r"GSEA, $-\log_{10}$(FDR)"
    _against_size(figure, data, lambda table: table["neg_log10_fdr"], -np.log10(0.05), ylabel)


def _against_size(
    figure: FigureBase,
    data: FigureData,
    significance: Callable[[pd.DataFrame], pd.Series],
    threshold: float,
    ylabel: str,
    clip: float = np.inf,
) -> None:
    """One measure of significance against the size of the gene set."""
    table = data["kang"].with_gsea(CONTRAST)
    if table.empty:
        message(figure, NO_CONTRAST)
        return
    ax = axes(figure, 0.5, 0.1)
    set_size(table["n_genes"], significance(table), threshold, clip=clip, ax=ax)
    ax.set_ylabel(ylabel)
