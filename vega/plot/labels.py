"""Names of GMVs right of the axes, without overlap."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation, Text

from vega.gene_sets import readable

GAP = 4  # pixels between names
LEADER = {"arrowstyle": "-", "linewidth": 0.5, "color": "0.45"}


def wrapped(gmv: str, width: int) -> str:
    """Return the readable name of a GMV on lines of at most `width` characters.

    >>> import vega
    >>> vega.plot.wrapped("REACTOME_INTERFERON_SIGNALING", 12)
    'INTERFERON\\nSIGNALING'
    """
    return textwrap.fill(readable(gmv), width, break_long_words=False)


def label_points(
    ax: Axes, x: Sequence[float], y: Sequence[float], gmvs: Sequence[str], width: int = 28
) -> list[Annotation]:
    """Name dots in a column right of the axes, with leaders.

    Names stand as close as they can to the height of their dots; they never overlap, and hide no
    dot. To be called once the axes have their final size and limits.

    Parameters
    ----------
    ax
        The axes; the room right of them is the caller's to leave.
    x, y, gmvs
        Position and GMV of each dot to name.
    width
        Most characters on a line.

    Examples
    --------
    >>> import vega
    >>> from matplotlib import pyplot as plt
    >>> fig, ax = plt.subplots()
    >>> dots = ax.scatter([1, 2], [1, 2])
    >>> notes = vega.plot.label_points(ax, [1, 2], [1, 2], ["B cells", "T cells"])
    """
    notes = [
        ax.annotate(
            wrapped(gmv, width), (px, py), (1.07, 0.5), textcoords="axes fraction",
            ha="left", va="center", fontsize="small", linespacing=1, annotation_clip=False,
            arrowprops=LEADER | {"relpos": (0, 0.5), "shrinkA": 1, "shrinkB": 1.5},
        )
        for px, py, gmv in zip(x, y, gmvs, strict=True)
    ]  # fmt: skip
    # Without leaders, in pixels; then everything in parts of the height of the axes.
    sizes = np.array([Text.get_window_extent(note).height + GAP for note in notes])
    dots = ax.transData.transform(np.column_stack([x, y]))[:, 1]
    middles = spread((dots - ax.bbox.y0) / ax.bbox.height, sizes / ax.bbox.height)
    for note, middle in zip(notes, middles, strict=True):
        note.set_y(middle)
    return notes


def spread(centres: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Move intervals apart, as little as possible and in their order; return their centres.

    They are inside 0..1 if they all fit there; else they exceed it equally at both ends.
    """
    from scipy.optimize import isotonic_regression  # late, as it takes long to load

    order = np.argsort(centres, kind="stable")
    # `packed` are the centres if all intervals touch. The distances from these must not decrease,
    # so that the least squares solution is an isotonic regression.
    packed = np.cumsum(sizes[order]) - sizes[order] / 2
    start = isotonic_regression(centres[order] - packed).x if len(order) else packed
    free = 1 - sizes.sum()
    placed = np.empty(len(order))
    placed[order] = packed + np.clip(start, min(0, free / 2), max(free, free / 2))
    return placed
