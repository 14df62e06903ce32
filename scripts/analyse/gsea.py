"""Gene set enrichment analysis of the contrasts that ask for it."""

from scripts.common.run import run


def main(snakemake):

    from scripts.analyse.analyse import gsea_tables
    from scripts.common.h5ad import read_cells
    from scripts.common.tables import write_table
    from vega import read_gmt

    questions = snakemake.params.questions
    table = gsea_tables(
        read_cells(snakemake.input.all_genes),
        read_cells(snakemake.input.data, backed=True).var_names,
        read_gmt(snakemake.input.gene_sets, questions["min_genes"], questions["max_genes"]),
        questions,
        snakemake.threads,
    )
    write_table(table, snakemake.output.table)


run(main, snakemake)
