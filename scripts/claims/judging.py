"""Measuring and judging claims: the registry, the verdicts, the table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scripts.claims.run_results import NotAvailable, RunResults
from vega.errors import InputError
from vega.files import reading


class Verdict(StrEnum):
    """What came of a claim."""

    REPRODUCED = "reproduced"
    DIRECTION = "direction only"
    DIFFERS = "differs"
    NOT_RUN = "not run"


Values = dict[str, float]
COLUMNS = ["id", "panel", "study", "statement", "published", "source", "criterion"]
CITED = ["id", "panel", "statement", "published", "criterion"]  # from there to the table of a run
TABLE = [*CITED[:-1], "reproduced", "spread", "criterion", "verdict", "note"]
VALUES = {
    "claim": str, "value": str, "seed": "Int64",
    "published": float, "reproduced": float, "deviation": float,
}  # fmt: skip


@dataclass(frozen=True)
class Measure:
    """How a claim is measured and judged.

    Attributes
    ----------
    function
        From the results and a seed to named values.
    holds
        Whether the (mean) values meet the claim's criterion.
    direction
        Whether they at least point the published way; None where there is no direction.
    exact
        Whether the claim is about numbers that only the whole public data can give back. On a
        subset of them only its direction is judged, on simulated data nothing.
    seeded
        Whether the values depend on the seed of the model.
    published
        Those of the values that the paper has as numbers.
    near_zero
        Whether some of these lie near 0, as silhouettes do, so that deviations are told relative
        to the largest of the claim and not each to its own.
    """

    function: Callable[[RunResults, int], Values]
    holds: Callable[[Values], bool]
    direction: Callable[[Values], bool] | None = None
    exact: bool = False
    seeded: bool = True
    published: Mapping[str, float] = field(default_factory=dict)
    near_zero: bool = False

    def deviation(self, name: str, value: float) -> float:
        """How far a value is from the published one, relative to that; NaN if there is none."""
        if name not in self.published:
            return np.nan
        published = self.published[name]
        scale = max(map(abs, self.published.values())) if self.near_zero else abs(published)
        return (value - published) / scale


MEASURES: dict[str, Measure] = {}


def claim(
    id: str,
    holds: Callable[[Values], bool],
    direction: Callable[[Values], bool] | None = None,
    **about: Any,
) -> Callable[[Callable[[RunResults, int], Values]], Callable[[RunResults, int], Values]]:
    """Register a function as the measure of a claim of `config/claims.tsv`; all as in `Measure`."""

    def register(function: Callable[[RunResults, int], Values]):
        if id in MEASURES:
            raise KeyError(f"claim {id} has two functions")
        MEASURES[id] = Measure(function, holds, direction, **about)
        return function

    return register


def near(
    published: Mapping[str, float], within: float = 0, share: float = 0
) -> Callable[[Values], bool]:
    """Whether every published value is there and near enough.

    Parameters
    ----------
    within, share
        How far off it may be: by a number, and by a share of the published one.
    """
    return lambda values: all(
        name in values and abs(values[name] - n) <= within + share * abs(n)
        for name, n in published.items()
    )


def count(id: str, published: Mapping[str, float], within: float = 0, share: float = 0):
    """A claim about numbers of the whole public data, and no others, which are `near` or not."""
    holds = near(published, within, share)
    return claim(
        id,
        lambda values: values.keys() == published.keys() and holds(values),
        exact=True,
        seeded=False,
        published=published,
    )


def evaluate(
    claims: pd.DataFrame, results: RunResults, seeds: Sequence[int]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure and judge every claim.

    Parameters
    ----------
    claims
        The table of published claims (`read_claims`).
    results
        The results of a run.
    seeds
        Seeds of its models: claims that depend on them are judged by their mean, and get a spread.

    Returns
    -------
    claims
        One row per claim, in the same order: id, panel, statement, published, reproduced, spread,
        criterion, verdict, note. `spread` is the standard deviation over seeds.
    values
        One row per measured value and seed: claim, value (its name), seed, published (where the
        paper has it as a number), reproduced, deviation (see `Measure`). What depends on no seed
        has none.
    """
    rows, values = [], []
    for row in claims.itertuples():
        measure = MEASURES.get(row.id)
        measured, outcome = _evaluate(row, measure, results, seeds)
        rows.append({**{column: getattr(row, column) for column in CITED}, **outcome})
        values += [
            (row.id, name, seed, measure.published.get(name), value, measure.deviation(name, value))
            for seed, of_seed in measured.items()
            for name, value in of_seed.items()
        ]
    return pd.DataFrame(rows)[TABLE], pd.DataFrame(values, columns=[*VALUES]).astype(VALUES)


