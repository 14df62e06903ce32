"""Decoder weights of some GMVs in the models of a family, for all seeds."""

from scripts.common.run import run


def main(snakemake):
    from scripts.analyse.families import trained, weights
    from scripts.common.tables import write_table

    params = snakemake.params
    table = weights(trained(params.models, params.seeds), params.weights_of)
    write_table(table, snakemake.output.table)


run(main, snakemake)
