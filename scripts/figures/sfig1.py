"""Supplementary Figure 1: gene sets in the encoder, in the decoder, in both or in neither."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import FigureBase
from matplotlib.ticker import MaxNLocator

from scripts.figures.charts import first_seed, label_groups, legend_above, silhouette_bars
from scripts.figures.data import FigureData
from scripts.figures.layout import Content, Layout, Panel, axes
from scripts.figures.schematic import DENSE, FREE, GENES, HIDDEN, LATENT, SETS, Schematic, column
from vega.plot.colours import COLOURS

LAYOUT = Layout(("aa", "bc"), widths=(3.75, 3.65), heights=(3.9, 2.6))
BOTTOM = 0.52  # inches for names of three lines

KINDS = {
    "silhouette_condition": "condition",
    "silhouette_type_control": "cell type, control cells",
    "silhouette_type_stimulated": "cell type, stimulated cells",
}

SAMPLED = (0, (1, 1))  # a style of lines
KEY = 0.3  # inches below the schematics
DEEP = "two hidden\nlayers"
POSITIVE = "masked, linear,\nweights ≥ 0"


class Architecture(NamedTuple):
    """One of the four: its name, its colour in all panels, and how its two halves are made.

    Gene sets mask the weights of a half that is not `DEEP`.
    """

    name: str
    colour: str
    encoder: str
    decoder: str


# By variant of the model, in the paper's order. The gene sets of the schematics have the first
# four colours.
ARCHITECTURES = {
    "sparse-sparse": Architecture(
        "sparse encoder, sparse decoder", COLOURS[4], "masked, batch\nnorm, ReLU", POSITIVE
    ),
    "vega": Architecture("deep encoder, sparse decoder (VEGA)", COLOURS[5], DEEP, POSITIVE),
    "sparse-deep": Architecture("sparse encoder, deep decoder", COLOURS[7], POSITIVE, DEEP),
    "vae": Architecture("VAE", COLOURS[6], DEEP, DEEP),
}
NAMES = [architecture.name for architecture in ARCHITECTURES.values()]
PALETTE = [architecture.colour for architecture in ARCHITECTURES.values()]


def draw_architectures(figure: FigureBase) -> None:
    """Draw the four, two by two, and the key of their lines; the units are inches."""
    sketch = Schematic(figure)
    wide, high = sketch.width / 2, (sketch.height - KEY) / 2
    for i, architecture in enumerate(ARCHITECTURES.values()):
        _draw(sketch, architecture, i % 2 * wide, sketch.height - i // 2 * high, high)
    sketch.key(
        (COLOURS[1], "solid", 1.4, "masked: genes of the set only"),
        (FREE, "solid", 0.7, "unannotated variable: all genes"),
        (DENSE, "solid", 0.9, "fully connected"),
        ("0.5", SAMPLED, 0.9, "sampling"),
    )


def _draw(
    sketch: Schematic, architecture: Architecture, left: float, top: float, high: float
) -> None:
    """Draw one schematic, `high` inches below `top`."""
    middle = top - high / 2 - 0.22
    genes, output = (column(left + x, middle, 8, 0.145) for x in (0.5, 3.3))
    mean, variance = (column(left + 1.65, middle + d, 5, 0.11) for d in (0.31, -0.31))
    latent = column(left + 2.1, middle, 5, 0.2)
    gene_sets = not architecture.encoder == architecture.decoder == DEEP
    colours = [*SETS, FREE] if gene_sets else [LATENT] * 5

    hidden = []
    if architecture.encoder == DEEP:
        hidden += [column(left + x, middle, 6, 0.17) for x in (0.89, 1.25)]
        sketch.dense(genes, *hidden, mean)
        sketch.dense(hidden[-1], variance)
    else:
        _masked(sketch, mean, genes)
        _masked(sketch, variance, genes)
    for moment in (mean, variance):
        for start, end in zip(moment, latent, strict=True):
            sketch.lines([start], [end], "0.5", 0.7, style=SAMPLED)
    if architecture.decoder == DEEP:
        decoder = [column(left + x, middle, 6, 0.17) for x in (2.5, 2.9)]
        sketch.dense(latent, *decoder, output)
        hidden += decoder
    else:
        _masked(sketch, latent, output)

    for layer in hidden:
        sketch.nodes(layer, HIDDEN, 26)
    for layer in (genes, output):
        sketch.nodes(layer, GENES, 28)
    for moment in (mean, variance):
        sketch.nodes(moment, colours, 16)
    sketch.nodes(latent, colours, 50)
    sketch.ax.text(*mean[0] + (0.08, 0.01), "μ", va="bottom")
    sketch.ax.text(*variance[-1] + (0.08, -0.01), "σ²", va="top")

    title = top - 0.14
    sketch.nodes(np.array([[left + 0.36, title]]), architecture.colour, 50, marker="s")
    sketch.ax.text(left + 0.48, title, architecture.name, va="center", weight="bold")
    words = {
        left + 0.4: "genes",
        left + 1.02: architecture.encoder,
        left + 2.1: "GMVs" if gene_sets else "latent\nvariables",
        left + 2.7: architecture.decoder,
        left + 3.4: "genes",
    }
    sketch.headings(top - 0.42, words)


def _masked(sketch: Schematic, variables: np.ndarray, genes: np.ndarray) -> None:
    """Connect variables with the genes of their sets; the last, unannotated, with all genes."""
    sketch.lines(variables[-1:], genes, FREE, 0.35)
    sketch.masked(variables[:-1], genes, 0.9)


def folds(data: FigureData) -> pd.DataFrame:
    """Return the folds of the first seed by the name of their architecture, in order."""
    table = first_seed(data.tables["kang_architectures_sweep"])
    names = table["variant"].map({v: a.name for v, a in ARCHITECTURES.items()})
    table = table.assign(architecture=pd.Categorical(names, NAMES))
    return table.sort_values(["architecture", "fold"])


def silhouettes(data: FigureData) -> Content:
    """Return the silhouettes of each fold."""
    table = folds(data).reindex(columns=["architecture", "fold", *KINDS]).rename(columns=KINDS)
    table = table.melt(["architecture", "fold"], var_name="labels", value_name="silhouette")
    table["labels"] = pd.Categorical(table["labels"], KINDS.values())
    if table["silhouette"].isna().all():
        return "no silhouettes: these cells have\nneither conditions nor cell types"
    return table


def draw_silhouettes(figure: FigureBase, table: pd.DataFrame) -> None:
    """Draw the mean and the standard deviation of the folds."""
    groups = table.groupby(["labels", "architecture"], observed=False)["silhouette"]
    bars = groups.agg(silhouette="mean", sd="std").reset_index()
    bars = bars.astype({"labels": str}).rename(columns={"architecture": "method"})
    ax = axes(figure, 0.5, 0.1, bottom=BOTTOM, top=0.5)
    silhouette_bars(bars, sd="sd", colors=PALETTE, ax=ax)
    legend_above(ax, 2, left=-0.11)


def losses(data: FigureData) -> Content:
    """Return the lowest validation loss of each fold."""
    table = folds(data)[["architecture", "fold", "validation_loss"]]
    return table if table["validation_loss"].notna().any() else "no fold has a validation loss"


def boxplot(figure: FigureBase, table: pd.DataFrame) -> None:
    """Draw a box for each architecture, and every fold."""
    ax = axes(figure, 0.45, 0.03, bottom=BOTTOM)
    of = {"data": table, "x": "architecture", "y": "validation_loss", "hue": "architecture"}
    style = {"palette": PALETTE, "saturation": 1, "linewidth": 0.7, "linecolor": "black"}
    sns.boxplot(**of, **style, width=0.6, showfliers=False, boxprops={"alpha": 0.5}, ax=ax)
    sns.swarmplot(**of, palette=PALETTE, size=3, edgecolor="black", linewidth=0.4, ax=ax)
    found = set(table.dropna()["architecture"])
    for place, name in enumerate(NAMES):
        if name not in found:
            ax.text(place, 0.02, "–", transform=ax.get_xaxis_transform(), ha="center", color="0.3")
    label_groups(ax, pd.Series(NAMES))
    ax.tick_params(axis="x", length=0)
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.set(xlabel="", ylabel="Lowest validation loss per cell", xlim=(-0.6, len(NAMES) - 0.4))


PANELS = {
    "a": Panel("The four architectures; schematics, the same for all data.", draw_architectures),
    "b": Panel(
        "Silhouettes of conditions and of cell types, mean and standard deviation of the folds.",
        draw_silhouettes,
        silhouettes,
    ),
    "c": Panel("The lowest validation loss of each fold.", boxplot, losses),
}
