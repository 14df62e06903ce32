"""The cells of a study in the latent space of a model, their UMAP, and the genes of its GMVs."""

from scripts.common.run import run


def main(snakemake):
    from pathlib import Path

    import vega
    from scripts.analyse.analyse import latent_space, top_genes
    from scripts.common.h5ad import read_cells, write_cells
    from scripts.common.tables import write_table

    model = vega.load(Path(snakemake.input.model).parent)
    latent = latent_space(
        model,
        read_cells(snakemake.input.data),
        vega.read_gmt(snakemake.input.gene_sets),
        snakemake.params.embedding,
        snakemake.params.tsne_learning_rate,
    )
    write_table(top_genes(model), snakemake.output.genes)
    write_cells(latent, snakemake.output.latent)


run(main, snakemake)
