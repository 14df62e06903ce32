"""Figure 1: VEGA on blood cells with and without interferon beta."""

import pandas as pd
from matplotlib.figure import FigureBase

from scripts.common.gmvs import INTERFERON, INTERFERON_AB, TRYPTOPHAN
from scripts.figures.data import FigureData
from scripts.figures.fig1_architecture import draw_architecture
from scripts.figures.layout import Layout, axes, inches, lacks, message, note
from vega.gene_sets import readable
from vega.plot import activities, embedding, gsea_comparison, volcano, wrapped

LAYOUT = Layout(("aaab", "cddd", "eeff"), widths=(3.0, 0.95, 0.25, 3.0), heights=(2.5, 2.5, 2.8))

NAMED = (INTERFERON_AB, INTERFERON, TRYPTOPHAN)
CONTRAST = "innate"  # stimulated against control in monocytes and dendritic cells


def a(figure: FigureBase, data: FigureData) -> None:
    """The architecture; a schematic, the same for all data."""
    draw_architecture(figure, *inches(figure))


def b(figure: FigureBase, data: FigureData) -> None:
    """Cell types and conditions in the UMAP of the latent space."""
    embedding(data["kang"].latent, "cell_type", "condition", ax=axes(figure, 0.3, 1.05))


def c(figure: FigureBase, data: FigureData) -> None:
    """Activity of interferon alpha/beta signaling in the same UMAP."""
    if not lacks(figure, data["kang"], INTERFERON_AB):
        ax = axes(figure, 0.3, 0.6)
        embedding(data["kang"].latent, INTERFERON_AB, "condition", ax=ax)
        ax.set_title(readable(INTERFERON_AB))


def d(figure: FigureBase, data: FigureData) -> None:
    """Interferon alpha/beta signaling against tryptophan catabolism."""
    if not lacks(figure, data["kang"], INTERFERON_AB, TRYPTOPHAN):
        ax = axes(figure, 0.5, 1.05)
        activities(data["kang"].latent, INTERFERON_AB, TRYPTOPHAN, "cell_type", "condition", ax=ax)


def e(figure: FigureBase, data: FigureData) -> None:
    """Innate cells, stimulated against control; interferon and tryptophan sets are named."""
    table = data["kang"].contrast(CONTRAST)
    if table.empty:
        message(figure, f"the model has no contrast “{CONTRAST}”")
        return
    found = table.index[(table["log_bf"].abs() > 3) & (table["md"] > 5)]
    interferon = found[found.str.contains("INTERFERON|IFN")]
    volcano(table, [*interferon, *NAMED], ax=axes(figure, 0.45, 1.6))
    _note_missing(figure, table)


def f(figure: FigureBase, data: FigureData) -> None:
    """GSEA and VEGA on the same contrast."""
    table = data["kang"].with_gsea(CONTRAST)
    if table.empty:
        message(figure, f"the model has no contrast “{CONTRAST}”\nwith GSEA")
        return
    gsea_comparison(table, NAMED, ax=axes(figure, 0.45, 1.08, top=0.6))
    _note_missing(figure, table)


def _note_missing(figure: FigureBase, table: pd.DataFrame) -> None:
    """Say which of the sets to be named the collection lacks."""
    missing = [wrapped(gmv, 40) for gmv in NAMED if gmv not in table.index]
    if missing:
        note(figure, "not in this collection: " + ", ".join(missing))
