"""What methods need of a study, and what they say where it is not there."""

from collections.abc import Sequence

import pandas as pd
from anndata import AnnData

from vega.errors import InputError
from vega.model import resolve_device
from vega.values import layers_of


def cells_alone(adata: AnnData, layer: str | None = None, columns: Sequence[str] = ()) -> AnnData:
    """Expression (`X` or a layer), names and some columns of `obs`, for a package to write to.

    Raises
    ------
    InputError
        If there is no such layer or column.
    """
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
    """Whether batch norm, which needs two cells, can take the last minibatch of an epoch.

    Raises
    ------
    InputError
        If it has one cell.
    """
    if n_cells % batch_size == 1:
        raise InputError(
            f"batch_size {batch_size}: {n_cells:,} cells to train on leave a last minibatch of "
            "one cell, which batch norm cannot take; choose another"
        )


def on_gpu(device: str) -> bool:
    """Whether to compute on a GPU by CUDA; the packages know no other.

    Raises
    ------
    InputError
        If it is asked for by name and not there.
    """
    return resolve_device(device).type == "cuda"
