"""Plots of VEGA's results. Each takes data and, optionally, the `ax` to draw on, and returns it."""

from vega.plot.gsea import gsea_comparison
from vega.plot.heatmap import heatmap
from vega.plot.labels import label_points, wrapped
from vega.plot.scatter import embedding
from vega.plot.top_weights import top_weights
from vega.plot.volcano import volcano

__all__ = [
    "embedding",
    "gsea_comparison",
    "heatmap",
    "label_points",
    "top_weights",
    "volcano",
    "wrapped",
]
