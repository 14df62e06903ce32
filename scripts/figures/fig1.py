"""Figure 1: VEGA on blood cells with and without interferon beta."""

import numpy as np
import pandas as pd
from matplotlib.figure import FigureBase

from scripts.common.gmvs import INTERFERON, INTERFERON_AB, TRYPTOPHAN
from scripts.figures.charts import activities_panel, embedding_panel
from scripts.figures.data import FigureData
from scripts.figures.layout import Content, Layout, Panel, axes, note
from scripts.figures.schematic import FREE, GENES, HIDDEN, LATENT, SETS, Schematic, column
from vega.plot import gsea_comparison, volcano, wrapped
from vega.plot.colours import COLOURS

LAYOUT = Layout(("aaab", "cddd", "eeff"), widths=(3.0, 0.95, 0.25, 3.0), heights=(2.5, 2.5, 2.8))

NAMED = (INTERFERON_AB, INTERFERON, TRYPTOPHAN)
CONTRAST = "innate"  # stimulated against control in monocytes and dendritic cells
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


def contrast(data: FigureData) -> Content:
    """Return the GMVs of the contrast with what a volcano shows of them."""
    table = data["kang"].contrast(CONTRAST).reset_index()
    if table.empty:
        return f"the model has no contrast “{CONTRAST}”"
    return table[["gmv", "log_bf", "md"]]


def draw_volcano(figure: FigureBase, table: pd.DataFrame) -> None:
    table = table.set_index("gmv")
    found = table.index[(table["log_bf"].abs() > 3) & (table["md"] > 5)]
    interferon = found[found.str.contains("INTERFERON|IFN")]
    volcano(table, [*interferon, *NAMED], ax=axes(figure, 0.45, 1.6))
    _note_missing(figure, table)


def with_gsea(data: FigureData) -> Content:
    """Return the gene sets of the contrast with both results."""
    table = data["kang"].with_gsea(CONTRAST).reset_index()
    if table.empty:
        return f"the model has no contrast “{CONTRAST}”\nwith GSEA"
    return table[["gmv", "n_genes", "log_bf", "neg_log10_fdr"]]


def draw_gsea(figure: FigureBase, table: pd.DataFrame) -> None:
    table = table.set_index("gmv")
    gsea_comparison(table, NAMED, ax=axes(figure, 0.45, 1.08, top=0.6))
    _note_missing(figure, table)


def _note_missing(figure: FigureBase, table: pd.DataFrame) -> None:
    """Say which of the sets to be named the collection lacks."""
    missing = [wrapped(gmv, 40) for gmv in NAMED if gmv not in table.index]
    if missing:
        note(figure, "not in this collection: " + ", ".join(missing))


PANELS = {
    "a": Panel("The architecture; a schematic, the same for all data.", draw_architecture),
    "b": embedding_panel(
        "Cell types and conditions in the UMAP of the latent space.",
        "kang", label="cell_type", style="condition", margins=(0.3, 1.05),
    ),
    "c": embedding_panel(
        "Activity of interferon alpha/beta signaling in the same UMAP.",
        "kang", gmv=INTERFERON_AB, style="condition", margins=(0.3, 0.6),
    ),
    "d": activities_panel(
        "Interferon alpha/beta signaling against tryptophan catabolism.",
        "kang", INTERFERON_AB, TRYPTOPHAN, style="condition", margins=(0.5, 1.05),
    ),
    "e": Panel(
        "Innate cells, stimulated against control; interferon and tryptophan sets are named.",
        draw_volcano, contrast,
    ),
    "f": Panel("GSEA and VEGA on the same contrast.", draw_gsea, with_gsea),
}  # fmt: skip
