"""Bars with error bars, in groups."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from vega.plot.colours import COLOURS

WIDTH = 0.8  # of a group, of the distance from one to the next
ERROR = {"elinewidth": 0.6, "capthick": 0.6, "capsize": 1.5, "ecolor": "black"}
ROOM = 0.12  # beyond the highest and lowest bar, of what they span


def bars(
    heights: pd.DataFrame,
    errors: pd.DataFrame | None = None,
    *,
    limits: tuple[float, float] | None = (0, 1),
    colors: Sequence[str] = COLOURS,
    ax: Axes | None = None,
) -> Axes:
    """Draw a group of bars per row and a colour per column, from zero up or down.

    Parameters
    ----------
    heights, errors
        Height of each bar and half the length of its error bar, the same rows and columns; no
        error bars by default. A bar of unknown height keeps its place, with a dash.
    limits
        Ends of the scale; None for a scale that holds zero and all bars with their error bars.
    colors
        Colour of each column.
    ax
        Where to draw; the current axes by default.
    """
    ax = ax or plt.gca()
    n_rows, n_columns = heights.shape
    width = WIDTH / n_columns
    unknown = []
    for i, (name, column) in enumerate(heights.items()):
        places = np.arange(n_rows) + (i - (n_columns - 1) / 2) * width
        known = column.notna().to_numpy(copy=True)
        unknown.extend(places[~known])
        if not known.any():
            known[:1] = True  # a bar without a height is not seen, but in the legend its colour is
        ax.bar(
            places[known], column[known], width, color=colors[i], label=name, error_kw=ERROR,
            yerr=None if errors is None else errors.loc[known, name],
        )  # fmt: skip
    low, high = limits or _scale(heights, errors)
    for place in unknown:
        ax.text(place, 0.01 * (high - low), "–", ha="center", va="bottom", color="0.3")
    if low < 0:
        ax.axhline(0, color="black", linewidth=ax.spines["bottom"].get_linewidth())
        ax.spines["bottom"].set_visible(False)
    ax.set_xticks(range(n_rows), list(heights.index), rotation=90)
    ax.set(ylim=(low, high), xlim=(-0.6, n_rows - 0.4))
    ax.tick_params(axis="x", length=0)
    return ax


def _scale(heights: pd.DataFrame, errors: pd.DataFrame | None) -> tuple[float, float]:
    """Ends of a scale for zero and all bars, with room where bars end; 0 to 1 without bars."""
    half = 0 if errors is None else errors.fillna(0)
    low = min(0, np.nanmin((heights - half).to_numpy(), initial=0))
    high = max(0, np.nanmax((heights + half).to_numpy(), initial=0))
    room = ROOM * (high - low)
    return (low - room * (low < 0), high + room * (high > 0)) if room else (0, 1)
