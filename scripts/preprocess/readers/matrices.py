"""Readers of count matrices, by format: each gives cells x genes."""

import csv
import io
import logging
import re
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, product
from pathlib import Path
from typing import Any, BinaryIO

import anndata as ad
import numpy as np
import pandas as pd
import scipy.io
import scipy.sparse as sp

from scripts.common.config.studies import Matrix
from scripts.preprocess.readers.annotated import ANNDATA, h5ad, raw_of, repeated_names_allowed
from scripts.preprocess.readers.checks import check_unique
from scripts.preprocess.readers.files import RETRY, RawFile
from scripts.preprocess.readers.tables import (
    EMPTY,
    are_running,
    meant,
    past_comments,
    renamed,
    separator_of,
)
from vega.errors import InputError
from vega.files import read_errors
from vega.values import layers_of

log = logging.getLogger("workflow")

IDS = ("gene_ids", "Accession", "ensembl_ids")  # columns of Ensembl ids, by program


def read_mtx(matrix: Matrix, folder: Path) -> ad.AnnData:
    """Read Matrix Market with lists of barcodes and of genes; genes are down, or cells."""
    file, barcodes, genes = (
        RawFile.of(folder, matrix.archive, name)
        for name in (matrix.matrix, matrix.barcodes, matrix.genes)
    )
    counts = _matrix_market(file)
    features, cells = _list(genes), _list(barcodes)
    fits = product((counts, counts.T), features, cells)
    found = next((f for f in fits if f[0].shape == (len(f[1]), len(f[2]))), None)
    if found is None:
        sides = ((0, "genes", features[0], genes), (1, "cells", cells[0], barcodes))
        size, what, rows, side = next(
            (counts.shape[axis], *rest)
            for axis, *rest in sides
            if counts.shape[axis] != len(rest[1])
        )
        raise InputError(
            f"{file}: {size} {what}, but {side.name} has {len(rows)}; the files are not of the "
            "same sample, or one is damaged: check the names in studies.yaml, or delete both and "
            "run again"
        )
    if found[0] is not counts:
        log.warning("%s: cells are down in it, by the lengths of its lists", file.name)
    counts, features, names = found[0], found[1], [row[0] for row in found[2]]
    ids = [row[0] for row in features]
    symbols = [row[1] if row[1:2] > [""] else row[0] for row in features]
    check_unique(names, barcodes, "barcode")
    if ids != symbols:
        check_unique(ids, genes, "gene")
    kinds = [row[2] if len(row) > 2 else GENE for row in features]
    return _cells(counts.T, names, symbols, ids, genes, kinds)


HEADER = re.compile(
    r"x|v\d|index|[a-z_. -]*(barcode|bc|cell|feature|gene|id|name|sample|symbol|well)s?", re.I
)


def _list(file: RawFile) -> list[list[list[str]]]:
    """Return the fields of each line of a list, and also without a first line like a header."""
    with file.opened() as stream:
        try:
            lines = stream.read().decode().rstrip().splitlines()
        except UnicodeDecodeError:
            raise InputError(f"{file}: not a text file; {RETRY}") from None
    separator = next((s for s in "\t;," if s in lines[-1]), "\t")
    rows = [row for row in csv.reader(lines, delimiter=separator) if row]
    both = [rows, rows[1:]] if any(map(HEADER.fullmatch, rows[0])) else [rows]
    return [
        [row[1:] for row in rows] if are_running([row[0] for row in rows if row[1:]]) else rows
        for rows in both
    ]


