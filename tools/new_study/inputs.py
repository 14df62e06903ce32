"""What a new study is made of: its counts, a table of its cells, the rows of their files."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.common.config.base import NAME, NO_NAME
from scripts.common.config.figures import OWN, File
from tools.new_study.inspect import Inspection, columns_of, inspect_file
from vega.errors import InputError


@dataclass(frozen=True)
class Table:
    """A table of cells: its file, its columns (see `columns_of`), the cell's name in their terms.

    Without a name, that is the name of the row.
    """

    file: str
    columns: Mapping[str, Mapping[str, int]]
    barcode: str | None = None


@dataclass(frozen=True)
class Inputs:
    """What a new study is made of.

    Attributes
    ----------
    inspection
        What is in the files of counts.
    files
        Rows of all its files.
    table
        What says more of the cells.
    series
        `series` and `organism`, of a series of GEO.
    """

    inspection: Inspection
    files: list[File]
    table: Table | None = None
    series: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, Mapping[str, int]]:
        """All that is known of the cells; the table's word counts where both have one."""
        return {**self.inspection.columns, **(self.table.columns if self.table else {})}


def of_file(name: str, path: Path, table: Path | None, known: Collection[str]) -> Inputs:
    """A study of one's own file, with the files beside it; see `inspect_file`.

    Raises
    ------
    InputError
        If a file cannot be read, or its name or that of the study be a part of a path.
    """
    found = inspect_file(path, known)
    files = [own(name, file) for file in found.files]
    if table is None:
        return Inputs(found, files)
    return Inputs(found, [*files, own(name, table)], Table(table.name, columns_of(table)))


def own(study: str, path: Path) -> File:
    """The row of a file of one's own.

    Raises
    ------
    InputError
        If its name, or that of the study, cannot be a part of a path.
    """
    check_name(study)
    check_name(path.name)
    return File(study=study, file=path.name, url=f"{OWN}{path.resolve()}")


def check_name(name: str) -> None:
    """Check that a name of a study or a file can be a part of a path.

    Raises
    ------
    InputError
        If it cannot.
    """
    if not re.fullmatch(NAME, name):
        raise InputError(f"{name!r:.60} {NO_NAME}; rename the file, or give another --name")
