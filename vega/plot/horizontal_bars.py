"""Bars from left to right, in groups, with their numbers at their ends."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from vega.plot.colours import COLOURS

WIDTH = 0.8  # of a group, of the distance from one to the next


def horizontal_bars(
    lengths: pd.DataFrame,
    notes: pd.DataFrame | None = None,
    *,
    colors: Sequence[str] = COLOURS,
    ax: Axes | None = None,
) -> Axes:
    """Draw a group of bars per row, from top to bottom, and a colour per column.

    Parameters
    ----------
    lengths
        Length of each bar, from 0 to 1. Its number stands right of it.
    notes
        Words behind the numbers, the same rows and columns; empty where there are none.
    colors
        Colour of each column.
    ax
        Where to draw; the current axes by default.
    """
    ax = ax or plt.gca()
    n_rows, n_columns = lengths.shape
    width = WIDTH / n_columns
    for i, (name, column) in enumerate(lengths.items()):
        places = np.arange(n_rows) + (i - (n_columns - 1) / 2) * width
        drawn = ax.barh(places, column, width, color=colors[i], label=name)
        words = notes[name] if notes is not None else [""] * n_rows
        numbers = [f"{v:.3f} {w}".strip() for v, w in zip(column, words, strict=True)]
        ax.bar_label(drawn, numbers, padding=2, fontsize="small")
    ax.set_yticks(range(n_rows), list(lengths.index))
    ax.set(xlim=(0, 1), ylim=(n_rows - 0.4, -0.6))
    ax.tick_params(axis="y", length=0)
    return ax
