"""Volcanoes of a model's comparisons, for every figure that shows one."""

from functools import partial

import pandas as pd
from matplotlib.figure import FigureBase

from scripts.common.contrasts import FEW_CELLS, ONE_VS_REST
from scripts.figures.data import FigureData, Results
from scripts.figures.layout import Content, Panel, axes, shortened
from vega.plot import volcano

NAMED = 5
COLUMNS = ["contrast", "group", "reference", "n_group", "gmv", "log_bf", "md"]


def one_vs_rest_panels(model: str, letters: str) -> dict[str, Panel]:
    """Return panels of the first cell types of a model's study, each against all other cells."""
    return {
        letter: Panel(
            f"Cell type {i + 1} of the study against all other cells.",
            draw_comparison,
            partial(_one_vs_rest, model=model, index=i),
        )
        for i, letter in enumerate(letters)
    }


def _one_vs_rest(data: FigureData, model: str, index: int) -> Content:
    for group in data[model].study.cell_types[index : index + 1]:
        if len(table := comparison(data[model], ONE_VS_REST, group)):
            return table
    return "no such cell type in these data"


def comparison(results: Results, contrast: str, group: str) -> pd.DataFrame:
    """Return the GMVs of one comparison."""
    return results.contrast(contrast, group).reset_index()[COLUMNS]


def draw_comparison(figure: FigureBase, table: pd.DataFrame) -> None:
    """Draw the volcano of one comparison; the GMVs of the highest log Bayes factor are named."""
    by_gmv = table.set_index("gmv")
    ax = volcano(by_gmv, by_gmv["log_bf"].nlargest(NAMED).index, ax=axes(figure, 0.45, 1.7))
    ax.set_title(comparison_title(table.iloc[0]), loc="left")


def comparison_title(row: pd.Series) -> str:
    """Return what is compared with what in a row, and whether the group is small."""
    group, n = shortened(row["group"], 24), row["n_group"]
    few = f" (only {n} cell{'' if n == 1 else 's'})" if n < FEW_CELLS else ""
    if row["contrast"] == ONE_VS_REST:
        return f"{group}{few} against all other cells"
    name = "" if row["contrast"] == row["group"] else f"{row['contrast']}: "
    return shortened(f"{name}{group}{few} against {row['reference']}", 56)
