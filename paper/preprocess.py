"""Preprocessing: from raw counts to normalised cells, step by step as the study's table says.

Every step is a small function registered under its name in `STEPS`; `preprocess` applies a
study's steps in their order and keeps a table of what each of them removed.
"""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import scanpy as sc
import scipy.sparse as sp
from scipy.stats import rankdata

from paper.config import Relabel, Step, Study
from paper.errors import InputError
from paper.provenance import Provenance

log = logging.getLogger("paper")

Apply = Callable[[ad.AnnData, Any], ad.AnnData]
Describe = Callable[[Any], str]

STEPS: dict[str, tuple[Apply, Describe]] = {}
PACKAGES = ("anndata", "numpy", "pandas", "scanpy", "scipy")


def preprocess(adata: ad.AnnData, study: Study) -> tuple[ad.AnnData, pd.DataFrame]:
    """Apply a study's steps to its raw counts.

    Parameters
    ----------
    adata
        Cells x genes of raw counts, as `paper.formats.read` gives them.
    study
        Its entry in the configuration.

    Returns
    -------
    cells
        Log-normalised expression (CSR float32), the counts in `layers["counts"]`, and categorical
        `obs` columns in the order of the configuration.
    qc
        One row per step: `step`, `asked`, `cells_before`, `cells_after`, `cells_removed`, and the
        same for genes.

    Raises
    ------
    InputError
        If a step cannot be done on these cells or leaves nothing.
    """
    qc: list[dict[str, Any]] = []
    if "annotated" in adata.obs:
        known = adata[adata.obs["annotated"].to_numpy()].copy()
        del known.obs["annotated"]
        qc.append(_qc_row("annotated", "cells in the annotation", adata, known))
        adata = known
    for number, step in enumerate(study.steps, start=1):
        before = adata
        try:
            adata = STEPS[step.name][0](before, step.value)
            if 0 in adata.shape:
                raise InputError("nothing is left after it; ask for less")
        except InputError as error:
            where = f"studies.yaml: {study.title}: step {number} ({describe(step)})"
            raise InputError(f"{where}: {error}") from None
        qc.append(_qc_row(step.name, describe(step), before, adata))
        log.info("%s: %s cells, %s genes", describe(step), f"{adata.n_obs:,}", f"{adata.n_vars:,}")
    if "counts" not in adata.layers:
        raise InputError(f"studies.yaml: {study.title}: steps: normalise is missing; add it")
    return _finished(adata, study), pd.DataFrame(qc)


def describe(step: Step) -> str:
    """What a step asks, in words."""
    return STEPS[step.name][1](step.value)


def _qc_row(name: str, asked: str, before: ad.AnnData, after: ad.AnnData) -> dict[str, Any]:
    row = {"step": name, "asked": asked}
    for what, was, now in zip(("cells", "genes"), before.shape, after.shape, strict=True):
        row |= {f"{what}_before": was, f"{what}_after": now, f"{what}_removed": was - now}
    return row


# ---------------------------------------------------------------- steps


def _step(words: Describe) -> Callable[[Apply], Apply]:
    """Register a function as the step of its name, described by `words`."""

    def register(apply: Apply) -> Apply:
        STEPS[apply.__name__] = (apply, words)
        return apply

    return register


def _words(values: dict[str, list[str]], verb: str) -> str:
    """The condition as a text: `is` holds in every column, `is not` in one of them at least."""
    parts = [f"{column} {verb} {' or '.join(wanted)}" for column, wanted in values.items()]
    return (" and " if verb == "is" else " or ").join(parts)


@_step(lambda wanted: _words(wanted, "is"))
def keep(adata: ad.AnnData, wanted: dict[str, list[str]]) -> ad.AnnData:
    """Cells that have one of the values in every one of the columns."""
    for column, unknown in _unknown(adata, wanted).items():
        there = ", ".join(sorted(map(str, adata.obs[column].dropna().unique())))
        raise InputError(f"no cell has {column} {', '.join(unknown)}; there are: {there}")
    return adata[_having(adata, wanted)].copy()


@_step(lambda unwanted: _words(unwanted, "is not"))
def drop(adata: ad.AnnData, unwanted: dict[str, list[str]]) -> ad.AnnData:
    """All cells but those that `keep` would keep; values that no cell has are no mistake."""
    for column, unknown in _unknown(adata, unwanted).items():
        log.info("drop: no cell has %s %s", column, ", ".join(unknown))
    return adata[~_having(adata, unwanted)].copy()


