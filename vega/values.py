"""What an AnnData holds: its layers, and the values of one gene or GMV."""

from typing import Any

import numpy as np
from anndata import AnnData
from scipy.sparse import issparse


def layers_of(adata: AnnData) -> dict[str, Any]:
    """Return the layers by name, without X, which anndata lists among them from 0.13 on."""
    return {name: matrix for name, matrix in adata.layers.items() if name is not None}


def values_of(adata: AnnData, name: str) -> np.ndarray:
    """Return the values of a gene or GMV in each cell, one dense vector."""
    column = adata[:, name].X
    return (column.toarray() if issparse(column) else np.asarray(column)).ravel()
