"""Clustered heatmaps of many columns, with strips of colour that say what the columns are."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
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
    """A strip of colours above a heatmap."""

    title: str
    labels: pd.Series  # by column of the heatmap; missing ones are grey
    colours: dict[str, str]  # by label, in the order of the key


def clustered_heatmap(
    values: pd.DataFrame,
    strips: Sequence[ColourStrip] = (),
    *,
    limit: float,
    marked: Sequence = (),
    row_names: bool = True,
    ax: Axes,
) -> None:
    """Draw a heatmap of GMVs x comparisons, in the order that `clustered` gives the columns.

    The scale runs from -limit (blue) over 0 (white) to limit (red). Above the axes are the strips,
    0.11 inches each, and the tree of the columns, 0.3 inches; marks below point at the columns of
    `marked`.
    """
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
    if len(marked):
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
    """Draw the legend of a strip at `place`, its upper left corner in parts of the (sub)figure.

    It names the labels that are present, and the grey of missing ones.
    """
    shown = {label: c for label, c in strip.colours.items() if label in set(strip.labels)}
    if strip.labels.isna().any():
        shown["not known"] = MISSING
    patches = [Patch(color=c, label=textwrap.fill(str(label), 22)) for label, c in shown.items()]
    return figure.legend(
        handles=patches, title=strip.title, ncols=columns, loc="upper left",
        bbox_to_anchor=place, frameon=False, fontsize="x-small", title_fontsize="x-small",
        alignment="left", handlelength=0.8, handleheight=0.8, handletextpad=0.4, labelspacing=0.25,
        columnspacing=0.9, borderaxespad=0, borderpad=0,
    )  # fmt: skip


def heatmap_key(
    figure: FigureBase, heatmap: Axes, place: tuple[float, float, float, float]
) -> None:
    """Draw the colour bar of `clustered_heatmap`, in the box `place` (parts of the figure)."""
    mesh = heatmap.collections[0]
    bar = figure.colorbar(mesh, cax=figure.add_axes(place), orientation="horizontal", extend="both")
    # Opaque, and in the vector file no image either; edges close the seams between steps.
    bar.solids.set(rasterized=False, edgecolor="face")
    bar.outline.set_visible(False)
    low, high = mesh.get_clim()
    bar.set_ticks([low, 0, high])
    bar.ax.tick_params(labelsize="x-small", length=1.5, pad=1)
    bar.ax.set_title("logₑ(Bayes factor)", loc="left", fontsize="x-small", pad=2)
