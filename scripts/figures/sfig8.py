"""Supplementary Figure 8: VEGA on counts."""

from matplotlib.figure import FigureBase

from scripts.common.gmvs import INTERFERON
from scripts.figures.data import FigureData
from scripts.figures.layout import Layout, axes, lacks
from scripts.figures.methods import unlabelled
from vega.gene_sets import readable
from vega.plot import embedding

LAYOUT = Layout(("ab",), widths=(3.7, 3.5), heights=(2.8,))
MODEL = "kang_counts"


def a(figure: FigureBase, data: FigureData) -> None:
    """Conditions in the UMAP of the latent space."""
    if not unlabelled(figure, data[MODEL], "condition"):
        embedding(data[MODEL].latent, "condition", ax=axes(figure, 0.3, 0.9))


def b(figure: FigureBase, data: FigureData) -> None:
    """Activity of interferon signaling in the same UMAP."""
    if not lacks(figure, data[MODEL], INTERFERON):
        ax = axes(figure, 0.3, 0.7)
        embedding(data[MODEL].latent, INTERFERON, ax=ax)
        ax.set_title(readable(INTERFERON))
