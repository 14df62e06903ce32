"""What Figure 2 and Supplementary Figure 6 share: cells that drugs shift, and how lines respond."""

from itertools import cycle

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from scripts.analyse.contrasts import FEW_CELLS
from scripts.common.mixseq import DRUGS, REFERENCE, cell_lines, few_cells, line_bayes_factors
from scripts.figures.data import FigureData
from scripts.figures.layout import axes, inches, message, note
from vega.plot import (
    ColourStrip,
    arrows,
    clustered,
    embedding,
    heatmap_key,
    median_shifts,
    strip_key,
)

# There are some twenty tissues: ten hues, then lighter tones of them, are told apart better than
# one rainbow.
TAB20 = colormaps["tab20"].colors
TISSUE_COLOURS = [*TAB20[::2], *TAB20[1::2], *colormaps["tab20b"].colors]


def draw_shifts(figure: FigureBase, data: FigureData, drug: str) -> None:
    """The cells of a drug and of DMSO, and where each cell line moves to."""
    latent = data[DRUGS[drug]].latent
    ax = axes(figure, 0.3, 0.12, bottom=0.48)
    embedding(latent, "condition", basis="X_tsne", ax=ax)
    shifts = median_shifts(latent, "cell_line", "condition", REFERENCE, drug, basis="X_tsne")
    few = shifts.index.isin(few_cells(latent.obs, drug))
    arrows(shifts[few], color="0.55", ax=ax)
    arrows(shifts[~few], ax=ax)
    legend_below(ax, 2)
    if few.any():
        note(figure, f"grey arrows, fewer than {FEW_CELLS} cells: {_lines(int(few.sum()))}")


def legend_below(ax: Axes, columns: int) -> None:
    """Move the legend of an embedding below it."""
    legend = ax.get_legend()
    ax.legend(
        handles=legend.legend_handles, loc="upper center", bbox_to_anchor=(0.5, -0.13),
        ncols=columns, frameon=False, handletextpad=0.2, columnspacing=0.9, borderaxespad=0,
        borderpad=0,
    )  # fmt: skip


def bayes_factors(figure: FigureBase, data: FigureData) -> dict[str, pd.DataFrame]:
    """Log Bayes factors of each drug, hallmarks x cell lines.

    Drugs without a line are left out; the panel says if there is nothing at all.
    """
    tables = {drug: line_bayes_factors(data[model].differential) for drug, model in DRUGS.items()}
    if not any(table.size for table in tables.values()):
        message(figure, f"no cell line has cells with a drug and with {REFERENCE}")
    return {drug: table for drug, table in tables.items() if table.size}


def few_cells_strip(tables: dict[str, pd.DataFrame], data: FigureData) -> ColourStrip:
    """Return the strip that marks comparisons of few cells; labelled by drug and cell line."""
    few = {drug: set(few_cells(data[DRUGS[drug]].latent.obs, drug)) for drug in tables}
    columns = pd.concat(tables, axis=1).columns
    labels = pd.Series([line in few[drug] for drug, line in columns], index=columns)
    return ColourStrip(f"< {FEW_CELLS} cells", labels, {True: "black", False: "0.9"})


def _lines(n: int) -> str:
    return f"{n} line" + "s" * (n != 1)


def side_by_side(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """All comparisons, columns (drug, cell line), with the hallmarks in clustered order."""
    table = pd.concat(tables, axis=1)
    return table.loc[clustered(table.T)]


def lines_of(data: FigureData) -> pd.DataFrame:
    """What is known of the cell lines of all four studies."""
    return cell_lines(pd.concat([data[model].latent.obs for model in DRUGS.values()]))


def tissue_strip(labels: pd.Series, lines: pd.DataFrame) -> ColourStrip:
    """Tissues of columns, each in the colour that it has in all heatmaps."""
    tissues = sorted(set(lines["tissue"]))
    return ColourStrip("tissue", labels, dict(zip(tissues, cycle(TISSUE_COLOURS))))


KEYS = 0.9  # inches below heatmaps for their keys


def keys_below(figure: FigureBase, heatmap: Axes, first: ColourStrip, tissue: ColourStrip) -> None:
    """What the colours of heatmaps and of the strips above them mean."""
    width, height = inches(figure)
    top = (KEYS - 0.14) / height
    box = (0.12 / width, top - 0.22 / height, 1.2 / width, 0.08 / height)
    heatmap_key(figure, heatmap, r"$\log_e$(Bayes factor)", box)
    strip_key(figure, first, (1.65 / width, top))
    strip_key(figure, tissue, (2.65 / width, top), columns=4)
