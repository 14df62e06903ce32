"""Colours, markers and lines that the plots share."""

from typing import Any

from matplotlib import colormaps
from matplotlib.colors import to_hex

# seaborn's palette "colorblind", the seven most different colours first.
COLOURS = (
    "#0173B2", "#DE8F05", "#029E73", "#D55E00", "#CC78BC",
    "#56B4E9", "#4D4D4D", "#CA9161", "#FBAFE4", "#ECE133",
)  # fmt: skip
MISSING = "#D9D9D9"  # cells without a category
MARKERS = ("^", "o", "s", "D", "v", "P")

GREY, RED, BLUE, PURPLE = "#8C8C8C", "#D62728", "#1F77B4", "#8250A8"
GUIDE: dict[str, Any] = {"color": "0.3", "linewidth": 0.6, "linestyle": (0, (4, 3)), "zorder": 0.5}


def palette(n: int) -> list[str]:
    """Return `n` colours: those of `COLOURS`, or a rainbow where these would repeat."""
    if n <= len(COLOURS):
        return list(COLOURS[:n])
    return [to_hex(colour) for colour in colormaps["turbo"].resampled(n)(range(n))]
