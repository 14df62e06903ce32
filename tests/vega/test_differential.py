"""Bayes factors against brute force."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from vega.differential import (
    METHODS,
    Posterior,
    differential_activity,
    exact,
    log_bayes_factor,
    mean_absolute_difference,
    monte_carlo,
    rank,
)
from vega.errors import InputError
from vega.metrics import auc, r2_of_means, silhouette, top_overlap


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    shift = np.array([0.0, 0.5, 2.0, -3.0])
    a = Posterior(rng.normal(shift, 1, (40, 4)), rng.uniform(0.1, 2, (40, 4)))
    b = Posterior(rng.normal(0, 1, (31, 4)), rng.uniform(0.1, 2, (31, 4)))
    return a, b


def brute_force(a, b):
    p = np.zeros(a.mean.shape[1])
    for k in range(len(p)):
        for i in range(len(a.mean)):
            for j in range(len(b.mean)):
                sd = math.sqrt(a.variance[i, k] + b.variance[j, k])
                p[k] += norm.cdf((a.mean[i, k] - b.mean[j, k]) / sd)
    return p / (len(a.mean) * len(b.mean))


def test_exact_is_the_mean_over_all_pairs(pair):
    p, difference = exact(*pair)
    np.testing.assert_allclose(p, brute_force(*pair), rtol=1e-12)
    np.testing.assert_allclose(difference, abs(pair[0].mean.mean(0) - pair[1].mean.mean(0)))


def test_rank_counts_every_pair_of_one_sample_per_cell(pair):
    a, b = pair
    p, difference = rank(a, b, np.random.default_rng(4))
    rng = np.random.default_rng(4)
    za, zb = a.sample(rng), b.sample(rng)
    wins = sum(za[i] > zb[j] for i in range(len(za)) for j in range(len(zb)))
    np.testing.assert_allclose(p, wins / (len(za) * len(zb)), rtol=1e-12)
    np.testing.assert_allclose(difference, abs(za.mean(0) - zb.mean(0)))


def test_the_published_procedure_estimates_the_exact_probability(pair):
    runs = [monte_carlo(*pair, np.random.default_rng(s)) for s in range(20)]
    p = np.mean([r[0] for r in runs], axis=0)
    # 20 x 10,000 pairs of 5,000 drawn cells: a standard error of about 0.002.
    np.testing.assert_allclose(p, exact(*pair)[0], atol=0.008)
    np.testing.assert_allclose(np.mean([r[1] for r in runs], axis=0), exact(*pair)[1], atol=0.05)


def test_the_published_values_are_quantised():
    far = Posterior(np.full((5, 1), 50.0), np.ones((5, 1)))
    near = Posterior(np.zeros((5, 1)), np.ones((5, 1)))
    p, difference = monte_carlo(far, near, np.random.default_rng(0))
    assert p == 1
    assert log_bayes_factor(p)[0] == pytest.approx(27.63, abs=0.01)
    assert log_bayes_factor(np.array([0.9999]))[0] == pytest.approx(9.21, abs=0.01)
    assert log_bayes_factor(np.array([0.9998]))[0] == pytest.approx(8.52, abs=0.01)
    assert log_bayes_factor(1 - p)[0] == pytest.approx(-27.63, abs=0.01)
    assert difference[0] == pytest.approx(50, abs=0.1)


def test_swapping_the_groups_turns_the_sign(pair):
    a, b = pair
    np.testing.assert_allclose(exact(a, b)[0], 1 - exact(b, a)[0], rtol=1e-10)


def test_the_two_meanings_of_md(pair):
    """Erratum 1: |mean difference| is 0 between equal groups, mean |difference| is not."""
    a = Posterior(np.zeros((50, 1)), np.ones((50, 1)))
    rng = np.random.default_rng(0)
    assert monte_carlo(a, a, rng)[1] < 0.1
    assert mean_absolute_difference(a, a, rng, 100_000) == pytest.approx(
        2 / math.sqrt(math.pi), abs=0.02
    )


def test_table_is_sorted_and_marks_what_is_significant(pair):
    table = differential_activity(*pair, ["w", "x", "y", "z"], method="exact", bayes_factor=1.0)
    assert list(table["log_bf"].abs()) == sorted(table["log_bf"].abs(), reverse=True)
    assert table["significant"].equals(table["log_bf"].abs() > 1)
    assert table.loc["z", "log_bf"] < 0 < table.loc["y", "log_bf"]
    same = [differential_activity(*pair, list("wxyz"), seed=9) for _ in range(2)]
    assert same[0].equals(same[1])


def test_empty_groups_and_unknown_methods(pair):
    with pytest.raises(ValueError, match="both groups need cells"):
        differential_activity(pair[0], pair[1][:0], list("wxyz"))
    with pytest.raises(ValueError, match="'fast' is not one of monte_carlo, rank, exact"):
        differential_activity(*pair, list("wxyz"), method="fast")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("of", "value", "message"),
    [
        ("mean", np.nan, "the mean of cell 3 in GMV 1"),
        ("variance", np.inf, "variance"),
        ("variance", -1e-9, "variance"),
    ],
)
def test_a_posterior_that_is_not_finite_is_refused(pair, method, of, value, message):
    getattr(pair[0], of)[3, 1] = value
    with pytest.raises(InputError, match=message) as error:
        differential_activity(*pair, list("wxyz"), method=method)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=message):
        exact(*pair)


def test_the_upper_tail_of_few_pairs_of_single_precision():
    """1 - p of 1e-9, which numbers of four bytes do not tell from 0."""
    a = Posterior(np.full((3, 1), 6.0, np.float32), np.full((3, 1), 0.5, np.float32))
    b = Posterior(np.zeros((3, 1), np.float32), np.full((3, 1), 0.5, np.float32))
    assert 1 - exact(a, b)[0] == pytest.approx(norm.sf(6), rel=1e-3)


def test_metrics_against_their_definitions():
    rng = np.random.default_rng(1)
    score, label = rng.normal(size=50), rng.random(50) < 0.4
    pairs = [(s > t) + 0.5 * (s == t) for s in score[label] for t in score[~label]]
    assert auc(score, label) == pytest.approx(np.mean(pairs))

    latent, groups = rng.normal(size=(30, 3)), np.repeat(["a", "b", "c"], 10)
    widths = []
    for i in range(30):
        distance = np.linalg.norm(latent - latent[i], axis=1)
        own = distance[(groups == groups[i]) & (np.arange(30) != i)].mean()
        other = min(distance[groups == g].mean() for g in set(groups) - {groups[i]})
        widths.append((other - own) / max(own, other))
    assert silhouette(latent, groups) == pytest.approx(np.mean(widths))

    real, decoded = rng.random((8, 20)), rng.random((5, 20))
    r = np.corrcoef(real.mean(0), decoded.mean(0))[0, 1]
    assert r2_of_means(real, decoded) == pytest.approx(r**2)

    assert top_overlap([9, -8, 1, 0], [-5, 0, 4, 1], n=2) == 0.5
