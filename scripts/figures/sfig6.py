"""Supplementary Figure 6: the other three drugs, and each drug's response by cell line."""

from functools import partial

import pandas as pd
from matplotlib.figure import FigureBase

from scripts.common.mixseq import MUTANT, WILD_TYPE
from scripts.figures.data import FigureData
from scripts.figures.layout import Layout, inches
from scripts.figures.mixseq import (
    KEYS,
    bayes_factors,
    draw_shifts,
    few_cells_strip,
    keys_below,
    lines_of,
    side_by_side,
    tissue_strip,
)
from vega.plot import ColourStrip, clustered_heatmap

LAYOUT = Layout(("abc", "ddd"), widths=(2.4, 2.4, 2.4), heights=(2.4, 5.75))

ABOVE = 1.16  # inches above heatmaps for note, title, tree and strips
MUTATION_COLOURS = {WILD_TYPE: "tan", MUTANT: "saddlebrown"}

a = partial(draw_shifts, drug="Dabrafenib")
b = partial(draw_shifts, drug="Navitoclax")
c = partial(draw_shifts, drug="BRD3379")


def d(figure: FigureBase, data: FigureData) -> None:
    """A heatmap per drug: hallmarks in the order of Figure 2c, cell lines clustered."""
    tables = bayes_factors(figure, data)
    if not tables:
        return
    hallmarks, lines = side_by_side(tables).index, lines_of(data)
    few = few_cells_strip(tables, data)
    width, height = inches(figure)
    left, gap = 1.75, 0.12
    each = (width - left - 0.1 - gap * (len(tables) - 1)) / len(tables)
    for i, (drug, table) in enumerate(tables.items()):
        ax = figure.add_axes(
            (
                (left + i * (each + gap)) / width, KEYS / height,
                each / width, 1 - (KEYS + ABOVE) / height,
            )
        )  # fmt: skip
        known = lines.loc[table.columns]
        strips = [
            tissue_strip(known["tissue"], lines),
            ColourStrip("BRAF", known["braf"], MUTATION_COLOURS),
            ColourStrip("KRAS", known["kras"], MUTATION_COLOURS),
            ColourStrip(few.title, few.labels[drug], few.colours),
        ]
        clustered_heatmap(table.loc[hallmarks], strips, limit=3, row_names=i == 0, ax=ax)
        ax.set_title(f"{drug}, {table.shape[1]} lines", y=1 + 0.8 / (height - KEYS - ABOVE), pad=0)
    both = pd.concat([lines["braf"], lines["kras"]])
    mutations = ColourStrip("BRAF, KRAS", both, MUTATION_COLOURS)
    keys_below(figure, ax, mutations, tissue_strip(lines["tissue"], lines))
