"""Compare two runs: which claims, tables and figures are identical, which moved, by how much.

    python -m tools.compare RUN WITH

Both are folders below `results/`. Useful after an update of a dependency or a change of a setting.
"""

import argparse
import filecmp
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd

from scripts.common.tables import markdown_table
from vega.errors import InputError


@dataclass(frozen=True)
class Difference:
    """A claim, table or figure that is not the same in both runs, and how it differs."""

    kind: str
    name: str
    what: str


def compare(run: Path, other: Path) -> tuple[list[Difference], dict[str, int]]:
    """Return the differences between two runs, and the number of what was compared, by kind.

    Claims are compared by verdict and reproduced value, tables by their cells, figures by their
    pixels.
    """
    for folder in (run, other):
        if not folder.is_dir():
            raise InputError(f"{folder}: not found; expected the folder of a run")
    differences, compared = [], {}
    for kind, (found_in, difference) in KINDS.items():
        before, after = found_in(run), found_in(other)
        names = dict.fromkeys([*before, *after])
        compared[kind] = len(names)
        for name in names:
            if name in before and name in after:
                what = difference(before[name], after[name])
            else:
                what = f"only in {run if name in before else other}"
            if what:
                differences.append(Difference(kind, name, what))
    return differences, compared


def _claims(run: Path) -> dict[str, str]:
    """Return the verdict and the reproduced value of each claim."""
    path = run / "claims.tsv"
    if not path.exists():
        return {}
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    return {row.id: f"{row.verdict} {row.reproduced}" for row in table.itertuples()}


def _files(run: Path, patterns: tuple[str, ...]) -> dict[str, Path]:
    paths = sorted(path for pattern in patterns for path in run.glob(pattern))
    return {str(path.relative_to(run)): path for path in paths}


def _claim_difference(before: str, after: str) -> str:
    return "" if before == after else f"{before} -> {after}"


def _pixel_difference(a: Path, b: Path) -> str:
    before, after = (matplotlib.image.imread(path) for path in (a, b))
    if before.shape != after.shape:
        sizes = (f"{width} x {height}" for height, width, *_ in (before.shape, after.shape))
        return f"{' -> '.join(sizes)} pixels"
    share = (before != after).any(axis=-1).mean()
    return f"{share:.2%} of the pixels" if share else ""


def _cell_difference(a: Path, b: Path) -> str:
    """Return how the cells of two tables differ, with the largest relative change of a number."""
    if filecmp.cmp(a, b, shallow=False):
        return ""
    separator = "," if a.suffix == ".csv" else "\t"
    before, after = (
        pd.read_csv(path, sep=separator, keep_default_na=False, na_values=[""]) for path in (a, b)
    )
    if list(before) != list(after):
        changed = sorted(set(before) ^ set(after)) or ["their order"]
        return f"columns: {', '.join(changed)}"
    if len(before) != len(after):
        return f"{len(before):,} -> {len(after):,} rows"
    numbers = before.select_dtypes("number").columns.intersection(
        after.select_dtypes("number").columns
    )
    differ = (before != after) & ~(before.isna() & after.isna())
    x, y = before[numbers], after[numbers]
    # Where one of both is missing, the change is 1.
    change = ((x - y).abs() / np.maximum(x.abs(), y.abs())).fillna(1)[differ[numbers]]
    moved, parts = differ.sum(), []
    if cells := moved[numbers].sum():
        size = f"{change.max().max():.2g} of their size"
        parts.append(f"{cells:,} of {before.size:,} cells by at most {size}")
    if texts := moved.drop(numbers).sum():
        parts.append(f"{texts:,} of {before.size:,} texts")
    return "; ".join(parts)


# All tables but the claims, inputs of the run, and what depends on the time.
TABLES = tuple(
    f"{folder}/**/{name}"
    for folder in ("tables", "figures", "models")
    for name in ("*.tsv", "*.tsv.gz", "*.csv")
)
# What is compared: how it is found in a run (by name), and how two of it differ.
KINDS = {
    "claims": (_claims, _claim_difference),
    "tables": (partial(_files, patterns=TABLES), _cell_difference),
    "figures": (partial(_files, patterns=("figures/**/*.png",)), _pixel_difference),
}


def report(differences: list[Difference], compared: dict[str, int]) -> str:
    """Return the comparison as text: a line per kind, then a table of what differs."""
    lines = []
    for kind, total in compared.items():
        moved = sum(d.kind == kind for d in differences)
        lines.append(f"{kind}: {total - moved} identical, {moved} different")
    if differences:
        rows = [(d.name, d.what) for d in differences]
        lines += ["", markdown_table(("what", "how it differs"), rows)]
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, compare, and print."""
    parser = argparse.ArgumentParser(prog="python -m tools.compare", description=__doc__)
    parser.add_argument("run", help="name of a run, as its folder below results/")
    parser.add_argument("other", metavar="with", help="name of the run to compare it with")
    options = parser.parse_args()
    try:
        print(report(*compare(Path("results", options.run), Path("results", options.other))))
    except InputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