def read_delimited(matrix: Matrix, folder: Path) -> ad.AnnData:
    """Read a delimited table, genes down and cells across or the other way.

    Names may be in quotes, and the header may lack the column of names. Rows with names like
    `no_genes` are left out. One row at a time is dense: the whole would not fit into memory.
    """
    file = RawFile.of(folder, matrix.archive, matrix.matrix)
    genes, rows = [], []
    with file.opened() as stream:
        names, separator, lines = _lines(stream, file)
        for number, line in lines:
            gene, row = _row(line, separator)
            width = row.shape[1]
            fits = [rows[0].shape[1]] if rows else [len(names), len(names) - 1]
            if not width or width not in fits:
                raise InputError(
                    f"{file}: line {number}: expected a name and {fits[0]} counts, but not all of "
                    f"{line[:60].decode(errors='replace').strip()!r} is that; "
                    f"{_remedy(line, separator)}"
                )
            if not (matrix.no_genes and re.fullmatch(matrix.no_genes, gene)):
                genes.append(gene)
                rows.append(row)
    if not genes:
        raise InputError(f"{file}: no row below the header; {RETRY}")
    whole = sp.vstack(rows, format="csr")
    del rows  # as large as the whole
    names = names[-whole.shape[1] :]
    if matrix.cells_down:
        whole, names, genes = whole.T, genes, names
    check_unique(names, file, "cell")
    return _cells(whole.T, names, genes, genes, file)


def _lines(stream: BinaryIO, file: RawFile) -> tuple[list[str], str, Iterator[tuple[int, bytes]]]:
    """Return the header's names, the separator, and the other lines with their numbers."""
    table = past_comments(enumerate(stream, 1))
    start, header = next(table, (1, b""))
    header = header.decode(errors="replace").rstrip("\r\n")
    lines = ((n, line.rstrip(b"\r\n")) for n, line in table if line.strip(EMPTY))
    number, first = next(lines, (0, b""))
    separator = separator_of(header, first.decode(errors="replace"))
    empty = first[len(first.rstrip(separator.encode())) :]  # columns at the end
    try:
        [names] = csv.reader([header.rstrip(separator)], delimiter=separator)
    except (csv.Error, ValueError) as error:
        raise InputError(f"{file}: line {start}: not names of cells ({error}); {RETRY}") from None
    rest = chain([(number, first)] if first else [], lines)
    return names, separator, ((n, line.removesuffix(empty)) for n, line in rest)


def read_anndata(
    matrix: Matrix, folder: Path, load: Callable[[RawFile], ad.AnnData] = h5ad
) -> ad.AnnData:
    """Read X, a layer or `raw` of annotated data; `columns` of its cells are kept."""
    file = RawFile.of(folder, matrix.archive, matrix.matrix)
    whole = load(file)
    if matrix.raw and whole.raw is None:
        raise InputError(f"{file}: no raw; take raw out in studies.yaml")
    part = raw_of(whole) if matrix.raw else whole
    if matrix.layer and matrix.layer not in part.layers:
        raise InputError(
            f"{file}: no layer {matrix.layer} (it has {', '.join(layers_of(part)) or 'none'}); "
            "correct layer in studies.yaml"
        )
    counts = part.layers[matrix.layer] if matrix.layer else part.X
    if counts is None:
        raise InputError(f"{file}: no matrix X in it; name a layer in studies.yaml")
    genes = part.var_names.astype(str)
    symbols = genes
    if matrix.symbols:
        [symbols] = renamed(part.var, {matrix.symbols: "symbol"}, file).to_numpy(object).T
        symbols = np.where(pd.isna(symbols), genes, symbols)
    ids = next((part.var[column].astype(str) for column in IDS if column in part.var), genes)
    kinds = part.var.get("feature_types")
    with read_errors(file, "a file of counts", RETRY):
        adata = _cells(counts, whole.obs_names.astype(str), symbols, ids, file, kinds)
    table = renamed(whole.obs, matrix.columns, file)
    for column in table:
        adata.obs[column] = meant(table[column], matrix.values, file).to_numpy()
    return adata


def read_cell_ranger(matrix: Matrix, folder: Path) -> ad.AnnData:
    """Read HDF5 of 10x's Cell Ranger; of what it counted, the genes."""
    import scanpy as sc

    file = RawFile.of(folder, matrix.archive, matrix.matrix)
    with (
        file.on_disk() as path,
        read_errors(file, "Cell Ranger's HDF5 of counts", RETRY),
        repeated_names_allowed(),
    ):
        whole = sc.read_10x_h5(path, gex_only=False)
        whole.X.check_format()  # an index out of range would read foreign memory
    check_unique(whole.obs_names, file, "barcode")
    check_unique(whole.var["gene_ids"], file, "gene")
    genes = (whole.var_names, whole.var["gene_ids"])
    return _cells(whole.X, whole.obs_names, *genes, file, whole.var.get("feature_types"))


