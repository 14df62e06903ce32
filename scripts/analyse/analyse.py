"""What is asked of a trained model: its latent space, its contrasts, and GSEA beside them."""

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData

from scripts.common.embedding import embed
from scripts.common.progress import told
from vega.differential import (
    Posterior,
    differential_activity,
    exact_comparisons,
    log_bayes_factor,
    mean_absolute_difference,
)
from vega.errors import InputError

if TYPE_CHECKING:
    from vega import VEGA

log = logging.getLogger("workflow")

Questions = dict[str, Any]  # as config.ModelConfig.questions gives them

ONE_VS_REST = "one_vs_rest"
REST = "rest"
FEW_CELLS = 10  # a smaller group says little of its type, and figures say so
PUBLISHED_RANKING = 8096  # genes, as many as there are innate cells, by mistake (erratum 11)
FDR_FLOOR = 1e-5  # an FDR of 0 is shown as this one (experiments, GSEA)


def latent_space(
    model: "VEGA",
    adata: AnnData,
    gene_sets: dict[str, list[str]],
    embedding: str = "umap",
    tsne_learning_rate: float | None = None,
) -> AnnData:
    """The cells of `adata` in the latent space of `model`.

    Returns
    -------
    Cells x GMVs: `X` the posterior mean, `layers["variance"]` its variance, `obsm["X_umap"]` its
    UMAP (15 neighbours, min_dist 0.5, seed 42) or `obsm["X_tsne"]` its t-SNE, and in `var` the
    number of genes of each set as published (`n_genes`) and among the model's (`n_genes_in_data`).
    """
    latent = encoded(model, adata)
    known = set(model.genes)
    sizes = {
        gmv: (len(gene_sets[gmv]), len(known.intersection(gene_sets[gmv])))
        if gmv in gene_sets
        else (len(model.genes), len(model.genes))
        for gmv in model.gmvs
    }
    latent.var = pd.DataFrame.from_dict(
        sizes, orient="index", columns=["n_genes", "n_genes_in_data"]
    ).rename_axis("gmv")
    embed(latent, embedding, tsne_learning_rate)
    return latent


def encoded(model: "VEGA", adata: AnnData) -> AnnData:
    """Cells x GMVs as `VEGA.latent` gives them, and where the cells are from."""
    latent = model.latent(adata)
    latent.uns["provenance"] = adata.uns["provenance"]
    return latent


def top_genes(model: "VEGA", n: int = 10) -> pd.DataFrame:
    """The genes that each GMV reaches most strongly.

    Returns
    -------
    At most `n` rows per GMV, of the largest absolute weights that are not zero: `gmv`, `gene`,
    `rank` (1 is the largest), `weight`, and `in_set`, whether the gene is in the GMV's set. No rows
    where the decoder is not linear.
    """
    from vega.decoders import LinearDecoder

    columns = ["gmv", "gene", "rank", "weight", "in_set"]
    if not isinstance(model.module.decoder, LinearDecoder):
        return pd.DataFrame(columns=columns)
    weights, genes = model.weights().to_numpy(), np.asarray(model.genes)
    rows = []
    for gmv, weight, members in zip(model.gmvs, weights.T, model.annotation, strict=True):
        largest = np.argsort(-np.abs(weight), kind="stable")[:n]
        largest = largest[weight[largest] != 0]
        rows += [
            (gmv, genes[gene], rank, weight[gene], members[gene])
            for rank, gene in enumerate(largest, start=1)
        ]
    return pd.DataFrame(rows, columns=columns)


