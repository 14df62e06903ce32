"""All values of several groups in rows, with their means."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from vega.plot.colours import COLOURS

HEIGHT = 0.76  # of a row, of the distance from one to the next
DOTS = {"s": 5, "alpha": 0.4, "linewidths": 0}
MEAN = {
    "fmt": "D", "markersize": 3.6, "markeredgecolor": "black", "markeredgewidth": 0.5,
    "ecolor": "black", "elinewidth": 0.8,
}  # fmt: skip


def strips(
    values: Mapping[str, Mapping[str, ArrayLike]],
    *,
    colors: Sequence[str] = COLOURS,
    ax: Axes | None = None,
) -> Axes:
    """Draw a row per method, in it a line of dots per group with their mean and standard deviation.

    Dots of a group are spread over the height of its line in the order of the values, so that few
    hide others. The standard deviation divides by the number of values; one value has none.

    Parameters
    ----------
    values
        By the name of the row, from top to bottom, the values of each group by its name, the same
        groups in all rows; missing values are left out. A group without any keeps its place, with
        a dash.
    colors
        Colour of each group.
    ax
        Where to draw; the current axes by default.
    """
    ax = ax or plt.gca()
    for row, groups in enumerate(values.values()):
        height = HEIGHT / len(groups)
        for i, ((name, found), colour) in enumerate(zip(groups.items(), colors, strict=False)):
            place = row + (i - (len(groups) - 1) / 2) * height
            known = np.asarray(found, dtype=float)
            known = known[np.isfinite(known)]
            if not len(known):
                ax.text(
                    0.02, place, "–", transform=ax.get_yaxis_transform(), va="center", color="0.3"
                )  # fmt: skip
                continue
            spread = np.linspace(-0.35, 0.35, len(known)) if len(known) > 1 else np.zeros(1)
            ax.scatter(known, place + spread * height, color=colour, **DOTS)
            ax.errorbar(
                known.mean(), place, xerr=known.std() if len(known) > 1 else None, color=colour,
                label=name if row == 0 else None, **MEAN,
            )  # fmt: skip
    ax.set_yticks(range(len(values)), list(values))
    ax.set_ylim(len(values) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    return ax
