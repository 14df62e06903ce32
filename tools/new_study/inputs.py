"""Inputs of a new study: its counts, a table of its cells, the rows of their files."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.common.config.base import NAME, NO_NAME
from scripts.common.config.figures import OWN, File
from tools.new_study.files import file_name
from tools.new_study.inspect import Inspection, columns_of, inspect_file
from vega.errors import InputError


@dataclass(frozen=True)
class Table:
    """A table of cells."""

    file: str
    columns: Mapping[str, Mapping[str, int]]  # see `columns_of`
    barcode: str | None = None  # a cell's name, such as `{title}`; else that of its row


@dataclass(frozen=True)
class Inputs:
    """What a new study is made of."""

    inspection: Inspection
    files: list[File]  # rows of all its files
    table: Table | None = None  # annotates the cells further
    series: Mapping[str, str] = field(default_factory=dict)  # accession and organism, from GEO

    @property
    def columns(self) -> dict[str, Mapping[str, int]]:
        """Columns of the cells; where both have one, it is that of the table."""
        return {**self.inspection.columns, **(self.table.columns if self.table else {})}

    @property
    def paths(self) -> dict[str, Path]:
        """Where each file is, by the name that it has in a run."""
        folder = self.inspection.files[0].parent
        return {file.file: file.own or folder / file.file for file in self.files}


def of_file(
    name: str, path: Path, table: Path | None, known: Collection[str], **options: Any
) -> Inputs:
    """Return the inputs of a study of the user's own file and table; see `inspect_file`."""
    found = inspect_file(path, known, **options)
    named: dict[str, Path] = {}
    for file in (*found.files, *([table] if table else [])):
        other = named.setdefault(file_name(file), file)
        if other.resolve() != file.resolve():
            raise InputError(f"{file}: {other} would have the same name in a run; rename one")
    files = [own(name, file) for file in named.values()]
    return Inputs(found, files, table and Table(file_name(table), columns_of(table)))


def own(study: str, path: Path) -> File:
    """Return the row of a user's own file."""
    check_name(study)
    return File(study=study, file=file_name(path), url=f"{OWN}{path.resolve()}")


def check_name(name: str) -> None:
    """Check that a name of a study or a file can be a part of a path."""
    if not re.fullmatch(NAME, name):
        raise InputError(f"{name!r:.60} {NO_NAME}; rename the file, or give another --name")
