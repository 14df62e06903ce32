"""Cells as dots: an embedding, or any two columns of a table."""

from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from vega.plot.colourbar import vector_colorbar
from vega.plot.colours import GREY, MARKERS, MISSING, palette
from vega.values import values_of

LEGEND_ROWS = 16  # more categories than this need another column
MANY = 20_000  # more dots than this are an image in vector files
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
        shown in viridis with a colour bar. By default all cells are grey.
    style
        Column of `obs` with one marker per category.
    basis
        The embedding, in `obsm`.
    limits
        Ends of the colour scale, by default lowest and highest value; values beyond have the colour
        of the end.
    colorbar
        Whether an activity gets a colour bar; of panels on one scale only one needs it.
    ax
        Where to draw; the current axes by default.

    Raises
    ------
    KeyError
        If there is no such embedding, column or GMV.

    Examples
    --------
    >>> import vega
    >>> model, adata = vega.examples.trained_model()
    >>> latent = model.latent(adata)
    >>> latent.obsm["X_gmvs"] = latent.X[:, :2]
    >>> ax = vega.plot.embedding(latent, "cell_type", "condition", basis="X_gmvs")
    """
    name = NAMES.get(basis, basis.removeprefix("X_"))
    x, y = f"{name} 1", f"{name} 2"
    table = pd.DataFrame(adata.obsm[basis][:, :2], adata.obs_names, [x, y])
    for column in filter(None, (color, style)):
        if column in adata.obs:
            table[column] = adata.obs[column].astype("category")
        elif column in adata.var_names:
            table[column] = values_of(adata, column)
        else:
            raise KeyError(f"{column} is neither a column of obs nor a GMV")
    ax = scatter(table, x, y, color, style, limits=limits, colorbar=colorbar, ax=ax)
    ax.set(xticks=[], yticks=[])
    return ax


def scatter(
    table: pd.DataFrame,
    x: str,
    y: str,
    color: str | None = None,
    style: str | None = None,
    *,
    limits: tuple[float, float] | None = None,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw one column of a table against another, one dot per row; see `embedding`.

    `color` is a column of numbers or of labels, `style` one of labels. A legend right of the axes
    names the labels.
    """
    ax = ax or plt.gca()
    ax.set(xlabel=x, ylabel=y)
    marker_of: dict[str, str] = {}
    shown = [("o", np.ones(len(table), dtype=bool))]
    if style is not None:
        styles = table[style].astype("category")
        marker_of = dict(zip(styles.cat.categories, cycle(MARKERS)))
        shown = [(marker, (styles == value).to_numpy()) for value, marker in marker_of.items()]
    options: dict[str, Any] = {}
    if color is None:
        colours = np.full(len(table), GREY)
    elif pd.api.types.is_numeric_dtype(table[color]):
        colours = table[color].to_numpy()
        low, high = limits or (colours.min(), colours.max())
        options = {"cmap": "viridis", "vmin": low, "vmax": high}
    else:
        labels = table[color].astype("category").cat
        colour_of = dict(zip(labels.categories, palette(len(labels.categories)), strict=True))
        # The code of a missing category is -1: the last colour.
        colours = np.array([*colour_of.values(), MISSING])[labels.codes]
        _legends(ax, colour_of, marker_of)
    for marker, rows in shown:
        drawn = ax.scatter(
            table.loc[rows, x], table.loc[rows, y], c=colours[rows], marker=marker, **options,
            **dots(len(table)),
        )  # fmt: skip
    if options and colorbar:
        vector_colorbar(ax, drawn, "Activity", colours)
    return ax


def dots(n: int) -> dict:
    """Return the style of `n` dots: smaller ones for more cells, so that they do not merge."""
    return {"s": np.clip(8000 / n, 1.5, 8), "alpha": 0.7, "linewidths": 0, "rasterized": n > MANY}


def _legends(ax: Axes, colour_of: dict[str, str], marker_of: dict[str, str]) -> None:
    """Name colours and, below them, markers right of the axes."""
    frame = {"frameon": False, "handletextpad": 0.2, "borderaxespad": 0, "fontsize": "small"}
    handles = [_key("o", colour, label) for label, colour in colour_of.items()]
    columns = -(-len(handles) // LEGEND_ROWS)
    legend = ax.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1), ncols=columns, **frame
    )
    if marker_of:
        ax.add_artist(legend)
        handles = [_key(marker, "0.4", label) for label, marker in marker_of.items()]
        ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(1.02, 0), **frame)


def _key(marker: str, colour: str, label: str) -> Line2D:
    return Line2D([], [], marker=marker, color=colour, linestyle="", markersize=4, label=label)