def groups(obs: pd.DataFrame, questions: Questions) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """Every comparison asked of a model: contrast, group, reference, and each cell's side.

    A side is 1 for the group, -1 for the reference and 0 for cells that take no part.

    Raises
    ------
    InputError
        If the data lack a column, or a group has no cell.
    """
    for name, contrast in questions["contrasts"].items():
        group, reference = contrast["group"], contrast["reference"]
        labels = _column(obs, name, contrast["column"])
        side = (labels == group).astype(int) - (labels == reference)
        for column, values in contrast["within"].items():
            side = side * _column(obs, name, column).isin(values)
        side = side.to_numpy()
        for value, sign in ((group, 1), (reference, -1)):
            if not (side == sign).any():
                raise InputError(f"config/models.yaml: contrast {name}: no cell is {value}")
        if contrast["by"] is None:
            yield name, group, reference, side
            continue
        parts = _column(obs, name, contrast["by"])
        for part in parts.cat.remove_unused_categories().cat.categories:
            here = side * (parts == part).to_numpy()
            if {1, -1} <= set(here):
                yield name, part, reference, here
    if questions["one_vs_rest"]:
        labels = _column(obs, ONE_VS_REST, questions["one_vs_rest"])
        known = labels.notna().to_numpy()
        values = labels.cat.remove_unused_categories().cat.categories
        for value in values:
            if len(values) == 1:
                raise InputError(
                    f"config/models.yaml: {ONE_VS_REST}: all cells have the same "
                    f"{labels.name}, {value}; there is no rest to compare it with"
                )
            yield ONE_VS_REST, value, REST, np.where(labels == value, 1, -1) * known


def _column(obs: pd.DataFrame, contrast: str, column: str) -> pd.Series:
    if column not in obs:
        raise InputError(
            f"config/models.yaml: {contrast}: the study has no column {column}; "
            f"it has {', '.join(obs.columns) or 'none'}"
        )
    return _as_text(obs[column])


def _as_text(labels: pd.Series) -> pd.Series:
    """Integers and truth values as the configuration writes them, in their order; as categories."""
    labels = labels.astype("category")
    return labels.cat.rename_categories(labels.cat.categories.astype(str))


def differential_tables(
    latent: AnnData, questions: Questions, seed: int, fidelity: str = "published"
) -> pd.DataFrame:
    """Bayes factors of every comparison: as published, and exactly, over all pairs.

    `md` is |mean difference|, as published, or with `fidelity="corrected"` the mean absolute
    difference of the paper's text (erratum 1); `md_text` is the latter in both cases.

    Returns
    -------
    One row per comparison and GMV: `contrast`, `group`, `reference`, `gmv`, `p`, `log_bf`, `md`
    and `significant` of the published Monte Carlo procedure, `md_text`, `log_bf_exact` and
    `md_exact` over all pairs of cells and their whole posterior, the sizes of the gene set, and the
    cells of group and reference (`n_group`, `n_reference`).
    """
    posterior = Posterior(np.asarray(latent.X), np.asarray(latent.layers["variance"]))
    gmvs = latent.var_names
    comparisons = list(groups(latent.obs, questions))
    if not comparisons:
        raise InputError("config/models.yaml: a model needs contrasts or one_vs_rest")
    exact = zip(
        *exact_comparisons(posterior, [(side == 1, side == -1) for *_, side in comparisons]),
        strict=True,
    )
    tables = []
    for (contrast, group, reference, side), (p, md) in zip(comparisons, exact, strict=True):
        pair = posterior[side == 1], posterior[side == -1]
        table = differential_activity(*pair, gmvs, method="monte_carlo", seed=seed)
        text = mean_absolute_difference(*pair, np.random.default_rng(seed))
        table["md_text"] = pd.Series(text, index=gmvs)
        if fidelity == "corrected":
            table["md"] = table["md_text"]
        table["log_bf_exact"] = pd.Series(log_bayes_factor(p), index=gmvs)
        table["md_exact"] = pd.Series(md, index=gmvs)
        table = table.join(latent.var)
        table["n_group"], table["n_reference"] = (len(cells.mean) for cells in pair)
        if table["n_group"].iloc[0] < FEW_CELLS:
            log.warning("%s: %s has only %d cells", contrast, group, table["n_group"].iloc[0])
        table = table.reset_index()
        table.insert(0, "contrast", contrast)
        table.insert(1, "group", group)
        table.insert(2, "reference", reference)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def gsea_tables(
    adata: AnnData,
    variable_genes: Iterable[str],
    gene_sets: dict[str, list[str]],
    questions: Questions,
    threads: int = 1,
) -> pd.DataFrame:
    """Run GSEA for the contrasts that ask for it, on the same cells.

    Genes are ranked by the Wilcoxon score of the group against the reference, descending, then
    gseapy's prerank follows with 1,000 permutations over sets of 5 to 1,000 genes.

    Parameters
    ----------
    adata
        Log-normalised expression of all filtered genes, which are ranked.
    variable_genes
        The genes of the model, which are ranked on their own as well.
    gene_sets, questions
        Genes by set name, and the contrasts.
    threads
        Of the CPU.

    Returns
    -------
    One row per contrast and gene set: `es`, `nes`, `p`, `fdr` and `neg_log10_fdr`, in which an FDR
    of 0 counts as 1e-5 and a set that GSEA passed over (too small or too large) as 1. The last two
    also with the suffix `_first` over the first 8,096 genes of the ranking, which the published
    code asks for (erratum 11), and `_variable` over `variable_genes` alone.
    """
    variable = set(variable_genes)
    tables = []
    asked = [
        comparison
        for comparison in groups(adata.obs, questions)
        if questions["contrasts"].get(comparison[0], {}).get("gsea")
    ]
    for contrast, group, reference, side in told(asked, "comparisons", len(asked)):
        scores = wilcoxon_scores(adata[side != 0], side[side != 0] == 1)
        table = prerank(scores, gene_sets, threads)
        others = {
            "_first": scores.head(PUBLISHED_RANKING),
            "_variable": scores[scores.index.isin(variable)],
        }
        for suffix, ranking in others.items():
            other = prerank(ranking, gene_sets, threads)[["fdr", "neg_log10_fdr"]]
            table = table.join(other.add_suffix(suffix))
        table = table.reset_index()
        table.insert(0, "contrast", contrast)
        table.insert(1, "group", group)
        table.insert(2, "reference", reference)
        tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=GSEA_COLUMNS)


