"""Raw files of a study -> its normalised cells, and a table of what each step removed."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from scripts.common.config.studies import Step, StepsOfEach, Study
from scripts.common.h5ad import read_cells, write_cells
from scripts.common.provenance import Provenance, provenance
from scripts.common.run import log, run
from scripts.common.tables import write_table
from scripts.preprocess.gene_names import check_namespace
from scripts.preprocess.orthologs import one_to_one
from scripts.preprocess.readers import read
from scripts.preprocess.readers.files import RawFile
from scripts.preprocess.steps import STEPS, column_of, describe, is_normalised
from vega.errors import InputError
from vega.gene_sets import read_gmt
from vega.values import layers_of

PACKAGES = ("anndata", "numpy", "pandas", "scanpy", "scipy")
Size = tuple[int, int]


def read_and_preprocess(
    study: Study, folder: Path, genes: pd.DataFrame | None = None
) -> tuple[ad.AnnData, pd.DataFrame]:
    """Return what `preprocess` gives for the raw files in `folder`.

    `genes` is the `var` of the study whose genes it takes, if it takes any.
    """
    given = {"reindex": genes}
    if study.ortholog_table:
        given["orthologs"] = one_to_one(RawFile(folder / study.ortholog_table))
    return preprocess(read(study, folder), study, given)


def cells_of(snakemake: Any, study: Study) -> tuple[ad.AnnData, pd.DataFrame]:
    """Return the preprocessed cells of a rule's raw files, with their provenance, and the table."""
    folder, other = Path(snakemake.input.raw[0]).parent, snakemake.input.other
    genes = read_cells(other[0], backed=True).var if other else None
    cells, qc = read_and_preprocess(study, folder, genes)
    cells.uns["provenance"] = about(snakemake.wildcards.study, study, provenance(folder))
    return cells, qc


def preprocess(
    adata: ad.AnnData, study: Study, given: Mapping[str, Any] | None = None
) -> tuple[ad.AnnData, pd.DataFrame]:
    """Apply a study's steps to its raw counts (cells x genes); return the cells and a QC table.

    `given` holds what a step takes in place of its value: for `orthologs` the ortholog of each
    gene, for `reindex` the genes (`var`) of the other study. The cells are log-normalised CSR
    float32, with `layers["counts"]` unless they came processed, categorical `obs` in the order of
    the configuration and, if all cells were scaled to one total,
    `uns["normalisation"]["target_sum"]`. The table has a row per step: `step`, `asked`,
    `cells_before`, `cells_after`, `cells_removed`, and the same for genes.
    """
    given = given or {}
    qc: list[dict[str, Any]] = []
    if "annotated" in adata.obs:
        before = adata.shape
        adata = adata[adata.obs["annotated"].to_numpy()].copy()
        del adata.obs["annotated"]
        qc.append(_qc_row("annotated", "cells in the annotation", before, adata.shape))
    for number, step in enumerate(study.steps, start=1):
        try:
            if step.each:
                adata = _each(adata, step.each, given, qc)
            else:
                (adata,) = _apply([adata], step, describe(step), given, qc)
        except InputError as error:
            where = f"studies.yaml: {study.title}: step {number} ({describe(step)})"
            raise InputError(f"{where}: {error}") from None
    if not is_normalised(adata):
        raise InputError(f"studies.yaml: {study.title}: steps: normalise is missing; add it")
    return _finished(adata, study), pd.DataFrame(qc)


def _apply(
    parts: list[ad.AnnData],
    step: Step,
    asked: str,
    given: Mapping[str, Any],
    qc: list[dict[str, Any]],
) -> list[ad.AnnData]:
    """Apply one step to each part, and add its row to the table."""
    after = [STEPS[step.name][0](part, given.get(step.name, step.value)) for part in parts]
    if any(0 in part.shape for part in after):
        raise InputError("no cells or genes remain after this step; relax or remove it")
    qc.append(_qc_row(step.name, asked, _size(parts), _size(after)))
    log.info("%s: %s cells, %s genes", asked, *(f"{n:,}" for n in _size(after)))
    return after


