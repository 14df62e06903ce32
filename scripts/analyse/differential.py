"""Bayes factors of every contrast asked of a model."""

from scripts.common.run import run


def main(snakemake):

    from scripts.analyse.analyse import differential_tables
    from scripts.common.h5ad import read_latent
    from scripts.common.tables import write_table

    table = differential_tables(
        read_latent(snakemake.input.latent),
        snakemake.params.questions,
        seed=int(snakemake.wildcards.seed),
        fidelity=snakemake.params.fidelity,
    )
    write_table(table, snakemake.output.table)


run(main, snakemake)
