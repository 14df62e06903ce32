"""Covariates of cells, such as donor and sex, as numbers that a network takes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from vega.errors import InputError
from vega.values import labels_of


class Covariate(NamedTuple):
    """One column of the numbers: a category of a column of `obs`, or its standardised values."""

    name: str  # of the column of obs
    category: str | None = None  # None: numbers
    mean: float = 0.0
    sd: float = 1.0


def covariates_of(obs: pd.DataFrame) -> list[Covariate]:
    """Return the covariates of cells: floats are numbers, other columns have categories.

    Raises
    ------
    ValueError
        If a column has integers, which may be meant as either, or a value that is missing.
    """
    found = []
    for name in map(str, obs.columns):
        values = obs[name]
        if pd.api.types.is_integer_dtype(values):
            raise InputError(
                f"obs[{name!r}] has integers; make them categories, .astype('category'), or "
                "numbers, .astype(float)"
            )
        if pd.api.types.is_float_dtype(values):
            _check_finite(name, values)
            found.append(Covariate(name, None, float(values.mean()), float(values.std()) or 1.0))
        else:
            found += new_categories(obs, name, [])
    return found


def new_categories(obs: pd.DataFrame, name: str, known: Sequence[Covariate]) -> list[Covariate]:
    """Return the categories of a column that are not among the known covariates."""
    there = {each.category for each in known if each.name == name}
    labels = labels_of(obs, name).cat.remove_unused_categories()
    return [Covariate(name, each) for each in labels.cat.categories if each not in there]


def design(obs: pd.DataFrame, covariates: Sequence[Covariate]) -> np.ndarray:
    """Return cells x covariates, float32: 1 in the category of a cell, numbers standardised.

    Raises
    ------
    ValueError
        If a column is missing, a number not finite, or a category unknown.
    """
    columns = np.zeros((len(obs), len(covariates)), dtype=np.float32)
    labels = {each.name: labels_of(obs, each.name) for each in covariates}
    for number, each in enumerate(covariates):
        if each.category is not None:
            columns[:, number] = labels[each.name] == each.category
        else:
            _check_finite(each.name, obs[each.name])
            columns[:, number] = (obs[each.name].astype(float) - each.mean) / each.sd
    for name, values in labels.items():
        known = [c.category for c in covariates if c.name == name and c.category is not None]
        if known and not (inside := values.isin(known)).all():
            raise InputError(
                f"obs[{name!r}] has {values[~inside].astype(object).iloc[0]!r}, which is not among "
                f"the model's: {', '.join(known)}; VEGA.extend adds new ones"
            )
    return columns


def _check_finite(name: str, values: pd.Series) -> None:
    if not np.isfinite(values.astype(float)).all():
        raise InputError(f"obs[{name!r}] has values that are not finite; fill them in")
