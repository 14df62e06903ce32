"""Supplementary Figure 12: dropout of latent variables makes overlapping gene sets agree."""

import numpy as np
import pandas as pd
from matplotlib.figure import FigureBase

from scripts.common.gmvs import INTERFERON, INTERFERON_AB
from scripts.figures.data import FigureData
from scripts.figures.layout import Layout, axes, lacks, message
from scripts.figures.methods import first_seed
from vega.plot import correlation, regression, wrapped
from vega.values import values_of

LAYOUT = Layout(("ab", "cd"), widths=(3.6, 3.6), heights=(2.7, 2.7))

# The models of Fig. S12, by their dropout of latent variables.
MODELS = {
    0.0: "kang_latent_dropout_latent-dropout-0",
    0.5: "kang_latent_dropout_latent-dropout-0-5",
}
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


def shared_weights(table: pd.DataFrame, latent_dropout: float) -> pd.DataFrame:
    """Weights of the genes that are in both interferon sets.

    Parameters
    ----------
    table
        Rows of `kang_latent_dropout_weights` of one seed.
    latent_dropout
        Of the model.

    Returns
    -------
    One row per gene, and the columns INTERFERON and INTERFERON_AB.
    """
    rows = table[np.isclose(table["latent_dropout"], latent_dropout) & table["in_set"]]
    weights = rows.pivot(index="gene", columns="gmv", values="weight")
    return weights.reindex(columns=[INTERFERON, INTERFERON_AB]).dropna()


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
