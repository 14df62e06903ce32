"""Four architectures that differ in where gene sets mask the weights (Supplementary Fig. 1a)."""

from dataclasses import dataclass
from itertools import pairwise

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

DENSE, SAMPLED = "0.8", (0, (1, 1))  # a colour and a style
KEY = 0.3  # inches below the schematics


@dataclass(frozen=True)
class Architecture:
    """One of the four: its name, its colour in all panels, and what its two halves are.

    A half is sparse where gene sets mask its weights. `encoder` and `decoder` say how it is made.
    """

    name: str
    colour: str
    sparse_encoder: bool
    sparse_decoder: bool
    encoder: str
    decoder: str


DEEP = "two hidden\nlayers"
POSITIVE = "masked, linear,\nweights ≥ 0"
# By variant of the model, in the paper's order. The gene sets of the schematics have the first
# four colours.
ARCHITECTURES = {
    "sparse-sparse": Architecture(
        "sparse encoder, sparse decoder", COLOURS[4], True, True,
        "masked, batch\nnorm, ReLU", POSITIVE,
    ),
    "vega": Architecture(
        "deep encoder, sparse decoder (VEGA)", COLOURS[5], False, True, DEEP, POSITIVE
    ),
    "sparse-deep": Architecture(
        "sparse encoder, deep decoder", COLOURS[7], True, False, POSITIVE, DEEP
    ),
    "vae": Architecture("VAE", COLOURS[6], False, False, DEEP, DEEP),
}  # fmt: skip


def draw_architectures(figure: FigureBase) -> None:
    """Draw the four, two by two, and the key of their lines; the units are inches."""
    width, height = inches(figure)
    ax = sheet(figure, width, height)
    wide, high = width / 2, (height - KEY) / 2
    for i, architecture in enumerate(ARCHITECTURES.values()):
        _draw(ax, architecture, i % 2 * wide, height - i // 2 * high, high)
    key(
        ax,
        (
            (COLOURS[1], "solid", 1.4, "masked: genes of the set only"),
            (FREE, "solid", 0.7, "unannotated variable: all genes"),
            (DENSE, "solid", 0.9, "fully connected"),
            ("0.5", SAMPLED, 0.9, "sampling"),
        ),
    )


def _draw(ax: Axes, architecture: Architecture, left: float, top: float, high: float) -> None:
    """One schematic, `high` inches below `top`."""
    middle = top - high / 2 - 0.22
    genes, output = column(left + 0.5, middle, 8, 0.145), column(left + 3.3, middle, 8, 0.145)
    mean, variance = (column(left + 1.65, middle + d, 5, 0.11) for d in (0.31, -0.31))
    latent = column(left + 2.1, middle, 5, 0.2)
    gene_sets = architecture.sparse_encoder or architecture.sparse_decoder
    colours = [*SETS, FREE] if gene_sets else [LATENT] * 5

    hidden = []
    if architecture.sparse_encoder:
        _masked(ax, mean, genes)
        _masked(ax, variance, genes)
    else:
        hidden += [column(left + x, middle, 6, 0.17) for x in (0.89, 1.25)]
        _dense(ax, genes, *hidden, mean)
        _dense(ax, hidden[-1], variance)
    for moment in (mean, variance):
        for start, end in zip(moment, latent, strict=True):
            lines(ax, [start], [end], "0.5", 0.7, linestyle=SAMPLED)
    if architecture.sparse_decoder:
        _masked(ax, latent, output)
    else:
        decoder = [column(left + x, middle, 6, 0.17) for x in (2.5, 2.9)]
        _dense(ax, latent, *decoder, output)
        hidden += decoder

    for where, colour, size in (
        *((layer, HIDDEN, 26) for layer in hidden),
        (genes, GENES, 28),
        (output, GENES, 28),
        (mean, colours, 16),
        (variance, colours, 16),
        (latent, colours, 50),
    ):
        nodes(ax, where, colour, size)
    _words(ax, architecture, left, top, "GMVs" if gene_sets else "latent\nvariables")
    ax.text(*mean[0] + (0.08, 0.01), "μ", va="bottom")
    ax.text(*variance[-1] + (0.08, -0.01), "σ²", va="top")


def _masked(ax: Axes, variables: np.ndarray, genes: np.ndarray) -> None:
    """Each variable with the genes of its set; the last one, unannotated, with all genes."""
    lines(ax, variables[-1:], genes, FREE, 0.35)
    for variable, (colour, members) in zip(variables[:-1], SETS.items(), strict=True):
        lines(ax, [variable], genes[list(members)], colour, 0.9)


def _dense(ax: Axes, *layers: np.ndarray) -> None:
    """All nodes of each layer with all of the next."""
    for before, after in pairwise(layers):
        lines(ax, before, after, DENSE, 0.25)


def _words(ax: Axes, architecture: Architecture, left: float, top: float, variables: str) -> None:
    """The name, with the colour of the other panels, and what each column is."""
    title = top - 0.14
    nodes(ax, np.array([[left + 0.36, title]]), architecture.colour, 50, marker="s")
    ax.text(left + 0.48, title, architecture.name, va="center", weight="bold")
    for x, words in (
        (0.4, "genes"),
        (1.02, architecture.encoder),
        (2.1, variables),
        (2.7, architecture.decoder),
        (3.4, "genes"),
    ):
        ax.text(
            left + x, top - 0.42, words, ha="center", va="center", linespacing=1.05, size="small"
        )
