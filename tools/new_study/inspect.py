"""What is in the files of a new study: their format, their genes, what is known of their cells."""

import argparse
import operator
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from scripts.common.config.studies import Source
from scripts.preprocess.readers import read
from scripts.preprocess.readers.annotated import ANNDATA, raw_of
from scripts.preprocess.readers.annotations import table_of
from scripts.preprocess.readers.files import RawFile
from scripts.preprocess.readers.formats import format_of, market_in
from scripts.preprocess.readers.tables import renamed, separator_of
from tools.new_study.files import file_name, linked
from tools.new_study.names import LISTS, lists_of
from vega.errors import InputError
from vega.files import atomic_write
from vega.scale import COUNTS, LOGS, RAW, SCALED, scale_of
from vega.values import layers_of

COMMON = re.compile(
    r"RP[LS]P?\d+[ALXY]?\d?|MT-\w+|ACTB|GAPDH|B2M|MALAT1|EEF1A1|TMSB4X|FTL|FTH1", re.IGNORECASE
)  # genes that nearly all cells of all tissues have
ENSEMBL = re.compile(r"ENS[A-Z]*G\d{11}.*")
# Rows of a table that are listed among its genes: spike-ins, and HTSeq's summary.
NO_GENES = r"ERCC-\d{5}|(__)?(no_feature|ambiguous|too_low_aQual|not_aligned|alignment_not_unique)"
OURS = ("barcode", "matrix")  # columns that the readers use themselves
BEST_FIRST = (COUNTS, LOGS, RAW, SCALED, None)
NO_COUNTS = (
    "not a file of counts; give an h5ad file, loom, zarr, Cell Ranger's .h5 or folder, a Matrix "
    "Market file (.mtx) or a table (.csv, .tsv, .txt), gzipped or not"
)
# By format: the options that say what to take.
OPTIONS = {"mtx": ("barcodes", "genes"), **dict.fromkeys(ANNDATA, ("layer", "raw", "symbols"))}


@dataclass(frozen=True)
class Inspection:
    """What the files of counts hold."""

    format: str  # this and `matrices` as the entry of the study has them
    matrices: list[dict[str, Any]]
    files: list[Path]
    adata: ad.AnnData  # cells x genes
    columns: Mapping[str, Mapping[str, int]]  # of the cells, see `values_of`
    notes: Sequence[str] = ()  # what was chosen

    @cached_property
    def scale(self) -> str | None:
        """What the values are, see `vega.scale`."""
        return scale_of(self.adata.X)

    @property
    def counts(self) -> bool:
        """Whether they are counts."""
        return self.scale == COUNTS


def add_choices(parser: argparse.ArgumentParser) -> None:
    """Add the options of `inspect_file`."""
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--layer", help="of an h5ad, loom or zarr: the layer of the counts")
    place.add_argument("--raw", action="store_true", help="of an h5ad or zarr: .raw has the counts")
    parser.add_argument("--symbols", metavar="COLUMN", help="of its genes, with their symbols")
    for what in OPTIONS["mtx"]:
        parser.add_argument(
            f"--{what}", type=Path, help=f"of Matrix Market: its list of {what}, if not beside it"
        )


def choices(options: argparse.Namespace) -> dict[str, Any]:
    """Return those options, as `inspect_file` takes them."""
    return {name: getattr(options, name) for name in set(chain.from_iterable(OPTIONS.values()))}


def inspect_file(path: Path, known: Collection[str], **options: Any) -> Inspection:
    """Inspect a file or folder of counts, whose format follows from its content.

    The `known` symbols of genes help to find the symbols, and to decide whether a table has genes
    down or across. `options` are those of `OPTIONS`.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    with linked({file_name(path): path}) as folder:
        format = format_of(RawFile(folder / file_name(path)))
    if path.is_dir():
        path = _zipped(path) if format == "zarr" else market_in(path)
    asked = {name: value for name, value in options.items() if value}
    for name in asked.keys() - {*OPTIONS.get(format, ())}:
        raise InputError(f"{path}: --{name} is not for {format} files; leave it out")
    if format in ANNDATA:
        return _anndata(path, format, known, **asked)
    entry, files = {"matrix": file_name(path)}, [path]
    if format == "mtx":
        lists = _lists(path, **asked)
        entry |= {what: file_name(at) for what, at in lists.items()}
        files += lists.values()
    elif format == "table":
        with linked({file_name(path): path}) as folder:
            entry |= orientation(RawFile(folder / file_name(path)), known)
    elif format != "10x_h5":
        raise InputError(f"{path}: {NO_COUNTS}")
    return inspect_matrices(format, [entry], files)


def _zipped(path: Path) -> Path:
    """Zip a folder of zarr, since a run's raw files are files."""
    target = path.with_name(f"{path.name}.zip")
    with atomic_write(target) as part:
        shutil.make_archive(str(part).removesuffix(".zip"), "zip", path)
    return target


def _anndata(path: Path, format: str, known: Collection[str], **asked: Any) -> Inspection:
    with linked({file_name(path): path}) as folder:
        whole = ANNDATA[format](RawFile(folder / file_name(path)))
    taken, columns, notes = chosen(whole, known, **asked)
    del whole  # it is read again
    return inspect_matrices(format, [{"matrix": file_name(path), **taken}], [path], columns, notes)