def wilcoxon_scores(adata: AnnData, in_group: np.ndarray) -> pd.Series:
    """Wilcoxon score of every gene, group against the others, descending."""
    import scanpy as sc

    cells = AnnData(adata.X, var=adata.var[[]])
    cells.obs["side"] = pd.Categorical(np.where(in_group, "group", "reference"))
    sc.tl.rank_genes_groups(
        cells, "side", groups=["group"], reference="reference", method="wilcoxon"
    )
    result = cells.uns["rank_genes_groups"]
    return pd.Series(result["scores"]["group"], index=result["names"]["group"])


def prerank(
    scores: pd.Series,
    gene_sets: dict[str, list[str]],
    threads: int = 1,
    seed: int = 42,
    permutations: int = 1000,
) -> pd.DataFrame:
    """GSEA of ranked genes: one row per gene set, in their order."""
    import gseapy

    result = gseapy.prerank(
        rnk=scores,
        gene_sets=gene_sets,
        min_size=5,
        max_size=1000,
        permutation_num=permutations,
        threads=threads,
        seed=seed,
        outdir=None,
        no_plot=True,
        verbose=False,
    ).res2d.set_index("Term")
    table = (
        result[["ES", "NES", "NOM p-val", "FDR q-val"]]
        .astype(float)
        .set_axis(["es", "nes", "p", "fdr"], axis=1)
        .reindex(pd.Index(gene_sets, name="gmv"))
    )
    shown = table["fdr"].fillna(1).clip(lower=FDR_FLOOR)
    return table.assign(neg_log10_fdr=-np.log10(shown) + 0.0)


GSEA_COLUMNS = [
    "contrast", "group", "reference", "gmv", "es", "nes", "p", "fdr", "neg_log10_fdr",
    "fdr_first", "neg_log10_fdr_first", "fdr_variable", "neg_log10_fdr_variable",
]  # fmt: skip


def top_gmvs(differential: pd.DataFrame, n: int = 100) -> pd.DataFrame:
    """Return Supplementary Data: the `n` GMVs of the largest |log Bayes factor| of each group.

    Returns
    -------
    One row per rank and three columns per group: GMV, log Bayes factor and mean difference.
    """
    one_vs_rest = differential[differential["contrast"] == ONE_VS_REST]
    parts = {}
    for group, rows in one_vs_rest.groupby("group", sort=False):
        best = rows.sort_values("log_bf", key=np.abs, ascending=False, kind="stable").head(n)
        parts[group] = best[["gmv", "log_bf", "md"]].reset_index(drop=True)
    table = pd.concat(parts, axis=1)
    table.columns = [f"{group}_{column}" for group, column in table.columns]
    table.index = pd.RangeIndex(1, len(table) + 1, name="rank")
    return table
