"""Figure 1: VEGA on blood cells with and without interferon beta."""

import pandas as pd
from matplotlib.figure import FigureBase

from scripts.common.gmvs import INTERFERON, INTERFERON_AB, TRYPTOPHAN
from scripts.figures.charts import activities_panel, embedding_panel
from scripts.figures.data import FigureData
from scripts.figures.fig1_architecture import draw_architecture
from scripts.figures.layout import Content, Layout, Panel, axes, note
from vega.plot import gsea_comparison, volcano, wrapped

LAYOUT = Layout(("aaab", "cddd", "eeff"), widths=(3.0, 0.95, 0.25, 3.0), heights=(2.5, 2.5, 2.8))

NAMED = (INTERFERON_AB, INTERFERON, TRYPTOPHAN)
CONTRAST = "innate"  # stimulated against control in monocytes and dendritic cells


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
