"""Plots of VEGA's results. Each takes data and, if wanted, the `ax` to draw on, and returns it.

>>> from vega import plot
>>> plot.embedding(latent, "cell_type", "condition")                              # doctest: +SKIP
>>> plot.volcano(model.differential_activity(adata, "condition", "a", "b"))       # doctest: +SKIP
"""

from vega.plot.gsea import gsea_comparison, set_size
from vega.plot.names import names_beside, wrapped
from vega.plot.scatter import activities, embedding
from vega.plot.volcano import volcano

__all__ = [
    "activities",
    "embedding",
    "gsea_comparison",
    "names_beside",
    "set_size",
    "volcano",
    "wrapped",
]
