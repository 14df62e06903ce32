"""Bayes factors of every contrast asked of a model."""

from paper.script import run


def main(snakemake):
    from anndata import read_h5ad

    from paper.analyse import differential_tables
    from paper.tables import write_table

    table = differential_tables(
        read_h5ad(snakemake.input.latent),
        snakemake.params.questions,
        seed=int(snakemake.wildcards.seed),
        fidelity=snakemake.params.fidelity,
    )
    write_table(table, snakemake.output.table)


run(main, snakemake)
