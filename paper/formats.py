"""Readers of raw count matrices: one function per file format, and the join with the annotation.

A study's `format` chooses its reader in `READERS`. A reader turns one matrix of the study into
cells x genes; everything else (checks, columns, joining the matrices, the annotation) is common.
"""

import gzip
import io
import logging
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import anndata as ad
import numpy as np
import pandas as pd
import scipy.io
import scipy.sparse as sp

from paper.config import Annotation, Matrix, Study
from paper.errors import InputError

log = logging.getLogger("paper")

ANEW = "delete it and run again to get it anew"
GZIP_MAGIC = b"\x1f\x8b"
# A wrong namespace gives no hit, or a handful by chance; the right one most of the smaller list.
LEAST_KNOWN_GENES = 0.05


def read(study: Study, folder: Path) -> ad.AnnData:
    """Read the raw counts of a study and what is known of its cells.

    Parameters
    ----------
    study
        Its entry in the configuration.
    folder
        Where its raw files are.

    Returns
    -------
    Cells x genes, raw counts as CSR float32. `var_names` are the symbols, made unique, with the
    Ensembl ids in `var["gene_id"]`; `obs` has the columns of the matrices and of the annotation
    and, where there is an annotation, `annotated`: whether it knows the cell.

    Raises
    ------
    InputError
        If a file is missing, damaged or not what the study says of it.
    """
    parts = [_matrix(study, matrix, folder) for matrix in study.matrices]
    for matrix, part in zip(study.matrices[1:], parts[1:], strict=True):
        if not part.var.equals(parts[0].var):
            raise InputError(
                f"{folder / matrix.genes}: other genes than in {study.matrices[0].genes}; the "
                "matrices of a study must have the same genes in the same order"
            )
    adata = parts[0]
    if len(parts) > 1:
        adata = ad.concat(parts, index_unique="-", keys=map(str, range(len(parts))), merge="same")
    if study.annotation is not None:
        _annotate(adata, study, folder)
    adata.obs = adata.obs.drop(columns=["barcode", "matrix"])
    return adata


def _matrix(study: Study, matrix: Matrix, folder: Path) -> ad.AnnData:
    """One matrix of the study, checked, with its own columns."""
    path = folder / matrix.matrix
    adata = READERS[study.format](matrix, folder)
    _check_unique(adata.obs_names, folder / matrix.barcodes, "barcode")
    _check_unique(adata.var["gene_id"], folder / matrix.genes, "gene")
    _check_counts(adata, path)
    adata.obs["barcode"] = adata.obs_names
    adata.obs["matrix"] = matrix.matrix
    for column, value in matrix.obs.items():
        adata.obs[column] = value
    log.info("%s: %s cells, %s genes", path, f"{adata.n_obs:,}", f"{adata.n_vars:,}")
    return adata


# ---------------------------------------------------------------- formats


def read_mtx(matrix: Matrix, folder: Path) -> ad.AnnData:
    """Matrix Market, genes down and cells across, with files of barcodes and of genes."""
    path, barcodes, genes = (folder / f for f in (matrix.matrix, matrix.barcodes, matrix.genes))
    counts = _matrix_market(path)
    names = _lines(barcodes)
    fields = [line.split("\t") for line in _lines(genes)]
    for number, line in enumerate(fields, start=1):
        if len(line) < 2:
            raise InputError(
                f"{genes}: line {number}: expected Ensembl id, tab, symbol, found {line[0]!r:.60}; "
                "check that this is the file of genes"
            )
    for axis, what, found, side in ((0, "genes", fields, genes), (1, "cells", names, barcodes)):
        if counts.shape[axis] != len(found):
            raise InputError(
                f"{path}: {counts.shape[axis]} {what}, but {side.name} has {len(found)}; the files "
                "are not of the same sample, or one is damaged: check the names in studies.yaml, "
                "or delete both and run again"
            )
    # GEO gives several ids one symbol; scanpy's habit of numbering them makes names unique.
    symbols = ad.utils.make_index_unique(pd.Index([f[1] for f in fields]))
    var = pd.DataFrame({"gene_id": [f[0] for f in fields]}, index=symbols)
    return ad.AnnData(counts.T.tocsr(), obs=pd.DataFrame(index=names), var=var)


READERS: dict[str, Callable[[Matrix, Path], ad.AnnData]] = {"mtx": read_mtx}


