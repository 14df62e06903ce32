"""Figure 4: cells that VEGA has not learnt from, in another condition and in another study."""

from functools import partial

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from scripts.analyse import out_of_sample as oos
from scripts.figures.charts import KEY, barplot, first_seed, label_groups, legend_above
from scripts.figures.data import FigureData, in_order
from scripts.figures.layout import Content, Layout, Panel, axes
from vega.gene_sets import readable
from vega.plot import wrapped
from vega.plot.colours import COLOURS, GUIDE

LAYOUT = Layout(("abc", "def"), widths=(2.3, 2.2, 2.7), heights=(2.45, 2.45))
MARGINS = {"bottom": 0.62, "top": 0.3}  # room for the names of cell types, and for a legend
VIOLIN = "#D43F3A"
TWO_SEEDS = {
    "marker": "_", "markersize": 13, "markeredgewidth": 1.6, "color": COLOURS[1], "linestyle": "",
    "zorder": 1.5,
}  # fmt: skip
EMPTY = {"ha": "center", "va": "bottom", "fontsize": "small", "style": "italic", "color": "0.3"}

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
SAMPLES = {
    oos.HELD_OUT: ["control", "stimulated, out-of-sample", "stimulated, in-sample"],
    oos.OTHER_STUDY: ["control, study A", "stimulated, study A", "control, study B"],
}
R2_SAMPLES = {
    oos.HELD_OUT: [oos.IN_SAMPLE, oos.OUT_OF_SAMPLE],
    oos.OTHER_STUDY: [oos.STUDY_A, oos.STUDY_B, oos.BASELINE],
}


def _rows(data: FigureData, table: str, experiment: str) -> pd.DataFrame:
    """Return the rows of an experiment, of the first seed."""
    found = first_seed(data.tables[f"out_of_sample_{table}"])
    return found[found["experiment"] == experiment]


def activities(data: FigureData, experiment: str) -> Content:
    """Return the activity in each drawn cell of the samples, which are in order."""
    table = _rows(data, "activity", experiment)[["sample", "activity"]]
    if table.empty:
        return f"too few {SHORT[oos.CELL_TYPE]} cells, or no GMV\n{wrapped(oos.GMV, 30)}"
    table["sample"] = pd.Categorical(table["sample"], SAMPLES[experiment])
    return table.sort_values("sample", kind="stable")


def violinplot(figure: FigureBase, table: pd.DataFrame) -> None:
    """Draw density, quartiles (bar) and median (dot) of each sample."""
    ax = axes(figure, 0.42, 0.08, **MARGINS)
    sns.violinplot(
        table, x="sample", y="activity", color=VIOLIN, saturation=1, linecolor="black",
        linewidth=0.6, cut=0, density_norm="width", inner="box",
        inner_kws={"box_width": 3, "whis_width": 0, "marker": "o", "markersize": 2.5,
                   "solid_capstyle": "butt"}, ax=ax,
    )  # fmt: skip
    samples = table["sample"].cat.categories
    for place, sample in enumerate(samples):
        if not (table["sample"] == sample).any():
            ax.text(place, 0.02, "no cells", transform=ax.get_xaxis_transform(), **EMPTY)
    label_groups(ax, pd.Series(samples))
    ax.set(xlabel="", ylabel=f"Activity in {SHORT[oos.CELL_TYPE]} cells")
    ax.tick_params(axis="x", length=0)
    ax.set_title(readable(oos.GMV), fontsize="small")


def per_type(data: FigureData, table: str, experiment: str, columns: list[str]) -> Content:
    """Return means and standard deviations per cell type, in the paper's order."""
    rows = _rows(data, table, experiment)
    if rows.empty:
        return "no cell type to compare"
    order = in_order(rows["cell_type"], list(SHORT))
    return rows.loc[order.sort_values(kind="stable").index, columns]


def r2(data: FigureData, experiment: str) -> Content:
    """Return R2 per cell type and sample."""
    table = per_type(data, "r2", experiment, ["cell_type", "sample", "mean", "sd"])
    if isinstance(table, str):
        return table
    samples = R2_SAMPLES[experiment]
    table = table[table["sample"].isin(samples)]
    return table.sort_values("sample", key=lambda c: c.map(samples.index), kind="stable")


def draw_r2(figure: FigureBase, table: pd.DataFrame) -> None:
    """Draw R2, one colour per sample."""
    ax = _bars(figure, table)
    ax.set_ylabel("R² of mean expression")
    legend_above(ax, 3, left=-0.04, bottom=1)


def draw_overlaps(figure: FigureBase, table: pd.DataFrame) -> None:
    """Draw overlaps, those of two seeds on them, and a guide where random choices would be."""
    ax = _bars(figure, table.assign(sample="overlap"))
    ax.axhline(table["chance"].mean(), **GUIDE | {"zorder": 2})
    ax.set_ylabel(f"Share of top {oos.TOP} GMVs\nin common")
    if table["noise_floor"].notna().any():
        marks = ax.plot(range(len(table)), table["noise_floor"], label="two seeds", **TWO_SEEDS)
        key = KEY | {"handlelength": 1.8, "handletextpad": 0.6}
        ax.legend(handles=marks, loc="lower left", bbox_to_anchor=(0, 1), **key)


def _bars(figure: FigureBase, table: pd.DataFrame) -> Axes:
    """Draw a group of bars per cell type, one for each `sample`."""
    ax = axes(figure, 0.52, 0.06, **MARGINS)
    shown = table.assign(cell_type=table["cell_type"].replace(SHORT))
    barplot(shown, "cell_type", "mean", "sample", sd="sd", ax=ax)
    label_groups(ax, shown["cell_type"], rotation=90)
    return ax


overlap = partial(
    per_type, table="overlap", columns=["cell_type", "mean", "sd", "chance", "noise_floor"]
)
DRAWN = [(violinplot, activities), (draw_overlaps, overlap), (draw_r2, r2)]
SHOWS = {
    oos.HELD_OUT: {
        "a": "Activity in unseen stimulated cells, between control and seen stimulated ones.",
        "b": "Overlap of the top GMVs in and out of sample, per type.",
        "c": "R2 in and out of sample, per type.",
    },
    oos.OTHER_STUDY: {
        "d": "Activity in both conditions of study A, and in study B.",
        "e": "Overlap of the top GMVs of two studies, per type.",
        "f": "R2 of two studies, and of one against the other.",
    },
}
PANELS = {
    letter: Panel(shows, draw, partial(table, experiment=experiment))
    for experiment, panels in SHOWS.items()
    for (letter, shows), (draw, table) in zip(panels.items(), DRAWN, strict=True)
}