def chosen(
    whole: ad.AnnData,
    known: Collection[str],
    layer: str | None = None,
    raw: bool = False,
    symbols: str | None = None,
) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """Return which matrix and symbols of an AnnData to take, its columns, and what to say of it.

    Counts are taken before all else, then the matrix of most genes.
    """
    places = [({}, whole.X, whole.var)]
    raw_cells = whole if whole.raw is None else raw_of(whole)
    places += [({"raw": True}, raw_cells.X, raw_cells.var)] if whole.raw is not None else []
    places += [({"layer": name}, values, whole.var) for name, values in layers_of(whole).items()]
    found = []
    for place, values, var in places:
        values = sp.csr_matrix((0, 0) if values is None else values)
        scale = scale_of(values)
        is_mask = scale == COUNTS and values.max() <= 1
        found.append(((is_mask, BEST_FIRST.index(scale), -len(var)), place, var, scale))
    _, place, var, scale = min(found, key=lambda each: each[0])
    notes = []
    if layer or raw:
        place = {"layer": layer} if layer else {"raw": True}
        var = raw_cells.var if raw else whole.var
    elif place:
        where = f"layer {place['layer']}" if "layer" in place else ".raw"
        what = found[0][3] or "nothing"
        notes.append(f"X holds {what}; taken are the {scale} of {where} ({len(var):,} genes)")
    if symbols is None and (symbols := _symbols(var, known)):
        notes.append(f"gene symbols are those of the column {symbols}")
    columns = {column: column for column in map(str, whole.obs) if column not in OURS}
    return {**place, **({"symbols": symbols} if symbols else {})}, columns, notes


def _symbols(var: pd.DataFrame, known: Collection[str]) -> str | None:
    """Return the column of symbols: that with most known ones, if those are twice as many."""
    texts = [c for c in var if not pd.api.types.is_numeric_dtype(var[c])]
    scores = {c: _genes_in(var[c].dropna().astype(str), known) for c in texts}
    best = max(scores, key=scores.get, default=None)
    return best if best and scores[best] > 2 * _genes_in(var.index.astype(str), known) else None


def _genes_in(names: Collection[str], known: Collection[str]) -> int:
    return sum(name in known or COMMON.fullmatch(name) is not None for name in names)


def _lists(path: Path, barcodes: Path | None = None, genes: Path | None = None) -> dict[str, Path]:
    """Return the two lists of a Matrix Market file: those named, or those beside it."""
    beside = lists_of(path.name, [file.name for file in path.parent.iterdir()])
    lists = {what: path.parent / name for what, name in beside.items()}
    lists |= {what: at for what, at in (("barcodes", barcodes), ("genes", genes)) if at}
    for what, words in LISTS.items():
        if what not in lists:
            prefix = path.name[: max(path.name.lower().rfind("matrix"), 0)]
            raise InputError(
                f"{path}: needs its list of {what} beside it, named {prefix}{words[-1]}.tsv or "
                f"{prefix}{words[0]}.tsv.gz; or name it by --{what}"
            )
        if not lists[what].is_file():
            raise InputError(f"{lists[what]}: no such file")
    return lists


def columns_of(path: Path) -> dict[str, dict[str, int]]:
    """Return what a table or an h5ad file says of cells, see `values_of`."""
    with linked({file_name(path): path}) as folder:
        file = RawFile(folder / file_name(path))
        table = table_of(file)
        return values_of(renamed(table, {column: column for column in table}, file))


def orientation(file: RawFile, known: Collection[str]) -> dict[str, bool]:
    """Return `cells_down` for a table of counts in which more of the names across are genes."""
    with file.opened() as stream:
        header, *lines = (line.decode(errors="replace") for line in islice(stream, 500))
    separator = separator_of(header, "".join(lines[:1]))
    _, *across = (name.strip('" \r\n') for name in header.split(separator))
    fields = [line.split(separator, 1) for line in lines]
    if fields and not re.search(r"\d", re.sub(r"[^\W\d]\w*", "", fields[0][-1])):
        raise InputError(f"{file}: {NO_COUNTS}")
    shares = (
        np.mean([is_gene(name, known) for name in names] or [0])
        for names in ([name.strip('"') for name, *_ in fields], across)
    )
    return {"cells_down": True} if operator.lt(*shares) else {}


def is_gene(name: str, known: Collection[str]) -> bool:
    """Return whether a name is certainly that of a gene: a known one, or one of all cells.

    >>> is_gene("RPL13A", ()), is_gene("mt-Nd1", ()), is_gene("AAACATACAACCAC-1", ())
    (True, True, False)
    """
    return any((name in known, COMMON.fullmatch(name), ENSEMBL.fullmatch(name)))


def inspect_matrices(
    format: str,
    matrices: list[dict[str, Any]],
    files: list[Path],
    columns: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> Inspection:
    """Read matrices as the workflow does, with `columns` of their cells; see `Inspection`."""
    # Steps for processed values accept what is not a count.
    read_as = [{**matrix, "columns": dict(columns or {})} for matrix in matrices]
    source = Source(format=format, matrices=read_as, steps=[{"processed": True}])
    with linked({file_name(path): path for path in files}) as folder:
        cells = read(source, folder)
    no_genes = cells.var_names.str.fullmatch(NO_GENES)
    if format == "table" and no_genes.any() and not any(m.cells_down for m in source.matrices):
        cells = cells[:, ~no_genes].copy()
        matrices = [{**matrix, "no_genes": NO_GENES} for matrix in matrices]
    return Inspection(format, matrices, files, cells, values_of(cells.obs), notes)


def values_of(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Return the columns that group cells: by column, its values and how many cells have each.

    Such a column has more than one value, and at least two cells per value on average.
    """
    found = {}
    for column in table:
        counts = table[column].astype(str)[table[column].notna()].value_counts(sort=False)
        if 1 < len(counts) <= len(table) / 2:
            found[str(column)] = {str(k): int(v) for k, v in counts.sort_index().items()}
    return found
