"""Supplementary Data 1 and 2: the top 100 GMVs of each cell type of a study."""

from paper.script import run


def main(snakemake):
    from paper.analyse import top_gmvs
    from paper.tables import read_table, write_table

    write_table(top_gmvs(read_table(snakemake.input.table)), snakemake.output.table, index=True)


run(main, snakemake)
