"""Claims: the published table, how each claim is measured, and the verdicts.

`measure` reads values from the results of a run, `judge` compares values with the table and with
the criterion of the claim. Neither depends on the other: any values can be judged.

A claim about labels is also measured on shuffled labels, its negative control. `direction only`
needs an effect beyond all of the shuffles, and a criterion that holds in more than one of them says
nothing: it is marked as uninformative.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scripts.claims.run_results import SIMULATED, NotAvailable, RunResults
from scripts.claims.shuffled_results import ShuffledResults
from scripts.common.shuffles import SHUFFLES
from vega.errors import InputError
from vega.files import read_errors

Values = dict[str, float]
BySeed = Mapping[int | None, Values]  # None where the values depend on no seed
Function = Callable[[RunResults, int], Values]
Condition = Callable[[Values], bool]

COLUMNS = [
    "id", "panel", "study", "statement", "published", "source", "criterion",
    "values", "within", "share", "also",
]  # fmt: skip
EXPECTED = "expected `name=number; name=number`"  # in `values`, `within` and `share`
CITED = ["id", "panel", "statement", "published", "criterion"]  # copied to the table of a run
TABLE = [
    *CITED[:-1], "reproduced", "spread", "criterion", "verdict", "control", "control_holds",
    "caution", "note",
]  # fmt: skip
UNINFORMATIVE = "uninformative criterion"
MOST_BY_CHANCE = 1  # of the shuffles in which a criterion may hold
VALUES = {
    "claim": str, "value": str, "seed": "Int64", "published": float, "reproduced": float,
    "deviation": float, "control": float, "control_sd": float,
}  # fmt: skip


class Verdict(StrEnum):
    """Whether a claim was reproduced."""

    REPRODUCED = "reproduced"
    DIRECTION = "direction only"
    DIFFERS = "differs"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Published:
    """The numbers of a claim in `config/claims.tsv`, by the names that its function gives ours."""

    values: Mapping[str, float]
    tolerances: Mapping[str, float]  # of the values that are judged by one

    def within_tolerance(self, values: Values) -> bool:
        """Whether each value with a tolerance was measured and is near the published one."""
        return all(
            name in values and abs(values[name] - self.values[name]) <= tolerance
            for name, tolerance in self.tolerances.items()
        )

    def deviation(self, name: str, value: float, near_zero: bool = False) -> float:
        """Return the distance of a value from the published one, relative to that.

        Relative to the largest published value of the claim if some are near zero; NaN if the
        paper has no such number.
        """
        if name not in self.values:
            return np.nan
        published = self.values[name]
        scale = max(map(abs, self.values.values())) if near_zero else abs(published)
        return (value - published) / scale


def read_claims(path: Path | str) -> pd.DataFrame:
    """Read the published claims: one per row, all as text, and its `numbers` (`Published`)."""
    with read_errors(path, "a table", "restore it from git"):
        claims = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, quoting=3)
    missing = [c for c in COLUMNS if c not in claims]
    if missing:
        raise InputError(f"{path}: missing column {', '.join(missing)}; restore it from git")
    duplicate = claims["id"][claims["id"].duplicated()]
    if len(duplicate):
        raise InputError(f"{path}: duplicate id {duplicate.iloc[0]}; give each claim its own")
    numbers = []
    for row in claims.itertuples():
        try:
            numbers.append(published(row.values, row.within, row.share))
        except ValueError as error:
            raise InputError(f"{path}: {row.id}: {error}") from error
    return claims.assign(numbers=numbers)


def criterion(row: Any) -> str:
    """Return the criterion of a claim: that of its row, and what we ask beyond it."""
    return "; ".join(filter(None, [row.criterion, row.also]))


def published(values: str, within: str = "", share: str = "") -> Published:
    """Return the numbers of a claim from three entries of its row; ValueError if one is invalid.

    >>> published("cells=200; genes=50", share="0.01").tolerances
    {'cells': 2.0, 'genes': 0.5}
    >>> published("training=180; epochs=271", within="training=9").tolerances
    {'training': 9.0}
    """
    numbers, absolute, relative = map(_numbers, (values, within, share))
    unknown = (absolute.keys() | relative.keys()) - {*numbers, ""}
    if "" in numbers:
        raise ValueError(f"{EXPECTED}, found {values!r}")
    if unknown:
        raise ValueError(f"unknown name {unknown.pop()!r} of a tolerance; use those of `values`")
    tolerances = {}
    for name, value in numbers.items():
        entries = [column.get(name, column.get("")) for column in (absolute, relative)]
        if entries != [None, None]:
            tolerances[name] = (entries[0] or 0) + (entries[1] or 0) * abs(value)
    return Published(numbers, tolerances)


def _numbers(entry: str) -> Values:
    """Return numbers by name; the name of a single number may be left out."""
    parts = [part.strip().rpartition("=") for part in entry.split(";")] if entry else []
    try:
        return {name: float(number) for name, _, number in parts}
    except ValueError:
        raise ValueError(f"{EXPECTED}, found {entry!r}") from None


@dataclass(frozen=True)
class Measure:
    """How a claim is measured, and its criterion beyond the tolerances of the table."""

    function: Function  # returns named values from the results of a run and a seed
    holds: Condition | None = None  # whether the (mean) values meet the criterion
    # The strength of the effect in the published direction; 0 is none. It gives `direction only` if
    # it is above 0 and above those of all shuffles.
    effect: Callable[[Values], float] | None = None
    # What the negative control shuffles, see `scripts.claims.shuffled_results`; None for claims
    # that are about no labels.
    shuffle: str | None = None
    beyond: bool = False  # whether the criterion needs an effect beyond the control too
    # Whether only the whole public data can reproduce the numbers. On a subset only the direction
    # is judged, on simulated data nothing.
    exact: bool = False
    seeded: bool = True  # whether the values depend on the seed of the model
    # Whether some published values are near 0, as silhouettes are, so that deviations are relative
    # to the largest of the claim.
    near_zero: bool = False


MEASURES: dict[str, Measure] = {}


def claim(
    id: str,
    holds: Condition | None = None,
    effect: Callable[[Values], float] | None = None,
    **options: Any,
) -> Callable[[Function], Function]:
    """Register a function as the measure of a claim of `config/claims.tsv` (see `Measure`)."""

    def register(function: Function) -> Function:
        if id in MEASURES:
            raise KeyError(f"duplicate function of claim {id}: {function.__name__}")
        MEASURES[id] = Measure(function, holds, effect, **options)
        return function

    return register


def exact_claim(id: str, **options: Any) -> Callable[[Function], Function]:
    """Register a claim about numbers of the data, judged by the tolerances of the table alone."""
    return claim(id, exact=True, seeded=False, **options)


def evaluate(
    claims: pd.DataFrame, results: RunResults, seeds: Sequence[int], shuffles: int = SHUFFLES
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure and judge every claim: return the tables of claims and of their values.

    Claims that depend on the seed are judged by the mean over seeds; `spread` is the standard
    deviation. `control` has mean and standard deviation under shuffling, `control_holds` in how
    many shuffles the criterion holds. The second table has each value by seed, if it depends on
    that, with the published number, if the paper has it as one, and the deviation from it (see
    `Published`).
    """
    rows, values = [], []
    for row in claims.itertuples():
        studies = [] if row.study == "-" else row.study.split("+")
        cited = {column: getattr(row, column) for column in CITED} | {"criterion": criterion(row)}
        try:
            by_seed = measure(row.id, studies, results, seeds)
            notes = [*dict.fromkeys(results.notes)]
        except NotAvailable as reason:
            rows.append(cited | {"verdict": Verdict.NOT_RUN.value, "note": str(reason)})
            continue
        try:
            controls = control(row.id, studies, results, seeds, shuffles)
        except NotAvailable as reason:
            controls = []
            notes.append(f"no negative control: {reason}")
        method, partial = MEASURES[row.id], results.partial(studies)
        if method.exact and partial:
            notes.insert(0, f"{partial}: exact numbers are shown but not judged")
        outcome = _outcome(method, row.numbers, by_seed, partial, controls)
        rows.append(cited | outcome | {"note": "; ".join(notes)})
        values += _rows(row, method.near_zero, by_seed, controls)
    table = pd.DataFrame(rows, columns=TABLE).fillna("")
    return table, pd.DataFrame(values, columns=[*VALUES]).astype(VALUES)


