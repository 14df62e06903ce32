"""The steps of preprocessing: small functions, each registered under its name in `STEPS`.

A step takes cells x genes and its value in the study's table, and returns the cells and genes that
are left; its input stays unchanged. `orthologs` and `reindex` take genes in place of their value.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import scanpy as sc
import scipy.sparse as sp
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from scripts.common.config.studies import Relabel, Step
from scripts.common.obs_mask import obs_mask
from vega.errors import InputError
from vega.scale import LARGEST_LOG
from vega.values import layers_of

log = logging.getLogger("workflow")

Apply = Callable[[ad.AnnData, Any], ad.AnnData]
Describe = Callable[[Any], str]

STEPS: dict[str, tuple[Apply, Describe]] = {}


def describe(step: Step) -> str:
    """Return what a step does, in words."""
    if step.each:
        steps = "; ".join(describe(inner) for inner in step.each.steps)
        return f"for each {step.each.column}: {steps}"
    return STEPS[step.name][1](step.value)


def _step(words: Describe) -> Callable[[Apply], Apply]:
    """Register a function as the step of its name, described by `words`."""

    def register(apply: Apply) -> Apply:
        STEPS[apply.__name__] = (apply, words)
        return apply

    return register


def _words(values: dict[str, list[str]], verb: str) -> str:
    """Return the condition in words: `is` holds in every column, `is not` in at least one."""
    parts = [f"{column} {verb} {' or '.join(wanted)}" for column, wanted in values.items()]
    return (" and " if verb == "is" else " or ").join(parts)


@_step(lambda wanted: _words(wanted, "is"))
def keep(adata: ad.AnnData, wanted: dict[str, list[str]]) -> ad.AnnData:
    """Keep cells that have one of the values in each of the columns."""
    for column, unknown in _unknown(adata, wanted).items():
        there = ", ".join(sorted(map(str, adata.obs[column].dropna().unique())))
        raise InputError(f"no cell has {column} {', '.join(unknown)}; there are: {there}")
    return adata[obs_mask(adata.obs, wanted)].copy()


@_step(lambda unwanted: _words(unwanted, "is not"))
def drop(adata: ad.AnnData, unwanted: dict[str, list[str]]) -> ad.AnnData:
    """Drop the cells that `keep` would keep; values that no cell has are no mistake."""
    for column, unknown in _unknown(adata, unwanted).items():
        log.info("drop: no cell has %s %s", column, ", ".join(unknown))
    return adata[~obs_mask(adata.obs, unwanted)].copy()


@_step(lambda column: f"{column} is known")
def labelled(adata: ad.AnnData, column: str) -> ad.AnnData:
    return adata[column_of(adata, column).notna().to_numpy()].copy()


@_step(lambda share: f"{share:.0%} of the cells, at random")
def cell_share(adata: ad.AnnData, share: float) -> ad.AnnData:
    """Keep so many of the cells, in their order; the same ones each time."""
    chosen = np.random.default_rng(0).permutation(adata.n_obs)[: round(share * adata.n_obs)]
    return adata[np.sort(chosen)].copy()


@_step(lambda value: f"relabel {value.column} by {value.n_genes} markers per cluster")
def relabel(adata: ad.AnnData, value: Relabel) -> ad.AnnData:
    """Label every cell like the cluster whose average it correlates with best.

    As scGen (Lotfollahi et al. 2019) did with these cells, with scanpy's defaults: markers are the
    `n_genes` first of each cluster by t-test on log-normalised counts, and the correlation is
    Spearman's over all clusters' markers together. Cells without any marker keep their label.
    """
    labels = column_of(adata, value.column)
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
    ranks = (rankdata(values, axis=1) for values in (own, np.asarray(np.vstack(averages))))
    correlation = 1 - cdist(*ranks, "correlation")  # Spearman's
    best = pd.Series(clusters[correlation.argmax(axis=1)], adata.obs_names, dtype=object)
    new = best.where(own.any(axis=1), labels.astype(object))
    log.info("relabel: %.1f%% of the labels stay as they were", 100 * (new == labels).mean())
    adata = adata.copy()
    adata.obs[value.column] = new
    return adata


@_step(lambda n: f"genes in at least {n:,} cells")
def gene_min_cells(adata: ad.AnnData, n: int) -> ad.AnnData:
    return adata[:, sc.pp.filter_genes(_counts(adata), min_cells=n)[0]].copy()


@_step(lambda n: f"genes with at least {n:,} counts")
def gene_min_counts(adata: ad.AnnData, n: int) -> ad.AnnData:
    return adata[:, sc.pp.filter_genes(_counts(adata), min_counts=n)[0]].copy()


@_step(lambda n: f"cells with at least {n:,} genes")
def cell_min_genes(adata: ad.AnnData, n: int) -> ad.AnnData:
    return adata[sc.pp.filter_cells(_counts(adata), min_genes=n)[0]].copy()


@_step(lambda percent: f"cells with at most {percent:g}% mitochondrial counts")
def cell_max_mito(adata: ad.AnnData, percent: float) -> ad.AnnData:
    """Keep cells whose share of counts in genes named `MT-` is at most `percent`."""
    mitochondrial = adata.var_names.str.upper().str.startswith("MT-")
    if not mitochondrial.any():
        raise InputError("no gene begins with MT-; take out the step, or check the gene names")
    counts = _counts(adata)
    of_all = np.asarray(counts.sum(axis=1)).ravel()
    of_these = np.asarray(counts[:, mitochondrial].sum(axis=1)).ravel()
    return adata[100 * of_these <= percent * of_all].copy()


@_step(lambda to: f"counts per cell to {to if to == 'median' else f'{to:g}'}, log1p")
def normalise(adata: ad.AnnData, to: float | str) -> ad.AnnData:
    """Scale every cell to the same total, take log1p, keep the counts as a layer.

    The total is in `uns["normalisation"]["target_sum"]`, so that other cells can be scaled to it.
    The median ignores cells without counts.
    """
    if is_normalised(adata):
        raise InputError("cells are normalised already; ask for it once")
    adata = adata.copy()
    adata.layers["counts"] = adata.X.copy()
    if to == "median":
        totals = np.asarray(adata.X.sum(axis=1)).ravel()
        to = float(np.median(totals[totals > 0]))
    sc.pp.normalize_total(adata, target_sum=to)
    sc.pp.log1p(adata)
    adata.uns["normalisation"] = {"target_sum": float(to)}
    return adata


@_step(lambda n: f"{n:,} most variable genes")
def highly_variable(adata: ad.AnnData, n: int) -> ad.AnnData:
    """Keep the `n` genes of highest normalised dispersion, in their own order."""
    if not is_normalised(adata):
        raise InputError("needs normalised cells; put it after normalise")
    return _most_variable(adata, adata, n, "seurat", "dispersions_norm")


@_step(lambda n: f"{n:,} most variable genes, by their counts")
def highly_variable_counts(adata: ad.AnnData, n: int) -> ad.AnnData:
    """Keep the `n` genes of highest standardised variance of counts, in their own order."""
    counts = ad.AnnData(_counts(adata), var=adata.var[[]])
    return _most_variable(adata, counts, n, "seurat_v3", "variances_norm")


def _most_variable(
    adata: ad.AnnData, values: ad.AnnData, n: int, flavor: str, score: str
) -> ad.AnnData:
    """Keep exactly `n` genes by scanpy's score of `values`: of genes that tie, the first."""
    if adata.n_vars <= n:
        log.info("highly_variable: only %d genes, fewer than %d: all kept", adata.n_vars, n)
        return adata
    found = sc.pp.highly_variable_genes(values, n_top_genes=n, flavor=flavor, inplace=False)
    order = np.argsort(-found[score].fillna(-np.inf).to_numpy(), kind="stable")
    return adata[:, np.sort(order[:n])].copy()


