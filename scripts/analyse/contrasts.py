"""The comparisons that are asked of a model: which cells are on which side."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from vega.errors import InputError

Analyses = dict[str, Any]  # as config.ModelConfig.comparisons gives them

ONE_VS_REST = "one_vs_rest"
REST = "rest"
FEW_CELLS = 10  # a smaller group says little of its type, and figures say so


def groups(obs: pd.DataFrame, analyses: Analyses) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """Every comparison asked of a model: contrast, group, reference, and each cell's side.

    A side is 1 for the group, -1 for the reference and 0 for cells that take no part.

    Raises
    ------
    InputError
        If the data lack a column, or a group has no cell.
    """
    for name, contrast in analyses["contrasts"].items():
        group, reference = contrast["group"], contrast["reference"]
        labels = _column(obs, name, contrast["column"])
        side = (labels == group).astype(int) - (labels == reference)
        for column, values in contrast["within"].items():
            side = side * _column(obs, name, column).isin(values)
        side = side.to_numpy()
        for value, sign in ((group, 1), (reference, -1)):
            if not (side == sign).any():
                raise InputError(f"config/models.yaml: contrast {name}: no cell is {value}")
        if contrast["by"] is None:
            yield name, group, reference, side
            continue
        parts = _column(obs, name, contrast["by"])
        for part in parts.cat.remove_unused_categories().cat.categories:
            here = side * (parts == part).to_numpy()
            if {1, -1} <= set(here):
                yield name, part, reference, here
    if analyses["one_vs_rest"]:
        labels = _column(obs, ONE_VS_REST, analyses["one_vs_rest"])
        known = labels.notna().to_numpy()
        values = labels.cat.remove_unused_categories().cat.categories
        for value in values:
            if len(values) == 1:
                raise InputError(
                    f"config/models.yaml: {ONE_VS_REST}: all cells have the same "
                    f"{labels.name}, {value}; there is no rest to compare it with"
                )
            yield ONE_VS_REST, value, REST, np.where(labels == value, 1, -1) * known


def _column(obs: pd.DataFrame, contrast: str, column: str) -> pd.Series:
    if column not in obs:
        raise InputError(
            f"config/models.yaml: {contrast}: the study has no column {column}; "
            f"it has {', '.join(obs.columns) or 'none'}"
        )
    return _as_text(obs[column])


def _as_text(labels: pd.Series) -> pd.Series:
    """Integers and truth values as the configuration writes them, in their order; as categories."""
    labels = labels.astype("category")
    return labels.cat.rename_categories(labels.cat.categories.astype(str))
