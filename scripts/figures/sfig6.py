"""Supplementary Figure 6: the other three drugs, and each drug's response by cell line."""

from functools import partial

import pandas as pd
from matplotlib.figure import FigureBase

from scripts.common.mixseq import MUTANT, WILD_TYPE
from scripts.figures import mixseq
from scripts.figures.clustered_heatmap import ColourStrip, clustered_heatmap
from scripts.figures.layout import Layout, Panel, axes_at, inches

LAYOUT = Layout(("abc", "ddd"), widths=(2.4, 2.4, 2.4), heights=(2.4, 5.75))

ABOVE = 1.16  # inches above heatmaps for note, title, tree and strips
MUTATION_COLOURS = {WILD_TYPE: "tan", MUTANT: "saddlebrown"}


def draw_responses(figure: FigureBase, table: pd.DataFrame) -> None:
    width, height = inches(figure)
    left, gap, n = 1.75, 0.12, table["drug"].nunique()
    high = height - mixseq.KEYS - ABOVE
    each = (width - left - 0.1 - gap * (n - 1)) / n
    for i, (drug, rows) in enumerate(table.groupby("drug", sort=False)):
        values, about = mixseq.comparisons(rows)
        ax = axes_at(figure, left + i * (each + gap), mixseq.KEYS, each, high)
        strips = [
            mixseq.tissue_strip(about, table),
            *(ColourStrip(g.upper(), about[g], MUTATION_COLOURS) for g in ("braf", "kras")),
            mixseq.few_cells_strip(about),
        ]
        clustered_heatmap(values, strips, limit=3, row_names=i == 0, ax=ax)
        ax.set_title(f"{drug}, {len(about)} lines", y=1 + 0.8 / high, pad=0)
    both = ColourStrip("BRAF, KRAS", pd.concat([table["braf"], table["kras"]]), MUTATION_COLOURS)
    mixseq.keys_below(figure, ax, both, mixseq.tissue_strip(table, table))


PANELS = {
    "a": mixseq.shifts_panel("Dabrafenib"),
    "b": mixseq.shifts_panel("Navitoclax"),
    "c": mixseq.shifts_panel("BRD3379"),
    "d": Panel(
        "A heatmap per drug: hallmarks in the order of Figure 2c, cell lines clustered.",
        draw_responses,
        partial(mixseq.responses, by_drug=True),
    ),
}
