"""Readers of count matrices, by format: each gives cells x genes."""

import csv
import io
import logging
import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import anndata as ad
import numpy as np
import pandas as pd
import scipy.io
import scipy.sparse as sp

from scripts.common.config.studies import Matrix
from scripts.common.h5ad import read_h5ad as read_valid_h5ad
from scripts.preprocess.readers.checks import check_unique
from scripts.preprocess.readers.files import RETRY, RawFile
from vega.errors import InputError
from vega.files import read_errors
from vega.values import layers_of

log = logging.getLogger("workflow")


def read_mtx(matrix: Matrix, folder: Path) -> ad.AnnData:
    """Read Matrix Market, genes down and cells across, with files of barcodes and of genes."""
    file, barcodes, genes = (
        RawFile.of(folder, matrix.archive, name)
        for name in (matrix.matrix, matrix.barcodes, matrix.genes)
    )
    counts = _matrix_market(file)
    names = barcodes.lines()
    fields = [line.split("\t") for line in genes.lines()]
    for number, line in enumerate(fields, start=1):
        if len(line) < 2:
            raise InputError(
                f"{genes}: line {number}: expected Ensembl id, tab, symbol, found {line[0]!r:.60}; "
                "check that this is the file of genes"
            )
    for axis, what, found, side in ((0, "genes", fields, genes), (1, "cells", names, barcodes)):
        if counts.shape[axis] != len(found):
            raise InputError(
                f"{file}: {counts.shape[axis]} {what}, but {side.name} has {len(found)}; the files "
                "are not of the same sample, or one is damaged: check the names in studies.yaml, "
                "or delete both and run again"
            )
    ids, symbols = [f[0] for f in fields], [f[1] for f in fields]
    check_unique(names, barcodes, "barcode")
    check_unique(ids, genes, "gene")
    return _cells(counts.T, names, symbols, ids, genes)


def read_delimited(matrix: Matrix, folder: Path) -> ad.AnnData:
    """Read a delimited table, genes down and cells across or the other way.

    Names may be in quotes, and the header may lack the column of names. Rows with names like
    `no_genes` are left out. One row at a time is dense: the whole would not fit into memory.
    """
    file = RawFile.of(folder, matrix.archive, matrix.matrix)
    genes, rows, width = [], [], None
    with file.opened() as stream:
        header = stream.readline().decode(errors="replace").rstrip("\r\n")
        separator = next((s for s in "\t, " if s in header), "\t")
        try:
            names = next(csv.reader([header], delimiter=separator))
        except csv.Error as error:
            raise InputError(f"{file}: line 1: not names of cells ({error}); {RETRY}") from None
        for number, line in enumerate(stream, start=2):
            gene, row = _row(line, separator)
            fits = [len(names), len(names) - 1] if width is None else [width]
            if not row.width or row.width not in fits:
                raise InputError(
                    f"{file}: line {number}: expected a name and {fits[0]} counts, but not all of "
                    f"{line[:60].decode(errors='replace').strip()!r} is that; {RETRY}"
                )
            if not (matrix.no_genes and re.fullmatch(matrix.no_genes, gene)):
                width = row.width
                genes.append(gene)
                rows.append(row)
    if not genes:
        raise InputError(f"{file}: no row below the header; {RETRY}")
    starts = np.cumsum([0, *(len(row.values) for row in rows)])
    parts = (np.concatenate([getattr(row, part) for row in rows]) for part in ("values", "places"))
    whole = sp.csr_matrix((*parts, starts), shape=(len(genes), width))
    del rows  # as large as the whole
    names = names[-width:]
    if matrix.cells_down:
        whole, names, genes = whole.T, genes, names
    check_unique(names, file, "cell")
    return _cells(whole.T, names, genes, genes, file)


def read_h5ad(matrix: Matrix, folder: Path) -> ad.AnnData:
    """Read an h5ad file; `columns` of its cells are kept, names that repeat are numbered."""
    file = RawFile.of(folder, matrix.archive, matrix.matrix)
    whole = h5ad(file)
    if matrix.layer and matrix.layer not in whole.layers:
        raise InputError(
            f"{file}: no layer {matrix.layer} (it has {', '.join(layers_of(whole)) or 'none'}); "
            "correct layer in studies.yaml"
        )
    counts = whole.layers[matrix.layer] if matrix.layer else whole.X
    if counts is None:
        raise InputError(f"{file}: no matrix X in it; name a layer in studies.yaml")
    genes = whole.var_names.astype(str)
    ids = whole.var.get("gene_ids", genes)
    with read_errors(file, "an h5ad file of counts", RETRY):
        adata = _cells(counts, whole.obs_names.astype(str), genes, ids, file)
    table = renamed(whole.obs, matrix.columns, file)
    for column in table:
        adata.obs[column] = meant(table[column], matrix.values, file).to_numpy()
    return adata


def read_cell_ranger(matrix: Matrix, folder: Path) -> ad.AnnData:
    """Read HDF5 of 10x's Cell Ranger; of what it counted, the genes."""
    import scanpy as sc

    file = RawFile.of(folder, matrix.archive, matrix.matrix)
    with (
        file.on_disk(unpacked=True) as path,
        read_errors(file, "Cell Ranger's HDF5 of counts", RETRY),
    ):
        whole = sc.read_10x_h5(path, gex_only=False)
        whole.X.check_format()  # an index out of range would read foreign memory
        if "feature_types" in whole.var:
            whole = whole[:, whole.var["feature_types"] == "Gene Expression"]
    check_unique(whole.obs_names, file, "barcode")
    check_unique(whole.var["gene_ids"], file, "gene")
    return _cells(whole.X, whole.obs_names, whole.var_names, whole.var["gene_ids"], file)


