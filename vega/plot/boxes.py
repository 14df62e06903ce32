"""Few values of several groups: a box for each group, and every value."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from numpy.typing import ArrayLike

from vega.plot.colours import COLOURS

WIDTH = 0.6  # of a box, of the distance from one to the next
LINE = {"color": "black", "linewidth": 0.7}


def boxes(
    values: Mapping[str, ArrayLike], *, colors: Sequence[str] = COLOURS, ax: Axes | None = None
) -> Axes:
    """Draw a box for each group: quartiles, median, whiskers, and its values as dots.

    Whiskers end at the last value that is no further from the box than 1.5 times its height. Dots
    stand side by side in the order of the values, so that none hides another.

    Parameters
    ----------
    values
        The values of each group, by the name that stands below it; missing ones are left out. A
        group without values keeps its place, with a dash.
    colors
        Colour of each group.
    ax
        Where to draw; the current axes by default.
    """
    ax = ax or plt.gca()
    for place, (group, colour) in enumerate(zip(values.values(), colors, strict=False)):
        known = np.asarray(group, dtype=float)
        known = known[np.isfinite(known)]
        if not len(known):
            ax.text(
                place, 0.02, "–", transform=ax.get_xaxis_transform(), ha="center", color="0.3"
            )  # fmt: skip
            continue
        ax.boxplot(
            known, positions=[place], widths=WIDTH, showfliers=False, manage_ticks=False,
            patch_artist=True, boxprops={"facecolor": to_rgba(colour, 0.5), "linewidth": 0.7},
            medianprops=LINE | {"linewidth": 1.4}, whiskerprops=LINE, capprops=LINE,
        )  # fmt: skip
        beside = np.linspace(-0.35, 0.35, len(known)) * WIDTH if len(known) > 1 else [0]
        ax.scatter(
            place + np.asarray(beside), known, s=8, color=colour, edgecolors="black",
            linewidths=0.4, zorder=3,
        )  # fmt: skip
    ax.set_xticks(range(len(values)), list(values))
    ax.set_xlim(-0.6, len(values) - 0.4)
    ax.tick_params(axis="x", length=0)
    return ax