@_step(lambda value: f"{'log1p, ' if value == 'log1p' else 'log-'}normalised by the authors")
def processed(adata: ad.AnnData, value: bool | str) -> ad.AnnData:
    """Take cells that are normalised already; they have no counts."""
    if is_normalised(adata):
        raise InputError("cells are normalised already; ask for it once")
    adata = adata.copy()
    values = adata.X.data
    if value == "log1p" and (values >= 0).all():
        adata.X.data = values = np.log1p(values)
    if not np.isfinite(values).all() or (values < 0).any() or (values > LARGEST_LOG).any():
        raise InputError(
            f"values from {np.nanmin(values):g} to {np.nanmax(values):g}, "
            f"{(~np.isfinite(values)).sum():,} not finite, are not log-normalised expression; take "
            "the matrix of the counts and normalise instead"
        )
    if (values == np.round(values)).all():
        raise InputError("all values are whole numbers, as counts are; normalise instead")
    adata.uns["processed"] = True
    return adata


@_step(lambda pattern: f"genes named by the group in {pattern}")
def rename_genes(adata: ad.AnnData, pattern: str) -> ad.AnnData:
    adata = adata.copy()
    adata.var_names = ad.utils.make_index_unique(pd.Index(parts_of(adata.var_names, pattern)))
    return adata


