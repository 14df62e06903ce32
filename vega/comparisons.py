"""Comparisons of cells: which are in the group, which in the reference, which in neither."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from vega.errors import InputError
from vega.values import as_text, labels_of, several

REST = "rest"  # all other cells
NAMED = 10  # values of a column that an error names at most


class Comparison(NamedTuple):
    """A group of cells and its reference."""

    group: str
    reference: str  # `REST` for all other cells
    part: str | None  # the value of the column `by`
    side: np.ndarray  # of each cell: 1 in the group, -1 in the reference, 0 in neither


def comparisons(
    obs: pd.DataFrame,
    column: str,
    groups: Sequence[Any] | None = None,
    reference: Any = None,
    within: Mapping[str, Any] | None = None,
    by: str | None = None,
) -> Iterator[Comparison]:
    """Yield the comparisons of groups of cells.

    Parameters
    ----------
    obs
        One row per cell.
    column
        Its values are the groups. Cells without a value are in none.
    groups
        The values to compare; None takes all but the reference.
    reference
        The value to compare them with; None takes all other cells.
    within
        Only cells with these values: a value or several, by column.
    by
        Column for whose values each comparison is made apart. Values without cells of the group or
        of the reference are left out.

    Raises
    ------
    ValueError
        If a column is missing, or a group, the reference or the rest has no cell.
    """
    labels = labels_of(obs, column)
    for name, values in (within or {}).items():
        labels = labels.where(labels_of(obs, name).isin(list(map(as_text, several(values)))))
    labels = labels.cat.remove_unused_categories()
    there = list(labels.cat.categories)
    against = None if reference is None else _present(as_text(reference), column, there)
    if groups is None:
        chosen = [value for value in there if value != against]
    else:
        chosen = [_present(value, column, there) for value in dict.fromkeys(map(as_text, groups))]
    if len(there) < 2:
        raise InputError(
            f"all cells have the same {column}, {', '.join(there) or 'none'}; there is no rest to "
            "compare it with"
        )
    if against in chosen:
        raise InputError(f"{column} {against} is a group and the reference; leave it out of one")
    others = labels.notna() if against is None else labels == against
    parts = None if by is None else labels_of(obs, by)
    for group in chosen:
        side = np.where(labels == group, 1, np.where(others, -1, 0))
        name = REST if against is None else against
        if parts is None:
            yield Comparison(group, name, None, side)
            continue
        for part in parts.cat.remove_unused_categories().cat.categories:
            here = side * (parts == part).to_numpy()
            if {1, -1} <= set(here):
                yield Comparison(group, name, part, here)


def _present(value: str, column: str, there: Sequence[str]) -> str:
    """Return a value of a column; refuse one that no cell has."""
    if value in there:
        return value
    more = f" and {len(there) - NAMED} more" if len(there) > NAMED else ""
    raise InputError(
        f"no cell has {column} {value}; there are {', '.join(there[:NAMED]) or 'none'}{more}"
    )
