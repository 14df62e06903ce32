"""What preprocessing removed: cells and genes that remain after each step."""

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from scripts.common.run import run
from scripts.common.tables import read_table
from scripts.figures.layout import save

STYLE = {
    "font.size": 9,
    "font.family": "sans-serif",
    "pdf.fonttype": 42,  # text stays text in the PDF
    "text.parse_math": False,  # values and patterns of steps may have dollar signs
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.bottom": False,
}
COLOURS = {"cells": "tab:blue", "genes": "tab:green"}


def qc_figure(qc: pd.DataFrame, title: str, simulated: bool = False) -> Figure:
    """Draw how many cells and genes remain after each step, and what it removed in grey.

    `qc` has one row per step, as `scripts.preprocess.preprocess.preprocess` gives it.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 1.3 + 0.34 * (len(qc) + 1)), layout="constrained")
        figure.suptitle(f"SIMULATED · {title}" if simulated else title, fontweight="bold")
        axes = figure.subplots(1, 2, sharey=True)
        for ax, (what, colour) in zip(axes, COLOURS.items(), strict=True):
            remaining = [qc[f"{what}_before"].iloc[0], *qc[f"{what}_after"]]
            removed = [0, *qc[f"{what}_removed"]]
            ax.barh(range(len(remaining)), remaining, color=colour, height=0.7)
            bars = ax.barh(range(len(remaining)), removed, left=remaining, color="0.85", height=0.7)
            numbers = [
                f"{left:,}" + (f"  (−{gone:,})" if gone else "")
                for left, gone in zip(remaining, removed, strict=True)
            ]
            ax.bar_label(bars, numbers, padding=4, fontsize=8)
            ax.set_xlim(0, 1.55 * max(remaining))  # room for the numbers, which replace the axis
            ax.set_title(f"{what.capitalize()} left (grey: removed)", loc="left", fontsize=9)
            ax.set_xticks([])
            ax.tick_params(axis="y", length=0)
        axes[0].set_yticks(range(len(qc) + 1), ["raw counts", *qc["asked"]])
        axes[0].invert_yaxis()
    return figure


def main(snakemake):
    """Draw the table of one study."""
    params = snakemake.params
    figure = qc_figure(read_table(snakemake.input.table), params.title, params.simulated)
    for output in snakemake.output:
        save(figure, output)


if __name__ == "__main__":
    run(main, snakemake)