READERS: dict[str, Callable[[Matrix, Path], ad.AnnData]] = {
    "mtx": read_mtx,
    "table": read_delimited,
    "h5ad": read_h5ad,
    "10x_h5": read_cell_ranger,
}


def h5ad(file: RawFile) -> ad.AnnData:
    with (
        file.on_disk(unpacked=True) as path,
        read_errors(file, "an h5ad file", RETRY),
        warnings.catch_warnings(),
    ):
        # Names that repeat are numbered later.
        warnings.filterwarnings("ignore", ".* names are not unique", UserWarning)
        return read_valid_h5ad(path)


def renamed(table: pd.DataFrame, columns: dict[str, str], file: RawFile) -> pd.DataFrame:
    """Return the kept columns under our names, as texts."""
    absent = [c for c in columns if c not in table]
    if absent:
        raise InputError(
            f"{file}: no column {', '.join(absent)} (it has {', '.join(map(str, table))}); correct "
            "columns in studies.yaml"
        )
    return table[list(columns)].rename(columns=columns).apply(_texts)


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


def _texts(column: pd.Series) -> pd.Series:
    """Return the values as texts, whole numbers without a fraction; missing ones stay missing."""
    here = column.notna().to_numpy()
    known = column[here]
    if pd.api.types.is_float_dtype(known) and (known == known.round()).all():
        known = known.astype(int)
    texts = pd.Series(None, column.index, dtype=object)
    texts[here] = known.astype(str).to_numpy()
    return texts


def _cells(counts: Any, names: Any, symbols: Any, ids: Any, file: RawFile) -> ad.AnnData:
    """Return cells x genes as CSR float32; names that repeat are numbered, as scanpy does."""
    obs = pd.DataFrame(index=ad.utils.make_index_unique(pd.Index(names)))
    symbols = pd.Index(symbols)
    if again := symbols.duplicated().sum():
        first = symbols[symbols.duplicated()][0]
        log.info("%s: %d names of genes repeat, as %s: these are numbered", file, again, first)
    var = pd.DataFrame({"gene_id": list(ids)}, ad.utils.make_index_unique(symbols))
    return ad.AnnData(sp.csr_matrix(counts, dtype=np.float32), obs=obs, var=var)


class Row(NamedTuple):
    """The counts of a line of a delimited table."""

    width: int  # 0 if a count is no number
    places: np.ndarray  # of the counts that are not zero
    values: np.ndarray


def _row(line: bytes, separator: str) -> tuple[str, Row]:
    mark, quote = separator.encode(), b'"'
    if line.startswith(quote):
        name, _, rest = line[1:].rstrip(b"\r\n").partition(quote + mark)
    else:
        name, _, rest = line.rstrip(b"\r\n").partition(mark)
    return name.decode(errors="replace"), (
        _whole_numbers(rest, mark) or _numbers(rest.decode(errors="replace"), separator)
    )


MOST_DIGITS = 9  # of a whole number of 32 bits, whatever the digits


def _whole_numbers(text: bytes, separator: bytes) -> Row | None:
    """Return counts of a text of digits and single separators, None for any other text.

    Only fields that are not a zero of one digit are parsed, which is six times as fast.
    """
    letters = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(letters == separator[0])
    digits = letters - np.uint8(ord("0"))  # what is below has gone round to above 9
    if np.count_nonzero(digits < 10) != len(letters) - len(ends):
        return None
    starts, ends = np.append(0, ends + 1), np.append(ends, len(letters))
    lengths = ends - starts
    if not 0 < lengths.min() <= lengths.max() <= MOST_DIGITS:
        return None
    places = np.flatnonzero((lengths > 1) | (digits[ends - 1] > 0))
    starts, lengths = starts[places], lengths[places]
    values = np.zeros(len(places), np.int32)
    for digit in range(lengths.max(initial=0)):
        longer = np.flatnonzero(lengths > digit)
        values[longer] = 10 * values[longer] + digits[starts[longer] + digit]
    return Row(len(ends), places.astype(np.int32), values.astype(np.float32))


def _numbers(text: str, separator: str) -> Row:
    """Return counts of a text of numbers of any kind."""
    try:
        row = np.fromstring(text, dtype=np.float32, sep=separator)
    except ValueError:
        row = np.empty(0, np.float32)
    places = np.flatnonzero(row)
    return Row(len(row), places.astype(np.int32), row[places])


NUMBERS = ("integer", "real")


def _matrix_market(file: RawFile) -> sp.coo_matrix:
    with file.opened() as stream:
        banner = stream.readline(200).decode("utf-8", "replace").split()
        kind = [word.lower() for word in banner]
        if kind not in [["%%matrixmarket", "matrix", "coordinate", k, "general"] for k in NUMBERS]:
            raise InputError(
                f"{file}: expected a first line '%%MatrixMarket matrix coordinate integer general',"
                f" found {' '.join(banner)!r:.60}; if the source has no other file, {RETRY}"
            )
        # The parser cuts fractions off where the banner says integer: as real they are seen.
        text = io.BytesIO()
        text.write(b"%%MatrixMarket matrix coordinate real general\n")
        shutil.copyfileobj(stream, text, 2**20)
        text.write(b"\n")
        text.seek(0)
    try:
        # The parser looks for the end of a line beyond a null byte or the end of the text.
        if b"\0" in text.getvalue():
            raise ValueError("a null byte")
        counts = scipy.io.mmread(text, spmatrix=True)
    except (ValueError, OverflowError, MemoryError) as error:
        reason = str(error).rstrip(".")
        raise InputError(f"{file}: damaged Matrix Market file ({reason}); {RETRY}") from None
    del text  # as large as the matrix
    return counts.astype(np.float32)
