"""What is in the files of a new study: their format, their genes, what is known of their cells."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from scripts.common.config.studies import Source
from scripts.preprocess.readers import read
from scripts.preprocess.readers.checks import are_counts
from scripts.preprocess.readers.files import RETRY, RawFile
from scripts.preprocess.readers.matrices import h5ad
from tools.new_study.names import CELL_RANGER, H5AD, LISTS, MARKET, TABLES, lists_of
from vega.errors import InputError
from vega.files import read_errors

LOOK = "check that this is the file you mean"
COMMON = re.compile(
    r"RP[LS]P?\d+[ALXY]?\d?|MT-\w+|ACTB|GAPDH|B2M|MALAT1|EEF1A1|TMSB4X|FTL|FTH1|ENS[A-Z]*G\d{11}.*",
    re.IGNORECASE,
)  # genes that nearly all cells of all tissues have, and Ensembl ids

# Rows of a table that stand among its genes: spike-ins, and HTSeq's summary.
NO_GENES = r"ERCC-\d{5}|(__)?(no_feature|ambiguous|too_low_aQual|not_aligned|alignment_not_unique)"


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Attributes
    ----------
    format, matrices
        As the entry of the study has them, without paths.
    files
        Where the files are.
    adata
        Cells x genes, with what the files of counts say of the cells.
    counts
        Whether all values are whole numbers from 0 up.
    columns
        What is known of the cells: by column, its values and how many cells have each.
    """

    format: str
    matrices: list[dict[str, Any]]
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


def inspect_file(path: Path, known: Collection[str]) -> Inspection:
    """Inspect a file of counts.

    That is an h5ad file, one of 10x's Cell Ranger, a Matrix Market file beside its two lists, or a
    table.

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
        if name.endswith(H5AD):
            return _h5ad(path)
        if name.endswith(CELL_RANGER):
            return inspect_matrices("10x_h5", [{"matrix": path.name}], [path])
        if name.endswith(MARKET):
            return _market(path)
        if name.endswith(TABLES):
            return _table(path, known)
    except InputError as error:  # which thinks of files that were downloaded
        raise InputError(str(error).replace(RETRY, LOOK)) from None
    raise InputError(
        f"{path}: not a file of counts; give an h5ad file, Cell Ranger's .h5, a Matrix Market file "
        "(.mtx) or a table (.csv, .tsv, .txt), gzipped or not"
    )


def columns_of(path: Path) -> dict[str, dict[str, int]]:
    """What a table or an h5ad file says of cells: by column, its values and their numbers.

    Raises
    ------
    InputError
        If it is no table.
    """
    if path.name.endswith(H5AD):
        return values_of(h5ad(RawFile(path)).obs)
    with read_errors(path, "a table of cells", LOOK):
        table = pd.read_csv(path, sep=None, engine="python", index_col=0, dtype=str)
    return values_of(table)


def _h5ad(path: Path) -> Inspection:
    cells = h5ad(RawFile(path))
    layer = {"layer": "counts"} if "counts" in cells.layers else {}
    matrix = {"matrix": path.name, **layer}
    return inspect_matrices("h5ad", [matrix], [path], cells.obs)


def _market(path: Path) -> Inspection:
    """The two lists lie beside the matrix, and are named as it is."""
    lists = lists_of(path.name, [beside.name for beside in path.parent.iterdir()])
    for what, words in LISTS.items():
        if what not in lists:
            prefix = path.name[: max(path.name.lower().rfind("matrix"), 0)]
            raise InputError(
                f"{path}: needs its list of {what} beside it, named {prefix}{words[-1]}.tsv or "
                f"{prefix}{words[0]}.tsv.gz"
            )
    beside = [path.parent / name for name in lists.values()]
    return inspect_matrices("mtx", [{"matrix": path.name, **lists}], [path, *beside])


def _table(path: Path, known: Collection[str]) -> Inspection:
    matrix = {"matrix": path.name, **orientation(RawFile(path), known)}
    return inspect_matrices("table", [matrix], [path])


def orientation(file: RawFile, known: Collection[str]) -> dict[str, bool]:
    """`cells_down`, of a table of counts in which more of the names across are genes.

    Raises
    ------
    InputError
        If it is no table.
    """
    with file.opened() as stream, read_errors(file, "a table of counts", LOOK):
        head = pd.read_csv(stream, sep=None, engine="python", index_col=0, nrows=500)
    down, across = (
        np.mean([is_gene(str(name), known) for name in names] or [0])
        for names in (head.index, head.columns)
    )
    return {"cells_down": True} if across > down else {}


def is_gene(name: str, known: Collection[str]) -> bool:
    """Whether a name is that of a gene for sure: a known one, or one that every cell has.

    >>> is_gene("RPL13A", ()), is_gene("mt-Nd1", ()), is_gene("AAACATACAACCAC-1", ())
    (True, True, False)
    """
    return name in known or COMMON.fullmatch(name) is not None


def inspect_matrices(
    format: str,
    matrices: list[dict[str, Any]],
    files: list[Path],
    obs: pd.DataFrame | None = None,
) -> Inspection:
    """Read matrices of one folder as the workflow does.

    Parameters
    ----------
    format, matrices, files
        See `Inspection`.
    obs
        What is said of the cells, if not by `obs` of the matrices.

    Raises
    ------
    InputError
        If they cannot be read, or not as one study.
    """
    # Whether they are counts is what we want to know, and no reason to stop.
    source = Source(format=format, matrices=matrices, steps=[{"processed": True}])
    cells = read(source, files[0].parent)
    no_genes = cells.var_names.str.fullmatch(NO_GENES)
    if no_genes.any() and not any(matrix.cells_down for matrix in source.matrices):
        cells = cells[:, ~no_genes].copy()
        matrices = [{**matrix, "no_genes": NO_GENES} for matrix in matrices]
    if obs is not None:
        cells.obs = obs.set_axis(cells.obs_names)
    counts = bool(are_counts(cells.X.data).all())
    return Inspection(format, matrices, files, cells, counts, values_of(cells.obs))


MOST_VALUES = 60  # of a column that groups cells


def values_of(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Columns that group cells: of more than one value, each of two cells at least on average."""
    found = {}
    for column in table:
        counts = table[column].astype(str)[table[column].notna()].value_counts(sort=False)
        if 1 < len(counts) <= min(MOST_VALUES, len(table) / 2):
            found[str(column)] = {str(k): int(v) for k, v in counts.sort_index().items()}
    return found
