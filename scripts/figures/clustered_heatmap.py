"""Clustered heatmaps of many columns, with strips of colour that say what the columns are."""

import textwrap
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import to_rgb
from matplotlib.figure import FigureBase
from matplotlib.legend import Legend
from matplotlib.patches import Patch
from scipy.cluster.hierarchy import dendrogram, leaves_list

from scripts.common.clustering import tree_in_order
from vega.gene_sets import readable
from vega.plot.colours import MISSING


@dataclass(frozen=True)
class ColourStrip:
    """A strip of colours above a heatmap.

    Attributes
    ----------
    title
        What it shows.
    labels
        The label of each column of the heatmap, by the column's name; missing ones are grey.
    colours
        The colour of each label, in the order of the key.
    """

    title: str
    labels: pd.Series
    colours: dict[str, str]


def clustered_heatmap(
    values: pd.DataFrame,
    strips: list[ColourStrip] | None = None,
    *,
    limit: float,
    marked: list | None = None,
    row_names: bool = True,
    ax: Axes,
) -> None:
    """Draw a heatmap with the tree of its columns (see `scripts.common.clustering`).

    Parameters
    ----------
    values
        One row per GMV, from top to bottom, and one column per comparison, from left to right, as
        `clustered` orders them.
    strips
        Strips of colour between the columns' tree and the heatmap, from top to bottom.
    limit
        The scale runs from -limit (blue) over 0 (white) to limit (red); values beyond have the
        colour of its end.
    marked
        Columns to point at, from below.
    row_names
        Whether the GMVs and the strips are named, left of the heatmap.
    ax
        Where to draw the heatmap; tree and strips are above it, in about 0.3 inches and 0.1 inches
        each.
    """
    strips = strips or []
    tree = tree_in_order(values)
    order = list(values.columns[leaves_list(tree)] if len(tree) else values.columns)
    n_rows, n_columns = values.shape
    # An image inside the vector file: 388 columns x 50 rows would be 19,400 polygons.
    ax.pcolormesh(
        values[order].to_numpy(dtype=float), cmap="RdBu_r", vmin=-limit, vmax=limit,
        rasterized=True,
    )  # fmt: skip
    ax.set(ylim=(n_rows, 0), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    if row_names:
        names = [readable(gmv) for gmv in values.index]
        ax.set_yticks(np.arange(n_rows) + 0.5, names, fontsize="x-small")
        ax.tick_params(axis="y", length=0, pad=1.5)
    inch = 1 / (ax.bbox.height / ax.get_figure(root=True).dpi)  # in parts of the height
    for i, strip in enumerate(reversed(strips)):
        bottom = 1 + inch * (0.03 + 0.11 * i)
        _draw_strip(ax, strip, order, row_names, bottom, height=0.09 * inch)
    if len(tree):
        bottom = 1 + inch * (0.03 + 0.11 * len(strips))
        _draw_tree(ax, tree, n_columns, bottom=bottom, height=0.3 * inch)
    if marked:
        x = [order.index(column) + 0.5 for column in marked]
        ax.plot(
            x, np.full(len(x), -0.05 * inch), transform=ax.get_xaxis_transform(), marker="^",
            markersize=3, markeredgewidth=0, color="black", linestyle="", clip_on=False,
        )  # fmt: skip


def _draw_strip(
    ax: Axes, strip: ColourStrip, order: list, titled: bool, bottom: float, height: float
) -> None:
    box = ax.inset_axes((0, bottom, 1, height))
    labels = strip.labels.reindex(order)
    colours = [to_rgb(strip.colours.get(label, MISSING)) for label in labels]
    box.pcolormesh(np.array([colours]), rasterized=True)
    box.set(xlim=(0, len(order)), xticks=[])
    box.set_yticks([0.5], [strip.title if titled else ""], fontsize="x-small")
    box.tick_params(axis="y", length=0, pad=1.5)
    box.spines[:].set_visible(False)


def _draw_tree(ax: Axes, tree: np.ndarray, n_columns: int, bottom: float, height: float) -> None:
    box = ax.inset_axes((0, bottom, 1, height))
    drawn = dendrogram(tree, no_plot=True)
    for x, y in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        # SciPy's leaves are 10 apart, the first one at 5.
        box.plot(np.array(x) / 10, y, color="0.3", linewidth=0.35)
    box.set(xlim=(0, n_columns), ylim=(0, 1.02 * tree[:, 2].max() or 1))
    box.axis("off")


def strip_key(
    figure: FigureBase, strip: ColourStrip, place: tuple[float, float], columns: int = 1
) -> Legend:
    """Say what the colours of a strip mean.

    `place` is the upper left corner of the key in parts of the (sub)figure, `columns` how many
    columns it has. The grey of missing labels is named where there are any.
    """
    present = set(strip.labels)
    shown = {label: colour for label, colour in strip.colours.items() if label in present}
    if strip.labels.isna().any():
        shown["not known"] = MISSING
    return figure.legend(
        handles=[
            Patch(color=colour, label=textwrap.fill(str(label), 22))
            for label, colour in shown.items()
        ],
        title=strip.title, ncols=columns, loc="upper left", bbox_to_anchor=place, frameon=False,
        fontsize="x-small", title_fontsize="x-small", alignment="left", handlelength=0.8,
        handleheight=0.8, handletextpad=0.4, labelspacing=0.25, columnspacing=0.9,
        borderaxespad=0, borderpad=0,
    )  # fmt: skip


def heatmap_key(
    figure: FigureBase, heatmap: Axes, label: str, place: tuple[float, float, float, float]
) -> Colorbar:
    """Draw the colour bar of `clustered_heatmap`, in the box `place` (parts of the figure)."""
    mesh = heatmap.collections[0]
    bar = figure.colorbar(mesh, cax=figure.add_axes(place), orientation="horizontal", extend="both")
    # Opaque, and in the vector file no image either; edges close the seams between steps.
    bar.solids.set(rasterized=False, edgecolor="face")
    bar.outline.set_visible(False)
    low, high = mesh.get_clim()
    bar.set_ticks([low, 0, high])
    bar.ax.tick_params(labelsize="x-small", length=1.5, pad=1)
    bar.ax.set_title(label, loc="left", fontsize="x-small", pad=2)
    return bar
