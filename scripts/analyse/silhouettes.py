"""Silhouettes of labels in a latent space, for all seeds."""

from scripts.common.run import run


def main(snakemake):
    import pandas as pd

    from scripts.analyse.families import silhouettes
    from scripts.common.h5ad import read_latent
    from scripts.common.tables import write_table

    params, name = snakemake.params, snakemake.wildcards.name
    rows = [
        {"model": name, "seed": seed} | silhouettes(read_latent(latent), params.silhouettes, seed)
        for seed, latent in zip(params.seeds, snakemake.input.latents, strict=True)
    ]
    write_table(pd.DataFrame(rows), snakemake.output.table)


run(main, snakemake)
