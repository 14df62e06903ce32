"""P(z_a > z_b) over all pairs: the fast way against going through the pairs."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from vega import all_pairs
from vega.all_pairs import directly, through_mixtures
from vega.differential import Posterior, exact, exact_comparisons, log_bayes_factor


def posterior(n, k, seed=0, spread=1.0):
    """Means of two modes, standard deviations over a factor of about five."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(rng.integers(0, 2, (n, k)) * 2.0, spread, (n, k))
    return mean.astype(np.float32), np.exp(rng.normal(-1, 0.8, (n, k))).astype(np.float32)


def between(mean, variance, a, b):
    """p by going through the pairs, in double precision."""
    mean, variance = mean.astype(float), variance.astype(float)
    return directly(mean[a], variance[a], mean[b], variance[b])


def test_directly_is_the_mean_over_all_pairs_whatever_its_blocks(monkeypatch):
    mean, variance = posterior(60, 3)
    expected = [
        np.mean([
            norm.cdf((mean[i, k] - mean[j, k]) / math.sqrt(variance[i, k] + variance[j, k]))
            for i in range(25) for j in range(25, 60)
        ])
        for k in range(3)
    ]  # fmt: skip
    first = np.arange(60) < 25
    np.testing.assert_allclose(between(mean, variance, first, ~first), expected, rtol=1e-5)
    whole = between(mean, variance, first, ~first)
    large = np.tile(mean[~first], (20_000, 1)), np.tile(variance[~first], (20_000, 1))
    blocks = directly(mean[first].astype(float), variance[first].astype(float), *large)
    np.testing.assert_allclose(blocks, whole, rtol=1e-6)


@pytest.mark.parametrize(
    "spread", [0.02, 1.0, 20.0]
)  # of means, the standard deviation is about .6
def test_bulk_and_one_versus_the_rest(spread):
    mean, variance = posterior(900, 12, spread=spread)
    kinds = np.random.default_rng(1).choice(4, 900, p=[0.7, 0.2, 0.07, 0.03])
    mean += 0.3 * kinds[:, None].astype(np.float32)
    comparisons = [(kinds == k, kinds != k) for k in range(4)]
    p = through_mixtures(mean, variance, comparisons)
    expected = [between(mean, variance, a, b) for a, b in comparisons]
    np.testing.assert_allclose(p, expected, atol=1e-5)


@pytest.mark.parametrize("sign", [1, -1])
def test_tails(sign):
    """p from 1e-3 to 1e-11, near 0 and near 1: |log Bayes factors| up to 25."""
    mean, variance = posterior(700, 30, spread=0.2)
    first = np.arange(700) < 300
    mean[first] += sign * np.linspace(4, 16, 30).astype(np.float32)
    p = through_mixtures(mean, variance, [(first, ~first)])[0]
    expected = between(mean, variance, first, ~first)
    small = between(*((mean, variance) if sign < 0 else (-mean, variance)), first, ~first)
    assert small.max() > 1e-3
    assert small.min() < 1e-10
    near = small > 1e-9
    assert near.sum() > 15
    ours = p if sign < 0 else 1 - p
    np.testing.assert_allclose(ours[near], small[near], rtol=0.01)
    np.testing.assert_allclose(ours, small, atol=1e-5)
    np.testing.assert_allclose(log_bayes_factor(p), log_bayes_factor(expected), atol=0.03)


def test_far_apart_is_certain():
    mean, variance = posterior(600, 2, spread=0.1)
    first = np.arange(600) < 300
    mean[first] += 200
    p = through_mixtures(mean, variance, [(first, ~first), (~first, first)])
    assert (p[0] > 1 - 1e-12).all()
    assert (p[1] < 1e-12).all()
    assert ((p >= 0) & (p <= 1)).all()


def test_comparisons_may_overlap_and_leave_cells_out():
    mean, variance = posterior(500, 5)
    rng = np.random.default_rng(2)
    comparisons = [(rng.random(500) < 0.5, rng.random(500) < 0.4) for _ in range(6)]
    expected = [between(mean, variance, a, b) for a, b in comparisons]
    np.testing.assert_allclose(through_mixtures(mean, variance, comparisons), expected, atol=1e-5)


def test_a_gmv_that_does_not_vary_and_one_without_width():
    mean, variance = posterior(400, 3)
    mean[:, 0], variance[:, 0] = 1.5, 0.3  # as of a set without a gene
    variance[:, 1] = 1e-12  # all but certain, so that only the order of the means counts
    first = np.arange(400) < 150
    p = through_mixtures(mean, variance, [(first, ~first)])[0]
    assert p[0] == pytest.approx(0.5, abs=1e-9)
    wins = (mean[first, 1][:, None] > mean[~first, 1]).mean()
    assert p[1] == pytest.approx(wins, abs=0.002)


def test_the_result_does_not_depend_on_which_gmvs_share_a_grid(monkeypatch):
    mean, variance = posterior(300, 9)
    mean *= np.linspace(1, 60, 9).astype(np.float32)  # grids of very different sizes
    first = np.arange(300) < 100
    whole = through_mixtures(mean, variance, [(first, ~first)])
    monkeypatch.setattr(all_pairs, "AT_A_TIME", 1)
    np.testing.assert_allclose(
        through_mixtures(mean, variance, [(first, ~first)]), whole, atol=1e-9
    )


def test_few_and_many_pairs_are_one_function():
    mean, variance = posterior(2000, 4)
    cells = Posterior(mean, variance)
    few = np.arange(2000) < 30, (np.arange(2000) >= 30) & (np.arange(2000) < 90)
    many = np.arange(2000) < 700, np.arange(2000) >= 700
    p, difference = exact_comparisons(cells, [few, many])
    for number, (a, b) in enumerate((few, many)):
        np.testing.assert_allclose(p[number], between(mean, variance, a, b), atol=1e-5)
        np.testing.assert_allclose(
            difference[number], np.abs(mean[a].mean(0) - mean[b].mean(0)), atol=1e-5
        )
        alone = exact(cells[a], cells[b])
        np.testing.assert_allclose(p[number], alone[0], atol=1e-6)
