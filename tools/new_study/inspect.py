"""What is in the files of a new study: their format, their genes, what is known of their cells."""

import argparse
import re
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Self

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
from scripts.preprocess.readers.tables import separator_of
from tools.new_study.files import file_name, linked, named
from tools.new_study.names import LISTS, lists_of
from vega.errors import InputError
from vega.files import atomic_write
from vega.scale import COUNTS, LOGS, RAW, SCALED, scale_of
from vega.values import layers_of

GENE = re.compile(
    r"RP[LS]P?\d+[ALXY]?\d?|MT-\w+|ACTB|GAPDH|B2M|MALAT1|EEF1A1|TMSB4X|FTL|FTH1|ENS[A-Z]*G\d{11}.*",
    re.IGNORECASE,
)  # genes that nearly all cells of all tissues have, and Ensembl ids
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
    """What the files of counts hold, and a table of their cells."""

    format: (
        str  # this, matrices and annotations as the entry of the study has them, with all columns
    )
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
    def counts(self) -> bool:
        """Whether they are counts."""
        return self.scale == COUNTS

    @property
    def columns(self) -> dict[str, dict[str, int]]:
        """The columns that group cells: by column, its values and how many cells have each.

        Such a column has more than one value, and at least two cells per value on average.
        """
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
            columns = _kept(table_of(RawFile(folder / name)))
        matrices = [
            {**m, "columns": {c: c for c in m.get("columns", ()) if c not in columns}}
            for m in self.matrices
        ]
        entry = {"file": name, **({"barcode": barcode} if barcode else {}), "columns": columns}
        files = named([*self.files.values(), table])
        return replace(self, matrices=matrices, annotations=[entry], files=files)


def _kept(table: pd.DataFrame) -> dict[str, str]:
    return {column: column for column in map(str, table) if column not in OURS}


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
    found = Inspection(format, [entry], files, notes)
    found.adata  # noqa: B018  (what cannot be read is refused here)
    return found


def _zipped(path: Path) -> Path:
    """Zip a folder of zarr, since a run's raw files are files."""
    target = path.with_name(f"{path.name}.zip")
    with atomic_write(target) as part:
        shutil.make_archive(str(part).removesuffix(".zip"), "zip", path)
    return target


def chosen(
    whole: ad.AnnData,
    known: Collection[str],
    layer: str | None = None,
    raw: bool = False,
    symbols: str | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Return which matrix, symbols and columns of an AnnData to take, and what to say of it.

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
    return {
        **place,
        **({"symbols": symbols} if symbols else {}),
        "columns": _kept(whole.obs),
    }, notes


def _symbols(var: pd.DataFrame, known: Collection[str]) -> str | None:
    """Return the column of symbols: that with most known ones, if those are twice as many."""

    def n_symbols(names: pd.Index | pd.Series) -> int:
        names = names.dropna().astype(str)
        return sum(_are_genes(names[[n in known or not n.startswith("ENS") for n in names]], known))

    texts = [c for c in var if not pd.api.types.is_numeric_dtype(var[c])]
    scores = {c: n_symbols(var[c]) for c in texts}
    best = max(scores, key=scores.get, default=None)
    return best if best and scores[best] > 2 * n_symbols(var.index) else None


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


def orientation(file: RawFile, known: Collection[str]) -> dict[str, Any]:
    """Return `cells_down` for a table in which more of the names across are genes, else `no_genes`.

    The latter only if there are such rows.
    """
    with file.opened() as stream:
        header, *lines = (line.decode(errors="replace") for line in stream)
    separator = separator_of(header, "".join(lines[:1]))
    _, *across = (name.strip('" \r\n') for name in header.split(separator))
    if lines and not re.search(r"\d", re.sub(r"[^\W\d]\w*", "", lines[0].partition(separator)[2])):
        raise InputError(f"{file}: {NO_COUNTS}")
    down = [line.partition(separator)[0].strip('"') for line in lines]
    if np.mean(_are_genes(across, known) or [0]) > np.mean(_are_genes(down[:500], known) or [0]):
        return {"cells_down": True}
    return {"no_genes": NO_GENES} if any(re.fullmatch(NO_GENES, name) for name in down) else {}


def _are_genes(names: Iterable[str], known: Collection[str]) -> list[bool]:
    """Return which names are certainly those of genes: known ones, and those of all cells."""
    return [name in known or GENE.fullmatch(name) is not None for name in names]
