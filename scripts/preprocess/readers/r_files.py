"""Tables in files of R's saveRDS.

Only the tree of vectors and attributes that `rdata` parses is read: no class, function or
expression in it is ever called. Its conversion to Python's types would drop the names of vectors.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scripts.preprocess.readers.files import RETRY, RawFile
from vega.errors import InputError
from vega.files import read_errors

if TYPE_CHECKING:
    from rdata.parser import RObject

KIND = "a table or a named vector in a file of R's saveRDS, gzipped or not"
XDR, ASCII, NATIVE = b"X\n", b"A\n", b"B\n"  # how such files begin
LATIN1 = 4  # the bit of a text that says so


def read_r(file: RawFile, element: str | None = None) -> pd.DataFrame:
    """Read a data frame or a named vector of an R file, as texts with the row names as index.

    A vector gives one column, `value`. Logicals are `TRUE` and `FALSE`, whole numbers have no
    fraction, what is NA is missing. Of a list of tables, `element` names the one to read.
    """
    from rdata.parser import parse_data

    with file.opened() as stream:
        content = stream.read()
    with read_errors(file, KIND, RETRY):
        if not content.startswith((XDR, ASCII, NATIVE)):
            raise ValueError(f"it begins with {content[:8]!r}")
        whole = parse_data(content, extension=".rds").object
        named = _attributes(whole)
        lists = whole.info.type.name == "VEC" and "row.names" not in named
        names = _texts(named["names"]) if "names" in named else []
    if lists != (element is not None):
        entry = "by element of the annotation in studies.yaml"
        wrong = (
            f"a list of {_told(names)}; name one of them {entry}"
            if lists
            else f"no list of tables {entry}; take element out"
        )
        raise InputError(f"{file}: {wrong}")
    if lists and element not in names:
        raise InputError(
            f"{file}: no element {element} (it has {_told(names)}); correct element in studies.yaml"
        )
    with read_errors(file, KIND, RETRY):
        return _table(whole.value[names.index(element)] if lists else whole)


def _told(names: list[str]) -> str:
    return ", ".join(map(str, names[:10])) or "nothing that has a name"


def _table(thing: "RObject") -> pd.DataFrame:
    """Return a data frame, or a named vector as one."""
    named = _attributes(thing)
    if "row.names" in named:
        columns = zip(_texts(named["names"]), thing.value, strict=True)
        table = pd.DataFrame({name: _texts(column) for name, column in columns if _is_flat(column)})
        rows = _texts(named["row.names"])
        # Without names R counts the rows, as NA and minus their number.
        return table.set_axis(rows if rows[:1] != [None] else table.index.astype(str))
    if _is_flat(thing) and "names" in named:
        return pd.DataFrame({"value": _texts(thing)}, dtype=object).set_axis(_texts(named["names"]))
    raise ValueError(f"{thing.info.type.name} is neither a data frame nor a vector with names")


def _attributes(thing: "RObject") -> dict[str, "RObject"]:
    """Return the attributes of an R object, a linked list, by name."""
    named, link = {}, thing.attributes
    while link is not None and isinstance(link.value, tuple):
        tag = link.tag.referenced_object or link.tag  # a name is written once
        named[tag.value.value.decode()], link = link.value
    return named


def _is_flat(thing: "RObject") -> bool:
    return thing.info.type.name in ("STR", "LGL", "INT", "REAL")


def _texts(vector: "RObject") -> list[str | None]:
    """Return the values of a vector or a factor; None where they are NA."""
    kind, values = vector.info.type.name, vector.value
    if kind == "STR":
        return [None if text.value is None else _decoded(text) for text in values]
    missing = np.ma.getmaskarray(values) | (np.isnan(values) if kind == "REAL" else False)
    if kind == "LGL":
        texts = np.where(values, "TRUE", "FALSE")
    elif levels := _attributes(vector).get("levels"):
        texts = np.array([None, *_texts(levels)], dtype=object)[np.ma.filled(values, 0)]
    else:
        texts = [f"{value:.15g}" for value in np.ma.filled(values, 0).tolist()]
    return [None if gone else str(text) for text, gone in zip(texts, missing, strict=True)]


def _decoded(text: "RObject") -> str:
    return text.value.decode("latin-1" if text.info.gp & LATIN1 else "utf-8")
