"""Compare two runs: which claims, tables and figures are identical, which moved, by how much.

    python -m tools.compare RUN WITH

Both are folders below `results/`. Whoever updates a dependency or changes a setting asks this.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd

from scripts.common.tables import markdown_table
from vega.errors import InputError

CLAIMS = "claims.tsv"
KINDS = ("claims", "tables", "figures")
ONLY = "only in {}"


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

    Raises
    ------
    InputError
        If a folder is not found.
    """
    for folder in (run, other):
        if not folder.is_dir():
            raise InputError(f"{folder}: not found; expected the folder of a run")
    differences, compared = [], dict.fromkeys(KINDS, 0)
    claims = [_claims(folder) for folder in (run, other)]
    names = list(dict.fromkeys([*claims[0], *claims[1]]))
    compared["claims"] = len(names)
    for name in names:
        before, after = (found.get(name) for found in claims)
        if before != after:
            what = _only(before, after, run, other) or f"{' '.join(before)} -> {' '.join(after)}"
            differences.append(Difference("claims", name, what))
    for kind, files in (("tables", _tables), ("figures", _figures)):
        names = sorted({p.relative_to(f) for f in (run, other) for p in files(f)})
        compared[kind] = len(names)
        for name in names:
            if what := _difference(run / name, other / name, run, other):
                differences.append(Difference(kind, str(name), what))
    return differences, compared


def _claims(run: Path) -> dict[str, tuple[str, str]]:
    if not (run / CLAIMS).exists():
        return {}
    table = pd.read_csv(run / CLAIMS, sep="\t", dtype=str, keep_default_na=False)
    return {row.id: (row.verdict, row.reproduced) for row in table.itertuples()}


def _tables(run: Path) -> Iterator[Path]:
    """All tables of a run but the claims, what it was made from, and what depends on the time."""
    for folder in ("tables", "figures", "models"):
        for pattern in ("*.tsv", "*.tsv.gz", "*.csv"):
            yield from (run / folder).rglob(pattern)


def _figures(run: Path) -> Iterator[Path]:
    yield from (run / "figures").rglob("*.png")


def _only(before: object, after: object, run: Path, other: Path) -> str:
    missing = before is None or after is None
    return ONLY.format(other if before is None else run) if missing else ""


def _difference(a: Path, b: Path, run: Path, other: Path) -> str:
    """Return how two files differ; empty if they do not."""
    if not (a.exists() and b.exists()):
        return ONLY.format(run if a.exists() else other)
    if a.read_bytes() == b.read_bytes():
        return ""
    return _pixels(a, b) if a.suffix == ".png" else _cells(a, b)


def _pixels(a: Path, b: Path) -> str:
    before, after = (matplotlib.image.imread(path) for path in (a, b))
    if before.shape != after.shape:
        return f"{_size(before)} -> {_size(after)} pixels"
    share = (before != after).any(axis=-1).mean()
    return f"{share:.2%} of the pixels" if share else ""


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"


def _cells(a: Path, b: Path) -> str:
    """Return how the cells of two tables differ, with the largest relative change of a number."""
    before, after = (
        pd.read_csv(p, sep="," if ".csv" in p.suffixes else "\t", keep_default_na=False,
                    na_values=[""])
        for p in (a, b)
    )  # fmt: skip
    if list(before) != list(after):
        changed = sorted(set(before) ^ set(after)) or ["their order"]
        return f"columns: {', '.join(changed)}"
    if len(before) != len(after):
        return f"{len(before):,} -> {len(after):,} rows"
    texts, numbers, largest = 0, 0, 0.0
    for column in before:
        x, y = before[column], after[column]
        differ = (x != y) & ~(x.isna() & y.isna())
        if pd.api.types.is_numeric_dtype(x) and pd.api.types.is_numeric_dtype(y):
            numbers += int(differ.sum())
            largest = max(largest, _relative(x[differ], y[differ]))
        else:
            texts += int(differ.sum())
    total = before.size
    parts = []
    if numbers:
        parts.append(f"{numbers:,} of {total:,} cells by at most {largest:.2g} of their size")
    if texts:
        parts.append(f"{texts:,} of {total:,} texts")
    return "; ".join(parts)


def _relative(x: pd.Series, y: pd.Series) -> float:
    """Return the largest |x - y| / max(|x|, |y|); a number that came or went counts as 1."""
    x, y = x.to_numpy(float), y.to_numpy(float)
    size = np.maximum(np.abs(x), np.abs(y))
    with np.errstate(invalid="ignore"):
        change = np.abs(x - y) / size
    return float(np.nan_to_num(change, nan=1.0).max(initial=0.0))


def report(differences: list[Difference], compared: dict[str, int]) -> str:
    """Return the comparison as text: a line per kind, then a table of what differs."""
    lines = []
    for kind in KINDS:
        moved = sum(d.kind == kind for d in differences)
        lines.append(f"{kind}: {compared[kind] - moved} identical, {moved} different")
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
