"""Supplementary Figure 5: each cell type against all others."""

from functools import partial

from matplotlib.figure import FigureBase

from paper.figures.data import Results
from paper.figures.page import Layout, axes, message
from vega.plot import volcano

LAYOUT = Layout(("aabb", "ccdd", "eeff", ".gg."), widths=(1.8,) * 4, heights=(2.35,) * 4)
NAMED = 5


def one_vs_rest(figure: FigureBase, results: Results, index: int) -> None:
    """Differential activity of the study's `index`-th cell type; the top five GMVs are named."""
    types = results.study.cell_types
    table = results.contrast("one_vs_rest", types[index]) if index < len(types) else None
    if table is None or table.empty:
        message(figure, "no such cell type in these data")
        return
    top = table["log_bf"].nlargest(NAMED).index
    ax = volcano(table, top, ax=axes(figure, 0.45, 1.7))
    ax.set_title(f"{types[index]} against all other cells", loc="left")


a, b, c, d, e, f, g = (partial(one_vs_rest, index=i) for i in range(7))
