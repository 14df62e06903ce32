"""Supplementary Figure 10: genes removed from a gene set are recovered by its latent variable.

A soft mask lets a latent variable reach genes outside its set, at a price. The published penalty
shrinks their weights in proportion (erratum 9); an L1 penalty would be paid by soft thresholding.
"""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import FigureBase

from scripts.common.gmvs import INTERFERON_AB, REMOVED
from scripts.common.variants import PUBLISHED_STEP as PUBLISHED
from scripts.common.variants import SOFT_STEP as SOFT
from scripts.common.variants import TOP_WEIGHTS as TOP
from scripts.figures.charts import first_seed
from scripts.figures.data import FigureData
from scripts.figures.layout import Content, Layout, Panel, axes_at, inches, shortened, write
from vega.gene_sets import readable
from vega.plot import top_weights
from vega.plot.top_weights import IN_SET, OUTSIDE, STAR

LAYOUT = Layout(("a", "b"), widths=(7.4,), heights=(3.4, 3.4))

PENALTIES = (0.1, 1, 10, 100, 1000)
STEPS = {PUBLISHED: "penalty step as published", SOFT: "soft threshold instead"}

# Inches: above the axes, of the axis below them, of a line of small text, of names of genes.
ABOVE, AXIS, LINE, NAMES = 0.48, 0.32, 0.11, 0.84
BELOW = AXIS + LINE * (len(REMOVED) + 0.7)
LETTERS = 13  # of a gene's name at most


def weights(data: FigureData, step: str) -> Content:
    """Return the largest weights at each penalty, and those of the removed genes."""
    table = first_seed(data.tables["kang_soft_weights"])
    table = table[(table["l1_update"] == step) & (table["gmv"] == INTERFERON_AB)]
    if table.empty:
        return f"no GMV {readable(INTERFERON_AB)}\nwith the {STEPS[step]}"
    table = table.assign(removed=table["gene"].isin(REMOVED))
    shown = table[(table["rank"] <= TOP) | table["removed"]].sort_values(["l1_lambda", "rank"])
    return shown[["l1_lambda", "gene", "rank", "weight", "in_set", "removed"]]


def draw_weights(figure: FigureBase, table: pd.DataFrame, step: str) -> None:
    """Draw the largest weights of interferon alpha/beta signaling, at each penalty."""
    width, _ = inches(figure)
    write(figure, 0.3, 0.08, f"{readable(INTERFERON_AB)}, {STEPS[step]}")
    words = {"■ in the set": IN_SET, "■ not in it": OUTSIDE, f"{STAR} removed from it": OUTSIDE}
    for right, (word, colour) in zip((2.75, 1.95, 1.2), words.items(), strict=True):
        write(figure, width - right, 0.08, word, color=colour, fontsize="small")
    each = width / len(PENALTIES)
    for i, penalty in enumerate(PENALTIES):
        rows = table[np.isclose(table["l1_lambda"], penalty)].set_index("gene")
        _at_penalty(figure, rows, f"λ = {penalty:g}", i * each, each)


def _at_penalty(
    figure: FigureBase, rows: pd.DataFrame, title: str, left: float, each: float
) -> None:
    """Draw the weights at one penalty, `left` and `each` inches wide."""
    width, height = inches(figure)
    if rows.empty:
        figure.text((left + each / 2) / width, 0.5, f"no model\nwith {title}", ha="center")
        return
    size = each - NAMES - 0.08, height - ABOVE - BELOW
    ax = axes_at(figure, left + NAMES, BELOW, *size)
    top_weights(rows.rename(index=lambda gene: shortened(gene, LETTERS)), TOP, REMOVED, ax=ax)
    ax.set_title(title)
    for line, words in enumerate(_beyond(rows), start=1):
        top = height - BELOW + AXIS + LINE * line
        write(figure, left + 0.3, top, words, va="baseline", color=OUTSIDE, fontsize="small")


def _beyond(rows: pd.DataFrame) -> list[str]:
    """Return the ranks of the removed genes that are not among the top."""
    words = []
    for gene in REMOVED:
        if gene not in rows.index:
            words.append(f"{STAR} {gene}: no such gene")
        elif rows.loc[gene, "weight"] <= 0:
            words.append(f"{STAR} {gene}: weight 0")
        elif rows.loc[gene, "rank"] > TOP:
            words.append(f"{STAR} {gene}: rank {rows.loc[gene, 'rank']:,}")
    return words


PANELS = {
    letter: Panel(
        f"Largest weights of interferon alpha/beta signaling at each penalty, {words}.",
        partial(draw_weights, step=step),
        partial(weights, step=step),
    )
    for letter, (step, words) in zip("ab", STEPS.items(), strict=True)
}
