"""What schematics of networks are made of: columns of nodes, lines between them, a key."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D

from vega.plot.colours import COLOURS

GENES, HIDDEN, LATENT, FREE = "#BDBDBD", "#6F86A6", "#3B4A6B", "#4D4D4D"
# Which of the eight genes drawn each gene module variable reaches; sets may share a gene.
SETS = {
    COLOURS[0]: (0, 1, 2),
    COLOURS[1]: (2, 3),
    COLOURS[2]: (3, 4, 5),
    COLOURS[3]: (6, 7),
}

Line = str | tuple[float, tuple[float, ...]]  # as matplotlib takes styles of lines


def sheet(figure: FigureBase, width: float, height: float) -> Axes:
    """Axes over all of a (sub)figure, without frame; their units are inches."""
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.axis("off")
    return ax


def column(x: float, middle: float, n: int, step: float = 0.2) -> np.ndarray:
    """`n` nodes from top to bottom, n x 2."""
    return np.column_stack([np.full(n, x), middle + step * (np.arange(n)[::-1] - (n - 1) / 2)])


def lines(
    ax: Axes, start: Sequence, end: Sequence, colour: str, width: float, linestyle: Line = "solid"
) -> None:
    """A line from each node of `start` to each of `end`."""
    segments = [(a, b) for a in start for b in end]
    ax.add_collection(
        LineCollection(segments, colors=colour, linewidths=width, linestyles=linestyle, zorder=1)
    )


def nodes(
    ax: Axes, where: np.ndarray, colour: str | list[str], size: float, marker: str = "o"
) -> None:
    """Nodes (n x 2), with an area of `size` square points each."""
    ax.scatter(
        *where.T, s=size, c=colour, marker=marker, edgecolors="white", linewidths=0.6, zorder=3
    )  # fmt: skip


def key(ax: Axes, kinds: Sequence[tuple[str, Line, float, str]]) -> None:
    """What kinds of lines mean, below: colour, style, width and words of each."""
    ax.legend(
        handles=[
            Line2D([], [], color=c, linestyle=s, linewidth=w, label=t) for c, s, w, t in kinds
        ],
        loc="lower center", ncols=len(kinds), frameon=False, fontsize="small", handlelength=1.6,
        columnspacing=1.0, handletextpad=0.4, borderaxespad=0.4,
    )  # fmt: skip
