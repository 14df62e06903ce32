"""Differential activity over several models, such as those of several seeds."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from vega.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

    from vega.model import VEGA


def differential_activity(
    models: Iterable["VEGA"],
    adata: "AnnData",
    column: str,
    group: str | float,
    reference: str | float | None = None,
    *,
    method: str = "monte_carlo",
    seed: int | None = None,
) -> pd.DataFrame:
    """Compare two groups of cells in each of several models; return what the models agree on.

    The arguments are those of `VEGA.differential_activity`, the result is that of `consensus`.

    Examples
    --------
    >>> models = [vega.load(f"kang/seed{seed}") for seed in (1, 2, 3)]            # doctest: +SKIP
    >>> table = vega.differential_activity(models, adata, "condition", "a", "b")  # doctest: +SKIP
    >>> table[table["share_significant"] == 1]                                    # doctest: +SKIP
    """
    return consensus(
        [
            model.differential_activity(adata, column, group, reference, method=method, seed=seed)
            for model in models
        ]
    )


def consensus(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return what the differential activities of several models agree on.

    Parameters
    ----------
    tables
        One per model, by GMV, with `log_bf`, `md` and `significant`. Each has the same GMVs, in any
        order.

    Returns
    -------
    One row per GMV, the largest |mean| first: `log_bf_mean` and `log_bf_sd` (the standard deviation
    over models, with n - 1; NaN of one model), `share_significant` (of the models) and `md` (the
    mean over models).

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
        raise InputError("a consensus needs at least one model, found none")
    first = tables[0].index
    for number, table in enumerate(tables[1:], start=2):
        if other := sorted({*first} ^ {*table.index}):
            raise InputError(
                f"model {number} has other GMVs than the first, such as {other[0]}; compare models "
                "of the same gene sets"
            )
    by_gmv = pd.concat(tables).groupby(level=0, sort=False)
    found = pd.DataFrame(
        {
            "log_bf_mean": by_gmv["log_bf"].mean(),
            "log_bf_sd": by_gmv["log_bf"].std(),
            "share_significant": by_gmv["significant"].mean(),
            "md": by_gmv["md"].mean(),
        }
    )
    return found.sort_values("log_bf_mean", key=np.abs, ascending=False, kind="stable")
