"""What repeated runs give at each value of a setting."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from numpy.typing import ArrayLike

from vega.plot.colours import COLOURS

ASIDE = 1.06  # factor from one series to the next, so that none hides another


def sweep(
    setting: ArrayLike,
    values: Mapping[str, ArrayLike],
    *,
    colors: Sequence[str] = COLOURS,
    ax: Axes | None = None,
) -> Axes:
    """Draw mean and standard deviation over runs against a setting, and each run as a dot.

    Parameters
    ----------
    setting
        Value of the setting (x) of each run, on a logarithmic scale with a tick for each value.
    values
        What the runs gave, by name, in the same order; missing values are left out.
    colors
        Colour of each name.
    ax
        Where to draw; the current axes by default.
    """
    ax = ax or plt.gca()
    for i, (name, of_runs) in enumerate(values.items()):
        known = pd.Series(np.asarray(of_runs, float), np.asarray(setting)).dropna()
        grouped = known.groupby(level=0)
        mean, sd = grouped.mean(), grouped.std()
        aside = ASIDE ** (i - (len(values) - 1) / 2)
        ax.scatter(known.index * aside, known, s=7, color=colors[i], alpha=0.45, linewidths=0)
        ax.errorbar(
            mean.index * aside, mean, sd, color=colors[i], linewidth=1, marker="_", markersize=6,
            elinewidth=0.8, capsize=2, capthick=0.8, label=name,
        )  # fmt: skip
    ticks = np.unique(setting)
    ax.set_xscale("log")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    return ax
