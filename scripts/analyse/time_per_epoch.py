"""Time per epoch of VEGA and the regularised autoencoder, turn by turn."""

from scripts.common.run import run

ROUNDS = 5


def main(snakemake):

    from scripts.common.h5ad import read_cells
    from scripts.common.tables import write_table
    from scripts.train.baselines.timing import time_per_epoch
    from scripts.train.train_ import choose_device
    from vega import read_gmt

    table = time_per_epoch(
        read_cells(snakemake.input.data),
        read_gmt(snakemake.input.gene_sets),
        rounds=ROUNDS,
        threads=snakemake.threads,
        seed=snakemake.params.seed,
        device=choose_device(
            snakemake.params.device, snakemake.resources.get("gpu", 0) > 0, require_gpu=False
        ),
        **snakemake.params.training,
    )
    write_table(table, snakemake.output.table)


run(main, snakemake)