@_step(lambda column: f"{column} is known")
def labelled(adata: ad.AnnData, column: str) -> ad.AnnData:
    """Cells that have a value in the column."""
    return adata[_column(adata, column).notna().to_numpy()].copy()


@_step(lambda value: f"relabel {value.column} by {value.n_genes} markers per cluster")
def relabel(adata: ad.AnnData, value: Relabel) -> ad.AnnData:
    """Label every cell like the cluster whose average it correlates with best.

    As scGen (Lotfollahi et al. 2019) did with these cells, in the reading that adds no choice of
    ours to scanpy's: markers are the `n_genes` first of each cluster by t-test on log-normalised
    counts, averages are those of the log-normalised counts, and the correlation is Spearman's
    over all clusters' markers together. Cells without any marker keep their label.
    """
    labels = _column(adata, value.column)
    sizes = labels.value_counts()
    if len(sizes) < 2 or sizes.min() < 2:
        raise InputError("needs at least two labels, with at least two cells each")
    cells = ad.AnnData(_counts(adata).copy(), obs=labels.astype("category").to_frame("label"))
    cells.var_names = adata.var_names
    sc.pp.normalize_total(cells)
    sc.pp.log1p(cells)
    known = cells[cells.obs["label"].notna().to_numpy()].copy()
    sc.tl.rank_genes_groups(known, "label", method="t-test", n_genes=value.n_genes)
    markers = known.uns["rank_genes_groups"]["names"]
    genes = adata.var_names.isin(np.unique(markers.tolist()))

    clusters = known.obs["label"].cat.categories
    averages = [known.X[(known.obs["label"] == c).to_numpy()][:, genes].mean(0) for c in clusters]
    own = cells.X[:, genes].toarray()
    correlation = _spearman(own, np.vstack([np.asarray(a) for a in averages]))
    best = pd.Series(clusters[correlation.argmax(axis=1)], adata.obs_names, dtype=object)
    new = best.where(own.any(axis=1), labels.astype(object))
    log.info("relabel: %.1f%% of the labels stay as they were", 100 * (new == labels).mean())
    adata = adata.copy()
    adata.obs[value.column] = new
    return adata


