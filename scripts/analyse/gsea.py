"""Gene set enrichment analysis of the contrasts that ask for it."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from scipy.stats import rankdata

from scripts.common.contrasts import Analyses, groups
from scripts.common.h5ad import read_cells
from scripts.common.log_errors import LEFT_OUT
from scripts.common.progress import log_progress
from scripts.common.run import log, run
from scripts.common.shuffles import shuffle_labels
from scripts.common.tables import write_table
from vega import read_gmt
from vega.errors import InputError

PUBLISHED_RANKING = 8096  # genes, as many as there are innate cells, by mistake (erratum 11)
GENES_AT_ONCE = 1000  # ranked
CONTROL_PERMUTATIONS = 100
SMALLEST, LARGEST = 5, 1000  # genes of a set that is tested
FDR_FLOOR = 1e-5  # an FDR of 0 is shown as this one (experiments, GSEA)
GeneSets = dict[str, list[str]]  # genes by set name
GSEA_COLUMNS = [
    "contrast", "group", "reference", "gmv", "es", "nes", "p", "fdr", "neg_log10_fdr",
    "fdr_first", "neg_log10_fdr_first", "fdr_variable", "neg_log10_fdr_variable",
]  # fmt: skip


def gsea_tables(
    adata: AnnData,
    variable_genes: Iterable[str],
    gene_sets: GeneSets,
    analyses: Analyses,
    threads: int = 1,
) -> pd.DataFrame:
    """Run GSEA for the contrasts that ask for it; one row per contrast and gene set.

    The log-normalised genes of `adata`, all that passed the filters, are ranked by the Wilcoxon
    score of the group against the reference, descending. gseapy's prerank follows with 1,000
    permutations over sets of 5 to 1,000 genes. In `neg_log10_fdr` an FDR of 0 counts as 1e-5, and
    that of a set outside these sizes as 1. The FDR is given with the suffix `_first` as well, over
    the first 8,096 genes of the ranking, which the published code asks for (erratum 11), and with
    `_variable`, over the `variable_genes` of the model alone. A comparison that cannot be made has
    one row, with the reason in a column `left_out`.
    """
    variable = set(variable_genes)
    tables = {}
    asked = _asked(adata, analyses)
    for contrast, group, reference, side in log_progress(asked, "comparisons", len(asked)):
        try:
            scores = wilcoxon_scores(adata[side != 0], side[side != 0] == 1)
            table = prerank(scores, gene_sets, threads)
        except InputError as error:
            table = pd.DataFrame({"left_out": [str(error)]}, index=[None])
            tables[contrast, group, reference] = table
            continue
        others = {
            "_first": scores.head(PUBLISHED_RANKING),
            "_variable": scores[scores.index.isin(variable)],
        }
        for suffix, ranking in others.items():
            try:
                other = prerank(ranking, gene_sets, threads)[["fdr", "neg_log10_fdr"]]
            except InputError:  # no set is tested
                other = pd.DataFrame({"fdr": np.nan, "neg_log10_fdr": 0.0}, index=table.index)
            table = table.join(other.add_suffix(suffix))
        tables[contrast, group, reference] = table
    if not tables:
        return pd.DataFrame(columns=GSEA_COLUMNS)
    return pd.concat(tables, names=GSEA_COLUMNS[:4]).reset_index()


def shuffled_gsea(
    adata: AnnData, gene_sets: GeneSets, analyses: Analyses, shuffles: int, threads: int = 1
) -> pd.DataFrame:
    """Repeat GSEA with shuffled labels, its negative control: also by `shuffle`, from 1.

    A tenth of the permutations is enough, as the FDR takes those of all sets together.
    """
    tables = {}
    for contrast, group, reference, side in _asked(adata, analyses):
        about = analyses["contrasts"][contrast]
        cells = adata[side != 0]
        labels = [
            shuffle_labels(cells.obs, about["column"], n + 1)[about["column"]].astype(str)
            for n in range(shuffles)
        ]
        in_group = np.array([column == about["group"] for column in labels])
        scores = shuffled_scores(cells, in_group) if shuffles else pd.DataFrame()
        for number in log_progress(scores, "shuffles", shuffles):
            ranking = scores[number].sort_values(ascending=False, kind="stable")
            try:
                table = prerank(ranking, gene_sets, threads, permutations=CONTROL_PERMUTATIONS)
            except InputError:  # as without shuffles
                break
            tables[contrast, group, reference, number] = table
    names = [*GSEA_COLUMNS[:3], "shuffle", "gmv"]
    if not tables:
        return pd.DataFrame(columns=names)
    return pd.concat(tables, names=names).reset_index()


def _asked(adata: AnnData, analyses: Analyses) -> list[tuple[str, str, str, np.ndarray]]:
    """Return the comparisons that ask for GSEA, as `contrasts.groups` yields them."""
    return [
        comparison
        for comparison in groups(adata.obs, analyses)
        if analyses["contrasts"].get(comparison[0], {}).get("gsea")
    ]


def shuffled_scores(cells: AnnData, in_group: np.ndarray) -> pd.DataFrame:
    """Return the Wilcoxon score of every gene in many divisions of the same cells.

    `in_group` is divisions x cells. Genes x divisions, which are numbered from 1; the scores are
    those of `wilcoxon_scores`, but each gene's ranks are computed once for all divisions.
    """
    n_cells, n_group = cells.n_obs, in_group.sum(axis=1)
    sums = np.empty((cells.n_vars, len(in_group)))
    matrix = sp.csc_matrix(cells.X)
    for start in range(0, cells.n_vars, GENES_AT_ONCE):
        genes = slice(start, start + GENES_AT_ONCE)
        sums[genes] = (in_group @ rankdata(matrix[:, genes].toarray(), axis=0)).T
    expected = n_group * (n_cells + 1) / 2
    sd = np.sqrt(n_group * (n_cells - n_group) * (n_cells + 1) / 12)
    numbers = range(1, len(in_group) + 1)
    return pd.DataFrame((sums - expected) / sd, index=cells.var_names, columns=numbers)


def wilcoxon_scores(adata: AnnData, in_group: np.ndarray) -> pd.Series:
    """Return the Wilcoxon score of every gene, group against the others, descending."""
    import scanpy as sc

    if min(in_group.sum(), (~in_group).sum()) < 2:
        raise InputError(
            f"the group has {in_group.sum():,} and the reference {(~in_group).sum():,} cells; "
            "expected at least 2 each"
        )
    cells = AnnData(adata.X, var=adata.var[[]])
    cells.obs["side"] = pd.Categorical(np.where(in_group, "group", "reference"))
    sc.tl.rank_genes_groups(
        cells, "side", groups=["group"], reference="reference", method="wilcoxon"
    )
    result = cells.uns["rank_genes_groups"]
    return pd.Series(result["scores"]["group"], index=result["names"]["group"])


def prerank(
    scores: pd.Series,
    gene_sets: GeneSets,
    threads: int = 1,
    seed: int = 42,
    permutations: int = 1000,
) -> pd.DataFrame:
    """Return GSEA of ranked genes: one row per gene set, in their order."""
    import gseapy

    ranked = set(scores.index)
    sizes = [len(ranked.intersection(genes)) for genes in gene_sets.values()]
    if not any(SMALLEST <= size <= min(LARGEST, len(ranked) - 1) for size in sizes):
        raise InputError(
            f"of {len(sizes):,} gene sets none has {SMALLEST} to {LARGEST:,} of the "
            f"{len(ranked):,} ranked genes; the largest has {max(sizes):,}"
        )
    result = gseapy.prerank(
        rnk=scores,
        gene_sets=gene_sets,
        min_size=SMALLEST,
        max_size=LARGEST,
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


def main(snakemake):
    """Rule `gsea`."""
    inputs, output = snakemake.input, snakemake.output
    analyses, threads = snakemake.params.analyses, snakemake.threads
    adata = read_cells(inputs.all_genes)
    variable_genes = read_cells(inputs.data, backed=True).var_names
    gene_sets = read_gmt(inputs.gene_sets, analyses["min_genes"], analyses["max_genes"])
    table = gsea_tables(adata, variable_genes, gene_sets, analyses, threads)
    if "left_out" in table:
        for row in table.dropna(subset="left_out").itertuples():
            what = f"GSEA of {snakemake.wildcards.model}, {row.contrast}: {row.group}"
            log.warning("%s%s against %s: %s", LEFT_OUT, what, row.reference, row.left_out)
    write_table(table, output.table)
    control = shuffled_gsea(adata, gene_sets, analyses, snakemake.params.shuffles, threads)
    write_table(control, output.control)


if __name__ == "__main__":
    run(main, snakemake)
