"""Supplementary Data 1 and 2: the top 100 GMVs of each cell type of a study."""

from scripts.common.run import run


def main(snakemake):
    from scripts.analyse.analyse import top_gmvs
    from scripts.common.tables import read_table, write_table

    write_table(top_gmvs(read_table(snakemake.input.table)), snakemake.output.table, index=True)


run(main, snakemake)
