"""Checks of what baselines need: layers, columns, minibatches and devices."""

from collections.abc import Sequence

import pandas as pd
from anndata import AnnData

from vega.errors import InputError
from vega.model import resolve_device
from vega.values import layers_of


def cells_alone(adata: AnnData, layer: str | None = None, columns: Sequence[str] = ()) -> AnnData:
    """Return expression (`X` or a layer), names and some `obs` columns, for a package to modify."""
    if layer is not None and layer not in adata.layers:
        raise InputError(
            f"the study has no layer {layer} (it has {', '.join(layers_of(adata)) or 'none'}); "
            "preprocess it from its counts"
        )
    for column in columns:
        if column not in adata.obs:
            raise InputError(
                f"the study has no column {column}; it has {', '.join(adata.obs) or 'none'}"
            )
    return AnnData(
        adata.X if layer is None else adata.layers[layer],
        obs=adata.obs[list(columns)].copy(),
        var=pd.DataFrame(index=adata.var_names),
    )


def check_last_minibatch(n_cells: int, batch_size: int) -> None:
    """Refuse a last minibatch of one cell, which has no variance for batch norm."""
    if n_cells % batch_size == 1:
        raise InputError(
            f"batch_size {batch_size}: {n_cells:,} cells to train on leave a last minibatch of "
            "one cell, which batch norm cannot take; choose another"
        )


def on_gpu(device: str) -> bool:
    """Return whether to compute with CUDA, the only kind of GPU that the packages know."""
    return resolve_device(device).type == "cuda"
