"""The published numbers against those of a run, with their intervals over seeds."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from scripts.claims.judging import shown


@dataclass(frozen=True)
class Estimate:
    """A number of a claim, as published and here: as text, and by how much they differ."""

    name: str
    published: str
    here: str  # mean and standard deviation over seeds
    deviation: float  # mean, relative to the published one; see `scripts.claims.judging.Published`
    spread: float | None  # standard deviation of it; none with one seed
    control: tuple[float, float] | None  # deviations of mean -/+ 2 sd of shuffled labels


def estimates(values: pd.DataFrame) -> dict[str, list[Estimate]]:
    """Return the published numbers by claim; `values` are of `scripts.claims.judging.evaluate`."""
    by_claim = values.dropna(subset=["deviation"]).groupby("claim", sort=False)
    return {claim: list(_of_claim(rows)) for claim, rows in by_claim}


def _of_claim(rows: pd.DataFrame) -> Iterator[Estimate]:
    for name, of_seeds in rows.groupby("value", sort=False):
        reproduced, deviation = of_seeds["reproduced"], of_seeds["deviation"]
        several = len(of_seeds) > 1
        published = float(of_seeds["published"].iloc[0])
        spread = f" ± {shown(reproduced.std())}" if several else ""
        yield Estimate(
            name=str(name),
            published=f"{published:.6g}",
            here=shown(reproduced.mean()) + spread,
            deviation=float(deviation.mean()),
            spread=float(deviation.std()) if several else None,
            control=_band(of_seeds, published),
        )


def _band(of_seeds: pd.DataFrame, published: float) -> tuple[float, float] | None:
    """Return the deviations between which most shuffles of the labels are; None without any."""
    row = of_seeds.iloc[0]
    if pd.isna(row["control"]):
        return None
    away = row["reproduced"] - published
    scale = away / row["deviation"] if away else abs(published)
    low, high = (row["control"] + sign * 2 * row["control_sd"] for sign in (-1, 1))
    return (low - published) / scale, (high - published) / scale