def _evaluate(
    row, measure: Measure | None, results: RunResults, seeds: Sequence[int]
) -> tuple[dict[int | None, Values], dict[str, str]]:
    """What was measured, by seed, and the columns of the table that tell what came of it."""
    studies = [] if row.study == "-" else row.study.split("+")
    absent = [s for s in studies if not results.studies_of(s)]
    if measure is None:
        return {}, _not_run("not yet computed by this version of the workflow")
    if absent:
        return {}, _not_run(f"{' and '.join(absent)} is not part of this run")
    results.notes.clear()
    try:
        measured = [measure.function(results, s) for s in (seeds if measure.seeded else seeds[:1])]
        partial = results.partial(studies)
    except NotAvailable as reason:
        return {}, _not_run(str(reason))
    values = {key: float(np.mean([r[key] for r in measured])) for key in measured[0]}
    spread = {key: np.std([r[key] for r in measured], ddof=1) for key in values} if (
        len(measured) > 1
    ) else {}  # fmt: skip
    notes = list(dict.fromkeys(results.notes))
    if measure.exact and partial:
        notes.insert(0, f"{partial}: exact numbers are shown but not judged")
        verdict = Verdict.NOT_RUN
        if measure.direction and not results.simulated:
            # Fewer real cells give other numbers, but point the same way.
            verdict = Verdict.DIRECTION if measure.direction(values) else Verdict.DIFFERS
    elif measure.holds(values):
        verdict = Verdict.REPRODUCED
    elif measure.direction and measure.direction(values):
        verdict = Verdict.DIRECTION
    else:
        verdict = Verdict.DIFFERS
    return dict(zip(seeds if measure.seeded else [None], measured, strict=True)), {
        "reproduced": "; ".join(f"{k} {shown(v)}".strip() for k, v in values.items()),
        "spread": "; ".join(f"{k} ±{shown(v)}".strip() for k, v in spread.items()),
        "verdict": verdict.value,
        "note": "; ".join(notes),
    }


def _not_run(reason: str) -> dict[str, str]:
    return {"reproduced": "", "spread": "", "verdict": Verdict.NOT_RUN.value, "note": reason}


def shown(value: float) -> str:
    """A number as the table shows it: whole numbers as such, others to three figures or more.

    >>> shown(18868.0), shown(0.20526), shown(8.517), shown(166.94), shown(1234.5)
    ('18868', '0.205', '8.52', '167', '1234')
    """
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:#.3g}".rstrip(".")


def read_claims(path: Path | str) -> pd.DataFrame:
    """The published claims: one row each, all as text.

    Raises
    ------
    InputError
        If it is no table, a column is missing or an id stands twice.
    """
    with reading(path, "a table", "restore it from git"):
        claims = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, quoting=3)
    missing = [c for c in COLUMNS if c not in claims]
    if missing:
        raise InputError(f"{path}: lacks the column {', '.join(missing)}")
    twice = claims["id"][claims["id"].duplicated()]
    if len(twice):
        raise InputError(f"{path}: {twice.iloc[0]} stands twice; every claim has an id of its own")
    return claims
