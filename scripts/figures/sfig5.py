"""Supplementary Figure 5: each cell type against all others."""

from scripts.figures.comparisons import one_vs_rest_panels
from scripts.figures.layout import Layout

LAYOUT = Layout(("aabb", "ccdd", "eeff", ".gg."), widths=(1.8,) * 4, heights=(2.35,) * 4)
PANELS = one_vs_rest_panels("kang", "abcdefg")
