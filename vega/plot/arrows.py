"""Arrows on an embedding: where the cells of each line, donor or the like move to."""

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib import pyplot as plt
from matplotlib.axes import Axes


def median_shifts(
    adata: AnnData,
    each: str,
    column: str,
    start: str,
    end: str,
    *,
    basis: str = "X_umap",
    min_cells: int = 1,
) -> pd.DataFrame:
    """Median position, before and after, of the cells of each value of a column.

    Parameters
    ----------
    adata
        Cells x GMVs with the embedding `basis` in `obsm`.
    each
        Column of `obs` with one arrow per value.
    column, start, end
        Column of `obs` that tells before from after, and its two values.
    min_cells
        Values of `each` with fewer cells before or after are left out.

    Returns
    -------
    One row per value of `each`: `x0`, `y0` of the median before, `x1`, `y1` after.
    """
    where = pd.DataFrame(adata.obsm[basis][:, :2], index=adata.obs_names)
    parts = []
    for value in (start, end):
        cells = (adata.obs[column] == value).to_numpy()
        grouped = where[cells].groupby(adata.obs.loc[cells, each], observed=True)
        parts.append(grouped.median()[grouped.size() >= min_cells])
    return pd.concat(parts, axis=1, join="inner").set_axis(["x0", "y0", "x1", "y1"], axis=1)


def arrows(shifts: pd.DataFrame, *, color: str = "black", ax: Axes | None = None) -> Axes:
    """Draw an arrow per row of `shifts` (`x0`, `y0`, `x1`, `y1` in the units of the axes)."""
    ax = ax or plt.gca()
    start, end = shifts[["x0", "y0"]].to_numpy(), shifts[["x1", "y1"]].to_numpy()
    ax.quiver(
        *start.T, *np.subtract(end, start).T, angles="xy", scale_units="xy", scale=1,
        units="inches", width=0.011, headwidth=5, headlength=6, headaxislength=5, minlength=2,
        color=color, edgecolor="white", linewidth=0.25, zorder=3,
    )  # fmt: skip
    return ax
