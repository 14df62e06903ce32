"""Principal components, of the genes (Fig. S2) and of sums over gene sets (Fig. S3)."""

from collections.abc import Mapping, Sequence

import numpy as np
from anndata import AnnData

from scripts.train.baselines.embedded import Columns, method
from vega.gene_sets import gene_mask


@method("scanpy", "scikit-learn")
def pca(
    adata: AnnData, gene_sets: Mapping[str, Sequence[str]], *, seed: int, n_components: int = 50
) -> Columns:
    """Return principal components of log-normalised expression, `PC_1`, ...

    As published, each gene is scaled to mean 0 and variance 1 first (Fig. S2). There are fewer than
    `n_components` where there are not more cells and genes than that.
    """
    import scanpy as sc

    return _components(sc.pp.scale(adata.X.toarray()), n_components, seed)


@method("scanpy", "scikit-learn")
def mask_pca(
    adata: AnnData,
    gene_sets: Mapping[str, Sequence[str]],
    *,
    seed: int,
    n_components: int = 50,
    extra_nodes: int = 1,
) -> Columns:
    """Return principal components of each cell's sum over the genes of each set (Fig. S3).

    As published, VEGA's mask is taken with its `extra_nodes` fully connected columns, and each sum
    is scaled to mean 0 and variance 1 (0 where the set has no gene in the data).
    """
    import scanpy as sc

    mask = gene_mask(gene_sets, adata.var_names)
    mask = np.vstack([mask, np.ones((extra_nodes, adata.n_vars), dtype=bool)])
    sums = adata.X @ mask.T.astype(float)
    return _components(sc.pp.scale(sums), n_components, seed)


def _components(x: np.ndarray, most: int, seed: int) -> Columns:
    import scanpy as sc

    n = min(most, min(x.shape) - 1)
    activity, _, share, _ = sc.pp.pca(x, n_comps=n, random_state=seed, return_info=True)
    names = [f"PC_{i + 1}" for i in range(n)]
    return activity, names, {"variance_ratio": [float(s) for s in share]}
