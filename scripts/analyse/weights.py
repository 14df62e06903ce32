"""Decoder weights of some GMVs in the models of a family, for all seeds."""

from paper.script import run


def main(snakemake):
    from paper.families import trained, weights
    from paper.tables import write_table

    params = snakemake.params
    table = weights(trained(params.models, params.seeds), params.weights_of)
    write_table(table, snakemake.output.table)


run(main, snakemake)
