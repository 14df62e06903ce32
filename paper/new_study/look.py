"""What is in the files of a new study: their format, their genes, what is known of their cells."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from paper.config import Matrix
from paper.errors import InputError
from paper.formats.checks import are_counts
from paper.formats.files import ANEW, RawFile
from paper.formats.matrices import READERS, h5ad
from vega.files import reading

LOOK = "check that this is the file you mean"
# Names that files of a Matrix Market triple go by, below a common prefix.
BARCODES = ("barcodes.tsv.gz", "barcodes.tsv")
GENES = ("features.tsv.gz", "genes.tsv.gz", "features.tsv", "genes.tsv")
MARKET = (".mtx", ".mtx.gz")
COMMON = re.compile(
    r"RP[LS]P?\d+[ALXY]?\d?|MT-\w+|ACTB|GAPDH|B2M|MALAT1|EEF1A1|TMSB4X|FTL|FTH1|ENS[A-Z]*G\d{11}.*",
    re.IGNORECASE,
)  # genes that nearly all cells of all tissues have, and Ensembl ids
TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")


@dataclass(frozen=True)
class Look:
    """What was found.

    Attributes
    ----------
    format, matrix
        As the entry of the study names them, without paths.
    files
        Where the files are.
    adata
        Cells x genes, with what an h5ad file says of the cells.
    counts
        Whether all values are whole numbers from 0 up.
    columns
        What is known of the cells: by column, its values and how many cells have each.
    """

    format: str
    matrix: Mapping[str, object]
    files: list[Path]
    adata: ad.AnnData
    counts: bool
    columns: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def cells(self) -> pd.Index:
        """Names of the cells."""
        return self.adata.obs_names

    @property
    def genes(self) -> pd.Index:
        """Symbols of the genes."""
        return self.adata.var_names


def look(path: Path, known: Collection[str]) -> Look:
    """Look into a file of counts: h5ad, a Matrix Market file beside its two lists, or a table.

    Parameters
    ----------
    path
        The file.
    known
        Symbols of genes, which tell whether a table has genes down or across, with those that all
        cells have.

    Raises
    ------
    InputError
        If it is none of these, or damaged.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    name = path.name.lower()
    try:
        if name.endswith(".h5ad"):
            return _h5ad(path)
        if name.endswith(MARKET):
            return _market(path)
        if name.endswith(TABLES):
            return _table(path, known)
    except InputError as error:  # which thinks of files that were downloaded
        raise InputError(str(error).replace(ANEW, LOOK)) from None
    raise InputError(
        f"{path}: not a file of counts; give an h5ad file, a Matrix Market file (.mtx) or a table "
        "(.csv, .tsv, .txt), gzipped or not"
    )


def columns_of(path: Path) -> dict[str, dict[str, int]]:
    """What a table or an h5ad file says of cells: by column, its values and their numbers.

    Raises
    ------
    InputError
        If it is no table.
    """
    if path.name.endswith(".h5ad"):
        return _values(h5ad(RawFile(path)).obs)
    with reading(path, "a table of cells", LOOK):
        table = pd.read_csv(path, sep=None, engine="python", index_col=0, dtype=str)
    return _values(table)


def _h5ad(path: Path) -> Look:
    cells = h5ad(RawFile(path))
    layer = {"layer": "counts"} if "counts" in cells.layers else {}
    matrix = {"matrix": path.name, **layer}
    return _look("h5ad", matrix, [path], cells.obs)


def _market(path: Path) -> Look:
    """The two lists lie beside the matrix, and begin as its name does."""
    prefix = path.name.lower().split("matrix")[0] if "matrix" in path.name.lower() else ""
    sides = {}
    for what, ends in (("barcodes", BARCODES), ("genes", GENES)):
        beside = {p.name.lower(): p for p in path.parent.iterdir()}
        found = [beside[prefix + end] for end in ends if prefix + end in beside]
        if not found:
            raise InputError(
                f"{path}: needs its list of {what} beside it, named {prefix}{ends[-1]} or "
                f"{prefix}{ends[0]}"
            )
        sides[what] = found[0]
    matrix = {"matrix": path.name} | {what: side.name for what, side in sides.items()}
    return _look("mtx", matrix, [path, *sides.values()])


def _table(path: Path, known: Collection[str]) -> Look:
    """Genes are down, unless more of the names across are genes."""
    with reading(path, "a table of counts", LOOK):
        head = pd.read_csv(path, sep=None, engine="python", index_col=0, nrows=500)
    down, across = (
        np.mean([is_gene(str(name), known) for name in names] or [0])
        for names in (head.index, head.columns)
    )
    return _look("table", {"matrix": path.name, "cells_down": bool(across > down)}, [path])


def is_gene(name: str, known: Collection[str]) -> bool:
    """Whether a name is that of a gene for sure: a known one, or one that every cell has.

    >>> is_gene("RPL13A", ()), is_gene("mt-Nd1", ()), is_gene("AAACATACAACCAC-1", ())
    (True, True, False)
    """
    return name in known or COMMON.fullmatch(name) is not None


def _look(
    format: str, matrix: Mapping[str, object], files: list[Path], obs: pd.DataFrame | None = None
) -> Look:
    """Read it as the workflow will."""
    given = {key: value for key, value in matrix.items() if value}
    cells: ad.AnnData = READERS[format](Matrix(**given), files[0].parent)
    counts = bool(are_counts(cells.X.data).all())
    if obs is None:
        return Look(format, given, files, cells, counts)
    cells.obs = obs.set_axis(cells.obs_names)
    return Look(format, given, files, cells, counts, _values(obs))


MOST_VALUES = 60  # of a column that groups cells


def _values(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Columns that group cells: of more than one value, each of two cells at least on average."""
    found = {}
    for column in table:
        counts = table[column].astype(str)[table[column].notna()].value_counts(sort=False)
        if 1 < len(counts) <= min(MOST_VALUES, len(table) / 2):
            found[str(column)] = {str(k): int(v) for k, v in counts.sort_index().items()}
    return found
