"""What the latent variables of a model say: their genes, their activities, and which say nothing.

All but `top_genes` need a linear decoder.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData

from vega.module import LinearDecoder
from vega.values import check_range, labels_of

if TYPE_CHECKING:
    from vega.model import VEGA

ALL = "all"  # the group of all cells


def top_genes(model: "VEGA", n: int = 10) -> pd.DataFrame:
    """Return the genes of the largest weights of each GMV; see `VEGA.top_genes`."""
    check_range("n", n, 0)
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


def silent_gmvs(model: "VEGA") -> list[str]:
    """Return the GMVs without any weight: their sets have no gene in the data, or none was kept."""
    reaches = (model.weights() != 0).any()
    return list(reaches.index[~reaches])


def activity(model: "VEGA", adata: AnnData, groupby: str | None = None) -> pd.DataFrame:
    """Return mean activity and importance of each GMV in groups of cells; see `VEGA.activity`."""
    weights = model.weights().to_numpy()
    z = model.embed(adata) * np.where(weights.sum(axis=0) < 0, -1, 1)
    if groupby is None:
        groups = [(ALL, np.ones(adata.n_obs, dtype=bool))]
    else:
        labels = labels_of(adata.obs, groupby).cat.remove_unused_categories()
        groups = [(group, (labels == group).to_numpy()) for group in labels.cat.categories]
    reach = np.abs(weights).sum(axis=0)
    tables = [
        pd.DataFrame(
            {
                "group": group,
                "gmv": model.gmvs,
                "n_cells": int(cells.sum()),
                "activity": z[cells].mean(axis=0, dtype=float),
                "importance": np.abs(z[cells]).mean(axis=0, dtype=float) * reach,
            }
        )
        for group, cells in groups
    ]
    return pd.concat(tables, ignore_index=True)
