"""Cells as dots: an embedding, or the activities of two GMVs."""

from itertools import cycle

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from vega.gene_sets import readable
from vega.plot.colourbar import EXTEND, vector_colorbar
from vega.plot.colours import GREY, MARKERS, MISSING, palette
from vega.values import values_of

LEGEND_ROWS = 16  # more categories than this need another column
MANY = 20_000  # more dots than this are an image inside the vector file
NAMES = {"X_umap": "UMAP", "X_tsne": "t-SNE"}


def embedding(
    adata: AnnData,
    color: str | None = None,
    style: str | None = None,
    *,
    basis: str = "X_umap",
    limits: tuple[float, float] | None = None,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw cells in the first two dimensions of an embedding.

    Parameters
    ----------
    adata
        Cells x GMVs.
    color
        A column of `obs` (one colour per category, in their order) or a GMV, whose activity is
        shown in viridis with a colour bar; without either all cells are grey.
    style
        Column of `obs` with one marker per category.
    basis
        The embedding, in `obsm`.
    limits
        Ends of the scale of activities; those beyond have the colour of the end. Lowest and
        highest activity by default.
    colorbar
        Whether activities get a colour bar; of panels on one scale only one needs it.
    ax
        Where to draw; the current axes by default.

    Raises
    ------
    KeyError
        If there is no such embedding, column or GMV.
    """
    ax = ax or plt.gca()
    x, y = adata.obsm[basis][:, :2].T
    if color is None:
        for marker, cells in _by_marker(adata.obs, style):
            ax.scatter(x[cells], y[cells], c=GREY, marker=marker, **dots(len(x)))
    elif color in adata.obs:
        _categories(ax, x, y, adata.obs, color, style)
    else:
        values = _activity(adata, color)
        low, high = limits or (values.min(), values.max())
        for marker, cells in _by_marker(adata.obs, style):
            drawn = ax.scatter(
                x[cells], y[cells], c=values[cells], marker=marker, cmap="viridis",
                vmin=low, vmax=high, **dots(len(x)),
            )  # fmt: skip
        if colorbar:
            beyond = values.min() < low, values.max() > high
            vector_colorbar(ax, drawn, "Activity", extend=EXTEND[beyond])
    name = NAMES.get(basis, basis.removeprefix("X_"))
    ax.set(xticks=[], yticks=[], xlabel=f"{name} 1", ylabel=f"{name} 2")
    return ax


def activities(
    adata: AnnData,
    x: str,
    y: str,
    color: str,
    style: str | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw the activity of one GMV (`x`) against that of another (`y`), one dot per cell.

    The other parameters are those of `embedding`; `color` is a column of `obs`.
    """
    ax = ax or plt.gca()
    _categories(ax, _activity(adata, x), _activity(adata, y), adata.obs, color, style)
    ax.set(xlabel=readable(x), ylabel=readable(y))
    return ax


def _activity(adata: AnnData, gmv: str) -> np.ndarray:
    if gmv not in adata.var_names:
        raise KeyError(f"{gmv} is neither a column of obs nor a GMV")
    return values_of(adata, gmv)


def dots(n: int) -> dict:
    """Smaller dots for more cells, so that a few hundred are seen and 20,000 do not merge."""
    return {
        "s": np.clip(8000 / n, 1.5, 8),
        "alpha": 0.7,
        "linewidths": 0,
        "rasterized": n > MANY,
    }


def _by_marker(obs: pd.DataFrame, style: str | None) -> list[tuple[str, np.ndarray]]:
    """The marker of each category of `style`, and which cells have it."""
    if style is None:
        return [("o", np.ones(len(obs), dtype=bool))]
    labels = obs[style].astype("category")
    return [
        (marker, (labels == value).to_numpy())
        for marker, value in zip(cycle(MARKERS), labels.cat.categories)
    ]


def _categories(
    ax: Axes, x: np.ndarray, y: np.ndarray, obs: pd.DataFrame, color: str, style: str | None
) -> None:
    """Dots coloured by one column, their markers by another, and legends right of the axes."""
    labels = obs[color].astype("category").cat
    colour_of = dict(zip(labels.categories, palette(len(labels.categories)), strict=True))
    # The last colour stands for the code of a missing category, -1.
    colours = np.array([*colour_of.values(), MISSING])[labels.codes]
    for marker, cells in _by_marker(obs, style):
        ax.scatter(x[cells], y[cells], c=colours[cells], marker=marker, **dots(len(x)))
    handles = [_key("o", colour, label) for label, colour in colour_of.items()]
    frame = {"frameon": False, "handletextpad": 0.2, "borderaxespad": 0, "fontsize": "small"}
    columns = -(-len(handles) // LEGEND_ROWS)
    legend = ax.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1), ncols=columns, **frame
    )
    if style is not None:
        ax.add_artist(legend)
        values = obs[style].astype("category").cat.categories
        handles = [_key(marker, "0.4", value) for marker, value in zip(cycle(MARKERS), values)]
        ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(1.02, 0), **frame)


def _key(marker: str, colour: str, label: str) -> Line2D:
    return Line2D([], [], marker=marker, color=colour, linestyle="", markersize=4, label=label)
