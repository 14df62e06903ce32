"""Differential GMV activity: the probability that a GMV is more active in one group of cells.

For a cell a of one group and b of the other, p = P(z_a > z_b) over the posterior of both, and the
log Bayes factor is ln p - ln(1 - p) (paper, Methods). Three estimates of p are offered; all take
the posterior means and variances of both groups, cells x GMVs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from vega.comparisons import REST, comparisons
from vega.errors import InputError
from vega.posterior import Posterior
from vega.values import check_range, labels_of, several

FEW_PAIRS = 10_000  # of cells, that are computed one by one
EPSILON = 1e-12  # keeps the logarithm finite, as published: p = 1 gives 27.6


def log_bayes_factor(p: np.ndarray) -> np.ndarray:
    """Return ln(p + e) - ln(1 - p + e), with e = 1e-12 as published."""
    return np.log(p + EPSILON) - np.log(1 - p + EPSILON)


def monte_carlo(
    a: Posterior, b: Posterior, rng: np.random.Generator, n_cells: int = 5000, n_pairs: int = 10000
) -> tuple[np.ndarray, np.ndarray]:
    """Return p and MD of each GMV as published, from random pairs of randomly drawn cells.

    `n_cells` cells are drawn from each group with replacement, with one posterior sample each,
    then `n_pairs` random pairs of them. MD is |mean(z_a - z_b)|, as in the published code; the
    text calls it a mean absolute difference (erratum 1).
    """
    za, zb = (
        group[rng.integers(len(group.mean), size=n_cells)].sample(rng)[
            rng.integers(n_cells, size=n_pairs)
        ]
        for group in (a, b)
    )
    return (za > zb).mean(axis=0), np.abs((za - zb).mean(axis=0))


def rank(a: Posterior, b: Posterior, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return p and MD of each GMV over all pairs of one posterior sample per cell (rank sum)."""
    za, zb = a.sample(rng), b.sample(rng)
    n_a, n_b = len(za), len(zb)
    ranks = rankdata(np.concatenate([za, zb]), axis=0)[:n_a].sum(axis=0)
    p = (ranks - n_a * (n_a + 1) / 2) / (n_a * n_b)
    return p, np.abs(za.mean(axis=0) - zb.mean(axis=0))


