"""Bayes factors and metrics against brute force."""

import math

import numpy as np
import pytest
from helpers.checks import one_line_error
from scipy.stats import norm

from vega.differential import (
    METHODS,
    Posterior,
    differential_activity,
    exact,
    expected_fdr,
    log_bayes_factor,
    mean_absolute_difference,
    monte_carlo,
    rank,
)
from vega.metrics import auc, r2_of_means

GMVS = list("wxyz")


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return [
        Posterior(rng.normal(shift, 1, (n, 4)), rng.uniform(0.1, 2, (n, 4)))
        for shift, n in (([0.0, 0.5, 2.0, -3.0], 40), (0, 31))
    ]


def test_rank_counts_every_pair_of_one_sample_per_cell(pair):
    p, difference = rank(*pair, np.random.default_rng(4))
    rng = np.random.default_rng(4)
    za, zb = (group.sample(rng) for group in pair)
    np.testing.assert_allclose(p, (za[:, None] > zb).mean(axis=(0, 1)), rtol=1e-12)
    np.testing.assert_allclose(difference, abs(za.mean(0) - zb.mean(0)))


def test_the_published_procedure_estimates_the_exact_probability(pair):
    runs = [monte_carlo(*pair, np.random.default_rng(s)) for s in range(20)]
    (p, md), (exact_p, exact_md) = np.mean(runs, axis=0), exact(*pair)
    # 20 x 10,000 pairs of 5,000 drawn cells: a standard error of about 0.002.
    np.testing.assert_allclose(p, exact_p, atol=0.008)
    np.testing.assert_allclose(md, exact_md, atol=0.05)


def test_log_bayes_factors_are_quantised_as_published():
    """One pair of 10,000 is the smallest step, and e = 1e-12 bounds them."""
    far, near = (Posterior(np.full((5, 1), mean), np.ones((5, 1))) for mean in (50.0, 0.0))
    p, difference = monte_carlo(far, near, np.random.default_rng(0))
    assert p == 1
    assert difference[0] == pytest.approx(50, abs=0.1)
    found = log_bayes_factor(np.array([1, 0.9999, 0.9998, 0]))
    np.testing.assert_allclose(found, [27.63, 9.21, 8.52, -27.63], atol=0.01)


def test_the_two_meanings_of_md():
    """Erratum 1: |mean difference| is 0 between equal groups, mean |difference| is not."""
    a, rng = Posterior(np.zeros((50, 1)), np.ones((50, 1))), np.random.default_rng(0)
    assert monte_carlo(a, a, rng)[1] < 0.1
    expected = pytest.approx(2 / math.sqrt(math.pi), abs=0.02)
    assert mean_absolute_difference(a, a, rng, 100_000) == expected


def test_the_table_is_sorted_and_marks_what_is_significant(pair):
    table = differential_activity(*pair, GMVS, method="exact", bayes_factor=1.0)
    assert list(table["log_bf"].abs()) == sorted(table["log_bf"].abs(), reverse=True)
    assert table["significant"].equals(table["log_bf"].abs() > 1)
    assert table.loc["z", "log_bf"] < 0 < table.loc["y", "log_bf"]
    same = [differential_activity(*pair, GMVS, seed=9) for _ in range(2)]
    assert same[0].equals(same[1])


def test_empty_groups_and_unknown_methods_are_refused(pair):
    with one_line_error("both groups need cells"):
        differential_activity(pair[0], pair[1][:0], GMVS)
    with one_line_error("'fast' is not one of monte_carlo, rank, exact"):
        differential_activity(*pair, GMVS, method="fast")


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
    with one_line_error(message):
        differential_activity(*pair, GMVS, method=method)
    with one_line_error(message):
        exact(*pair)


def test_the_upper_tail_of_few_pairs_of_single_precision():
    """1 - p of 1e-9, which numbers of four bytes do not tell from 0."""
    a, b = (
        Posterior(np.full((3, 1), mean, np.float32), np.full((3, 1), 0.5, np.float32))
        for mean in (6, 0)
    )
    assert 1 - exact(a, b)[0] == pytest.approx(norm.sf(6), rel=1e-3)


def test_metrics_are_those_of_their_definitions():
    rng = np.random.default_rng(1)
    score, label = rng.normal(size=50), rng.random(50) < 0.4
    pairs = [(s > t) + 0.5 * (s == t) for s in score[label] for t in score[~label]]
    assert auc(score, label) == pytest.approx(np.mean(pairs))

    real, decoded = rng.random((8, 20)), rng.random((5, 20))
    r = np.corrcoef(real.mean(0), decoded.mean(0))[0, 1]
    assert r2_of_means(real, decoded) == pytest.approx(r**2)


def test_the_expected_false_discovery_rate_is_the_mean_over_what_is_called():
    probability = np.random.default_rng(0).choice([0.5, 0.9, 0.99, 0.999, 1], 30)
    expected = [np.mean(1 - probability[probability >= each]) for each in probability]
    np.testing.assert_allclose(expected_fdr(probability), expected)


def test_a_least_difference_is_that_of_pairs_of_cells(pair):
    a, b = pair
    table = differential_activity(a, b, GMVS, method="exact", min_difference=1.5).loc[GMVS]
    sd = np.sqrt(a.variance[:, None] + b.variance)
    difference = a.mean[:, None] - b.mean
    above, below = (norm.cdf((sign * difference - 1.5) / sd).mean((0, 1)) for sign in (1, -1))
    np.testing.assert_allclose(table["probability"], np.maximum(above, below), atol=1e-5)
    np.testing.assert_allclose(table["difference"], difference.mean((0, 1)), rtol=1e-6)
    odds = table["probability"] / (1 - table["probability"])
    for strict in (0, 1, 2):
        called = differential_activity(
            a, b, GMVS, method="exact", min_difference=1.5, bayes_factor=strict
        ).loc[GMVS, "significant"]
        assert called.equals(np.log(odds) > strict)
    drawn = differential_activity(a, b, GMVS, seed=2, min_difference=1.5).loc[GMVS]
    np.testing.assert_allclose(drawn["probability"], table["probability"], atol=0.03)


def test_a_false_discovery_rate_takes_the_place_of_the_bayes_factor(pair):
    for fdr in (0.01, 0.1, 0.3):
        table = differential_activity(*pair, GMVS, method="exact", fdr=fdr)
        assert table["significant"].equals(table["fdr"] <= fdr)
        called = table[table["significant"]]
        assert called.empty or (1 - called["probability"]).mean() <= fdr
