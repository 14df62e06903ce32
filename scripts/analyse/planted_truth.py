"""How well what was planted in simulated cells comes back, study by study, for all seeds."""

from scripts.common.run import run

SCORES = {"ULM": "ulm", "score_genes": "score_genes"}  # beside the models: activities by gene set


def main(snakemake):
    """Judge the models of each study, GSEA and two scores of gene sets by the same cells."""
    from pathlib import Path

    import pandas as pd
    import torch
    from anndata import AnnData

    import vega
    from scripts.analyse.analyse import encoded
    from scripts.analyse.recovery import recovery
    from scripts.common.h5ad import read_cells
    from scripts.common.run import log
    from scripts.common.tables import read_table, write_table
    from scripts.train.baselines import METHODS

    params, inputs, threads = snakemake.params, snakemake.input, snakemake.threads
    torch.set_num_threads(threads)
    parts = []
    for (study, about), data, truth, gmt in zip(
        params.studies.items(), inputs.data, inputs.truth, inputs.gene_sets, strict=True
    ):
        cells, questions = read_cells(data), about["questions"]
        log.info("%s: %d cells, %s", study, cells.n_obs, ", ".join(about["models"]))
        gene_sets = vega.read_gmt(gmt, questions["min_genes"], questions["max_genes"])
        latents = {
            (name, seed): encoded(vega.load(Path(folder, f"seed{seed}")), cells)
            for name, folder in about["models"].items()
            for seed in params.seeds
        }
        for name, method in SCORES.items():
            found = METHODS[method](cells, gene_sets, seed=params.seeds[0], threads=threads)
            var = pd.DataFrame(index=pd.Index(found.names, name="gmv"))
            latents[name, None] = AnnData(found.activity, obs=cells.obs, var=var)
        parts.append(
            recovery(
                latents, read_table(truth), questions, cells, gene_sets, threads, params.seeds[0]
            )
        )
    for name, tables in zip(("comparisons", "activity"), zip(*parts, strict=True), strict=True):
        write_table(pd.concat(tables, ignore_index=True), snakemake.output[name])


run(main, snakemake)
