"""The cells of a study in the latent space of a model, their UMAP, and the genes of its GMVs."""

from pathlib import Path

from anndata import AnnData

import vega
from scripts.common.embedding import embed
from scripts.common.h5ad import read_cells, write_cells
from scripts.common.run import run
from scripts.common.tables import write_table
from vega.interpret import top_genes


def latent_space(
    model: "vega.VEGA",
    adata: AnnData,
    gene_sets: dict[str, list[str]],
    embedding: str = "umap",
    tsne_learning_rate: float | None = None,
) -> AnnData:
    """Return cells x GMVs: `X` is the posterior mean, `layers["variance"]` its variance.

    `obsm` has `X_umap` (15 neighbours, min_dist 0.5, seed 42) or `X_tsne`, and `var` the number of
    genes of each set as published (`n_genes`) and among the model's (`n_genes_in_data`).
    """
    latent = model.latent(adata)
    latent.uns = {"provenance": adata.uns["provenance"]}
    known = set(model.genes)
    genes = [gene_sets.get(gmv, model.genes) for gmv in model.gmvs]  # an extra node reaches all
    latent.var["n_genes"] = [len(names) for names in genes]
    latent.var["n_genes_in_data"] = [len(known.intersection(names)) for names in genes]
    embed(latent, embedding, tsne_learning_rate)
    return latent


def main(snakemake):
    """Rule `embed`."""
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


if __name__ == "__main__":
    run(main, snakemake)
