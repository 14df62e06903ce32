"""The cells of a study in the latent space of a model, their UMAP, and the genes of its GMVs."""

from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

import vega
from scripts.common.embedding import embed
from scripts.common.h5ad import read_cells, write_cells
from scripts.common.run import run
from scripts.common.tables import write_table


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
    latent.uns["provenance"] = adata.uns["provenance"]
    known = set(model.genes)
    genes = [gene_sets.get(gmv, model.genes) for gmv in model.gmvs]  # an extra node reaches all
    latent.var["n_genes"] = [len(names) for names in genes]
    latent.var["n_genes_in_data"] = [len(known.intersection(names)) for names in genes]
    embed(latent, embedding, tsne_learning_rate)
    return latent


def top_genes(model: "vega.VEGA", n: int = 10) -> pd.DataFrame:
    """Return at most `n` genes per GMV, those of the largest absolute weights that are not zero.

    `rank` 1 is the largest, and `in_set` says whether the gene is in the GMV's set. There are no
    rows where the decoder is not linear.
    """
    from vega.module import LinearDecoder

    columns = ["gmv", "gene", "rank", "weight", "in_set"]
    if not isinstance(model.module.decoder, LinearDecoder):
        return pd.DataFrame(columns=columns)
    weights, genes = model.weights().to_numpy(), np.asarray(model.genes)
    rows = []
    for gmv, weight, in_set in zip(model.gmvs, weights.T, model.annotation, strict=True):
        largest = np.argsort(-np.abs(weight), kind="stable")[:n]
        largest = largest[weight[largest] != 0]
        rows += [
            (gmv, genes[gene], rank, weight[gene], in_set[gene])
            for rank, gene in enumerate(largest, start=1)
        ]
    return pd.DataFrame(rows, columns=columns)


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
