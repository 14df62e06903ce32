"""What schematics of networks are made of: columns of nodes, lines between them, a key."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D

from scripts.figures.layout import inches
from vega.plot.colours import COLOURS

GENES, HIDDEN, LATENT, FREE, DENSE = "#BDBDBD", "#6F86A6", "#3B4A6B", "#4D4D4D", "0.8"
# Which of the eight genes drawn each gene module variable reaches; sets may share a gene.
SETS = {
    COLOURS[0]: (0, 1, 2),
    COLOURS[1]: (2, 3),
    COLOURS[2]: (3, 4, 5),
    COLOURS[3]: (6, 7),
}

Line = str | tuple[float, tuple[float, ...]]  # as matplotlib takes styles of lines


def column(x: float, middle: float, n: int, step: float = 0.2) -> np.ndarray:
    """Return the places of `n` nodes from top to bottom, n x 2, in inches."""
    return np.column_stack([np.full(n, x), middle + step * (np.arange(n)[::-1] - (n - 1) / 2)])


class Schematic:
    """Axes over all of a (sub)figure, without frame; the units are inches."""

    def __init__(self, figure: FigureBase):
        self.width, self.height = inches(figure)
        self.ax = figure.add_axes((0, 0, 1, 1), aspect="equal")
        self.ax.set(xlim=(0, self.width), ylim=(0, self.height))
        self.ax.axis("off")

    def lines(
        self, start: Sequence, end: Sequence, colour: str, width: float, style: Line = "solid"
    ) -> None:
        """Draw a line from each node of `start` to each of `end`."""
        segments = [(a, b) for a in start for b in end]
        self.ax.add_collection(
            LineCollection(segments, colors=colour, linewidths=width, linestyles=style, zorder=1)
        )

    def dense(self, *layers: np.ndarray) -> None:
        """Connect all nodes of each layer with all of the next."""
        for before, after in pairwise(layers):
            self.lines(before, after, DENSE, 0.25)

    def masked(self, variables: np.ndarray, genes: np.ndarray, width: float) -> None:
        """Connect each variable with the genes of its set."""
        for variable, (colour, members) in zip(variables, SETS.items(), strict=True):
            self.lines([variable], genes[list(members)], colour, width)

    def nodes(
        self, where: np.ndarray, colour: str | list[str], size: float, marker: str = "o"
    ) -> None:
        """Draw nodes (n x 2), with an area of `size` square points each."""
        style = {"marker": marker, "edgecolors": "white", "linewidths": 0.6, "zorder": 3}
        self.ax.scatter(*where.T, s=size, c=colour, **style)

    def headings(self, y: float, words: dict[float, str]) -> None:
        """Write what columns are, by their place."""
        style = {"ha": "center", "va": "center", "linespacing": 1.05, "size": "small"}
        for x, heading in words.items():
            self.ax.text(x, y, heading, **style)

    def key(self, *kinds: tuple[str, Line, float, str]) -> None:
        """Draw a legend of kinds of lines, below: colour, style, width and words of each."""
        self.ax.legend(
            handles=[
                Line2D([], [], color=c, linestyle=s, linewidth=w, label=t) for c, s, w, t in kinds
            ],
            loc="lower center", ncols=len(kinds), frameon=False, fontsize="small",
            handlelength=1.6, columnspacing=1.0, handletextpad=0.4, borderaxespad=0.4,
        )  # fmt: skip
