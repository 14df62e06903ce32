"""Checks of raw data: unique names, counts that are counts."""

import logging
from collections.abc import Sequence

import anndata as ad
import numpy as np
import pandas as pd

from scripts.preprocess.readers.files import RawFile
from vega.errors import InputError
from vega.scale import WHOLE

log = logging.getLogger("workflow")


def check_unique(
    names: Sequence | pd.Index | pd.Series,
    file: RawFile,
    what: str,
    remedy: str = "check that this is the source's own file",
) -> None:
    twice = pd.Index(names)[pd.Index(names).duplicated()]
    if len(twice):
        name = " ".join(twice[0]) if isinstance(twice[0], tuple) else twice[0]
        raise InputError(
            f"{file}: {what} {name} is a duplicate ({len(twice)} in all); "
            f"expected unique names: {remedy}"
        )


def check_counts(adata: ad.AnnData, file: RawFile) -> None:
    """Refuse what is no count; what is one but for a rounding error becomes it."""
    values = adata.X.data
    with np.errstate(invalid="ignore"):  # of what is not finite
        error = np.abs(values - np.rint(values)).max(initial=0)
    if 0 < error <= WHOLE:
        log.warning("%s: counts differ from whole numbers by up to %.1g: rounded", file.name, error)
        values[:] = np.rint(values)
        adata.X.eliminate_zeros()
        values = adata.X.data
    are_counts = np.isfinite(values) & (values >= 0) & (values == np.floor(values))
    wrong = np.flatnonzero(~are_counts)
    if len(wrong):
        cell = np.searchsorted(adata.X.indptr, wrong[0], side="right") - 1
        gene = adata.X.indices[wrong[0]]
        raise InputError(
            f"{file}: gene {adata.var_names[gene]}, cell {adata.obs_names[cell]}: "
            f"{values[wrong[0]]:g} is no count (such values: {len(wrong):,}); "
            + (
                "raw counts are whole numbers from 0 up: take the source's unprocessed matrix"
                if np.isfinite(values).all()
                else "write 0 in place of missing values, or leave out such genes"
            )
        )
