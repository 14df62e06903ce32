"""The published numbers against those of a run, with their intervals over seeds."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from scripts.claims.judging import shown


@dataclass(frozen=True)
class Estimate:
    """A number of a claim, as published and here.

    Attributes
    ----------
    name
        Of the value.
    published, here
        Both numbers as text; here, mean and standard deviation over seeds.
    deviation, spread
        Mean and standard deviation of how far it is from the published one, relative to that (see
        `scripts.claims.judging.Published`); no spread with one seed.
    """

    name: str
    published: str
    here: str
    deviation: float
    spread: float | None


def estimates(values: pd.DataFrame) -> dict[str, list[Estimate]]:
    """The numbers of each claim that the paper has as numbers, in the order of the table.

    Parameters
    ----------
    values
        Of `scripts.claims.judging.evaluate`.
    """
    compared = values.dropna(subset=["deviation"])
    return {
        claim: list(_of_claim(rows)) for claim, rows in compared.groupby("claim", sort=False)
    }  # fmt: skip


def _of_claim(rows: pd.DataFrame) -> Iterator[Estimate]:
    for name, of_seeds in rows.groupby("value", sort=False):
        reproduced, deviation = of_seeds["reproduced"], of_seeds["deviation"]
        several = len(of_seeds) > 1
        spread = f" ± {shown(reproduced.std())}" if several else ""
        yield Estimate(
            name=str(name),
            published=f"{of_seeds['published'].iloc[0]:.6g}",
            here=shown(reproduced.mean()) + spread,
            deviation=float(deviation.mean()),
            spread=float(deviation.std()) if several else None,
        )
