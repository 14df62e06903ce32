"""VEGA's differential activity against GSEA of the same cells."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from vega.plot.clip import clipped_markers, mark_clip
from vega.plot.colours import BLUE, GREY, PURPLE, RED
from vega.plot.labels import label_points

FOUND_BY = {"VEGA only": RED, "both": PURPLE, "GSEA only": BLUE, "neither": GREY}
AREA_PER_GENE = 0.12  # square points: 1,000 genes are a dot 12 points wide
SMALLEST_AREA = 5.0  # keeps sets of few genes visible


def gsea_comparison(
    table: pd.DataFrame,
    names: Sequence[str] = (),
    *,
    bayes_factor: float = 3.0,
    fdr: float = 0.05,
    clip: float = 10.0,
    ax: Axes | None = None,
) -> Axes:
    """Draw GSEA's significance (x) against VEGA's (y), a dot per gene set.

    Parameters
    ----------
    table
        One row per gene set, its name the index, with `neg_log10_fdr`, `log_bf` and `n_genes`,
        which is the area of the dot.
    names
        Gene sets to name, in a column right of the axes; those not in the table are left out.
    bayes_factor, fdr
        Thresholds: dots and zones are red where only VEGA, blue where only GSEA and purple where
        both find the set.
    clip
        Largest |log Bayes factor| drawn; dots beyond it are arrow heads there.
    ax
        Where to draw; the current axes by default.

    Examples
    --------
    >>> import vega
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {"neg_log10_fdr": [3.0, 0.1], "log_bf": [5.0, -1.0], "n_genes": [20, 60]}, ["A", "B"]
    ... )
    >>> ax = vega.plot.gsea_comparison(table, ["A"])
    """
    ax = ax or plt.gca()
    table = table.sort_values("n_genes", ascending=False, kind="stable")  # small ones on top
    strength = table["log_bf"].abs()
    x, y = table["neg_log10_fdr"], strength.clip(upper=clip)
    finder = found_by(table, bayes_factor, fdr)
    area = dot_area(table["n_genes"])
    for marker, rows in clipped_markers(strength, clip, "^", "v"):
        ax.scatter(
            x[rows], y[rows], s=area[rows], c=finder[rows].map(FOUND_BY), marker=marker,
            alpha=0.75, edgecolors="white", linewidths=0.3,
        )  # fmt: skip

    line = -np.log10(fdr)
    right, top = 1.08 * max(x.max(), 2 * line), 1.1 * max(y.max(), 2 * bayes_factor)
    left, bottom = -0.05 * right, -0.04 * top
    ax.set(xlim=(left, right), ylim=(bottom, top))
    ax.set(xlabel="GSEA, −log₁₀(FDR)", ylabel="VEGA, |logₑ(Bayes factor)|")
    for who, (x0, x1), (y0, y1) in (
        ("VEGA only", (left, line), (bayes_factor, top)),
        ("both", (line, right), (bayes_factor, top)),
        ("GSEA only", (line, right), (bottom, bayes_factor)),
    ):
        zone: dict[str, Any] = {
            "facecolor": FOUND_BY[who],
            "alpha": 0.1,
            "linewidth": 0,
            "zorder": 0,
        }
        ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, **zone))
    mark_clip(ax.yaxis, strength, clip)
    _legends(ax, finder)
    named = table.index.isin(names)
    label_points(ax, x[named], y[named], table.index[named], width=18)
    return ax


def dot_area(n_genes):
    """Return the area of the dot of a gene set in square points, linear in its size."""
    return SMALLEST_AREA + AREA_PER_GENE * n_genes


def found_by(table: pd.DataFrame, bayes_factor: float, fdr: float) -> pd.Series:
    """Return who finds each gene set: `VEGA only`, `GSEA only`, `both` or `neither`."""
    vega = table["log_bf"].abs() > bayes_factor
    gsea = table["neg_log10_fdr"] > -np.log10(fdr)
    who = np.select([vega & gsea, vega, gsea], ["both", "VEGA only", "GSEA only"], "neither")
    return pd.Series(who, index=table.index)


def _legends(ax: Axes, finder: pd.Series) -> None:
    """Show above the axes how many sets each method finds, and what the areas mean."""
    style: dict[str, Any] = {
        "loc": "lower left", "frameon": False, "ncols": 3, "fontsize": "small",
        "handletextpad": 0.1, "columnspacing": 0.8, "borderaxespad": 0, "borderpad": 0,
    }  # fmt: skip
    found = [
        ax.scatter([], [], s=12, c=colour, linewidths=0, label=f"{who} ({(finder == who).sum()})")
        for who, colour in FOUND_BY.items()
        if who != "neither"
    ]
    ax.add_artist(ax.legend(handles=found, bbox_to_anchor=(-0.1, 1.13), **style))
    sizes = [
        ax.scatter([], [], s=dot_area(n), c=GREY, linewidths=0, label=label)
        for n, label in ((10, "10"), (100, "100"), (1000, "1,000 genes"))
    ]
    ax.legend(handles=sizes, bbox_to_anchor=(-0.1, 1.03), **style)
