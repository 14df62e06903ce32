"""Differential activity over several models, such as those of several seeds."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from vega.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

    from vega.model import VEGA


# What names a row of the differential activity of one model.
KEYS = ["comparison", "group", "reference", "by", "gmv", "n_group", "n_reference"]


def differential_activity(
    models: Iterable["VEGA"],
    adata: "AnnData",
    groupby: str,
    groups: Any = "all",
    reference: Any = "rest",
    **options: Any,
) -> pd.DataFrame:
    """Compare groups of cells in each of several models; return what the models agree on.

    The arguments are those of `VEGA.differential_activity`, the result is that of `consensus`.

    Examples
    --------
    >>> import vega
    >>> adata = vega.examples.log_normalised(vega.examples.counts())
    >>> models = [
    ...     vega.VEGA(adata.var_names, vega.examples.GENE_SETS, n_hidden=16, seed=seed)
    ...     for seed in (1, 2, 3)
    ... ]
    >>> for model in models:
    ...     history = model.fit(adata, max_epochs=2, progress=False)
    >>> table = vega.differential_activity(models, adata, "cell_type")
    >>> agreed = table[table["share_significant"] == 1]
    """
    asked = adata, groupby, groups, reference
    return consensus([model.differential_activity(*asked, **options) for model in models])


def consensus(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return what the differential activities of several models agree on.

    Parameters
    ----------
    tables
        One per model, with `log_bf`, `md` and `significant`: as `VEGA.differential_activity` gives
        them, or by GMV. All have the same GMVs and comparisons, in any order.

    Returns
    -------
    One row per GMV and comparison, the largest |mean| of a comparison first: `log_bf_mean` and
    `log_bf_sd` (the standard deviation over models, with n - 1; NaN of one model),
    `share_significant` (of the models) and `md` (the mean over models).

    Raises
    ------
    ValueError
        If there is no table, or the tables have different GMVs.

    Examples
    --------
    >>> gmvs = ["INTERFERON", "APOPTOSIS"]
    >>> one = {"log_bf": [9.0, 3.5], "md": [8.0, 6.0], "significant": [True, True]}
    >>> other = {"log_bf": [7.0, 0.5], "md": [6.0, 2.0], "significant": [True, False]}
    >>> consensus([pd.DataFrame(table, index=gmvs) for table in (one, other)]).round(2)
                log_bf_mean  log_bf_sd  share_significant   md
    INTERFERON          8.0       1.41                1.0  7.0
    APOPTOSIS           2.0       2.12                0.5  4.0
    """
    if not tables:
        raise InputError("a consensus needs at least one model, found none; give a list of them")
    keys = [key for key in KEYS if key in tables[0]] if "gmv" in tables[0] else []
    if keys:
        tables = [table.set_index(keys) for table in tables]
    first = tables[0].index
    for number, table in enumerate(tables[1:], start=2):
        if other := sorted({*first} ^ {*table.index}):
            gmv = other[0][keys.index("gmv")] if keys else other[0]
            raise InputError(
                f"model {number} has other GMVs than the first, such as {gmv}; compare models "
                "of the same gene sets"
            )
    by_gmv = pd.concat(tables).groupby(level=list(range(first.nlevels)), sort=False)
    found = by_gmv.agg(
        log_bf_mean=("log_bf", "mean"),
        log_bf_sd=("log_bf", "std"),
        share_significant=("significant", "mean"),
        md=("md", "mean"),
    )
    found = found.sort_values("log_bf_mean", key=np.abs, ascending=False, kind="stable")
    if not keys:
        return found
    order = list(dict.fromkeys(first.get_level_values("comparison")))
    return found.reset_index().sort_values(
        "comparison", key=lambda names: names.map(order.index), kind="stable", ignore_index=True
    )
