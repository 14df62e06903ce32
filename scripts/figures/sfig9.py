"""Supplementary Figure 9: VEGA beside a regularised autoencoder."""

import numpy as np
import pandas as pd
from matplotlib.figure import FigureBase

from scripts.common.gmvs import INTERFERON_RELATED
from scripts.common.variants import METHOD_MODELS as MODELS
from scripts.common.variants import TIMED_METHODS as TIMED
from scripts.common.variants import inactive
from scripts.figures.data import FigureData
from scripts.figures.layout import Layout, axes, lacks, message
from vega.metrics import accuracy
from vega.plot import bars, horizontal_bars, wrapped
from vega.plot.colours import GUIDE
from vega.values import values_of

LAYOUT = Layout(("ab",), widths=(4.5, 2.7), heights=(3.1,))

MEAN = "mean of the four"


def a(figure: FigureBase, data: FigureData) -> None:
    """How well one GMV tells the conditions apart, for each of the interferon-related ones."""
    if any(lacks(figure, data[model], *INTERFERON_RELATED) for model in MODELS.values()):
        return
    shares, notes = pd.DataFrame(), pd.DataFrame()
    for method, model in MODELS.items():
        latent = data[model].latent
        for gmv in INTERFERON_RELATED:
            activity = values_of(latent, gmv)
            shares.loc[gmv, method] = accuracy(activity, latent.obs["condition"])
            notes.loc[gmv, method] = "inactive" if inactive(activity) else ""
    shares.loc[MEAN], notes.loc[MEAN] = shares.mean(), ""
    ax = axes(figure, 1.62, 0.4, top=0.42)
    horizontal_bars(shares.rename(index=lambda gmv: wrapped(gmv, 23)), notes, ax=ax)
    conditions = data[MODELS["VEGA"]].latent.obs["condition"]
    largest = conditions.value_counts(normalize=True).max()
    guide = ax.axvline(largest, label="larger condition’s share", **GUIDE | {"zorder": 2})
    ax.set_xlabel("Accuracy of the condition, from one GMV")
    ax.legend(
        handles=[*ax.containers, guide],
        loc="lower right", bbox_to_anchor=(1.08, 1), ncols=3, frameon=False, handlelength=1,
        handleheight=0.8, handletextpad=0.4, columnspacing=1, borderaxespad=0, borderpad=0.3,
    )  # fmt: skip


def b(figure: FigureBase, data: FigureData) -> None:
    """Median seconds per epoch, and each round."""
    table = data.tables["time_per_epoch"]
    seconds = {m: table.loc[table["method"] == name, "seconds"] for m, name in TIMED.items()}
    if any(rounds.empty for rounds in seconds.values()):
        message(figure, "one of the methods\nwas not timed")
        return
    ax = axes(figure, 0.5, 0.1, bottom=0.42, top=0.42)
    medians = pd.DataFrame([{method: rounds.median() for method, rounds in seconds.items()}])
    bars(medians, limits=(0, 1.1 * table["seconds"].max()), ax=ax)
    places = [bar.get_x() + bar.get_width() / 2 for (bar,) in ax.containers]
    for place, rounds in zip(places, seconds.values(), strict=True):
        beside = place + np.linspace(-0.1, 0.1, len(rounds))  # none hides another
        ax.scatter(beside, rounds, s=9, color="white", edgecolors="black", linewidths=0.6, zorder=3)
    ax.set_xticks(places, [wrapped(method, 12) for method in seconds], rotation=0)
    ax.set_ylabel("Seconds per epoch")
    vega, other = medians.iloc[0]
    ax.set_title(f"VEGA takes {vega / other:.2f} times as long")