def parts_of(genes: Iterable[str], pattern: str) -> list[str]:
    """Return the group of a pattern in each name that it matches, and other names as they are.

    >>> parts_of(["ENSG00000187608_ISG15", "ACTB"], "ENSG[0-9]+_(.+)")
    ['ISG15', 'ACTB']
    """
    matches = ((gene, re.fullmatch(pattern, gene)) for gene in genes)
    return [(found and found[1]) or gene for gene, found in matches]


@_step(lambda _: "gene symbols in capital letters")
def upper_case(adata: ad.AnnData, _: bool) -> ad.AnnData:
    adata = adata.copy()
    adata.var_names = ad.utils.make_index_unique(adata.var_names.str.upper())
    return adata


@_step(lambda table: f"genes as one-to-one orthologs ({table})")
def orthologs(adata: ad.AnnData, symbols: Mapping[str, str]) -> ad.AnnData:
    """Keep genes that have an ortholog, under its symbol."""
    known = adata.var_names.isin(list(symbols))
    if not known.any():
        raise InputError(
            f"none of the genes (such as {', '.join(adata.var_names[:3])}) is in the table (such "
            f"as {', '.join(list(symbols)[:3])}); it takes symbols"
        )
    log.info("orthologs: %d of %d genes have none", (~known).sum(), len(known))
    adata = adata[:, known].copy()
    adata.var_names = [symbols[gene] for gene in adata.var_names]
    return adata


@_step(lambda study: f"genes of {study}")
def reindex(adata: ad.AnnData, genes: pd.DataFrame) -> ad.AnnData:
    """Take the genes of another study (its `var`) in its order; those absent here are zero."""
    here = adata.var_names.get_indexer(genes.index)
    found = np.flatnonzero(here >= 0)
    if not len(found):
        raise InputError(
            f"none of its genes ({', '.join(genes.index[:3])}) is among these "
            f"({', '.join(adata.var_names[:3])})"
        )
    log.info("reindex: %d of %d genes are absent, they are zero", (here < 0).sum(), len(here))
    # Old genes x new genes: a one for each gene that both have.
    moves = sp.csr_matrix(
        (np.ones(len(found), dtype=np.float32), (here[found], found)),
        shape=(adata.n_vars, len(genes)),
    )
    return ad.AnnData(
        adata.X @ moves,
        obs=adata.obs.copy(),
        var=genes[["gene_id"]].copy(),
        layers={name: layer @ moves for name, layer in layers_of(adata).items()},
        uns=adata.uns,
    )


def is_normalised(adata: ad.AnnData) -> bool:
    """Return whether the cells are log-normalised."""
    return "counts" in adata.layers or "processed" in adata.uns


def _counts(adata: ad.AnnData) -> sp.csr_matrix:
    """Return the counts, before as after normalisation."""
    if "processed" in adata.uns:
        raise InputError("there are no counts of processed cells; take the step out")
    return adata.layers.get("counts", adata.X)


def column_of(adata: ad.AnnData, column: str) -> pd.Series:
    if column not in adata.obs:
        raise InputError(f"there is no column {column}; there are: {', '.join(adata.obs)}")
    return adata.obs[column]


def _unknown(adata: ad.AnnData, values: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the values that no cell has, by column."""
    unknown = {}
    for column, asked in values.items():
        seen = set(column_of(adata, column))
        if absent := [value for value in asked if value not in seen]:
            unknown[column] = absent
    return unknown
