"""Schematic of the VEGA architecture (Fig. 1a)."""

import numpy as np
from matplotlib.figure import FigureBase

from scripts.figures.schematic import FREE, GENES, HIDDEN, LATENT, SETS, Schematic, column
from vega.plot.colours import COLOURS

BATCH = "#8C6BB1"
DASHED = (0, (3, 2))


def draw_architecture(figure: FigureBase) -> None:
    """Draw encoder, gene module variables and masked decoder; the units are inches."""
    sketch = Schematic(figure)
    middle = sketch.height / 2 + 0.05
    genes, output = column(0.55, middle, 8), column(3.8, middle, 8)
    hidden = [column(1.1, middle, 6), column(1.55, middle, 6)]
    mean, variance = column(2.1, middle + 0.43, 4, 0.17), column(2.1, middle - 0.43, 4, 0.17)
    gmvs = column(2.72, middle + 0.27, 4, 0.25)
    free, batch = np.array([[2.72, middle - 0.53]]), np.array([[2.72, middle - 0.83]])

    sketch.dense(genes, *hidden, mean)
    sketch.dense(hidden[-1], variance)
    for moment in (mean, variance):
        sketch.dense(moment, gmvs)
        sketch.dense(moment, free)
    sketch.lines(free, output, FREE, 0.45)
    sketch.lines(batch, output, BATCH, 0.45, style=DASHED)
    sketch.masked(gmvs, output, 1.1)

    for layer in (genes, output):
        sketch.nodes(layer, GENES, 40)
    for layer in hidden:
        sketch.nodes(layer, HIDDEN, 40)
    for moment, symbol in ((mean, "μ"), (variance, "σ²")):
        sketch.nodes(moment, LATENT, 28)
        x, y = moment.mean(axis=0)
        sketch.ax.text(x + 0.1, y, symbol, va="center", ha="left")
    sketch.nodes(gmvs, list(SETS), 75)
    sketch.nodes(free, FREE, 75)
    sketch.nodes(batch, BATCH, 60, marker="s")
    words = {
        0.55: "gene\nexpression",
        1.32: "encoder",
        2.1: "mean and\nvariance",
        2.72: "GMVs",
        3.25: "masked\ndecoder",
        3.82: "reconstructed\nexpression",
    }
    sketch.headings(sketch.height - 0.2, words)
    sketch.key(
        (COLOURS[1], "solid", 1.4, "genes of the set only, weights ≥ 0"),
        (FREE, "solid", 0.7, "unannotated: all genes"),
        (BATCH, DASHED, 0.7, "batch: all genes"),
    )