def measure(id: str, studies: list[str], results: RunResults, seeds: Sequence[int]) -> BySeed:
    """Return the values of a claim by seed."""
    if id not in MEASURES:
        raise NotAvailable("not yet computed by this version of the workflow")
    absent = [s for s in studies if not results.studies_of(s)]
    if absent:
        raise NotAvailable(f"{' and '.join(absent)} is not part of this run")
    results.notes.clear()
    method = MEASURES[id]
    if not method.seeded:
        return {None: method.function(results, seeds[0])}
    return {seed: method.function(results, seed) for seed in seeds}


def control(
    id: str, studies: list[str], results: RunResults, seeds: Sequence[int], shuffles: int
) -> list[Values]:
    """Return the values of a claim in each shuffle, as `judge` takes them: means over seeds."""
    what = MEASURES[id].shuffle
    if what is None:
        return []
    shuffled = (ShuffledResults(results, what, number + 1) for number in range(shuffles))
    return [mean_and_sd(measure(id, studies, each, seeds).values())[0] for each in shuffled]


def judge(
    method: Measure,
    numbers: Published,
    values: Values,
    partial: str = "",
    controls: Sequence[Values] = (),
) -> Verdict:
    """Return the verdict on the values of a claim.

    `partial` is the reason why the data are not the whole public ones; empty if they are.
    `controls` are the values in each shuffle of the negative control.
    """
    has_effect = method.effect is not None and method.effect(values) > max(
        [0.0, *map(method.effect, controls)]
    )
    if method.exact and partial:
        # Fewer real cells give other numbers, but in the same direction.
        if partial == SIMULATED or method.effect is None:
            return Verdict.NOT_RUN
    elif (
        numbers.within_tolerance(values)
        and (method.holds is None or method.holds(values))
        and (has_effect or not method.beyond)
    ):
        return Verdict.REPRODUCED
    return Verdict.DIRECTION if has_effect else Verdict.DIFFERS


