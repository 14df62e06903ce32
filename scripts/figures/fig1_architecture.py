"""Schematic of the VEGA architecture (Fig. 1a)."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from scripts.figures.layout import inches
from scripts.figures.schematic import (
    FREE,
    GENES,
    HIDDEN,
    LATENT,
    SETS,
    column,
    key,
    lines,
    nodes,
    sheet,
)
from vega.plot.colours import COLOURS

BATCH = "#8C6BB1"


def draw_architecture(figure: FigureBase) -> None:
    """Draw encoder, gene module variables and masked decoder; the units are inches."""
    width, height = inches(figure)
    ax = sheet(figure, width, height)
    middle = height / 2 + 0.05
    genes = column(0.55, middle, 8)
    layers = [column(1.1, middle, 6), column(1.55, middle, 6)]
    mean, variance = column(2.1, middle + 0.43, 4, 0.17), column(2.1, middle - 0.43, 4, 0.17)
    gmvs = column(2.72, middle + 0.27, 4, 0.25)
    free, batch = np.array([[2.72, middle - 0.53]]), np.array([[2.72, middle - 0.83]])
    output = column(3.8, middle, 8)

    for before, after in (
        (genes, layers[0]),
        (layers[0], layers[1]),
        (layers[1], mean),
        (layers[1], variance),
    ):
        lines(ax, before, after, "0.8", 0.25)
    for moment in (mean, variance):
        lines(ax, moment, gmvs, "0.8", 0.25)
        lines(ax, moment, free, "0.8", 0.25)
    lines(ax, free, output, FREE, 0.45)
    lines(ax, batch, output, BATCH, 0.45, linestyle=(0, (3, 2)))
    for node, (colour, members) in zip(gmvs, SETS.items(), strict=True):
        lines(ax, [node], output[list(members)], colour, 1.1)

    for where, colour, size in (
        (genes, GENES, 40),
        (layers[0], HIDDEN, 40),
        (layers[1], HIDDEN, 40),
        (mean, LATENT, 28),
        (variance, LATENT, 28),
        (gmvs, list(SETS), 75),
        (free, FREE, 75),
        (output, GENES, 40),
    ):
        nodes(ax, where, colour, size)
    nodes(ax, batch, BATCH, 60, marker="s")
    for moment, symbol in ((mean, "μ"), (variance, "σ²")):
        x, y = moment.mean(axis=0)
        ax.text(x + 0.1, y, symbol, va="center", ha="left")
    _words(ax, height)
    key(
        ax,
        (
            (COLOURS[1], "solid", 1.4, "genes of the set only, weights ≥ 0"),
            (FREE, "solid", 0.7, "unannotated: all genes"),
            (BATCH, (0, (3, 2)), 0.7, "batch: all genes"),
        ),
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
