"""Beyond the paper: how well methods recover the known effects of simulated studies.

Methods are compared on the same comparisons only, in blocks: first the methods that all studies
have, then all methods of each study that has further ones.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from scripts.analyse.simulation_benchmark import CONDITION, TYPE
from scripts.figures.data import FigureData
from scripts.figures.layout import Content, Layout, Panel, axes_at, inches
from vega.plot.colours import COLOURS, GREY, GUIDE

LAYOUT = Layout(("abc",), widths=(2.4, 2.4, 2.4), heights=(5.2,))
LEFT, RIGHT, TOP, BOTTOM = 1.24, 0.08, 0.5, 0.38  # inches around the axes of a panel
BETWEEN = 0.5  # inches from one block of methods to the next
EDGE = 0.04  # of the scale, so that dots at its ends are whole

KINDS = {CONDITION: "conditions", TYPE: "types of cells"}
VEGA = "VEGA"
MEASURES = ("auroc", "auprc", "sign", "spearman")
IN_ORDER = "all cells in order"
NOTHING = "no simulated effect\nto be recovered"


def comparisons(data: FigureData, columns: Sequence[str]) -> Content:
    """Return columns of all comparisons, in blocks, of conditions and of types."""
    table = over_seeds(data.tables["recovery_comparisons"]).replace({"kind": KINDS})
    return _blocks(table, ["study", "method", "kind", "group", *columns])


def activities(data: FigureData) -> Content:
    """Return the correlation of each planted set, in blocks, and those of all cells in order."""
    table = over_seeds(data.tables["recovery_activity"])
    blocks = _blocks(table, ["study", "method", "gene_set", "spearman", "in_order"])
    if isinstance(blocks, str):
        return blocks
    sets = blocks.drop_duplicates(["block", "study", "gene_set"])
    limits = sets.assign(method=IN_ORDER, spearman=sets["in_order"])
    table = pd.concat([blocks, limits]).drop(columns="in_order")
    return table.sort_values("block", key=lambda c: c.map(list(c.unique()).index), kind="stable")


def draw_measure(
    figure: FigureBase, table: pd.DataFrame, measure: str, label: str, chance: str | None = None
) -> None:
    """Draw a measure of all comparisons, conditions and types apart.

    Guides show the mean of the column `chance` for each kind, or 0.5.
    """
    palette = dict(zip(KINDS.values(), COLOURS, strict=False))
    for number, (ax, rows) in enumerate(_axes_of_blocks(figure, table)):
        stripplot(ax, rows, measure, palette)
        ax.set(xlim=(-EDGE, 1 + EDGE), xlabel=label)
        if chance is None:
            ax.axvline(0.5, **GUIDE)
        else:
            for kind, found in rows.groupby("kind"):
                ax.axvline(found[chance].mean(), **GUIDE | {"color": palette[kind]})
        if number == 0:
            width, height = inches(figure)
            corner = 1 - RIGHT / width, 1 - 0.06 / height
            figure.legend(
                *ax.get_legend_handles_labels(), loc="upper right", bbox_to_anchor=corner, ncols=2,
                frameon=False, handletextpad=0.2, columnspacing=0.8, borderaxespad=0, borderpad=0,
            )  # fmt: skip


def draw_activities(figure: FigureBase, table: pd.DataFrame) -> None:
    table = table.assign(kind="sets")
    for ax, rows in _axes_of_blocks(figure, table):
        stripplot(ax, rows, "spearman", {"sets": GREY})
        lowest = min(0, table["spearman"].min())
        ax.set(xlim=(lowest - EDGE, 1 + EDGE), xlabel="Spearman correlation")
        ax.axvline(0, **GUIDE)


def stripplot(ax: Axes, rows: pd.DataFrame, value: str, colours: dict[str, str]) -> None:
    """Draw a row per method, with dots, mean and population standard deviation of each kind.

    A kind without values has a dash; a single value has no standard deviation.
    """
    methods = list(rows["method"].unique())
    of = {
        "data": rows, "x": value, "y": "method", "hue": "kind", "order": methods,
        "hue_order": list(colours), "palette": colours, "orient": "h", "ax": ax,
    }  # fmt: skip
    np.random.seed(0)  # noqa: NPY002 - of the jitter of seaborn: the same bytes each time
    sns.stripplot(**of, dodge=True, jitter=0.13, size=2.3, alpha=0.4, linewidth=0, legend=False)
    sns.pointplot(
        **of, dodge=0.4 * (len(colours) > 1), errorbar=_deviation, linestyle="none", marker="D",
        markersize=3.6, markeredgecolor="black", markeredgewidth=0.5,
        err_kws={"color": "black", "linewidth": 0.8},
    )  # fmt: skip
    ax.get_legend().remove()  # its entries stay
    known = rows.groupby(["method", "kind"])[value].count()
    for i, method in enumerate(methods):
        for j, kind in enumerate(colours):
            if not known.get((method, kind)):
                place = i + 0.4 * (j - (len(colours) - 1) / 2)
                style = {"transform": ax.get_yaxis_transform(), "va": "center", "color": "0.3"}
                ax.text(0.02, place, "–", **style)
    ax.set(ylabel="", ylim=(len(methods) - 0.5, -0.5))
    ax.tick_params(axis="y", length=0)


def _deviation(values: pd.Series) -> tuple[float, float]:
    half = values.std(ddof=0) if len(values) > 1 else np.nan
    return values.mean() - half, values.mean() + half


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Return the means of the measures over the seeds of each method."""
    measures = [column for column in MEASURES if column in table]
    same = [column for column in table if column not in {"seed", *measures}]
    return table.groupby(same, sort=False, dropna=False, as_index=False)[measures].mean()


