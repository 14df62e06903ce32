"""Bayes factors of every contrast that is asked of a model."""

import numpy as np
import pandas as pd
from anndata import AnnData

from scripts.common.contrasts import FEW_CELLS, Analyses, groups
from scripts.common.h5ad import read_latent
from scripts.common.run import log, run
from scripts.common.tables import write_table
from vega.differential import compare, mean_absolute_difference
from vega.errors import InputError
from vega.posterior import Posterior


def differential_tables(
    latent: AnnData, analyses: Analyses, seed: int, fidelity: str = "published"
) -> pd.DataFrame:
    """Return Bayes factors of every comparison and GMV, as published and exactly.

    `p`, `log_bf`, `md` and `significant` are those of the published Monte Carlo procedure,
    `log_bf_exact` and `md_exact` are over all pairs of cells and their whole posterior. `md` is
    |mean difference|, as published, or with `fidelity="corrected"` the mean absolute difference of
    the paper's text (erratum 1); `md_text` is the latter in both cases. The other columns are the
    sizes of the gene set and the numbers of cells (`n_group`, `n_reference`).
    """
    posterior = Posterior(np.asarray(latent.X), np.asarray(latent.layers["variance"]))
    gmvs = latent.var_names
    asked = list(groups(latent.obs, analyses))
    if not asked:
        raise InputError("config/models.yaml: a model needs contrasts or one_vs_rest; add one")
    sides = [(side == 1, side == -1) for *_, side in asked]
    published = compare(posterior, sides, gmvs, method="monte_carlo", seed=seed)
    exact = compare(posterior, sides, gmvs, method="exact")
    tables = {}
    for number, (contrast, group, reference, _) in enumerate(asked):
        a, b = sides[number]
        table = published[number][["p", "log_bf", "md", "significant"]]
        text = mean_absolute_difference(posterior[a], posterior[b], np.random.default_rng(seed))
        table = table.assign(md_text=pd.Series(text, index=gmvs))
        if fidelity == "corrected":
            table["md"] = table["md_text"]
        table = table.join(exact[number][["log_bf", "md"]].add_suffix("_exact")).join(latent.var)
        table["n_group"], table["n_reference"] = int(a.sum()), int(b.sum())
        if table["n_group"].iloc[0] < FEW_CELLS:
            log.warning("%s: %s has only %d cells", contrast, group, table["n_group"].iloc[0])
        tables[contrast, group, reference] = table
    return pd.concat(tables, names=["contrast", "group", "reference", "gmv"]).reset_index()


def main(snakemake):
    """Rule `differential`."""
    table = differential_tables(
        read_latent(snakemake.input.latent),
        snakemake.params.analyses,
        seed=int(snakemake.wildcards.seed),
        fidelity=snakemake.params.fidelity,
    )
    write_table(table, snakemake.output.table)


if __name__ == "__main__":
    run(main, snakemake)
