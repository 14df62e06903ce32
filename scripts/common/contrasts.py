"""The comparisons that are asked of a model: which cells are on which side."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from vega.comparisons import comparisons
from vega.errors import InputError

Analyses = dict[str, Any]  # as config.ModelConfig.comparisons gives them

ONE_VS_REST = "one_vs_rest"
FEW_CELLS = 10  # a smaller group says little of its type, and figures say so


def groups(
    obs: pd.DataFrame, analyses: Analyses, where: str = ""
) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """Yield contrast, group, reference and each cell's side, for every comparison of a model.

    A side is 1 for the group, -1 for the reference and 0 for cells that take no part. The group of
    a contrast that is made `by` the values of a column is that value. A missing column and a group
    without cells are errors; they name the place in models.yaml, `where`.
    """
    asked: list[tuple[str, dict[str, Any]]] = []
    for name, contrast in analyses["contrasts"].items():
        options = {key: contrast[key] for key in ("column", "reference", "within", "by")}
        asked.append((name, {**options, "groups": [contrast["group"]]}))
    if analyses["one_vs_rest"]:
        asked.append((ONE_VS_REST, {"column": analyses["one_vs_rest"]}))
    for name, options in asked:
        try:
            there = list(comparisons(obs, **options))
            if not there:
                raise InputError(f"no {options['by']} has cells of the group and of the reference")
        except InputError as error:
            raise InputError(f"config/models.yaml: {where}{name}: {error}") from None
        for found in there:
            part = found.group if found.part is None else found.part
            yield name, part, found.reference, found.side
