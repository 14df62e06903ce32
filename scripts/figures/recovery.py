"""Beyond the paper: how well methods recover what is planted in simulated studies.

Methods stand beside each other on the same comparisons only: first those that all studies have,
over all studies; then all methods of each study that has more of them, over that study alone.
"""

from collections.abc import Iterator, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from scripts.analyse.simulation_benchmark import CONDITION, TYPE
from scripts.figures.data import FigureData
from scripts.figures.layout import Layout, inches, message
from vega.plot import strips
from vega.plot.colours import COLOURS, GREY, GUIDE

LAYOUT = Layout(("abc",), widths=(2.4, 2.4, 2.4), heights=(5.2,))
LEFT, RIGHT, TOP, BOTTOM = 1.24, 0.08, 0.5, 0.38  # inches around the axes of a panel
BETWEEN = 0.5  # inches from one block of methods to the next
EDGE = 0.04  # of the scale, so that dots at its ends are whole

KINDS = {CONDITION: "conditions", TYPE: "types of cells"}
VEGA = "VEGA"
MEASURES = ("auroc", "auprc", "sign", "spearman")
IN_ORDER = "all cells in order"
NOTHING = "nothing is planted\nthat could be recovered"

Values = dict[str, dict[str, pd.Series]]


def a(figure: FigureBase, data: FigureData) -> None:
    """Planted gene sets against others, by the size of the statistic: AUROC."""
    _comparisons(figure, data, "auroc", "AUROC")


def b(figure: FigureBase, data: FigureData) -> None:
    """The same, AUPRC."""
    _comparisons(figure, data, "auprc", "AUPRC", chance="base_rate")


def c(figure: FigureBase, data: FigureData) -> None:
    """Activity of each planted set over cells, against the planted one, and cells in order."""
    table = over_seeds(data.tables["recovery_activity"])
    blocks = {}
    for title, rows in comparable(table):
        sets = rows.drop_duplicates(["study", "gene_set"])
        blocks[title] = {
            **{m: {"sets": found} for m, found in by_method(rows, "spearman").items()},
            IN_ORDER: {"sets": sets["in_order"]},
        }
    lowest = min(0, table["spearman"].min())
    for ax, _ in _blocks(figure, blocks, [GREY]):
        ax.set_xlim(lowest - EDGE, 1 + EDGE)
        ax.axvline(0, **GUIDE)
        ax.set_xlabel("Spearman correlation")


def _comparisons(
    figure: FigureBase, data: FigureData, column: str, label: str, chance: str | None = None
) -> None:
    """A measure of all comparisons, conditions and types apart, with guides at chance.

    `chance` is the column whose mean the guides show; by default there is one at 0.5.
    """
    tables = dict(comparable(over_seeds(data.tables["recovery_comparisons"])))
    parts = {
        title: {words: rows[rows["kind"] == kind] for kind, words in KINDS.items()}
        for title, rows in tables.items()
    }
    blocks = {}
    for title, rows in tables.items():
        found = {words: by_method(part, column) for words, part in parts[title].items()}
        blocks[title] = {
            method: {words: values.get(method, []) for words, values in found.items()}
            for method in by_method(rows, column)
        }
    for number, (ax, title) in enumerate(_blocks(figure, blocks, COLOURS)):
        ax.set_xlim(-EDGE, 1 + EDGE)
        ax.set_xlabel(label)
        if chance is None:
            ax.axvline(0.5, **GUIDE)
        else:
            for colour, rows in zip(COLOURS, parts[title].values(), strict=False):
                if len(rows):
                    ax.axvline(rows[chance].mean(), **GUIDE | {"color": colour})
        if number == 0:
            width, height = inches(figure)
            figure.legend(
                *ax.get_legend_handles_labels(), loc="upper right", ncols=2, frameon=False,
                bbox_to_anchor=(1 - RIGHT / width, 1 - 0.06 / height), handletextpad=0.2,
                columnspacing=0.8, borderaxespad=0, borderpad=0,
            )  # fmt: skip


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Return the means of the measures over the seeds of each method."""
    measures = [column for column in MEASURES if column in table]
    same = [column for column in table if column not in {"seed", *measures}]
    return table.groupby(same, sort=False, dropna=False, as_index=False)[measures].mean()


def comparable(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows in which all methods have been asked the same, by a title.

    First all studies with the methods that each of them has, then each study with further ones.
    """
    methods = table.groupby("study", sort=False)["method"].agg(set)
    if methods.empty:
        return
    everywhere = set.intersection(*methods)
    if everywhere:
        title = f"All {len(methods)} studies" if len(methods) > 1 else methods.index[0]
        yield title, table[table["method"].isin(everywhere)]
    for study, found in methods.items():
        if found > everywhere:
            yield f"Only {study}", table[table["study"] == study]


def by_method(rows: pd.DataFrame, column: str) -> dict[str, pd.Series]:
    """Values of a column by method: VEGA, its variants, then the others in their order."""
    found = dict(list(rows.groupby("method", sort=False)[column]))
    return {m: found[m] for m in sorted(found, key=lambda m: (not m.startswith(VEGA), m != VEGA))}


def _blocks(
    figure: FigureBase, blocks: Mapping[str, Values], colors: list[str] | tuple[str, ...]
) -> Iterator[tuple[Axes, str]]:
    """Axes of blocks of methods below each other, their rows equally high."""
    if not blocks:
        message(figure, NOTHING)
        return
    width, height = inches(figure)
    free = height - TOP - BOTTOM - BETWEEN * (len(blocks) - 1)
    row = free / sum(map(len, blocks.values()))
    top = height - TOP
    for title, values in blocks.items():
        bottom = top - row * len(values)
        ax = figure.add_axes(
            (LEFT / width, bottom / height, 1 - (LEFT + RIGHT) / width, (top - bottom) / height)
        )
        strips(values, colors=colors, ax=ax)
        ax.set_title(title, loc="left", x=-LEFT / (width - LEFT - RIGHT) + 0.05)
        yield ax, title
        top = bottom - BETWEEN
