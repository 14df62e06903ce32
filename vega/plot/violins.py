"""Distributions side by side."""

from collections.abc import Mapping

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

FACE = "#D43F3A"


def violins(values: Mapping[str, ArrayLike], *, ax: Axes | None = None) -> Axes:
    """Draw a violin for each group of values: density, quartiles (bar) and median (dot).

    Parameters
    ----------
    values
        The values of each group, by the name that stands below it. An empty group keeps its place
        and says so.
    ax
        Where to draw; the current axes by default.
    """
    ax = ax or plt.gca()
    for place, group in enumerate(map(np.asarray, values.values())):
        if not len(group):
            ax.text(place, 0.02, "no cells", transform=ax.get_xaxis_transform(), **EMPTY)
            continue
        (body,) = ax.violinplot(group, [place], widths=0.8, showextrema=False)["bodies"]
        body.set(facecolor=FACE, edgecolor="black", linewidth=0.6, alpha=1)
        low, median, high = np.percentile(group, [25, 50, 75])
        ax.vlines(place, low, high, color="black", linewidth=3)
        ax.scatter(place, median, s=9, color="white", linewidths=0, zorder=3)
    ax.set_xticks(range(len(values)), list(values))
    ax.set_xlim(-0.6, len(values) - 0.4)
    ax.tick_params(axis="x", length=0)
    return ax


EMPTY = {"ha": "center", "va": "bottom", "fontsize": "small", "style": "italic", "color": "0.3"}
