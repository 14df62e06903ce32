"""Train one model with one seed, going on from its checkpoint if a run broke off."""

from paper.script import run


def main(snakemake):
    from pathlib import Path

    from anndata import read_h5ad

    from paper.train import train_model

    train_model(
        read_h5ad(snakemake.input.data),
        Path(snakemake.input.gene_sets),
        Path(snakemake.output.model).parent,
        snakemake.params.config,
        seed=int(snakemake.wildcards.seed),
        device=snakemake.params.device,
        given_gpu=snakemake.resources.get("gpu", 0) > 0,
        require_gpu=snakemake.params.require_gpu,
        threads=snakemake.threads,
    )


run(main, snakemake)
