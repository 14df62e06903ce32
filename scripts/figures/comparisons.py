"""Volcanoes of a model's comparisons, for every figure that shows one."""

from functools import partial

import pandas as pd
from matplotlib.figure import FigureBase

from scripts.analyse.contrasts import FEW_CELLS, ONE_VS_REST
from scripts.figures.data import FigureData, Results
from scripts.figures.layout import Panel, axes, message, shortened
from vega.plot import volcano

NAMED = 5


def one_vs_rest_panels(model: str, n: int) -> list[Panel]:
    """Panels of the first `n` cell types of a model's study, each against all other cells."""
    return [partial(_one_vs_rest, model=model, index=i) for i in range(n)]


def _one_vs_rest(figure: FigureBase, data: FigureData, model: str, index: int) -> None:
    """Differential activity of the study's `index`-th cell type."""
    results = data[model]
    types = results.study.cell_types
    if index >= len(types) or results.contrast(ONE_VS_REST, types[index]).empty:
        message(figure, "no such cell type in these data")
    else:
        draw_comparison(figure, results, ONE_VS_REST, types[index])


def draw_comparison(figure: FigureBase, results: Results, contrast: str, group: str) -> None:
    """The volcano of one comparison; the GMVs of the highest signed log Bayes factor are named."""
    table = results.contrast(contrast, group)
    ax = volcano(table, table["log_bf"].nlargest(NAMED).index, ax=axes(figure, 0.45, 1.7))
    ax.set_title(comparison_title(table, contrast, group), loc="left")


def comparison_title(table: pd.DataFrame, contrast: str, group: str) -> str:
    """What is compared with what, and that the group is small where it is."""
    group = shortened(group, 24)
    n = table["n_group"].iloc[0]
    few = f" (only {n} cell{'' if n == 1 else 's'})" if n < FEW_CELLS else ""
    if contrast == ONE_VS_REST:
        return f"{group}{few} against all other cells"
    return shortened(f"{contrast}: {group}{few} against {table['reference'].iloc[0]}", 56)
