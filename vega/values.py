"""What an AnnData holds: its layers, the values of one gene or GMV, the labels of cells."""

import math
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.sparse import issparse

from vega.errors import InputError


def layers_of(adata: AnnData) -> dict[str, Any]:
    """Return the layers by name, without X, which anndata lists among them from 0.13 on."""
    return {name: matrix for name, matrix in adata.layers.items() if name is not None}


def values_of(adata: AnnData, name: str) -> np.ndarray:
    """Return the values of a gene or GMV in each cell, one dense vector."""
    column = adata[:, name].X
    return (column.toarray() if issparse(column) else np.asarray(column)).ravel()


def labels_of(obs: pd.DataFrame, column: str) -> pd.Series:
    """Return a column as categories of text; integers that are stored as floats are integers."""
    if column not in obs:
        raise InputError(
            f"obs has no column {column}; it has {', '.join(map(str, obs.columns)) or 'none'}"
        )
    labels = obs[column].astype("category").cat
    names = np.array([*map(as_text, labels.categories), None], dtype=object)
    categories = list(dict.fromkeys(names[:-1]))
    return pd.Series(pd.Categorical(names[labels.codes], categories), obs.index, name=column)


def several(values: Any) -> list[Any]:
    """Return a list: of one value, or of the values of any kind of list."""
    return list(values) if pd.api.types.is_list_like(values) else [values]


def check_range(name: str, value: float, least: float, most: float = math.inf) -> None:
    """Refuse a number outside its range, and one that is not a number."""
    if not least <= value <= most:
        upper = "" if most == math.inf else f" to {most:g}"
        raise InputError(f"{name}: expected {least:g}{upper or ' or more'}, found {value:g}")


def as_text(value: Any) -> str:
    """Return a label as text: 1 and 1.0 are `1`."""
    whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if whole else str(value)
