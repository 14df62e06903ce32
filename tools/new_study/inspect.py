"""What is in the files of a new study: their format, their genes, what is known of their cells."""

import argparse
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Self

import anndata as ad

from scripts.common.config.studies import Source
from scripts.preprocess.readers import read
from scripts.preprocess.readers.annotated import ANNDATA
from scripts.preprocess.readers.annotations import table_of
from scripts.preprocess.readers.choices import NO_COUNTS, all_columns, chosen, orientation
from scripts.preprocess.readers.files import RawFile
from scripts.preprocess.readers.formats import format_of, market_in
from scripts.preprocess.readers.names import LISTS, lists_of
from tools.new_study.files import file_name, linked, named
from vega.errors import InputError
from vega.files import atomic_write
from vega.scale import scale_of

# By format: the options that say what to take.
OPTIONS = {"mtx": ("barcodes", "genes"), **dict.fromkeys(ANNDATA, ("layer", "raw", "symbols"))}


@dataclass(frozen=True)
class Inspection:
    """What the files of counts hold, and a table of their cells."""

    # As the entry of the study has them, with all columns.
    format: str
    matrices: list[dict[str, Any]]
    files: Mapping[str, Path]  # by their names in a run
    notes: Sequence[str] = ()  # what was chosen
    annotations: Sequence[dict[str, Any]] = ()

    @cached_property
    def adata(self) -> ad.AnnData:
        """Cells x genes, as the workflow reads them."""
        parts = {"format": self.format, "matrices": self.matrices, "annotations": self.annotations}
        with linked(self.files) as folder:  # a step for processed values takes what is no count
            return read(Source(**parts, steps=[{"processed": True}]), folder)

    @cached_property
    def scale(self) -> str | None:
        """What the values are, see `vega.scale`."""
        return scale_of(self.adata.X)

    @property
    def columns(self) -> dict[str, dict[str, int]]:
        """Values of the columns that group cells, of two or more each, and cells of each value."""
        found = {}
        for column in self.adata.obs.columns.drop("annotated", errors="ignore"):
            counts = self.adata.obs[column].value_counts().sort_index()
            if 1 < len(counts) <= self.adata.n_obs / 2:
                found[column] = {value: int(n) for value, n in counts.items()}
        return found

    def annotated(self, table: Path, barcode: str | None = None) -> Self:
        """Return it with a table of the cells, whose columns go before those of the matrices.

        `barcode` is a cell's name in terms of its columns, such as `{title}`.
        """
        name = file_name(table)
        with linked({name: table}) as folder:
            columns = all_columns(table_of(RawFile(folder / name)))
        matrices = [
            {**m, "columns": {c: c for c in m.get("columns", ()) if c not in columns}}
            for m in self.matrices
        ]
        entry = {"file": name, **({"barcode": barcode} if barcode else {}), "columns": columns}
        files = named([*self.files.values(), table])
        return replace(self, matrices=matrices, annotations=[entry], files=files)


def add_choices(parser: argparse.ArgumentParser) -> None:
    """Add the options of `inspect_file`."""
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--layer", help="of an h5ad, loom or zarr: the layer of the counts")
    place.add_argument("--raw", action="store_true", help="of an h5ad or zarr: .raw has the counts")
    parser.add_argument("--symbols", metavar="COLUMN", help="of its genes, with their symbols")
    for what in OPTIONS["mtx"]:
        parser.add_argument(
            f"--{what}",
            type=Path,
            help=f"of Matrix Market: its list of {what}, if in another folder",
        )


def choices(options: argparse.Namespace) -> dict[str, Any]:
    """Return those options, as `inspect_file` takes them."""
    return {name: getattr(options, name) for name in set(chain.from_iterable(OPTIONS.values()))}


def inspect_file(path: Path, known: Collection[str], **options: Any) -> Inspection:
    """Inspect a file or folder of counts, whose format follows from its content.

    The `known` symbols of genes help to find the symbols, and to decide whether a table has genes
    down or across. `options` are those of `OPTIONS`.
    """
    with linked({file_name(path): path}) as folder:
        format = format_of(RawFile(folder / file_name(path)))
    if path.is_dir():
        path = _zipped(path) if format == "zarr" else market_in(path)
    asked = {option: value for option, value in options.items() if value}
    for option in asked.keys() - {*OPTIONS.get(format, ())}:
        raise InputError(f"{path}: --{option} is not for {format} files; leave it out")
    name, notes = file_name(path), []
    entry, files = {"matrix": name}, {name: path}
    with linked(files) as folder:
        if format in ANNDATA:
            more, notes = chosen(ANNDATA[format](RawFile(folder / name)), known, **asked)
            entry |= more
        elif format == "mtx":
            lists = _lists(path, **asked)
            entry |= {what: file_name(at) for what, at in lists.items()}
            files = named([path, *lists.values()])
        elif format == "table":
            entry |= orientation(RawFile(folder / name), known)
        elif format != "10x_h5":
            raise InputError(f"{path}: {NO_COUNTS}")
    return Inspection(format, [entry], files, notes)


def _zipped(path: Path) -> Path:
    """Zip a folder of zarr, since a run's raw files are files."""
    target = path.with_name(f"{path.name}.zip")
    with atomic_write(target) as part:
        shutil.make_archive(str(part).removesuffix(".zip"), "zip", path)
    return target


def _lists(path: Path, barcodes: Path | None = None, genes: Path | None = None) -> dict[str, Path]:
    """Return the two lists of a Matrix Market file: those named, or those in its folder."""
    found = lists_of(path.name, [file.name for file in path.parent.iterdir()])
    lists = {what: path.parent / name for what, name in found.items()}
    lists |= {what: at for what, at in (("barcodes", barcodes), ("genes", genes)) if at}
    for what, words in LISTS.items():
        if what not in lists:
            prefix = path.name[: max(path.name.lower().rfind("matrix"), 0)]
            raise InputError(
                f"{path}: needs its list of {what} in its folder, named {prefix}{words[-1]}.tsv or "
                f"{prefix}{words[0]}.tsv.gz; or name it by --{what}"
            )
    return lists