def _matrix_market(path: Path) -> sp.coo_matrix:
    """Counts of a Matrix Market file as float32."""
    with _opened(path) as stream:
        banner = stream.readline(200).decode("utf-8", "replace").split()
        kind = [word.lower() for word in banner]
        if kind not in [["%%matrixmarket", "matrix", "coordinate", k, "general"] for k in NUMBERS]:
            raise InputError(
                f"{path}: expected a first line '%%MatrixMarket matrix coordinate integer general',"
                f" found {' '.join(banner)!r:.60}; if the source has no other file, {ANEW}"
            )
        # The parser cuts fractions off where the banner says integer: as real they are seen.
        head = b"%%MatrixMarket matrix coordinate real general\n"
        try:
            counts = scipy.io.mmread(_Joined(head, stream))
        except ValueError as error:
            reason = str(error).rstrip(".")
            raise InputError(f"{path}: damaged Matrix Market file ({reason}); {ANEW}") from None
    return counts.astype(np.float32)


NUMBERS = ("integer", "real")


class _Joined:
    """A stream of bytes with other bytes before it."""

    def __init__(self, head: bytes, rest: BinaryIO):
        self.head, self.rest = head, rest

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, all where it is negative."""
        if not self.head:
            return self.rest.read(size)
        size = len(self.head) if size < 0 else size
        start, self.head = self.head[:size], self.head[size:]
        return start


# ---------------------------------------------------------------- annotation


def _annotate(adata: ad.AnnData, study: Study, folder: Path) -> None:
    """Add the annotation's columns to `adata.obs`, and `annotated`."""
    annotation = study.annotation
    path = folder / annotation.file
    table = _annotation_table(annotation, path)
    rows = _rows(table, adata.obs, annotation.match, path)
    adata.obs["annotated"] = rows >= 0
    for matrix, known in adata.obs.groupby("matrix", sort=False)["annotated"]:
        log.info("%s: %d of %d cells are in %s", matrix, known.sum(), len(known), path.name)
        if known.mean() < 0.5:
            raise InputError(
                f"{path}: only {known.sum()} of the {len(known)} barcodes of {matrix} are in it "
                f"(such as {adata.obs.loc[known.index[0], 'barcode']}; its own: {table.index[0]}); "
                "check annotation and obs in studies.yaml"
            )
    found = table.iloc[rows].set_axis(adata.obs_names)
    for column in table.columns.difference(annotation.match, sort=False):
        adata.obs[column] = found[column].where(adata.obs["annotated"])


def _annotation_table(annotation: Annotation, path: Path) -> pd.DataFrame:
    """The kept columns under our names and values, row names as index."""
    table = read_table(path)
    absent = [c for c in annotation.columns if c not in table]
    if absent:
        raise InputError(
            f"{path}: no column {', '.join(absent)} (it has {', '.join(table)}); correct "
            "annotation.columns in studies.yaml"
        )
    table = table[list(annotation.columns)].rename(columns=annotation.columns)
    for column, values in annotation.values.items():
        unknown = sorted(set(table[column].dropna()) - set(values))
        if unknown:
            raise InputError(
                f"{path}: {column}: no meaning is given for {', '.join(map(repr, unknown))}; add "
                f"it to annotation.values.{column} in studies.yaml"
            )
        table[column] = table[column].map(values)
    return table


def _rows(table: pd.DataFrame, obs: pd.DataFrame, match: Sequence[str], path: Path) -> np.ndarray:
    """Row of `table` for each cell, -1 where it has none.

    Row names had to be unique when the table was made. Where cells are matched by more than their
    barcode, a barcode seen twice may therefore carry one more "1": it is tried for cells without
    a row of their own, among the rows that are no other cell's.
    """
    groups = [c for c in match if c != "barcode"]
    absent = [c for c in groups if c not in table or c not in obs]
    if absent:
        raise InputError(
            f"{path}: cells cannot be matched by {', '.join(absent)}; annotation.match in "
            "studies.yaml takes columns that both annotation.columns and the matrices' obs have"
        )

    def keys(frame: pd.DataFrame, barcodes: pd.Index | pd.Series) -> pd.MultiIndex:
        return pd.MultiIndex.from_arrays([*(frame[c].astype(str) for c in groups), barcodes])

    index = keys(table, table.index)
    _check_unique(index, path, "row of")
    rows = index.get_indexer(keys(obs, obs["barcode"]))
    if groups:
        again = index.get_indexer(keys(obs, obs["barcode"] + "1"))
        rows = np.where((rows < 0) & ~np.isin(again, rows), again, rows)
    return rows


