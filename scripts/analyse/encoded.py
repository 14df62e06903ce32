"""Cells in the latent space of a model."""

from typing import TYPE_CHECKING

from anndata import AnnData

if TYPE_CHECKING:
    from vega import VEGA


def encoded(model: "VEGA", adata: AnnData) -> AnnData:
    """Cells x GMVs as `VEGA.latent` gives them, and where the cells are from."""
    latent = model.latent(adata)
    latent.uns["provenance"] = adata.uns["provenance"]
    return latent
