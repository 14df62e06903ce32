"""Differential activity of all GMVs between two groups of cells."""

from collections.abc import Sequence

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from vega.errors import InputError
from vega.plot.clip import clipped_markers, mark_clip
from vega.plot.colours import GREY, GUIDE, RED
from vega.plot.labels import label_points


def volcano(
    table: pd.DataFrame,
    names: Sequence[str] = (),
    *,
    bayes_factor: float = 3.0,
    mean_difference: float = 5.0,
    clip: float = 10.0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the log Bayes factor (x) and the mean difference (y) of every GMV.

    Parameters
    ----------
    table
        One row per GMV of one comparison, as `VEGA.differential_activity` gives it: `log_bf` and
        `md`; or of several models, as `vega.differential_activity` does: `log_bf_mean`, with
        `log_bf_sd` as error bars, and `md`. A column `gmv` or the index has the names.
    names
        GMVs to name, in a column right of the axes; those not in the table are left out.
    bayes_factor, mean_difference
        Thresholds, shown as dashed guides. GMVs beyond both are red.
    clip
        Log Bayes factors beyond it are drawn there, as arrow heads.
    ax
        Where to draw; the current axes by default.

    Examples
    --------
    >>> import vega
    >>> model, adata = vega.examples.trained_model()
    >>> table = model.differential_activity(adata, "condition", "stimulated", "control")
    >>> ax = vega.plot.volcano(table, ["Interferon"])
    """
    if "gmv" in table:
        table = table.set_index("gmv")
    if not table.index.is_unique:
        raise InputError(
            f"volcano: {table.index[table.index.duplicated()][0]} has several rows; take those of "
            "one comparison, table[table['comparison'] == ...]"
        )
    ax = ax or plt.gca()
    log_bf = table["log_bf_mean" if "log_bf_mean" in table else "log_bf"]
    x, y = log_bf.clip(-clip, clip), table["md"]
    if "log_bf_sd" in table:
        bars = log_bf.abs() <= clip
        ax.errorbar(
            x[bars], y[bars], xerr=table.loc[bars, "log_bf_sd"], fmt="none", ecolor=GREY,
            elinewidth=0.5, alpha=0.5, zorder=0.8,
        )  # fmt: skip
    red = (log_bf.abs() > bayes_factor) & (y > mean_difference)
    for marker, shown in clipped_markers(log_bf, clip, ">", "<"):
        for colour, rows in ((GREY, shown & ~red), (RED, shown & red)):
            ax.scatter(x[rows], y[rows], c=colour, marker=marker, s=9, alpha=0.8, linewidths=0)
    for threshold in (-bayes_factor, bayes_factor):
        ax.axvline(threshold, **GUIDE)
    ax.axhline(mean_difference, **GUIDE)
    ax.set(xlabel="logₑ(Bayes factor)", ylabel="MD")
    width = 1.08 * max(x.abs().max(), 1.3 * bayes_factor)
    height = 1.08 * max(y.max(), 1.2 * mean_difference)
    ax.set(xlim=(-width, width), ylim=(-0.03 * height, height))
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    mark_clip(ax.xaxis, log_bf, clip)
    named = table.index.isin(names)
    label_points(ax, x[named], y[named], table.index[named])
    return ax
