"""What Figure 2 and Supplementary Figure 6 share: cells that drugs shift, and how lines respond."""

from functools import partial
from itertools import cycle

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from scripts.common.clustering import clustered
from scripts.common.contrasts import FEW_CELLS
from scripts.common.mixseq import DRUGS, REFERENCE, cell_lines, few_cells, line_bayes_factors
from scripts.figures.charts import cells, draw_cells
from scripts.figures.clustered_heatmap import ColourStrip, heatmap_key, strip_key
from scripts.figures.data import FigureData
from scripts.figures.layout import Content, Panel, inches, note

# Some twenty tissues: ten hues, then lighter tones, are easier to distinguish than one rainbow.
TAB20 = colormaps["tab20"].colors
TISSUE_COLOURS = [*TAB20[::2], *TAB20[1::2], *colormaps["tab20b"].colors]
KEYS = 0.9  # inches below heatmaps for their keys


def shifts_panel(drug: str) -> Panel:
    """Return the panel of the cells of a drug and of DMSO, and where each cell line moves to."""
    return Panel(
        f"Cells with {drug} and with {REFERENCE}; an arrow per cell line.",
        partial(draw_shifts, drug=drug),
        partial(cells, model=DRUGS[drug], label="condition", also="cell_line", basis="tsne"),
    )


def draw_shifts(figure: FigureBase, table: pd.DataFrame, drug: str) -> None:
    ax = draw_cells(figure, table, "condition", margins=(0.3, 0.12, 0.48))
    shifts = median_shifts(table, drug)
    few = shifts.index.isin(few_cells(table, drug))
    for arrows, color in ((shifts[few], "0.55"), (shifts[~few], "black")):
        x, y = arrows["x0"], arrows["y0"]
        ax.quiver(
            x, y, arrows["x1"] - x, arrows["y1"] - y, angles="xy", scale_units="xy", scale=1,
            units="inches", width=0.011, headwidth=5, headlength=6, headaxislength=5, minlength=2,
            color=color, edgecolor="white", linewidth=0.25, zorder=3,
        )  # fmt: skip
    legend_below(ax, 2)
    if n := int(few.sum()):
        note(figure, f"grey arrows, fewer than {FEW_CELLS} cells: {n} line" + "s" * (n != 1))


def median_shifts(table: pd.DataFrame, drug: str) -> pd.DataFrame:
    """Return median positions of each line: `x0`, `y0` with DMSO, `x1`, `y1` with the drug.

    Lines without cells of either are left out.
    """
    table = table.astype({"condition": str, "cell_line": str})
    medians = table.groupby(["cell_line", "condition"])[["tsne_1", "tsne_2"]].median().unstack()
    ends = [(axis, condition) for condition in (REFERENCE, drug) for axis in ("tsne_1", "tsne_2")]
    return medians.reindex(columns=ends).dropna().set_axis(["x0", "y0", "x1", "y1"], axis=1)


def legend_below(ax: Axes, columns: int) -> None:
    """Move the legend of an embedding below it."""
    ax.legend(
        handles=ax.get_legend().legend_handles, loc="upper center", bbox_to_anchor=(0.5, -0.13),
        ncols=columns, frameon=False, handletextpad=0.2, columnspacing=0.9, borderaxespad=0,
        borderpad=0,
    )  # fmt: skip


def responses(data: FigureData, by_drug: bool) -> Content:
    """Return the log Bayes factor of each hallmark under each drug in each cell line.

    Rows have the order of the heatmap: comparisons from left to right, clustered over all drugs or
    `by_drug`, and in each the hallmarks from top to bottom, clustered over all drugs.
    """
    tables = {drug: line_bayes_factors(data[model].differential) for drug, model in DRUGS.items()}
    tables = {drug: table for drug, table in tables.items() if table.size}
    if not tables:
        return f"no cell line has cells with a drug and with {REFERENCE}"
    table = pd.concat(tables, axis=1, names=["drug", "cell_line"])
    table = table.loc[clustered(table.T)]
    parts = [table[[drug]] for drug in tables] if by_drug else [table]
    order = [column for part in parts for column in clustered(part)]
    long = table[order].T.rename_axis(columns="gmv").stack().rename("log_bf").reset_index()
    known = cell_lines(pd.concat([data[model].latent.obs for model in DRUGS.values()]))
    few = {(d, line) for d in tables for line in few_cells(data[DRUGS[d]].latent.obs, d)}
    long["few_cells"] = [pair in few for pair in zip(long["drug"], long["cell_line"], strict=True)]
    return long.join(known[["tissue", "braf", "kras"]], on="cell_line")


def comparisons(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the heatmap, hallmarks x (drug, cell line), and what is known of its columns."""
    about = table.drop_duplicates(["drug", "cell_line"]).set_index(["drug", "cell_line"])
    return table.pivot_table("log_bf", "gmv", ["drug", "cell_line"], sort=False), about


def few_cells_strip(about: pd.DataFrame) -> ColourStrip:
    """Return the strip that marks comparisons of few cells."""
    return ColourStrip(f"< {FEW_CELLS} cells", about["few_cells"], {True: "black", False: "0.9"})


def tissue_strip(about: pd.DataFrame, table: pd.DataFrame) -> ColourStrip:
    """Return the strip of tissues, each in the colour that it has in all heatmaps."""
    tissues = sorted(table["tissue"].unique())
    return ColourStrip("tissue", about["tissue"], dict(zip(tissues, cycle(TISSUE_COLOURS))))


def keys_below(figure: FigureBase, heatmap: Axes, first: ColourStrip, tissue: ColourStrip) -> None:
    """Explain the colours of heatmaps and of the strips above them."""
    width, height = inches(figure)
    top = (KEYS - 0.14) / height
    box = (0.12 / width, top - 0.22 / height, 1.2 / width, 0.08 / height)
    heatmap_key(figure, heatmap, box)
    strip_key(figure, first, (1.65 / width, top))
    strip_key(figure, tissue, (2.65 / width, top), columns=4)