def _spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman correlation of every row of `a` with every row of `b`; 0 where a row is constant."""
    unit = []
    for values in (a, b):
        ranks = rankdata(values, axis=1)
        ranks -= ranks.mean(axis=1, keepdims=True)
        norm = np.linalg.norm(ranks, axis=1, keepdims=True)
        unit.append(np.divide(ranks, norm, out=np.zeros_like(ranks), where=norm > 0))
    return unit[0] @ unit[1].T


@_step(lambda n: f"genes in at least {n:,} cells")
def gene_min_cells(adata: ad.AnnData, n: int) -> ad.AnnData:
    """Genes with counts in at least `n` cells."""
    return adata[:, sc.pp.filter_genes(_counts(adata), min_cells=n)[0]].copy()


@_step(lambda n: f"genes with at least {n:,} counts")
def gene_min_counts(adata: ad.AnnData, n: int) -> ad.AnnData:
    """Genes with at least `n` counts in all cells together."""
    return adata[:, sc.pp.filter_genes(_counts(adata), min_counts=n)[0]].copy()


@_step(lambda n: f"cells with at least {n:,} genes")
def cell_min_genes(adata: ad.AnnData, n: int) -> ad.AnnData:
    """Cells with counts in at least `n` genes."""
    return adata[sc.pp.filter_cells(_counts(adata), min_genes=n)[0]].copy()


@_step(lambda percent: f"cells with at most {percent:g}% mitochondrial counts")
def cell_max_mito(adata: ad.AnnData, percent: float) -> ad.AnnData:
    """Cells whose share of counts in genes named `MT-` is at most `percent`."""
    mitochondrial = adata.var_names.str.upper().str.startswith("MT-")
    if not mitochondrial.any():
        raise InputError("no gene begins with MT-; take out the step, or check the gene names")
    counts = _counts(adata)
    of_all = np.asarray(counts.sum(axis=1)).ravel()
    of_these = np.asarray(counts[:, mitochondrial].sum(axis=1)).ravel()
    return adata[100 * of_these <= percent * of_all].copy()


@_step(lambda to: f"counts per cell to {to if to == 'median' else f'{to:g}'}, log1p")
def normalise(adata: ad.AnnData, to: float | str) -> ad.AnnData:
    """Scale every cell to the same total, take log1p, keep the counts as a layer."""
    if "counts" in adata.layers:
        raise InputError("cells are normalised already; ask for it once")
    adata = adata.copy()
    adata.layers["counts"] = adata.X.copy()
    sc.pp.normalize_total(adata, target_sum=None if to == "median" else to)
    sc.pp.log1p(adata)
    return adata


@_step(lambda n: f"{n:,} most variable genes")
def highly_variable(adata: ad.AnnData, n: int) -> ad.AnnData:
    """The `n` genes of highest normalised dispersion (flavor `seurat`), in their own order."""
    if "counts" not in adata.layers:
        raise InputError("needs normalised cells; put it after normalise")
    if adata.n_vars <= n:
        log.info(
            "highly_variable: only %d genes, fewer than the %d asked: all kept", adata.n_vars, n
        )
        return adata
    # scanpy takes every gene that ties with the last one; the first of them make it exactly n.
    found = sc.pp.highly_variable_genes(adata, n_top_genes=n, flavor="seurat", inplace=False)
    dispersion = found["dispersions_norm"].fillna(-np.inf).to_numpy()
    return adata[:, np.sort(np.argsort(-dispersion, kind="stable")[:n])].copy()


def _counts(adata: ad.AnnData) -> sp.csr_matrix:
    """Counts, before as after normalisation."""
    return adata.layers.get("counts", adata.X)


def _column(adata: ad.AnnData, column: str) -> pd.Series:
    if column not in adata.obs:
        raise InputError(f"there is no column {column}; there are: {', '.join(adata.obs)}")
    return adata.obs[column]


def _unknown(adata: ad.AnnData, values: dict[str, list[str]]) -> dict[str, list[str]]:
    """Values that no cell has, by column."""
    seen = {column: set(_column(adata, column)) for column in values}
    absent = {c: [v for v in asked if v not in seen[c]] for c, asked in values.items()}
    return {c: missing for c, missing in absent.items() if missing}


def _having(adata: ad.AnnData, values: dict[str, list[str]]) -> np.ndarray:
    """Which cells have one of the values in each of the columns."""
    return np.all([_column(adata, c).isin(v) for c, v in values.items()], axis=0)


# ---------------------------------------------------------------- result


def _finished(adata: ad.AnnData, study: Study) -> ad.AnnData:
    """Only what the result promises, columns as categories in the configured order."""
    orders = {"cell_type": study.cell_types, "condition": study.conditions}
    obs = pd.DataFrame(
        {c: _ordered(adata.obs[c], orders.get(c, []), study) for c in adata.obs},
        index=adata.obs_names,
    )
    X, counts = (sp.csr_matrix(m, dtype=np.float32) for m in (adata.X, adata.layers["counts"]))
    for matrix in (X, counts):
        matrix.sort_indices()
    return ad.AnnData(X, obs=obs, var=adata.var[["gene_id"]].copy(), layers={"counts": counts})


def _ordered(column: pd.Series, order: list[str], study: Study) -> pd.Categorical:
    """The column with the categories that occur, in the given order."""
    found = sorted(column.dropna().unique())
    unknown = [value for value in found if value not in order]
    if order and unknown:
        raise InputError(
            f"studies.yaml: {study.title}: {column.name} {', '.join(unknown)} has no place in the "
            f"order of {column.name}s; add it there, or drop such cells in steps"
        )
    return pd.Categorical(column, [value for value in order if value in found] or found)


def about(name: str, study: Study, files: Iterable[Provenance]) -> str:
    """Where the cells come from, as a JSON text that fits into an h5ad file.

    Parameters
    ----------
    name, study
        The study and its entry in the configuration.
    files
        What is known of its raw files; files that the study does not use are left out.

    Returns
    -------
    JSON object with `study`, `title`, `series`, `origin` (public, mirror subset or simulated),
    `files`, `steps` and `versions`.
    """
    used = [asdict(file) for file in files if file.file in study.files]
    identities = {file["identity"] for file in used}
    origins = (("simulated", "simulated"), ("mirror", "mirror subset"))
    facts = {
        "study": name,
        "title": study.title,
        "series": study.series,
        "origin": next((origin for kind, origin in origins if kind in identities), "public"),
        "files": used,
        "steps": [describe(step) for step in study.steps],
        "versions": {package: version(package) for package in PACKAGES},
    }
    return json.dumps(facts, ensure_ascii=False)
