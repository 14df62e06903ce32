"""Read a study's raw counts and all that is known of its cells."""

import logging
from pathlib import Path

import anndata as ad
import pandas as pd
import scipy.sparse as sp

from scripts.common.config.studies import Matrix, Source
from scripts.preprocess.readers.annotations import annotate
from scripts.preprocess.readers.checks import check_counts
from scripts.preprocess.readers.files import RawFile
from scripts.preprocess.readers.matrices import READERS
from scripts.preprocess.readers.tables import meant
from vega.errors import InputError

log = logging.getLogger("workflow")

LEAST_SHARED_GENES = 0.5  # of two matrices; fewer mean other species or kinds of names


def read(study: Source, folder: Path) -> ad.AnnData:
    """Return cells x genes of a study's raw counts (CSR float32) from the raw files in `folder`.

    `var_names` are unique symbols, with Ensembl ids, if known, in `var["gene_id"]`. `obs` has the
    columns of the matrices and of the annotations and, if an annotation lists cells, `annotated`.
    """
    matrices = [_located(matrix, folder) for matrix in study.matrices]
    parts = [_matrix(study, matrix, folder) for matrix in matrices]
    for matrix, part in zip(study.matrices, parts, strict=True):
        part.obs["matrix"] = matrix.name
    adata = parts[0]
    if len(parts) > 1:
        files = [RawFile.of(folder, m.archive, m.genes or m.matrix) for m in matrices]
        parts = _with_same_genes(parts, files)
        adata = ad.concat(parts, index_unique="-", keys=map(str, range(len(parts))), merge="same")
    annotate(adata, study.annotations, folder)
    adata.obs = adata.obs.drop(columns=["barcode", "matrix"])
    return adata


def _with_same_genes(parts: list[ad.AnnData], files: list[RawFile]) -> list[ad.AnnData]:
    """Return the matrices with the genes of all, in the order of the first; absent ones are zero.

    Genes are known by their ids, or by their symbols where those repeat or are all there is.
    """
    if all(part.var.equals(parts[0].var) for part in parts):
        return parts
    by_id = all(part.var["gene_id"].is_unique for part in parts)
    tables = [p.var.assign(symbol=p.var_names, key=p.var.gene_id if by_id else p.var_names)
              for p in parts]  # fmt: skip
    for table, file in zip(tables, files, strict=True):
        shared, least = table["key"].isin(tables[0]["key"]).sum(), min(len(table), len(tables[0]))
        if shared < LEAST_SHARED_GENES * least:
            raise InputError(
                f"{file}: only {shared} of its {len(table)} genes are in {files[0]}; the matrices "
                "of a study must have genes of the same kind: convert the names, or leave it out"
            )
    var = pd.concat(tables).drop_duplicates("key")
    var = var.set_index(ad.utils.make_index_unique(pd.Index(var["symbol"].to_numpy())))
    fewest = min(map(len, tables))
    if fewest < len(var):
        log.warning(
            "%s: matrices have other genes, the fewest %s: of all %s those that one lacks are zero",
            files[0].path.name, f"{fewest:,}", f"{len(var):,}",
        )  # fmt: skip
    joined = []
    for part, table in zip(parts, tables, strict=True):
        X, places = part.X, pd.Index(var["key"]).get_indexer(table["key"])
        X = sp.csr_matrix((X.data, places[X.indices], X.indptr), (part.n_obs, len(var)))
        X.sort_indices()
        joined.append(ad.AnnData(X, obs=part.obs, var=var[["gene_id"]]))
    return joined


def _located(matrix: Matrix, folder: Path) -> Matrix:
    """Return the matrix in the first of its archives that has it."""
    if not isinstance(matrix.archive, list):
        return matrix
    for archive in matrix.archive:
        if RawFile(folder / archive).has(matrix.matrix):
            return matrix.model_copy(update={"archive": archive})
    raise InputError(
        f"{folder}: none of {', '.join(matrix.archive)} has a member {matrix.matrix}; correct the "
        "names in studies.yaml"
    )


def _matrix(study: Source, matrix: Matrix, folder: Path) -> ad.AnnData:
    """Read one matrix of the study, check it and add its own columns."""
    file = RawFile.of(folder, matrix.archive, matrix.matrix)
    adata = READERS[study.format](matrix, folder)
    if 0 in adata.shape:
        raise InputError(
            f"{file}: expected counts of cells x genes, found {adata.n_obs:,} cells x "
            f"{adata.n_vars:,} genes; give the file or the layer that holds them"
        )
    if not study.processed:
        check_counts(adata, file)
    adata.obs["barcode"] = adata.obs_names
    if matrix.cell_name:
        _add_parts_of_names(adata, matrix, file)
    for column, value in matrix.obs.items():
        adata.obs[column] = value
    log.info("%s: %s cells, %s genes", file, f"{adata.n_obs:,}", f"{adata.n_vars:,}")
    return adata


def _add_parts_of_names(adata: ad.AnnData, matrix: Matrix, file: RawFile) -> None:
    """Add a column for each named group of `cell_name`."""
    fits = adata.obs_names.str.fullmatch(matrix.cell_name)
    if not fits.all():
        raise InputError(
            f"{file}: cell {adata.obs_names[~fits][0]} ({(~fits).sum()} such cells) is not named "
            f"like {matrix.cell_name}; correct cell_name in studies.yaml"
        )
    parts = adata.obs_names.to_series().str.extract(f"^(?:{matrix.cell_name})$")
    for column in (c for c in parts if isinstance(c, str)):  # groups without a name are numbered
        adata.obs[column] = meant(parts[column], matrix.values, file)
