"""Train the models of one entry with all seeds, going on from checkpoints if a run broke off."""

from scripts.common.run import run


def main(snakemake):
    from pathlib import Path

    from scripts.common.h5ad import read_cells
    from scripts.train.train_ import train_models

    params = snakemake.params
    train_models(
        read_cells(snakemake.input.data),
        Path(snakemake.input.gene_sets),
        {
            Path(params.models, member, f"seed{seed}"): {**config, "seed": seed}
            for seed in params.seeds
            for member, config in params.configs.items()
        },
        device=params.device,
        precision=params.precision,
        models_per_gpu=params.models_per_gpu,
        given_gpu=snakemake.resources.get("gpu", 0) > 0,
        require_gpu=params.require_gpu,
        threads=snakemake.threads,
    )


run(main, snakemake)
