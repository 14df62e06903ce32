"""Supplementary Figure 12: dropout of latent variables makes overlapping gene sets agree."""

from matplotlib.figure import FigureBase

from scripts.common.gmvs import INTERFERON, INTERFERON_AB
from scripts.common.variants import DROPOUT_MODELS as MODELS
from scripts.common.variants import shared_weights
from scripts.figures.data import FigureData
from scripts.figures.layout import Layout, axes, lacks, message
from scripts.figures.methods import first_seed
from vega.plot import correlation, regression, wrapped
from vega.values import values_of

LAYOUT = Layout(("ab", "cd"), widths=(3.6, 3.6), heights=(2.7, 2.7))

NAMED = 6


def a(figure: FigureBase, data: FigureData) -> None:
    """Both activities in each cell, without dropout of latent variables."""
    _activities(figure, data, 0.0)


def b(figure: FigureBase, data: FigureData) -> None:
    """The same with dropout."""
    _activities(figure, data, 0.5)


def c(figure: FigureBase, data: FigureData) -> None:
    """Weights of the genes of both sets, without dropout of latent variables."""
    _weights(figure, data, 0.0)


def d(figure: FigureBase, data: FigureData) -> None:
    """The same with dropout."""
    _weights(figure, data, 0.5)


def _activities(figure: FigureBase, data: FigureData, latent_dropout: float) -> None:
    results = data[MODELS[latent_dropout]]
    if lacks(figure, results, INTERFERON, INTERFERON_AB):
        return
    x, y = (values_of(results.latent, gmv) for gmv in (INTERFERON, INTERFERON_AB))
    ax = regression(x, y, ax=axes(figure, 0.62, 0.1, top=0.45))
    ax.set(xlabel=_of("activity", INTERFERON), ylabel=_of("activity", INTERFERON_AB))
    ax.set_title(f"{_title(latent_dropout)}\n{ax.get_title()}")


def _weights(figure: FigureBase, data: FigureData, latent_dropout: float) -> None:
    table = first_seed(data.tables["kang_latent_dropout_weights"])
    weights = shared_weights(table, latent_dropout)
    if weights.empty:
        message(figure, "no gene is in both sets")
        return
    largest = weights.sum(axis=1).nlargest(NAMED).index
    ax = axes(figure, 0.62, 0.75, top=0.45)
    correlation(weights[INTERFERON], weights[INTERFERON_AB], largest, ax=ax)
    ax.set(xlabel=_of("weight", INTERFERON), ylabel=_of("weight", INTERFERON_AB))
    ax.set_title(f"{_title(latent_dropout)}\n{ax.get_title()}")


def _title(latent_dropout: float) -> str:
    return f"Latent dropout {latent_dropout:g}"


def _of(what: str, gmv: str) -> str:
    return f"{wrapped(gmv, 24)}, {what}"
