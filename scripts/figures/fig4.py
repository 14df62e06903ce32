"""Figure 4: cells that VEGA has not learnt from, in another condition and in another study."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from scripts.analyse.out_of_sample import (
    BASELINE,
    CELL_TYPE,
    CONTROL,
    GMV,
    HELD_OUT,
    IN_SAMPLE,
    OTHER_STUDY,
    OUT_OF_SAMPLE,
    STIMULATED,
    STUDY_A,
    STUDY_B,
    TOP,
)
from scripts.figures.data import FigureData
from scripts.figures.layout import Layout, axes, message
from vega.gene_sets import readable
from vega.plot import bars, violins, wrapped
from vega.plot.colours import GUIDE

LAYOUT = Layout(("abc", "def"), widths=(2.3, 2.2, 2.7), heights=(2.45, 2.45))
MARGINS = {"bottom": 0.62, "top": 0.3}  # room for the names of cell types, and for a legend

# As the paper calls them, in its order; types of other studies keep their names.
SHORT = {
    "NK": "NK",
    "Dendritic": "DC",
    "CD4T": "CD4-T",
    "B": "B",
    "FCGR3A+Mono": "F-Mono",
    "CD14+Mono": "CD14-Mono",
    "CD8T": "CD8-T",
}

NO_TYPES = "no cell type to compare"


def a(figure: FigureBase, data: FigureData) -> None:
    """Activity in unseen stimulated cells, between control and seen stimulated ones."""
    samples = {
        CONTROL: CONTROL,
        f"{STIMULATED}, {OUT_OF_SAMPLE}": f"{STIMULATED},\nout-of-\nsample",
        f"{STIMULATED}, {IN_SAMPLE}": f"{STIMULATED},\n{IN_SAMPLE}",
    }
    _activity(figure, data, HELD_OUT, samples)


def b(figure: FigureBase, data: FigureData) -> None:
    """Overlap of the top GMVs in and out of sample, per type."""
    _overlap(figure, data, HELD_OUT)


def c(figure: FigureBase, data: FigureData) -> None:
    """R2 in and out of sample, per type."""
    _r2(figure, data, HELD_OUT, [IN_SAMPLE, OUT_OF_SAMPLE])


def d(figure: FigureBase, data: FigureData) -> None:
    """Activity in both conditions of study A, and in study B."""
    samples = {
        f"{CONTROL}, {STUDY_A}": f"{CONTROL},\n{STUDY_A}",
        f"{STIMULATED}, {STUDY_A}": f"{STIMULATED},\n{STUDY_A}",
        f"{CONTROL}, {STUDY_B}": f"{CONTROL},\n{STUDY_B}",
    }
    _activity(figure, data, OTHER_STUDY, samples)


def e(figure: FigureBase, data: FigureData) -> None:
    """Overlap of the top GMVs of two studies, per type."""
    _overlap(figure, data, OTHER_STUDY)


def f(figure: FigureBase, data: FigureData) -> None:
    """R2 of two studies, and of one against the other."""
    _r2(figure, data, OTHER_STUDY, [STUDY_A, STUDY_B, BASELINE])


def _rows(data: FigureData, table: str, experiment: str) -> pd.DataFrame:
    """Rows of the first seed, which draws all figures."""
    seed = data.tables["out_of_sample_overlap"]["seed"].iloc[0]
    found = data.tables[f"out_of_sample_{table}"]
    return found[(found["seed"] == seed) & (found["experiment"] == experiment)]


def _activity(
    figure: FigureBase, data: FigureData, experiment: str, samples: dict[str, str]
) -> None:
    """Violins of the samples, by the names that stand below them."""
    table = _rows(data, "activity", experiment)
    if table.empty:
        message(figure, f"too few {SHORT[CELL_TYPE]} cells, or no GMV\n{wrapped(GMV, 30)}")
        return
    ax = axes(figure, 0.42, 0.08, **MARGINS)
    values = {name: table.loc[table["sample"] == s, "activity"] for s, name in samples.items()}
    violins(values, ax=ax)
    ax.set_title(readable(GMV), fontsize="small")
    ax.set_ylabel(f"Activity in {SHORT[CELL_TYPE]} cells")


def _overlap(figure: FigureBase, data: FigureData, experiment: str) -> None:
    """Bars of the overlap, with a guide where random choices would be."""
    table = _rows(data, "overlap", experiment)
    if table.empty:
        message(figure, NO_TYPES)
        return
    ax = _bars(figure, table.assign(sample="overlap"), ["overlap"])
    ax.axhline(table["chance"].mean(), **GUIDE | {"zorder": 2})
    ax.set_ylabel(f"Share of top {TOP} GMVs\nin common")


def _r2(figure: FigureBase, data: FigureData, experiment: str, samples: list[str]) -> None:
    """Bars of R2, one colour per sample."""
    table = _rows(data, "r2", experiment)
    if table.empty:
        message(figure, NO_TYPES)
        return
    ax = _bars(figure, table, samples)
    ax.set_ylabel("$R^2$ of mean expression")
    ax.legend(
        loc="lower left", bbox_to_anchor=(-0.04, 1), ncols=3, frameon=False, handlelength=0.8,
        handleheight=0.8, handletextpad=0.4, columnspacing=0.9, borderaxespad=0, borderpad=0.2,
    )  # fmt: skip


def _bars(figure: FigureBase, table: pd.DataFrame, samples: list[str]) -> Axes:
    """Means and standard deviations, a group per cell type and a colour per sample."""
    types = [t for t in SHORT if t in set(table["cell_type"])]
    types += [t for t in dict.fromkeys(table["cell_type"]) if t not in SHORT]
    mean, sd = (
        table.pivot(index="cell_type", columns="sample", values=column)
        .loc[types, samples]
        .rename(index=SHORT)
        for column in ("mean", "sd")
    )
    return bars(mean, sd, ax=axes(figure, 0.52, 0.06, **MARGINS))
