"""Supplementary Figure 6: the other three drugs, and each drug's response by cell line."""

from functools import partial

import pandas as pd
from matplotlib.figure import FigureBase

from scripts.common.mixseq import MUTANT, WILD_TYPE
from scripts.figures.clustered_heatmap import ColourStrip, clustered_heatmap
from scripts.figures.layout import Layout, Panel, inches
from scripts.figures.mixseq import (
    KEYS,
    comparisons,
    few_cells_strip,
    keys_below,
    responses,
    shifts_panel,
    tissue_strip,
)

LAYOUT = Layout(("abc", "ddd"), widths=(2.4, 2.4, 2.4), heights=(2.4, 5.75))

ABOVE = 1.16  # inches above heatmaps for note, title, tree and strips
MUTATION_COLOURS = {WILD_TYPE: "tan", MUTANT: "saddlebrown"}


def draw_responses(figure: FigureBase, table: pd.DataFrame) -> None:
    width, height = inches(figure)
    left, gap, n = 1.75, 0.12, table["drug"].nunique()
    each = (width - left - 0.1 - gap * (n - 1)) / n
    for i, (drug, rows) in enumerate(table.groupby("drug", sort=False)):
        values, about = comparisons(rows)
        ax = figure.add_axes(
            (
                (left + i * (each + gap)) / width, KEYS / height,
                each / width, 1 - (KEYS + ABOVE) / height,
            )
        )  # fmt: skip
        strips = [
            tissue_strip(about, table),
            *(ColourStrip(g.upper(), about[g], MUTATION_COLOURS) for g in ("braf", "kras")),
            few_cells_strip(about),
        ]
        clustered_heatmap(values, strips, limit=3, row_names=i == 0, ax=ax)
        ax.set_title(f"{drug}, {len(about)} lines", y=1 + 0.8 / (height - KEYS - ABOVE), pad=0)
    both = ColourStrip("BRAF, KRAS", pd.concat([table["braf"], table["kras"]]), MUTATION_COLOURS)
    keys_below(figure, ax, both, tissue_strip(table, table))


PANELS = {
    "a": shifts_panel("Dabrafenib"),
    "b": shifts_panel("Navitoclax"),
    "c": shifts_panel("BRD3379"),
    "d": Panel(
        "A heatmap per drug: hallmarks in the order of Figure 2c, cell lines clustered.",
        draw_responses,
        partial(responses, by_drug=True),
    ),
}
