"""What is in the files of a new study: their format, their genes, what is known of their cells."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from scripts.common.config.studies import Source
from scripts.preprocess.readers import read
from scripts.preprocess.readers.annotated import h5ad
from scripts.preprocess.readers.checks import are_counts
from scripts.preprocess.readers.files import RETRY, RawFile
from tools.new_study.names import CELL_RANGER, H5AD, LISTS, MARKET, TABLES, lists_of
from vega.errors import InputError
from vega.files import read_errors

LOOK = "check that this is the file you mean"
COMMON = re.compile(
    r"RP[LS]P?\d+[ALXY]?\d?|MT-\w+|ACTB|GAPDH|B2M|MALAT1|EEF1A1|TMSB4X|FTL|FTH1|ENS[A-Z]*G\d{11}.*",
    re.IGNORECASE,
)  # genes that nearly all cells of all tissues have, and Ensembl ids
MOST_VALUES = 60  # of a column that groups cells
# Rows of a table that are listed among its genes: spike-ins, and HTSeq's summary.
NO_GENES = r"ERCC-\d{5}|(__)?(no_feature|ambiguous|too_low_aQual|not_aligned|alignment_not_unique)"


@dataclass(frozen=True)
class Inspection:
    """What the files of counts hold."""

    format: str  # this and `matrices` as the entry of the study has them, without paths
    matrices: list[dict[str, Any]]
    files: list[Path]
    adata: ad.AnnData  # cells x genes
    counts: bool  # whether all values are whole numbers from 0 up
    columns: Mapping[str, Mapping[str, int]]  # of the cells, see `values_of`


def inspect_file(path: Path, known: Collection[str]) -> Inspection:
    """Inspect a file of counts, whose format follows from its name.

    The `known` symbols of genes help to decide whether a table has genes down or across.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    name = path.name.lower()
    try:
        if name.endswith(H5AD):
            cells = h5ad(RawFile(path))
            layer = {"layer": "counts"} if "counts" in cells.layers else {}
            matrix = {"matrix": path.name, **layer}
            return inspect_matrices("h5ad", [matrix], [path], cells.obs)
        if name.endswith(CELL_RANGER):
            return inspect_matrices("10x_h5", [{"matrix": path.name}], [path])
        if name.endswith(MARKET):
            return _market(path)
        if name.endswith(TABLES):
            matrix = {"matrix": path.name, **orientation(RawFile(path), known)}
            return inspect_matrices("table", [matrix], [path])
    except InputError as error:  # which thinks of files that were downloaded
        raise InputError(str(error).replace(RETRY, LOOK)) from None
    raise InputError(
        f"{path}: not a file of counts; give an h5ad file, Cell Ranger's .h5, a Matrix Market file "
        "(.mtx) or a table (.csv, .tsv, .txt), gzipped or not"
    )


def columns_of(path: Path) -> dict[str, dict[str, int]]:
    """Return what a table or an h5ad file says of cells, see `values_of`."""
    if path.name.endswith(H5AD):
        return values_of(h5ad(RawFile(path)).obs)
    with read_errors(path, "a table of cells", LOOK):
        table = pd.read_csv(path, sep=None, engine="python", index_col=0, dtype=str)
    return values_of(table)


def _market(path: Path) -> Inspection:
    """Inspect a Matrix Market file; its two lists are in the same folder, and named as it is."""
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


def orientation(file: RawFile, known: Collection[str]) -> dict[str, bool]:
    """Return `cells_down` for a table of counts in which more of the names across are genes."""
    with file.opened() as stream, read_errors(file, "a table of counts", LOOK):
        head = pd.read_csv(stream, sep=None, engine="python", index_col=0, nrows=500)
    down, across = (
        np.mean([is_gene(str(name), known) for name in names] or [0])
        for names in (head.index, head.columns)
    )
    return {"cells_down": True} if across > down else {}


def is_gene(name: str, known: Collection[str]) -> bool:
    """Return whether a name is certainly that of a gene: a known one, or one of all cells.

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
    """Read matrices of one folder as the workflow does; see `Inspection`.

    `obs` annotates the cells where the matrices' own `obs` does not.
    """
    # Steps for processed values accept what is not a count.
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


def values_of(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Return the columns that group cells: by column, its values and how many cells have each.

    Such a column has more than one value, and at least two cells per value on average.
    """
    found = {}
    for column in table:
        counts = table[column].astype(str)[table[column].notna()].value_counts(sort=False)
        if 1 < len(counts) <= min(MOST_VALUES, len(table) / 2):
            found[str(column)] = {str(k): int(v) for k, v in counts.sort_index().items()}
    return found
