"""Supplementary Figure 11: fully connected extra latent variables."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import FigureBase
from matplotlib.ticker import NullLocator

from scripts.figures.charts import first_seed
from scripts.figures.data import FigureData
from scripts.figures.layout import Layout, Panel, axes
from vega.plot.colours import COLOURS

LAYOUT = Layout(("ab",), widths=(3.6, 3.6), heights=(2.7,))

LOSSES = {"train_loss": "training", "validation_loss": "validation"}
SILHOUETTES = {
    "silhouette_condition": "condition",
    "silhouette_type_control": "type, control",
    "silhouette_type_stimulated": "type, stimulated",
}
ASIDE = 1.06  # factor from one series to the next, so that none hides another


def runs(data: FigureData, columns: Mapping[str, str], value: str) -> pd.DataFrame:
    """Return one row per number of extra nodes, run and measure, named by `columns`."""
    table = first_seed(data.tables["kang_extra_nodes_sweep"]).rename(columns=columns)
    return table.melt(["extra_nodes", "run"], list(columns.values()), "measure", value)


def lineplot(figure: FigureBase, table: pd.DataFrame, ylabel: str) -> None:
    """Draw mean and standard deviation over runs, and each run as a dot."""
    ax = axes(figure, 0.55, 0.1, top=0.4)
    value, names = table.columns[-1], table["measure"].unique()
    steps = pd.Categorical(table["measure"], names).codes - (len(names) - 1) / 2
    of = {
        "data": table.assign(x=table["extra_nodes"] * ASIDE**steps),
        "x": "x", "y": value, "hue": "measure", "palette": COLOURS[: len(names)], "ax": ax,
    }  # fmt: skip
    sns.scatterplot(**of, s=7, alpha=0.45, linewidth=0, legend=False)
    sns.lineplot(
        **of, errorbar="sd", err_style="bars", marker="_", markersize=6, markeredgecolor=None,
        linewidth=1, err_kws={"elinewidth": 0.8, "capsize": 2, "capthick": 0.8},
    )  # fmt: skip
    ticks = np.unique(table["extra_nodes"])
    ax.set(xscale="log", xlabel="Fully connected extra nodes", ylabel=ylabel)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False, columnspacing=1.2,
        handlelength=1.4, handletextpad=0.5,
    )  # fmt: skip


PANELS = {
    "a": Panel(
        "Losses per cell, the lowest of all epochs.",
        partial(lineplot, ylabel="Loss per cell"),
        partial(runs, columns=LOSSES, value="loss"),
    ),
    "b": Panel(
        "Silhouettes in the latent space of the annotated GMVs.",
        partial(lineplot, ylabel="Silhouette"),
        partial(runs, columns=SILHOUETTES, value="silhouette"),
    ),
}
