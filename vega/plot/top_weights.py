"""The genes that a latent variable reaches most strongly."""

from collections.abc import Collection

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from vega.plot.colours import RED

IN_SET, OUTSIDE = "black", RED
STAR = "★"


def top_weights(
    weights: pd.DataFrame, n: int = 20, starred: Collection[str] = (), *, ax: Axes | None = None
) -> Axes:
    """Draw the largest weights of one latent variable as bars, the largest on top.

    Parameters
    ----------
    weights
        A row per gene, its name the index, with its decoder weight `weight`, the `rank` of that
        among all genes (1 is the largest) and whether it is `in_set`: bar and name are black for
        those, red for the others.
    n
        How many. Weights of zero are not drawn; their places stay empty.
    starred
        Genes whose names get a star.
    ax
        Where to draw; the current axes by default.

    Examples
    --------
    >>> import vega
    >>> model, adata = vega.examples.trained_model()
    >>> genes = model.top_genes(20)
    >>> ax = vega.plot.top_weights(genes[genes["gmv"] == "B cells"].set_index("gene"), 5)
    """
    ax = ax or plt.gca()
    top = weights[(weights["rank"] <= n) & (weights["weight"] > 0)].sort_values("rank")
    colours = [IN_SET if inside else OUTSIDE for inside in top["in_set"]]
    ax.barh(top["rank"], top["weight"], 0.7, color=colours)
    names = [f"{STAR} {gene}" if gene in starred else gene for gene in top.index]
    ax.set_yticks(top["rank"], names)
    for label, colour in zip(ax.get_yticklabels(), colours, strict=True):
        label.set_color(colour)
    ax.set(ylim=(n + 0.6, 0.4), xlabel="Weight")
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_locator(MaxNLocator(2, steps=[1, 2, 5, 10]))
    return ax