def read_table(path: Path) -> pd.DataFrame:
    """A delimited table as strings, row names as index; `NA` and empty fields are missing.

    Fields are separated by tabs, commas or blanks, whichever the header has. The first column
    holds the row names, whether or not the header has a name for it.
    """
    with _opened(path) as stream:
        header = stream.readline()
        separator = next((s for s in ("\t", ",") if s.encode() in header), r"\s+")
        try:
            table = pd.read_csv(
                io.BytesIO(header + stream.read()),
                sep=separator,
                dtype=str,
                keep_default_na=False,
                na_values=["NA", ""],
            )
        except (ValueError, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{path}: not a delimited table ({reason}); {ANEW}") from None
    if isinstance(table.index, pd.RangeIndex):
        table = table.set_index(table.columns[0])
    if table.empty:
        raise InputError(f"{path}: no row below the header; {ANEW}")
    return table.set_axis(table.index.astype(str))


# ---------------------------------------------------------------- files


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Bytes of a plain or gzipped file; what it cannot be ends in an `InputError`."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP_MAGIC
            file.seek(0)
            with io.BufferedReader(gzip.GzipFile(fileobj=file)) if packed else file as stream:
                start = stream.peek(512)[:512].lstrip().lower()
                if not start:
                    raise InputError(f"{path}: empty file; {ANEW}")
                if start.startswith((b"<!doctype", b"<html", b"<?xml")):
                    raise InputError(
                        f"{path}: a web page instead of data, as servers send for errors; {ANEW}"
                    )
                if path.suffix == ".gz" and not packed:
                    raise InputError(f"{path}: not a gzip file in spite of its name; {ANEW}")
                yield stream
    except EOFError:
        raise InputError(f"{path}: the gzip file breaks off before its end; {ANEW}") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: damaged gzip file ({error}); {ANEW}") from None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror or error}); check that it is there, or run "
            "again to get it"
        ) from None


def _lines(path: Path) -> list[str]:
    """Lines of a text file, without empty ones at its end."""
    with _opened(path) as stream:
        try:
            return stream.read().decode().rstrip().splitlines()
        except UnicodeDecodeError:
            raise InputError(f"{path}: not a text file; {ANEW}") from None


# ---------------------------------------------------------------- checks


def _check_unique(names: Sequence | pd.Index | pd.Series, path: Path, what: str) -> None:
    twice = pd.Index(names)[pd.Index(names).duplicated()]
    if len(twice):
        name = " ".join(twice[0]) if isinstance(twice[0], tuple) else twice[0]
        raise InputError(
            f"{path}: {what} {name} stands twice ({len(twice)} duplicates in all); each must "
            "stand once: check that this is the source's own file"
        )


def _check_counts(adata: ad.AnnData, path: Path) -> None:
    """Counts are whole numbers from zero up."""
    values = adata.X.data
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0) & (values == np.floor(values))))
    if len(wrong):
        cell = np.searchsorted(adata.X.indptr, wrong[0], side="right") - 1
        gene = adata.X.indices[wrong[0]]
        raise InputError(
            f"{path}: gene {adata.var_names[gene]}, cell {adata.obs_names[cell]}: "
            f"{values[wrong[0]]:g} is no count ({len(wrong)} such values); raw counts are whole "
            "numbers from 0 up: take the source's unprocessed matrix"
        )


NAMESPACES = {
    "Ensembl ids": (
        re.compile(r"ENS[A-Z]*G\d{11}"),
        "put symbols into the second column of the file of genes",
    ),
    "mouse symbols": (
        re.compile(r"[A-Z][a-z0-9-]*[a-z][A-Za-z0-9-]*"),
        "map them to human orthologs, or give the model gene sets with mouse symbols",
    ),
    "numbers such as Entrez ids": (re.compile(r"\d+"), "map them to symbols"),
}


def check_namespace(
    genes: Sequence[str], gene_sets: Mapping[str, Sequence[str]], where: str
) -> None:
    """Check that the genes of the data and of the gene sets are named alike.

    Parameters
    ----------
    genes
        Gene names of the data.
    gene_sets
        Genes by set name.
    where
        What the data and the gene sets are called in the message.

    Raises
    ------
    InputError
        If less than a twentieth of the shorter list is in the other.
    """
    members = set(chain.from_iterable(gene_sets.values()))
    known = len(members.intersection(genes))
    if known >= LEAST_KNOWN_GENES * min(len(members), len(set(genes))) and known:
        return
    looks, remedy = "an unknown kind of name", "use the symbols of the gene sets"
    for name, (pattern, advice) in NAMESPACES.items():
        if sum(pattern.fullmatch(gene) is not None for gene in genes) > len(genes) / 2:
            looks, remedy = name, advice
    raise InputError(
        f"{where}: only {known} of {len(genes)} genes are in the gene sets; the data have {looks} "
        f"({', '.join(genes[:3])}), the gene sets {', '.join(sorted(members)[:3])}: {remedy}"
    )
