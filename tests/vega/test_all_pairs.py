"""P(z_a > z_b) over all pairs: the fast way against going through the pairs."""

import numpy as np
import pytest
from scipy.stats import norm

from vega import all_pairs
from vega.all_pairs import directly, through_mixtures
from vega.differential import exact, exact_comparisons, log_bayes_factor
from vega.posterior import Posterior


def posterior(n, k, seed=0, spread=1.0):
    """Means of two modes, standard deviations over a factor of about five."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(rng.integers(0, 2, (n, k)) * 2.0, spread, (n, k))
    return mean.astype(np.float32), np.exp(rng.normal(-1, 0.8, (n, k))).astype(np.float32)


def between(mean, variance, a, b):
    """p by going through the pairs, in double precision."""
    mean, variance = mean.astype(float), variance.astype(float)
    return directly(mean[a], variance[a], mean[b], variance[b])


def both_ways(first):
    """A comparison of some cells with all others, and the reverse."""
    return [(first, ~first), (~first, first)]


def assert_precise(mean, variance, comparisons):
    """p and 1 - p of all pairs, within 1e-5 and, down to 1e-9, within 1 %. Return both p."""
    p = through_mixtures(mean, variance, comparisons)
    truth = [between(mean, variance, a, b) for a, b in comparisons]
    other = [between(mean, variance, b, a) for a, b in comparisons]
    assert ((p >= 0) & (p <= 1)).all()
    np.testing.assert_allclose(p, truth, atol=1e-5)
    for side, expected in ((p, np.array(truth)), (1 - p, np.array(other))):
        seen = expected > 1e-9
        np.testing.assert_allclose(side[seen], expected[seen], rtol=0.01)
    return p, np.array(truth)


@pytest.fixture(params=[all_pairs.PART_PAIRS, 500])
def small_parts(request, monkeypatch):
    """Pairs of parts are summed, or as good as all come on grids."""
    monkeypatch.setattr(all_pairs, "PART_PAIRS", request.param)


def test_directly_is_the_mean_over_all_pairs_whatever_its_blocks():
    mean, variance = posterior(60, 3)
    a, b = zip(*(np.split(x.astype(float), [25]) for x in (mean, variance)), strict=True)
    sd = np.sqrt(a[1][:, None] + b[1])
    whole = directly(*a, *b)
    np.testing.assert_allclose(whole, norm.cdf((a[0][:, None] - b[0]) / sd).mean((0, 1)), rtol=1e-5)
    large = [np.tile(x, (20_000, 1)) for x in b]  # which takes many blocks
    np.testing.assert_allclose(directly(*a, *large), whole, rtol=1e-6)


@pytest.mark.parametrize("spread", [0.02, 1.0, 20.0])  # of means; standard deviations are about 0.6
def test_one_versus_the_rest_and_overlapping_comparisons(spread):
    mean, variance = posterior(900, 12, spread=spread)
    rng = np.random.default_rng(1)
    kinds = rng.choice(4, 900, p=[0.7, 0.2, 0.07, 0.03])
    mean += 0.3 * kinds[:, None].astype(np.float32)
    mean[:, ::3] *= 10  # so that grids of different sizes are computed together
    comparisons = [(kinds == k, kinds != k) for k in range(4)]
    comparisons += [(rng.random(900) < 0.5, rng.random(900) < 0.4) for _ in range(2)]
    assert_precise(mean, variance, comparisons)


def test_tails_are_precise():
    """p from 1e-3 to 1e-11, near 0 and near 1: |log Bayes factors| up to 25."""
    mean, variance = posterior(700, 30, spread=0.2)
    first = np.arange(700) < 300
    mean[first] -= np.linspace(4, 16, 30).astype(np.float32)
    p, truth = assert_precise(mean, variance, both_ways(first))
    np.testing.assert_allclose(log_bayes_factor(p), log_bayes_factor(truth), atol=0.03)
    assert truth[0].min() < 1e-10 and truth[0].max() > 1e-3 and (truth[0] > 1e-9).sum() > 15
    mean[first] -= 200
    low, high = through_mixtures(mean, variance, both_ways(first))
    assert (low < 1e-12).all() and (high > 1 - 1e-12).all()


def test_gmvs_without_variation_or_width_go_by_the_order_of_means():
    mean, variance = posterior(400, 4)
    mean[:, 0], variance[:, 0] = 1.5, 0.3  # as of a set without a gene
    variance[:, 1] = 1e-12  # all but certain
    variance[:, 2:] = 0
    mean[:, 3] = mean[:, 3].round()  # ties
    first = np.arange(400) < 150
    p = through_mixtures(mean, variance, [(first, ~first)])[0]
    assert p[0] == pytest.approx(0.5, abs=1e-9)
    wins = ((np.sign(mean[first][:, None] - mean[~first]) + 1) / 2).mean(axis=(0, 1))
    np.testing.assert_allclose(p[1:], wins[1:], atol=1e-5)
    np.testing.assert_allclose(between(mean, variance, first, ~first)[2:], wins[2:], atol=1e-12)


def test_few_and_many_pairs_are_one_function():
    cells = Posterior(*posterior(2000, 4))
    number = np.arange(2000)
    comparisons = [(number < 30, (number >= 30) & (number < 90)), (number < 700, number >= 700)]
    for (a, b), p, md in zip(comparisons, *exact_comparisons(cells, comparisons), strict=True):
        np.testing.assert_allclose(p, between(*cells, a, b), atol=1e-5)
        means = cells[a].mean.mean(0), cells[b].mean.mean(0)
        np.testing.assert_allclose(md, abs(np.subtract(*means)), atol=1e-5)
        np.testing.assert_allclose(p, exact(cells[a], cells[b])[0], atol=1e-6)


@pytest.mark.parametrize("cell", [0, 899])  # on either side of the comparison
def test_one_outlying_cell(small_parts, cell):
    mean, variance = posterior(900, 6)
    mean[cell] += np.ptp(mean, axis=0) * [50, 200, 500, 1000, 1e4, 1e6]
    assert_precise(mean, variance, both_ways(np.arange(900) < 400))


@pytest.mark.parametrize("ratio", [30, 1e3, 1e6, 1e12])
def test_standard_deviations_of_very_different_size(small_parts, ratio):
    """Some cells narrow or wide, a few or all of a group; and all sizes between."""
    mean, variance = posterior(900, 5)
    first = np.arange(900) < 400
    variance[3, 0] /= ratio**2
    variance[3, 1] *= ratio**2
    variance[first, 2] /= ratio**2
    variance[:, 3] *= np.geomspace(1, ratio**2, 900)
    variance[:, 4] *= np.resize([1, ratio**2], 900)
    mean[:, 4] *= np.resize([1, ratio], 900)
    assert_precise(mean, variance, [(first, ~first), (np.arange(900) % 3 == 0, first)])


def test_outliers_and_widths_together_with_overlapping_comparisons(small_parts):
    rng = np.random.default_rng(3)
    n, k = 300, 6
    mean = rng.standard_cauchy((n, k)) * 10 ** rng.uniform(-2, 5, (n, k))
    variance = 10 ** rng.uniform(-13, 4, (n, k))
    variance[rng.random((n, k)) < 0.05] = 0
    mean[rng.random((n, k)) < 0.2] = 1.0
    comparisons = [(rng.random(n) < 0.5, rng.random(n) < 0.4) for _ in range(3)]
    assert_precise(mean, variance, comparisons)


def test_tails_with_outliers_in_both_groups(small_parts):
    """p of 1e-2 to 1e-11 with one outlier in each group, and widths over four decades."""
    mean, variance = posterior(700, 16, spread=0.2)
    first = np.arange(700) < 300
    mean[first] -= np.linspace(4, 16, 16).astype(np.float32)
    mean[[0, -1]] += [[-3000], [5000]]
    variance[::2] *= 1e-8
    assert_precise(mean, variance, both_ways(first))


@pytest.mark.parametrize("cell", [7, 20_000])
def test_one_cell_on_a_side(small_parts, cell):
    mean, variance = posterior(20_001, 3)
    mean[7] += 3000 * np.arange(3)
    variance[::2, 1] *= 1e-10
    assert_precise(mean, variance, both_ways(np.arange(20_001) == cell))


def test_a_hundred_thousand_cells_of_all_sizes():
    """Each of 500 cells is there 200 times, so that the truth is that of 500."""
    mean, variance = (x.astype(float) for x in posterior(500, 2))
    variance[:, 0] *= np.geomspace(1e-6, 1, 500)
    mean[::50, 1] += 1000
    first = np.arange(500) < 200
    many = np.tile(first, 200)
    p = through_mixtures(np.tile(mean, (200, 1)), np.tile(variance, (200, 1)), [(many, ~many)])
    np.testing.assert_allclose(p[0], between(mean, variance, first, ~first), atol=1e-5)


def test_numbers_at_the_limits_of_doubles():
    """Means from 1e-300 to the largest, standard deviations from 1e-160 to 1e150."""
    n, rng = 300, np.random.default_rng(0)
    mean = np.stack([10 ** rng.uniform(-300, 308, n) * rng.choice([-1, 1], n) for _ in range(2)], 1)
    variance = np.stack([10 ** rng.uniform(-320, 300, n), np.zeros(n)], 1)
    with np.errstate(all="raise", under="ignore"):
        assert_precise(mean, variance, both_ways(np.arange(n) < 100))


def test_the_memory_of_a_grid_is_bounded(monkeypatch):
    """Whatever the data, no grid is larger than `LARGEST`, or what a part may have."""
    sizes, deposit = [], all_pairs._deposit

    def measured(*arguments):
        weights = deposit(*arguments)
        sizes.append(weights.numel() / len(weights))
        return weights

    monkeypatch.setattr(all_pairs, "_deposit", measured)
    monkeypatch.setattr(all_pairs, "PART_PAIRS", 1000)
    mean, variance = posterior(600, 2)
    variance *= np.geomspace(1e-6, 1e6, 600)[:, None].astype(np.float32)
    mean[5] += 1e5
    rng = np.random.default_rng(0)  # about 600 kinds of cells
    comparisons = [(rng.random(600) < 0.5, rng.random(600) < 0.5) for _ in range(6)]
    through_mixtures(mean, variance, comparisons)
    assert len(sizes) > 20
    assert max(sizes) <= 1_000_000
