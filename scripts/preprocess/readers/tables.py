"""What all tables share: separators, missing values, values as texts in our words."""

import re
from collections.abc import Iterator
from itertools import chain

import pandas as pd

from scripts.preprocess.readers.files import RawFile
from vega.errors import InputError

# What stands for a missing value, in files of all formats.
MISSING = [
    "", "NA", "N/A", "na", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "None", "null", "NULL",
]  # fmt: skip
SEPARATORS = "\t;,| "
QUOTED = re.compile(r'"[^"]*"')
EMPTY = b'\t;,| "\r\n'  # letters of a line without fields, as spreadsheets write them at the end


def separator_of(header: str, row: str) -> str:
    """Return what separates the fields of a table, from its first two lines.

    It divides the row into as many fields as the header, or into one more.

    >>> separator_of("a|x\\ta|y", "Gene 1\\t0\\t2"), separator_of("c;d", "A;1,5;2,0")
    ('\\t', ';')
    """
    header, row = (QUOTED.sub("", line) for line in (header, row))
    in_header = [s for s in SEPARATORS if s in header]
    fits = [s for s in SEPARATORS if s in row and row.count(s) - header.count(s) in (0, 1)]
    return next(iter([*(s for s in fits if s in in_header), *fits, *in_header, "\t"]))


def past_comments(lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Return numbered lines from the header on, without lines before it that begin with `#`.

    The last of these is the header if it has as many fields as the line after it, or one less, and
    no blank after `#`.

    >>> list(past_comments(enumerate([b"#by X", b"#id,a,b", b"G1,0,2"])))
    [(1, b'#id,a,b'), (2, b'G1,0,2')]
    """
    last, line = None, next(lines, None)
    while line and line[1].startswith(b"#"):
        last, line = line, next(lines, None)
    is_header = last is not None and not last[1].startswith(b"# ")
    if is_header and line:
        counts = [(line[1].count(mark), last[1].count(mark)) for mark in (b"\t", b";", b",", b"|")]
        is_header = any(n and n - m in (0, 1) for n, m in counts)
    return chain([last] if is_header else [], [line] if line else [], lines)


def are_running(texts: list[str]) -> bool:
    """Return whether these are the numbers of rows, from 0 or 1.

    >>> are_running(["1", "2", "3"]), are_running(["2", "1"]), are_running([])
    (True, False, False)
    """
    return texts[:1] in (["0"], ["1"]) and texts == [
        str(int(texts[0]) + i) for i in range(len(texts))
    ]


def as_texts(column: pd.Series) -> pd.Series:
    """Return the values as texts, whole numbers without a fraction; missing ones are None."""
    here = column.notna().to_numpy()
    known = column[here]
    if pd.api.types.is_float_dtype(known) and (known == known.round()).all():
        known = known.astype(int)
    texts = pd.Series(None, column.index, dtype=object)
    texts[here] = known.astype(str).str.strip().to_numpy()
    return texts.mask(texts.isin(MISSING), None)


def renamed(table: pd.DataFrame, columns: dict[str, str], file: RawFile) -> pd.DataFrame:
    """Return the kept columns under our names, as texts."""
    absent = [c for c in columns if c not in table]
    if absent:
        there = ", ".join(map(str, table)) or "none"
        raise InputError(
            f"{file}: no column {', '.join(absent)} (it has {there}); correct "
            "columns in studies.yaml"
        )
    return table[list(columns)].rename(columns=columns).apply(as_texts)


def meant(column: pd.Series, values: dict[str, dict[str, str]], file: RawFile | str) -> pd.Series:
    """Return a column of texts in our words, if `values` has words for it."""
    words = values.get(column.name)
    if words is None:
        return column
    meanings = {said: _meaning(said, words) for said in column.dropna().unique()}
    unknown = sorted(said for said, word in meanings.items() if word is None)
    if unknown:
        raise InputError(
            f"{file}: {column.name}: no meaning is given for {', '.join(map(repr, unknown))}; add "
            f"it to values.{column.name} in studies.yaml"
        )
    return column.map(meanings)


def _meaning(said: str, words: dict[str, str]) -> str | None:
    """Return the word of the same key, or of the longest `key*` that `said` begins with."""
    if said in words:
        return words[said]
    beginnings = [key for key in words if key.endswith("*") and said.startswith(key[:-1])]
    return words[max(beginnings, key=len)] if beginnings else None
