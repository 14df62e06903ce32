"""Tables as this project writes them: whole, and the same numbers give the same bytes."""

import gzip
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from vega.files import atomic_write, read_errors

# Columns of names, such as those of clusters, which may look like numbers.
NAMES = ("contrast", "group", "reference", "comparison", "gmv", "gene", "cell")


def write_table(table: pd.DataFrame, path: Path | str, index: bool = False) -> None:
    """Write a table, separated by commas for `.csv` and by tabs otherwise; `.gz` compresses it.

    Eight significant digits: more than any claim needs, fewer than the last bits in which two
    machines differ.
    """
    with atomic_write(path) as temporary:
        separator = "," if Path(path).suffix == ".csv" else "\t"
        content = table.to_csv(sep=separator, index=index, float_format="%.8g").encode()
        if Path(path).suffix == ".gz":
            content = gzip.compress(content, 6, mtime=0)
        temporary.write_bytes(content)


def markdown_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown, for the documentation."""
    head = list(head)
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells
    )


def read_table(path: Path | str, text: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table written by `write_table` without an index.

    Only an empty field is missing: "NA" and "None" are names like any other. The columns of `NAMES`
    and of `text` are not read as numbers, whatever they hold.
    """
    names = dict.fromkeys([*NAMES, *text], str)
    with read_errors(path, "a table", "remove it and run again"):
        return pd.read_csv(path, sep="\t", keep_default_na=False, na_values=[""], dtype=names)