def _each(
    adata: ad.AnnData, asked: StepsOfEach, given: Mapping[str, Any], qc: list[dict[str, Any]]
) -> ad.AnnData:
    """Apply steps to the cells of each value apart; keep the genes that all parts keep."""
    column = column_of(adata, asked.column)
    parts = [adata[(column == value).to_numpy()].copy() for value in column.dropna().unique()]
    for step in asked.steps:
        parts = _apply(parts, step, f"{describe(step)}, by {asked.column}", given, qc)
    # In the order of the first: steps may rename genes.
    genes = [gene for gene in parts[0].var_names if all(gene in p.var_names for p in parts[1:])]
    joined = ad.concat([part[:, genes] for part in parts], merge="same", uns_merge="same")
    del parts  # as large as the whole
    order = adata.obs_names[adata.obs_names.isin(joined.obs_names)]
    return joined if order.equals(joined.obs_names) else joined[order].copy()


def _size(parts: list[ad.AnnData]) -> Size:
    """Return the number of cells of all parts together, and of genes that all of them have."""
    genes = set.intersection(*(set(part.var_names) for part in parts))
    return sum(part.n_obs for part in parts), len(genes)


def _qc_row(name: str, asked: str, before: Size, after: Size) -> dict[str, Any]:
    row = {"step": name, "asked": asked}
    for what, was, now in zip(("cells", "genes"), before, after, strict=True):
        row |= {f"{what}_before": was, f"{what}_after": now, f"{what}_removed": was - now}
    return row


def _finished(adata: ad.AnnData, study: Study) -> ad.AnnData:
    """Return only the documented parts, columns as categories in the configured order."""
    orders = {"cell_type": study.cell_types, "condition": study.conditions}
    for column, order in orders.items():
        if order and column not in adata.obs:
            raise InputError(
                f"studies.yaml: {study.title}: {column}s are given, but the cells have no column "
                f"{column} (they have {', '.join(adata.obs) or 'none'}); name one in annotations "
                "or obs, or take the order out"
            )
    obs = pd.DataFrame(
        {c: _ordered(adata.obs[c], orders.get(c, []), study) for c in adata.obs},
        index=adata.obs_names,
    )
    X, *others = (sp.csr_matrix(m, dtype=np.float32) for m in (adata.X, *layers_of(adata).values()))
    for matrix in (X, *others):
        matrix.sort_indices()
    layers = dict(zip(layers_of(adata), others, strict=True))
    # None, or empty where parts were scaled to totals of their own.
    scaled = adata.uns.get("normalisation")
    uns = {"normalisation": scaled} if scaled else {}
    return ad.AnnData(X, obs=obs, var=adata.var[["gene_id"]].copy(), layers=layers, uns=uns)


def _ordered(column: pd.Series, order: list[str], study: Study) -> pd.Categorical:
    """Return the column with the categories that occur, in the given order."""
    found = sorted(column.dropna().unique())
    unknown = [value for value in found if value not in order]
    if order and unknown:
        raise InputError(
            f"studies.yaml: {study.title}: {column.name} {', '.join(unknown)} has no place in the "
            f"order of {column.name}s; add it there, or drop such cells in steps"
        )
    return pd.Categorical(column, [value for value in order if value in found] or found)


def about(name: str, study: Study, files: Iterable[Provenance]) -> str:
    """Return where the cells come from, as a JSON text that fits into an h5ad file.

    Of `files`, the records of raw files, those that the study does not use are left out.
    """
    used = [asdict(file) for file in files if file.file in study.files]
    identities = {file["identity"] for file in used}
    if "simulated" in identities:
        origin = "simulated"
    else:
        origin = "mirror subset" if "mirror" in identities else "public"
    facts = {
        "study": name,
        "title": study.title,
        "series": study.series,
        "origin": origin,
        "files": used,
        "steps": [describe(step) for step in study.steps],
        "versions": {package: version(package) for package in PACKAGES},
    }
    return json.dumps(facts, ensure_ascii=False)


def main(snakemake):
    """Rule `preprocess`."""
    name, study = snakemake.wildcards.study, Study.model_validate(snakemake.params.study)
    cells, qc = cells_of(snakemake, study)
    for path in snakemake.input.gene_sets:
        check_namespace(cells.var_names, read_gmt(path), f"{name} with {path}")
    write_table(qc, snakemake.output.table)
    write_cells(cells, snakemake.output.cells)


if __name__ == "__main__":
    run(main, snakemake)