def comparable(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield title and rows of each block, in which all methods have the same comparisons."""
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


def _blocks(table: pd.DataFrame, columns: list[str]) -> Content:
    """Return columns of all blocks; in each VEGA, its variants, then the others in their order."""

    def rank(methods: pd.Series) -> pd.Series:
        return ~methods.str.startswith(VEGA) * 1 + (methods != VEGA)

    parts = [
        rows.assign(block=title).sort_values("method", key=rank, kind="stable")
        for title, rows in comparable(table)
    ]
    return pd.concat(parts)[["block", *columns]] if parts else NOTHING


def _axes_of_blocks(figure: FigureBase, table: pd.DataFrame) -> Iterator[tuple[Axes, pd.DataFrame]]:
    """Yield axes and rows of each block, below each other, their rows equally high."""
    width, height = inches(figure)
    blocks = dict(list(table.groupby("block", sort=False)))
    rows_of = {title: rows["method"].nunique() for title, rows in blocks.items()}
    free = height - TOP - BOTTOM - BETWEEN * (len(blocks) - 1)
    top = height - TOP
    for title, rows in blocks.items():
        bottom = top - free * rows_of[title] / sum(rows_of.values())
        ax = axes_at(figure, LEFT, bottom, width - LEFT - RIGHT, top - bottom)
        ax.set_title(title, loc="left", x=-LEFT / (width - LEFT - RIGHT) + 0.05)
        yield ax, rows
        top = bottom - BETWEEN


PANELS = {
    "a": Panel(
        "Planted gene sets against others, by the size of the evidence: AUROC.",
        partial(draw_measure, measure="auroc", label="AUROC"),
        partial(comparisons, columns=["auroc"]),
    ),
    "b": Panel(
        "Planted gene sets against others, by the size of the evidence: AUPRC.",
        partial(draw_measure, measure="auprc", label="AUPRC", chance="base_rate"),
        partial(comparisons, columns=["auprc", "base_rate"]),
    ),
    "c": Panel(
        "Activity of each planted set over cells, against the planted one, and cells in order.",
        draw_activities,
        activities,
    ),
}
