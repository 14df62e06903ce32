"""Figure 2: drugs on 97 cancer cell lines, and regulons in glioblastoma."""

import pandas as pd
from matplotlib.figure import FigureBase

from scripts.common.mixseq import DRUGS
from scripts.figures.data import FigureData
from scripts.figures.layout import Layout, axes, inches, lacks
from scripts.figures.mixseq import (
    KEYS,
    bayes_factors,
    draw_shifts,
    few_cells_strip,
    keys_below,
    legend_below,
    lines_of,
    side_by_side,
    tissue_strip,
)
from vega.gene_sets import readable
from vega.plot import (
    ColourStrip,
    clustered_heatmap,
    embedding,
    two_channels,
)
from vega.plot.colours import COLOURS

LAYOUT = Layout(("aab", "ccc", "dee"), widths=(3.15, 0.45, 3.6), heights=(2.4, 5.45, 2.45))

G2M = "HALLMARK_G2M_CHECKPOINT"
STAT3, OLIG2 = "STAT3", "OLIG2"
DRUG_COLOURS = dict(zip(DRUGS, COLOURS[1:5], strict=True))  # the first is DMSO's in panel a


def a(figure: FigureBase, data: FigureData) -> None:
    """Cells with Trametinib and with DMSO; an arrow per cell line."""
    draw_shifts(figure, data, "Trametinib")


def b(figure: FigureBase, data: FigureData) -> None:
    """Activity of the G2M checkpoint in the same cells."""
    results = data[DRUGS["Trametinib"]]
    if not lacks(figure, results, G2M):
        ax = axes(figure, 0.3, 0.6, bottom=0.48)
        embedding(results.latent, G2M, basis="X_tsne", ax=ax)
        ax.set_title(readable(G2M))


def c(figure: FigureBase, data: FigureData) -> None:
    """Every hallmark under every drug in every cell line."""
    tables = bayes_factors(figure, data)
    if not tables:
        return
    table, lines = side_by_side(tables), lines_of(data)
    drug, line = (
        pd.Series(table.columns.get_level_values(i), index=table.columns) for i in range(2)
    )
    strips = [
        ColourStrip("drug", drug, DRUG_COLOURS),
        tissue_strip(line.map(lines["tissue"]), lines),
        few_cells_strip(tables, data),
    ]
    ax = axes(figure, 1.75, 0.1, bottom=KEYS, top=0.89)
    melanoma = table.columns[line.map(lines["melanoma"])]
    clustered_heatmap(table, strips, limit=4, marked=list(melanoma), ax=ax)
    keys_below(figure, ax, *strips[:2])
    unknown = lines["braf"].isna().all()
    if len(melanoma) or unknown:
        width, height = inches(figure)
        words = "BRAF mutations not known" if unknown else "▲ melanoma, BRAF mutant"
        figure.text(0.12 / width, 0.2 / height, words, fontsize="x-small")


def d(figure: FigureBase, data: FigureData) -> None:
    """Cell types of glioblastoma."""
    ax = axes(figure, 0.3, 0.2, bottom=0.62)
    embedding(data["gbm"].latent, "cell_type", basis="X_tsne", ax=ax)
    legend_below(ax, 4)


def e(figure: FigureBase, data: FigureData) -> None:
    """Regulons of STAT3 and OLIG2 in the same cells."""
    if not lacks(figure, data["gbm"], STAT3, OLIG2):
        ax = axes(figure, 0.3, 1.1, bottom=0.62)
        two_channels(data["gbm"].latent, STAT3, OLIG2, basis="X_tsne", ax=ax)
