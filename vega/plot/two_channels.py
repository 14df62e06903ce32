"""Cells coloured by two activities at once: one is the red of the colour, the other the blue."""

import numpy as np
from anndata import AnnData
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from vega.gene_sets import readable
from vega.plot.scatter import embedding
from vega.values import values_of


def two_channel_colours(red: np.ndarray, blue: np.ndarray, limit: float) -> np.ndarray:
    """Colours (n x 3) of pairs of activities: black at 0 or below, full at `limit` or above."""
    channels = (np.clip(np.asarray(values) / limit, 0, 1) for values in (red, blue))
    r, b = channels
    return np.stack([r, np.zeros_like(r), b], axis=-1)


def two_channels(
    adata: AnnData,
    red: str,
    blue: str,
    *,
    limit: float = 5.0,
    basis: str = "X_umap",
    ax: Axes | None = None,
) -> Axes:
    """Draw cells in an embedding by the activities of two GMVs, with a square as colour key.

    Parameters
    ----------
    adata
        Cells x GMVs with the embedding `basis` in `obsm`.
    red, blue
        The GMVs.
    limit
        Activity that gives the full colour; 0 or less gives none.
    ax
        Where to draw; the current axes by default.

    Raises
    ------
    KeyError
        If there is no such GMV.
    """
    ax = ax or plt.gca()
    for gmv in (red, blue):
        if gmv not in adata.var_names:
            raise KeyError(f"{gmv} is not a GMV")
    embedding(adata, basis=basis, ax=ax)
    (dots,) = ax.collections
    dots.set_facecolor(two_channel_colours(values_of(adata, red), values_of(adata, blue), limit))
    dots.set_alpha(0.7)
    _key(ax, readable(red), readable(blue), limit)
    return ax


def _key(ax: Axes, red: str, blue: str, limit: float) -> None:
    """A square right of the axes that shows the colour of each pair of activities."""
    dpi = ax.get_figure(root=True).dpi
    x, y = ax.bbox.size / dpi
    key = ax.inset_axes((1 + 0.42 / x, 1 - 0.6 / y, 0.6 / x, 0.6 / y))
    steps = np.linspace(0, limit, 11)
    colours = two_channel_colours(*np.meshgrid(steps, steps), limit)
    edges = np.append(steps, steps[-1] + steps[1]) - steps[1] / 2
    key.pcolormesh(edges, edges, colours, edgecolor="face", linewidth=0.2)
    for axis, name in ((key.xaxis, red), (key.yaxis, blue)):
        axis.set_ticks([0, limit], ["≤0", f"≥{limit:g}"])
        axis.set_tick_params(length=1.5)
        axis.set_label_text(name)
    key.spines[:].set_visible(False)
