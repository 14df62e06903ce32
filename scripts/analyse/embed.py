"""The cells of a study in the latent space of a model, with their UMAP."""

from paper.script import run


def main(snakemake):
    from pathlib import Path

    import vega
    from paper.analyse import latent_space
    from paper.h5ad import read_cells, write_cells

    latent = latent_space(
        vega.load(Path(snakemake.input.model).parent),
        read_cells(snakemake.input.data),
        vega.read_gmt(snakemake.input.gene_sets),
        snakemake.params.embedding,
        snakemake.params.tsne_learning_rate,
    )
    write_cells(latent, snakemake.output.latent)


run(main, snakemake)