def holds_by_chance(
    method: Measure, numbers: Published, partial: str, controls: Sequence[Values]
) -> int | None:
    """Return in how many shuffles a claim would be reproduced; None if it is not judged.

    Each shuffle is judged as the run is, against the others. Where only the direction can be
    judged, that counts.
    """
    wanted = Verdict.DIRECTION if method.exact and partial else Verdict.REPRODUCED
    verdicts = [
        judge(method, numbers, values, partial, [*controls[:i], *controls[i + 1 :]])
        for i, values in enumerate(controls)
    ]
    return None if Verdict.NOT_RUN in verdicts or not verdicts else verdicts.count(wanted)


def _outcome(
    method: Measure,
    numbers: Published,
    by_seed: BySeed,
    partial: str,
    controls: Sequence[Values],
) -> dict[str, str]:
    """Return the columns of the table that follow from the values."""
    values, spread = mean_and_sd(by_seed.values())
    means, sds = mean_and_sd(controls)
    by_chance = holds_by_chance(method, numbers, partial, controls)
    return {
        "reproduced": "; ".join(f"{k} {shown(v)}" for k, v in values.items()),
        "spread": "; ".join(f"{k} ±{shown(v)}" for k, v in spread.items() if len(by_seed) > 1),
        "verdict": judge(method, numbers, values, partial, controls).value,
        "control": "; ".join(f"{k} {shown(v)} ±{shown(sds[k])}" for k, v in means.items()),
        "control_holds": "" if by_chance is None else f"{by_chance} of {len(controls)}",
        "caution": UNINFORMATIVE if (by_chance or 0) > MOST_BY_CHANCE else "",
    }


def _rows(
    row: Any, near_zero: bool, by_seed: BySeed, controls: Sequence[Values]
) -> Iterator[tuple]:
    """Yield the rows of the table of values, in the order of `VALUES`."""
    means, sds = mean_and_sd(controls)
    for seed, measured in by_seed.items():
        for name, value in measured.items():
            deviation = row.numbers.deviation(name, value, near_zero)
            published = row.numbers.values.get(name)
            yield row.id, name, seed, published, value, deviation, means.get(name), sds.get(name)


def mean_and_sd(measured: Iterable[Values]) -> tuple[Values, Values]:
    """Return mean and standard deviation of each value, over seeds or shuffles."""
    table = pd.DataFrame(list(measured))
    return table.mean().to_dict(), table.std().to_dict()


def lead(values: Values, name: str) -> float:
    """Return by how much the value of a name exceeds the highest of the others."""
    return values[name] - max(value for other, value in values.items() if other != name)


def shown(value: float) -> str:
    """Return a number as the table shows it: to three digits or more, whole numbers as such.

    >>> shown(18868.0), shown(0.20526), shown(8.517), shown(166.94), shown(1234.5)
    ('18868', '0.205', '8.52', '167', '1234')
    """
    if abs(value) < 1e-12:  # what rounding leaves of none
        return "0"
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:#.3g}".rstrip(".")
