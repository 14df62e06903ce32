"""Losses and silhouettes of the models of a family, for all seeds."""

from scripts.common.run import run


def main(snakemake):
    import torch

    from scripts.analyse.families import summary, trained
    from scripts.common.h5ad import read_cells
    from scripts.common.tables import write_table

    torch.set_num_threads(snakemake.threads)
    params = snakemake.params
    models = trained(params.models, params.seeds)
    table = summary(models, read_cells(snakemake.input.data), params.silhouettes)
    write_table(table, snakemake.output.table)


run(main, snakemake)
