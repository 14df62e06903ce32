"""Supplementary Figure 12: dropout of latent variables makes overlapping gene sets agree."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import FigureBase

from scripts.common.gmvs import INTERFERON, INTERFERON_AB
from scripts.common.variants import DROPOUT_MODELS as MODELS
from scripts.common.variants import shared_weights
from scripts.figures.charts import activity, cells, first_seed, regression
from scripts.figures.data import FigureData
from scripts.figures.layout import Content, Layout, Panel, axes
from vega.plot import label_points, wrapped
from vega.plot.colours import BLUE, GUIDE

LAYOUT = Layout(("ab", "cd"), widths=(3.6, 3.6), heights=(2.7, 2.7))

SETS = (INTERFERON, INTERFERON_AB)
NAMED = 6


def draw_activities(figure: FigureBase, table: pd.DataFrame, dropout: float) -> None:
    ax = axes(figure, 0.62, 0.1, top=0.45)
    x, y = (table[activity(gmv)] for gmv in SETS)
    regression(x, y, ax)
    ax.set(xlabel=_of("activity", INTERFERON), ylabel=_of("activity", INTERFERON_AB))
    ax.set_title(f"Latent dropout {dropout:g}\n{ax.get_title()}")


def weights(data: FigureData, dropout: float) -> Content:
    """Return the weights of the genes of both sets, a column per set."""
    table = first_seed(data.tables["kang_latent_dropout_weights"])
    shared = shared_weights(table, dropout).add_prefix("weight_").reset_index()
    return "no gene is in both sets" if shared.empty else shared


def draw_weights(figure: FigureBase, table: pd.DataFrame, dropout: float) -> None:
    """Draw one dot per gene, with Pearson's r in the title; the largest are named."""
    ax = axes(figure, 0.62, 0.75, top=0.45)
    x, y = (table[f"weight_{gmv}"] for gmv in SETS)
    ax.axline((0, 0), slope=1, **GUIDE)
    ax.scatter(x, y, s=12, c=BLUE, alpha=0.8, linewidths=0)
    ax.set(xlabel=_of("weight", INTERFERON), ylabel=_of("weight", INTERFERON_AB))
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        found = "no correlation: all values are the same"
    else:
        found = f"r = {np.corrcoef(x, y)[0, 1]:.3f}".replace("-", "−")
    ax.set_title(f"Latent dropout {dropout:g}\n{found}, {len(table)} genes")
    largest = (x + y).nlargest(NAMED).index
    label_points(ax, x[largest], y[largest], table.loc[largest, "gene"])


def _of(what: str, gmv: str) -> str:
    return f"{wrapped(gmv, 24)}, {what}"


PANELS = {
    letter: Panel(
        f"Both activities in each cell, {how} dropout of latent variables.",
        partial(draw_activities, dropout=dropout),
        partial(cells, model=MODELS[dropout], gmvs=SETS, basis=None),
    )
    for letter, dropout, how in (("a", 0.0, "without"), ("b", 0.5, "with"))
} | {
    letter: Panel(
        f"Weights of the genes of both sets, {how} dropout of latent variables.",
        partial(draw_weights, dropout=dropout),
        partial(weights, dropout=dropout),
    )
    for letter, dropout, how in (("c", 0.0, "without"), ("d", 0.5, "with"))
}
