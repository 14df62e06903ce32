"""Supplementary Figure 2: batches of the retina under PCA, linear scVI and VEGA."""

import pandas as pd
from matplotlib.figure import FigureBase

from scripts.figures.data import FigureData
from scripts.figures.layout import Layout, axes, message
from scripts.figures.methods import (
    ROW,
    draw_embedding,
    legend_above,
    silhouette_bars,
    silhouettes,
)
from vega.plot.colours import COLOURS

LAYOUT = Layout(("abc", "def", "ggg"), widths=ROW, heights=(2.55, 2.55, 2.1))

METHODS = {"retina_pca": "PCA", "retina_linear_scvi": "linear scVI", "retina": "VEGA"}
COLOUR_OF = COLOURS[2:5]  # the first two are those of the batches


def a(figure: FigureBase, data: FigureData) -> None:
    """Batches under PCA."""
    _cells(figure, data, "retina_pca", "batch")


def b(figure: FigureBase, data: FigureData) -> None:
    """Batches under linear scVI."""
    _cells(figure, data, "retina_linear_scvi", "batch")


def c(figure: FigureBase, data: FigureData) -> None:
    """Batches under VEGA, and the colours of a to c."""
    _cells(figure, data, "retina", "batch", legend=True)


def d(figure: FigureBase, data: FigureData) -> None:
    """Cell types under PCA."""
    _cells(figure, data, "retina_pca", "cell_type")


def e(figure: FigureBase, data: FigureData) -> None:
    """Cell types under linear scVI."""
    _cells(figure, data, "retina_linear_scvi", "cell_type")


def f(figure: FigureBase, data: FigureData) -> None:
    """Cell types under VEGA, and the colours of d to f."""
    _cells(figure, data, "retina", "cell_type", legend=True)


def g(figure: FigureBase, data: FigureData) -> None:
    """Silhouettes of batches, and of cell types on a scale of their own."""
    kinds = {"silhouette_batch": "batch", "silhouette_cell_type": "cell type"}
    heights = pd.DataFrame(
        {
            name: silhouettes(data.tables[f"{model}_silhouettes"], kinds)
            for model, name in METHODS.items()
        }
    ).rename(index=kinds)
    if heights.isna().all(axis=None):
        message(figure, "no silhouettes: these cells have\nneither batches nor cell types")
        return
    left, right = (axes(figure, *sides, top=0.4) for sides in ((0.5, 3.8), (4.1, 0.2)))
    for ax, kind in ((left, "batch"), (right, "cell type")):
        silhouette_bars(ax, heights.loc[[kind]], colors=COLOUR_OF, digits=4)
    legend_above(left, 3)


def _cells(
    figure: FigureBase, data: FigureData, model: str, labels: str, *, legend: bool = False
) -> None:
    draw_embedding(figure, data, model, METHODS[model], labels, legend=legend)
