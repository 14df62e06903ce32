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
    """Yield contrast, group, reference and each cell's side, for every comparison of a model.

    A side is 1 for the group, -1 for the reference and 0 for cells that take no part. A missing
    column and a group without cells are errors.
    """
    for name, contrast in analyses["contrasts"].items():
        group, reference = contrast["group"], contrast["reference"]
        labels = _labels(obs, name, contrast["column"])
        side = (labels == group).astype(int) - (labels == reference)
        for column, values in contrast["within"].items():
            side = side * _labels(obs, name, column).isin(values)
        side = side.to_numpy()
        for value, sign in ((group, 1), (reference, -1)):
            if not (side == sign).any():
                raise InputError(f"config/models.yaml: contrast {name}: no cell is {value}")
        if contrast["by"] is None:
            yield name, group, reference, side
            continue
        parts = _labels(obs, name, contrast["by"])
        for part in parts.cat.remove_unused_categories().cat.categories:
            here = side * (parts == part).to_numpy()
            if {1, -1} <= set(here):
                yield name, part, reference, here
    if analyses["one_vs_rest"]:
        labels = _labels(obs, ONE_VS_REST, analyses["one_vs_rest"])
        known = labels.notna().to_numpy()
        values = labels.cat.remove_unused_categories().cat.categories
        if len(values) == 1:
            raise InputError(
                f"config/models.yaml: {ONE_VS_REST}: all cells have the same "
                f"{labels.name}, {values[0]}; there is no rest to compare it with"
            )
        for value in values:
            yield ONE_VS_REST, value, REST, np.where(labels == value, 1, -1) * known


def _labels(obs: pd.DataFrame, contrast: str, column: str) -> pd.Series:
    """Return a column as categories of text, in which form the configuration has numbers."""
    if column not in obs:
        raise InputError(
            f"config/models.yaml: {contrast}: the study has no column {column}; "
            f"it has {', '.join(obs.columns) or 'none'}"
        )
    labels = obs[column].astype("category")
    return labels.cat.rename_categories(labels.cat.categories.astype(str))