READERS: dict[str, Callable[[Matrix, Path], ad.AnnData]] = {
    "mtx": read_mtx,
    "table": read_delimited,
    "10x_h5": read_cell_ranger,
    **{format: partial(read_anndata, load=load) for format, load in ANNDATA.items()},
}

# What a file may hold apart from genes, as Cell Ranger and others call it.
GENE = "Gene Expression"
FEATURES = {GENE, "Antibody Capture", "Antigen Capture", "CRISPR Guide Capture", "Custom",
            "Multiplexing Capture", "Peaks"}  # fmt: skip


def _cells(
    counts: Any, names: Any, symbols: Any, ids: Any, file: RawFile, kinds: Any = None
) -> ad.AnnData:
    """Return cells x genes as CSR float32; names that repeat are numbered, as scanpy does.

    Of features of several `kinds`, such as peaks and antibodies, the genes are kept.
    """
    counts = sp.csr_matrix(counts, dtype=np.float32)
    symbols, ids = pd.Index(symbols), np.array(ids, dtype=object)
    kinds = np.array([GENE] * len(ids) if kinds is None else kinds, dtype=object)
    genes = kinds == GENE
    if FEATURES.intersection(kinds) and not genes.all():
        others = ", ".join(sorted({*map(str, kinds[~genes])}))
        n = (~genes).sum()
        log.warning("%s: %d features are no genes (%s): left out", file.name, n, others)
        counts, symbols, ids = counts[:, genes], symbols[genes], ids[genes]
    if again := symbols.duplicated().sum():
        first = symbols[symbols.duplicated()][0]
        log.info("%s: %d names of genes repeat, as %s: these are numbered", file, again, first)
    with repeated_names_allowed():
        obs = pd.DataFrame(index=ad.utils.make_index_unique(pd.Index(names)))
        var = pd.DataFrame({"gene_id": ids}, ad.utils.make_index_unique(symbols))
    return ad.AnnData(counts, obs=obs, var=var)


COMMA_IN_QUOTES = re.compile(rb'"\d+,\d+"')


def _row(line: bytes, separator: str) -> tuple[str, sp.csr_matrix]:
    """Return the name and the counts of a line of a table; none at all if one is no number."""
    mark, quote = separator.encode(), b'"'
    if line.startswith(quote):
        name, _, rest = line[1:].rstrip(b"\r\n").partition(quote + mark)
    else:
        name, _, rest = line.rstrip(b"\r\n").partition(mark)
    if quote in rest and not COMMA_IN_QUOTES.search(rest):
        rest = rest.replace(quote, b"")
    if separator != " ":
        rest = rest.replace(b" ", b"")
    whole = rest[:1].isdigit() and not rest.translate(None, mark + b"0123456789")
    try:  # whole numbers are parsed four times as fast as others
        counts = np.fromstring(rest, np.int64 if whole else np.float32, sep=separator)
    except ValueError:
        counts = np.empty(0)
    if separator != " " and len(counts) != rest.rstrip(mark).count(mark) + 1:
        counts = np.empty(0)  # tabs with nothing between them were taken for one
    places = np.flatnonzero(counts)
    row = (counts[places], places, [0, len(places)])
    return name.decode(errors="replace"), sp.csr_matrix(row, (1, len(counts)), dtype=np.float32)


def _remedy(line: bytes, separator: str) -> str:
    """Return what to do about a line of a table that is not a name and counts."""
    if re.search(COMMA_IN_QUOTES if separator == "," else rb"\d,\d", line):
        return "write numbers with a point, not a comma"
    if separator != " " and 2 * separator.encode() in line.translate(None, b' "'):
        return "write 0 where a count is missing"
    return RETRY


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
