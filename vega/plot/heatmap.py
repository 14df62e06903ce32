"""Log Bayes factors of several GMVs in several comparisons, as a heatmap."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from vega.plot.colourbar import vector_colorbar


def heatmap(
    table: pd.DataFrame, *, limit: float = 10.0, values: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw log Bayes factors in red where positive, white at zero and blue where negative.

    Parameters
    ----------
    table
        Log Bayes factors; its index and columns are the labels of its rows and columns.
    limit
        |Log Bayes factor| of the deepest colour.
    values
        Writes numbers into the cells: those beyond it, and "n.s." into the others. None leaves
        the cells empty.
    ax
        Where to draw; the current axes by default.

    Examples
    --------
    >>> import vega
    >>> model, adata = vega.examples.trained_model()
    >>> table = model.differential_activity(adata, "cell_type")
    >>> ax = vega.plot.heatmap(table.pivot(index="gmv", columns="group", values="log_bf"))
    """
    ax = ax or plt.gca()
    drawn = ax.pcolormesh(
        table.to_numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit, edgecolors="white", linewidth=0.3
    )
    ax.invert_yaxis()
    ax.set_xticks(np.arange(table.shape[1]) + 0.5, table.columns, rotation=90)
    ax.set_yticks(np.arange(table.shape[0]) + 0.5, table.index)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if values is not None:
        for (row, column), value in np.ndenumerate(table.to_numpy()):
            ax.text(
                column + 0.5, row + 0.5, f"{value:.2f}" if value > values else "n.s.",
                ha="center", va="center", color="white" if abs(value) > 0.6 * limit else "black",
            )  # fmt: skip
    bar = vector_colorbar(ax, drawn, "logₑ(Bayes factor)", table.to_numpy())
    bar.set_ticks(np.linspace(-limit, limit, 5).tolist())
    return ax
