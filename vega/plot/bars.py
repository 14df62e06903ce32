"""Bars with error bars, in groups."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from vega.plot.colours import COLOURS

WIDTH = 0.8  # of a group, of the distance from one to the next
ERROR = {"elinewidth": 0.6, "capthick": 0.6, "capsize": 1.5, "ecolor": "black"}


def bars(heights: pd.DataFrame, errors: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a group of bars per row and a colour per column, on a scale from 0 to 1.

    Parameters
    ----------
    heights, errors
        Height of each bar and half the length of its error bar, the same rows and columns. A bar
        of unknown height keeps its place, with a dash.
    ax
        Where to draw; the current axes by default.
    """
    ax = ax or plt.gca()
    n_rows, n_columns = heights.shape
    width = WIDTH / n_columns
    for i, (name, column) in enumerate(heights.items()):
        places = np.arange(n_rows) + (i - (n_columns - 1) / 2) * width
        known = column.notna().to_numpy()
        ax.bar(
            places[known], column[known], width, yerr=errors.loc[known, name], color=COLOURS[i],
            label=name, error_kw=ERROR,
        )  # fmt: skip
        for place in places[~known]:
            ax.text(place, 0.01, "–", ha="center", va="bottom", color="0.3")
    ax.set_xticks(range(n_rows), list(heights.index), rotation=90)
    ax.set(ylim=(0, 1), xlim=(-0.6, n_rows - 0.4))
    ax.tick_params(axis="x", length=0)
    return ax
