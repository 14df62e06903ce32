"""Supplementary Figure 7: each type of organoid cell against the others."""

from scripts.figures.comparisons import one_vs_rest_panels
from scripts.figures.layout import Layout

LAYOUT = Layout(("aabb", ".cc."), widths=(1.8,) * 4, heights=(2.35,) * 2)
PANELS = one_vs_rest_panels("organoid", "abc")
