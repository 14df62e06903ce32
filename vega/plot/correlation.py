"""One quantity of some genes against another, with their correlation."""

from collections.abc import Collection

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from vega.plot.colours import BLUE, GUIDE
from vega.plot.names import names_beside


def correlation(
    x: pd.Series, y: pd.Series, names: Collection[str] = (), *, ax: Axes | None = None
) -> Axes:
    """Draw `y` against `x`, one dot per gene, with Pearson's r in the title.

    Where all `x` or all `y` are the same, there is no r, and the title says so.

    Parameters
    ----------
    x, y
        The two quantities, genes the index of both. Dots on the dashed guide have the same of
        both.
    names
        Genes to name, in a column right of the axes.
    ax
        Where to draw; the current axes by default.
    """
    ax = ax or plt.gca()
    ax.axline((0, 0), slope=1, **GUIDE)
    ax.scatter(x, y, s=12, c=BLUE, alpha=0.8, linewidths=0)
    genes = f"{len(x)} genes"
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        ax.set_title(f"no correlation: all values are the same, {genes}")
    else:
        ax.set_title(f"r = {np.corrcoef(x, y)[0, 1]:.3f}, {genes}".replace("-", "−"))
    named = x.index.isin(names)
    names_beside(ax, x[named], y[named], x.index[named])
    return ax
