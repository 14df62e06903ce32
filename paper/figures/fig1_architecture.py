"""Schematic of the VEGA architecture (Fig. 1a)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D

from vega.plot.colours import COLOURS

GENES, HIDDEN, LATENT = "#BDBDBD", "#6F86A6", "#3B4A6B"
FREE, BATCH = "#4D4D4D", "#8C6BB1"
# Which of the eight genes drawn each gene module variable reaches; sets may share a gene.
SETS = {
    COLOURS[0]: (0, 1, 2),
    COLOURS[1]: (2, 3),
    COLOURS[2]: (3, 4, 5),
    COLOURS[3]: (6, 7),
}


def draw_architecture(figure: FigureBase, width: float, height: float) -> None:
    """Draw encoder, gene module variables and masked decoder; the units are inches."""
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.axis("off")
    middle = height / 2 + 0.05
    genes = _column(0.55, middle, 8)
    layers = [_column(1.1, middle, 6), _column(1.55, middle, 6)]
    mean, variance = _column(2.1, middle + 0.43, 4, 0.17), _column(2.1, middle - 0.43, 4, 0.17)
    gmvs = _column(2.72, middle + 0.27, 4, 0.25)
    free, batch = np.array([[2.72, middle - 0.53]]), np.array([[2.72, middle - 0.83]])
    output = _column(3.8, middle, 8)

    for before, after in (
        (genes, layers[0]),
        (layers[0], layers[1]),
        (layers[1], mean),
        (layers[1], variance),
    ):
        _lines(ax, before, after, "0.8", 0.25)
    for moment in (mean, variance):
        _lines(ax, moment, gmvs, "0.8", 0.25)
        _lines(ax, moment, free, "0.8", 0.25)
    _lines(ax, free, output, FREE, 0.45)
    _lines(ax, batch, output, BATCH, 0.45, linestyle=(0, (3, 2)))
    for node, (colour, members) in zip(gmvs, SETS.items(), strict=True):
        _lines(ax, [node], output[list(members)], colour, 1.1)

    for nodes, colour, size in (
        (genes, GENES, 40),
        (layers[0], HIDDEN, 40),
        (layers[1], HIDDEN, 40),
        (mean, LATENT, 28),
        (variance, LATENT, 28),
        (gmvs, list(SETS), 75),
        (free, FREE, 75),
        (output, GENES, 40),
    ):
        ax.scatter(*nodes.T, s=size, c=colour, edgecolors="white", linewidths=0.6, zorder=3)
    ax.scatter(*batch.T, s=60, c=BATCH, marker="s", edgecolors="white", linewidths=0.6, zorder=3)
    for moment, symbol in ((mean, "μ"), (variance, "σ²")):
        x, y = moment.mean(axis=0)
        ax.text(x + 0.1, y, symbol, va="center", ha="left")
    _words(ax, height)
    _key(ax)


def _column(x: float, middle: float, n: int, step: float = 0.2) -> np.ndarray:
    """`n` nodes from top to bottom, n x 2."""
    return np.column_stack([np.full(n, x), middle + step * (np.arange(n)[::-1] - (n - 1) / 2)])


def _lines(
    ax: Axes, start: Sequence, end: Sequence, colour: str, width: float, linestyle="solid"
) -> None:
    """A line from each node of `start` to each of `end`."""
    segments = [(a, b) for a in start for b in end]
    ax.add_collection(
        LineCollection(segments, colors=colour, linewidths=width, linestyles=linestyle, zorder=1)
    )


def _words(ax: Axes, height: float) -> None:
    """What each column is, above it."""
    for x, words in (
        (0.55, "gene\nexpression"),
        (1.32, "encoder"),
        (2.1, "mean and\nvariance"),
        (2.72, "GMVs"),
        (3.25, "masked\ndecoder"),
        (3.82, "reconstructed\nexpression"),
    ):
        ax.text(x, height - 0.2, words, ha="center", va="center", linespacing=1.05, size="small")


def _key(ax: Axes) -> None:
    """What the kinds of decoder weights mean, below."""
    kinds = (
        (COLOURS[1], "solid", 1.4, "genes of the set only, weights ≥ 0"),
        (FREE, "solid", 0.7, "unannotated: all genes"),
        (BATCH, (0, (3, 2)), 0.7, "batch: all genes"),
    )
    ax.legend(
        handles=[
            Line2D([], [], color=c, linestyle=s, linewidth=w, label=t) for c, s, w, t in kinds
        ],
        loc="lower center", ncols=3, frameon=False, fontsize="small", handlelength=1.6,
        columnspacing=1.0, handletextpad=0.4, borderaxespad=0.4,
    )  # fmt: skip
