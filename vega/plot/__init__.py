"""Plots of VEGA's results. Each takes data and, if wanted, the `ax` to draw on, and returns it.

>>> from vega import plot
>>> plot.embedding(latent, "cell_type", "condition")                              # doctest: +SKIP
>>> plot.volcano(model.differential_activity(adata, "condition", "a", "b"))       # doctest: +SKIP
"""

from vega.plot.arrows import arrows, median_shifts
from vega.plot.bars import bars
from vega.plot.bayes_factors import bayes_factors
from vega.plot.boxes import boxes
from vega.plot.correlation import correlation
from vega.plot.gsea import gsea_comparison, set_size
from vega.plot.heatmap import ColourStrip, clustered, clustered_heatmap, heatmap_key, strip_key
from vega.plot.horizontal_bars import horizontal_bars
from vega.plot.names import names_beside, wrapped
from vega.plot.regression import regression
from vega.plot.scatter import activities, embedding
from vega.plot.strips import strips
from vega.plot.sweep import sweep
from vega.plot.top_weights import top_weights
from vega.plot.two_channels import two_channels
from vega.plot.violins import violins
from vega.plot.volcano import volcano

__all__ = [
    "ColourStrip",
    "activities",
    "arrows",
    "bars",
    "bayes_factors",
    "boxes",
    "clustered",
    "clustered_heatmap",
    "correlation",
    "embedding",
    "gsea_comparison",
    "heatmap_key",
    "horizontal_bars",
    "median_shifts",
    "names_beside",
    "regression",
    "set_size",
    "strip_key",
    "strips",
    "sweep",
    "top_weights",
    "two_channels",
    "violins",
    "volcano",
    "wrapped",
]
