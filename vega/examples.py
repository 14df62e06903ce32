"""Small cells whose activities are known, for the examples of the documentation."""

from functools import cache

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from vega.model import VEGA
from vega.scale import log_normalise

GENE_SETS = {
    "Interferon": ["ISG15", "MX1", "IFI6", "IFIT1", "OAS1", "IFITM3"],
    "B cells": ["CD79A", "CD79B", "MS4A1", "CD19", "BANK1"],
    "T cells": ["CD3D", "CD3E", "CD2", "IL7R", "LCK"],
    "Eye": ["CRYAA", "RHO"],  # none of them in the cells
}


def counts(seed: int = 0) -> AnnData:
    """Return 240 cells x 80 genes of counts.

    Half of the cells are `stimulated`, where the genes of "Interferon" are higher, and half are B
    cells, the others T cells. The second of two batches has a third more of every other gene.

    >>> import vega
    >>> vega.examples.counts().shape
    (240, 80)
    """
    rng = np.random.default_rng(seed)
    markers = [gene for genes in list(GENE_SETS.values())[:3] for gene in genes]
    genes = pd.Index([*markers, *(f"GENE{i}" for i in range(80 - len(markers)))])
    obs = pd.DataFrame(
        {
            "condition": np.repeat(["control", "stimulated"], 120),
            "cell_type": np.resize(["B", "T"], 240),
            "batch": np.resize(["one", "one", "two", "two"], 240),
        },
        index=[f"cell{i}" for i in range(240)],
    )
    mean = rng.uniform(2, 6, (1, 80)).repeat(240, axis=0)
    for name, on in (
        ("Interferon", obs["condition"] == "stimulated"),
        ("B cells", obs["cell_type"] == "B"),
        ("T cells", obs["cell_type"] == "T"),
    ):
        mean[np.ix_(on, genes.isin(GENE_SETS[name]))] *= 7
    mean[obs["batch"] == "two", ::2] *= 4 / 3
    x = sp.csr_matrix(rng.poisson(mean), dtype=np.float32)
    return AnnData(x, obs=obs, var=pd.DataFrame(index=genes))


def log_normalised(adata: AnnData, target_sum: float = 1e3) -> AnnData:
    """Return cells of counts scaled to a total of `target_sum` each, and log1p of that.

    >>> import vega
    >>> adata = vega.examples.log_normalised(vega.examples.counts())
    >>> round(float(np.expm1(adata.X[0].toarray()).sum()))
    1000
    """
    adata = adata.copy()
    adata.X = log_normalise(adata.X, target_sum)
    return adata


def trained_model() -> tuple[VEGA, AnnData]:
    """Return a trained model and its log-normalised cells.

    >>> import vega
    >>> model, adata = vega.examples.trained_model()
    >>> model.gmvs
    ['Interferon', 'B cells', 'T cells', 'Eye', 'UNANNOTATED_1']
    """
    model, adata = _trained()
    return model, adata.copy()


@cache
def _trained() -> tuple[VEGA, AnnData]:
    adata = log_normalised(counts())
    model = VEGA(adata.var_names, GENE_SETS, n_hidden=32, latent_dropout=0.0)
    model.fit(adata, max_epochs=30, learning_rate=5e-3, batch_size=32, progress=False, device="cpu")
    return model, adata
