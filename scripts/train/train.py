"""Train the models of one entry with one seed, going on from checkpoints if a run broke off."""

from paper.script import run


def main(snakemake):
    from pathlib import Path

    from anndata import read_h5ad

    from paper.script import log
    from paper.train import train_model

    adata = read_h5ad(snakemake.input.data)
    for model, config in snakemake.params.configs.items():
        (folder,) = [f for f in snakemake.params.folders if Path(f).parent.name == model]
        log.info("%s", model)
        train_model(
            adata,
            Path(snakemake.input.gene_sets),
            Path(folder),
            config,
            seed=int(snakemake.wildcards.seed),
            device=snakemake.params.device,
            given_gpu=snakemake.resources.get("gpu", 0) > 0,
            require_gpu=snakemake.params.require_gpu,
            threads=snakemake.threads,
        )


run(main, snakemake)
