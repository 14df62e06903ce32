"""What preprocessing removed: cells and genes that remain after each step."""

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scripts.common.run import run
from scripts.common.tables import read_table
from scripts.figures.layout import save

STYLE = {
    "font.size": 9,
    "font.family": "sans-serif",
    "pdf.fonttype": 42,  # text stays text in the PDF
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.bottom": False,
}
COLOURS = {"cells": "tab:blue", "genes": "tab:green"}


def qc_figure(qc: pd.DataFrame, title: str, simulated: bool = False) -> Figure:
    """Draw the cells and genes that remain after each step of preprocessing.

    Parameters
    ----------
    qc
        One row per step, as `scripts.preprocess.preprocess.preprocess` gives it.
    title
        Title of the study.
    simulated
        Whether the figure says that the cells are simulated.

    Returns
    -------
    The figure: one panel for cells, one for genes, steps from top to bottom.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 1.3 + 0.34 * (len(qc) + 1)), layout="constrained")
        axes = figure.subplots(1, 2, sharey=True)
        figure.suptitle(f"SIMULATED · {title}" if simulated else title, fontweight="bold")
        for axis, what in zip(axes, COLOURS, strict=True):
            _panel(axis, qc, what)
        axes[0].set_yticks(range(len(qc) + 1), ["raw counts", *qc["asked"]])
        axes[0].invert_yaxis()
    return figure


def _panel(axis: Axes, qc: pd.DataFrame, what: str) -> None:
    """Bars of what remains, with the part each step removed in grey and both as numbers."""
    remaining = [qc[f"{what}_before"].iloc[0], *qc[f"{what}_after"]]
    removed = [0, *qc[f"{what}_removed"]]
    rows = range(len(remaining))
    axis.barh(rows, remaining, color=COLOURS[what], height=0.7)
    axis.barh(rows, removed, left=remaining, color="0.85", height=0.7)
    for row, (left, gone) in enumerate(zip(remaining, removed, strict=True)):
        note = f"{left:,}" + (f"  (−{gone:,})" if gone else "")
        axis.annotate(
            note, (left + gone, row), (4, 0), textcoords="offset points", va="center", fontsize=8
        )
    axis.set_xlim(0, 1.55 * max(remaining))  # room for the numbers, which stand for the axis
    axis.set_title(f"{what.capitalize()} left (grey: removed)", loc="left", fontsize=9)
    axis.set_xticks([])
    axis.tick_params(axis="y", length=0)


def main(snakemake):
    """Draw the table of one study."""
    params = snakemake.params
    figure = qc_figure(read_table(snakemake.input.table), params.title, params.simulated)
    for output in snakemake.output:
        save(figure, output)


if __name__ == "__main__":
    run(main, snakemake)