def exact(
    a: Posterior, b: Posterior, rng: np.random.Generator | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return p and MD of each GMV over all pairs and the whole posterior; nothing is drawn.

    P(z_a > z_b) = Phi((mu_a - mu_b) / sqrt(var_a + var_b)) for one pair, averaged over all pairs.
    """
    p, difference = exact_comparisons(*_together(a, b))
    return p[0], difference[0]


def _together(a: Posterior, b: Posterior) -> tuple[Posterior, list[tuple[np.ndarray, np.ndarray]]]:
    """Return the cells of two groups as one posterior, and the comparison of the two."""
    both = Posterior(*(np.concatenate(parts) for parts in zip(a, b, strict=True)))
    first = np.arange(len(both.mean)) < len(a.mean)
    return both, [(first, ~first)]


def exact_comparisons(
    posterior: Posterior, comparisons: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return p and MD of several comparisons (each comparisons x K), as by `exact`.

    A comparison says which cells are in its two groups: boolean, one value per cell. For more than
    `FEW_PAIRS` pairs, see `vega.all_pairs`: the error of p is then below 1e-5, and below 1 % of p
    or 1 - p down to 1e-9. Without variance the order of the means decides; equal means count 1/2.
    """
    from vega import all_pairs  # late, as it imports torch

    _check(posterior)
    mean, variance = posterior.mean, posterior.variance
    means = [[mean[side].mean(axis=0, dtype=float) for side in sides] for sides in comparisons]
    difference = np.abs([a - b for a, b in means])
    p = np.empty_like(difference)
    many = []
    for number, (a, b) in enumerate(comparisons):
        if int(a.sum()) * int(b.sum()) <= FEW_PAIRS:
            p[number] = all_pairs.directly(mean[a], variance[a], mean[b], variance[b])
        else:
            many.append(number)
    if many:
        p[many] = all_pairs.through_mixtures(mean, variance, [comparisons[i] for i in many])
    return p, difference


def _check(posterior: Posterior) -> None:
    for name, values, least in (
        ("mean", posterior.mean, -np.inf),
        ("variance", posterior.variance, 0),
    ):
        wrong = np.argwhere(~(np.isfinite(values) & (values >= least)))
        if len(wrong):
            cell, gmv = wrong[0]
            raise InputError(
                f"the {name} of cell {cell} in GMV {gmv} (from 0) is {values[cell, gmv]}, as are "
                f"{len(wrong) - 1} more: expected finite means and variances >= 0; leave out such "
                "cells, or train the model with a lower learning rate"
            )


def mean_absolute_difference(
    a: Posterior, b: Posterior, rng: np.random.Generator, n_pairs: int = 10000
) -> np.ndarray:
    """Return the mean |z_a - z_b| over random pairs: MD in the paper's text (erratum 1)."""
    za, zb = (group[rng.integers(len(group.mean), size=n_pairs)].sample(rng) for group in (a, b))
    return np.abs(za - zb).mean(axis=0)


METHODS = {method.__name__: method for method in (monte_carlo, rank, exact)}


def differential_activity(
    a: Posterior,
    b: Posterior,
    gmvs: Sequence[str],
    method: str = "monte_carlo",
    seed: int | None = None,
    bayes_factor: float = 3.0,
    fdr: float | None = None,
    min_difference: float = 0.0,
) -> pd.DataFrame:
    """Compare the GMV activities of two groups of cells.

    Parameters
    ----------
    a, b
        Posteriors of the two groups, cells x K.
    gmvs
        Names of the K GMVs.
    method
        `monte_carlo` (published), `rank` (all pairs of one sample) or `exact` (all pairs of the
        posterior).
    seed
        Of the draws; None varies from call to call, as published.
    bayes_factor
        Log Bayes factor of an effect in either direction above which it is significant.
    fdr
        Significant are the GMVs whose expected false discovery rate is at most this, in place of
        the Bayes factor. Both rest on the same probability: a log Bayes factor of 3 is 0.953.
    min_difference
        A smaller difference of two cells is no effect.

    Returns
    -------
    One row per GMV, largest |log Bayes factor| first:

    - `p`: probability that a cell of `a` is more active than one of `b`
    - `log_bf`: ln p - ln(1 - p)
    - `md`: size of the mean difference, by the method
    - `difference`: mean activity of `a` minus that of `b`
    - `probability`: of a difference of more than `min_difference`, in the likelier direction
    - `fdr`: mean of 1 - `probability` over this GMV and all with at least its `probability`, as in
      scvi-tools
    - `significant`

    Raises
    ------
    ValueError
        If a group is empty, the method unknown, a posterior not finite, or a threshold out of
        range.

    Examples
    --------
    >>> import vega
    >>> model, adata = vega.examples.trained_model()
    >>> cells, on = model.posterior(adata), adata.obs["condition"] == "stimulated"
    >>> table = vega.differential.differential_activity(cells[on], cells[~on], model.gmvs, "exact")
    >>> table.index[0]
    'Interferon'
    """
    both, sides = _together(a, b)
    (table,) = compare(both, sides, gmvs, method, seed, bayes_factor, fdr, min_difference)
    return table


def compare(
    posterior: Posterior,
    sides: Sequence[tuple[np.ndarray, np.ndarray]],
    gmvs: Sequence[str],
    method: str = "exact",
    seed: int | None = None,
    bayes_factor: float = 3.0,
    fdr: float | None = None,
    min_difference: float = 0.0,
) -> list[pd.DataFrame]:
    """Return one table per comparison, as by `differential_activity`.

    `sides` say which cells of `posterior` are in the two groups of each: boolean, one value per
    cell. Each comparison draws from a generator of its own, with the same seed.
    """
    if method not in METHODS:
        raise InputError(f"method {method!r} is not one of {', '.join(METHODS)}; give one of them")
    check_range("min_difference", min_difference, 0)
    check_range("bayes_factor", bayes_factor, 0)
    if fdr is not None:
        check_range("fdr", fdr, 0, 1)
    if not all(side.any() for pair in sides for side in pair):
        raise InputError("both groups need cells, found none in one; check how they are chosen")
    _check(posterior)
    if method == "exact":
        found = list(zip(*exact_comparisons(posterior, sides), strict=True))
    else:
        of_pair = METHODS[method]
        found = [of_pair(posterior[a], posterior[b], np.random.default_rng(seed)) for a, b in sides]
    tables = []
    for (a, b), (p, md) in zip(sides, found, strict=True):
        log_bf = log_bayes_factor(p)
        if min_difference:
            probability = _probability(posterior[a], posterior[b], method, seed, min_difference)
            strength = log_bayes_factor(probability)
        else:
            probability, strength = np.maximum(p, 1 - p), np.abs(log_bf)
        rate = expected_fdr(probability)
        means = (posterior.mean[side].mean(axis=0, dtype=float) for side in (a, b))
        table = pd.DataFrame(
            {
                "p": p,
                "log_bf": log_bf,
                "md": md,
                "difference": np.subtract(*means),
                "probability": probability,
                "fdr": rate,
                "significant": strength > bayes_factor if fdr is None else rate <= fdr,
            },
            index=pd.Index(gmvs, name="gmv"),
        )
        tables.append(table.sort_values("log_bf", key=np.abs, ascending=False, kind="stable"))
    return tables


def compare_groups(
    posterior: Posterior,
    obs: pd.DataFrame,
    gmvs: Sequence[str],
    groupby: str,
    groups: Any = "all",
    reference: Any = REST,
    *,
    within: Mapping[str, Any] | None = None,
    by: str | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Return one table of the comparisons of groups of cells, see `VEGA.differential_activity`.

    `options` are those of `compare`.
    """
    if reference == REST:
        if REST in labels_of(obs, groupby).cat.categories:
            raise InputError(
                f"{groupby} has a value {REST!r}, which also means all other cells; give "
                "reference=None for these, or rename the value"
            )
        reference = None
    if isinstance(groups, str) and groups == "all":
        groups = None
    elif not (groups := several(groups)):
        raise InputError("groups: expected one or more, found none; give groups='all' for all")
    asked = list(comparisons(obs, groupby, groups, reference, within, by))
    if not asked:
        raise InputError(
            f"no value of {by} has cells of a group and of its reference; leave out by={by!r}"
        )
    sides = [(each.side == 1, each.side == -1) for each in asked]
    tables = compare(posterior, sides, gmvs, **options)
    rows = []
    for each, (a, b), table in zip(asked, sides, tables, strict=True):
        name = f"{each.group} vs {each.reference}"
        about: dict[str, Any] = {
            "comparison": name,
            "group": each.group,
            "reference": each.reference,
        }
        if each.part is not None:
            about |= {"comparison": f"{each.part}: {name}", "by": each.part}
        about |= {"gmv": table.index, "n_group": int(a.sum()), "n_reference": int(b.sum())}
        rows.append(pd.DataFrame(about).join(table, on="gmv"))
    return pd.concat(rows, ignore_index=True)


def _probability(
    a: Posterior, b: Posterior, method: str, seed: int | None, least: float
) -> np.ndarray:
    """Return the larger of P(z_a - z_b > least) and P(z_b - z_a > least) of each GMV."""
    above, below = (
        METHODS[method](Posterior(a.mean + shift, a.variance), b, np.random.default_rng(seed))[0]
        for shift in (-least, least)
    )
    return np.maximum(above, 1 - below)


def expected_fdr(probability: np.ndarray) -> np.ndarray:
    """Return the expected share of false ones among all with at least the probability of each."""
    ordered = np.sort(probability)[::-1]
    share = np.cumsum(1 - ordered) / np.arange(1, len(ordered) + 1)
    return share[np.searchsorted(-ordered, -probability, side="right") - 1]
