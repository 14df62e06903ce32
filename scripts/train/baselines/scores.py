"""Scores of gene sets that need no training: one column per set, cell by cell.

A set that cannot be scored, such as one without any gene in the data, is a column of zeros.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from scripts.train.baselines.embedded import Columns, method
from scripts.train.baselines.inputs import cells_alone
from vega.gene_sets import gene_mask

CELLS_AT_ONCE = 2048  # made dense: 115 MB of 7,000 genes


@method("decoupler")
def ulm(adata: AnnData, gene_sets: Mapping[str, Sequence[str]], *, seed: int) -> Columns:
    """Return scores of decoupler's univariate linear model (Badia-i-Mompel et al. 2022).

    The t statistic of the slope when the expression of all genes of a cell is fitted by whether
    they are in the set. Sets of any size take part; a cell without expression has zeros.
    """
    import decoupler

    mask = gene_mask(gene_sets, adata.var_names)
    names = pd.Index(list(gene_sets))
    scored = mask.any(axis=1) & ~mask.all(axis=1)  # else there is no slope
    sets, genes = np.nonzero(mask & scored[:, None])
    network = pd.DataFrame(
        {"source": names[sets], "target": adata.var_names.to_numpy()[genes], "weight": 1.0}
    )
    expressed = np.asarray(adata.X.sum(axis=1)).ravel() > 0
    cells = cells_alone(adata[expressed])
    decoupler.mt.ulm(cells, network, tmin=1, empty=False, bsize=CELLS_AT_ONCE)
    activity = np.zeros((adata.n_obs, len(names)), dtype=np.float32)
    activity[expressed] = cells.obsm["score_ulm"].reindex(columns=names, fill_value=0)
    return activity, names, {"sets_without_score": int((~scored).sum())}


@method("scanpy")
def score_genes(adata: AnnData, gene_sets: Mapping[str, Sequence[str]], *, seed: int) -> Columns:
    """Return scanpy's `score_genes` of every set, with its defaults (Satija et al. 2015).

    Mean expression of the genes of the set without that of random genes of the same expression.
    """
    import scanpy as sc

    cells = cells_alone(adata)
    activity = np.zeros((adata.n_obs, len(gene_sets)), dtype=np.float32)
    without = 0
    for column, members in enumerate(gene_mask(gene_sets, adata.var_names)):
        try:
            sc.tl.score_genes(cells, adata.var_names[members], random_state=seed)
        except (ValueError, RuntimeError):  # no gene of the set, or none to compare it with
            without += 1
        else:
            activity[:, column] = cells.obs["score"]
    return activity, gene_sets, {"sets_without_score": without}
