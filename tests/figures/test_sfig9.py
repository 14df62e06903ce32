"""Supplementary Figure 9: accuracies and times are those of the cells and the table."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.drawn import bars, legend, middles, page, panel, words
from helpers.legible import assert_legible
from helpers.variants import FLIPS, N_CELLS, N_CONTROL, planted_variants, results_of
from matplotlib.colors import to_hex
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from scripts.common.gmvs import ANTIVIRAL, INTERFERON_RELATED
from scripts.figures import sfig9
from vega.metrics import accuracy

GROUPS = [
    "CYTOKINE SIGNALING IN IMMUNE SYSTEM",
    "ANTIVIRAL MECHANISM BY IFN STIMULATED GENES",
    "INTERFERON ALPHA BETA SIGNALING",
    "INTERFERON SIGNALING",
    "mean of the four",
]


@pytest.fixture
def data():
    return planted_variants()


def changed(data, model, latent):
    return replace(data, models={**data.models, model: results_of(latent)})


def test_accuracy_is_that_of_the_best_penalised_logistic_curve():
    rng = np.random.default_rng(0)
    labels = rng.random(300) < 0.4
    activity = rng.normal(0, 1, 300) + 1.1 * labels

    def loss(parameters):
        """Half the squared slope and, times C = 1, the cells' summed log loss."""
        slope, intercept = parameters
        margin = np.where(labels, 1, -1) * (slope * activity + intercept)
        return slope**2 / 2 + np.logaddexp(0, -margin).sum()

    slope, intercept = minimize(loss, [0, 0], tol=1e-10).x
    expected = ((slope * activity + intercept > 0) == labels).mean()
    assert accuracy(activity, np.where(labels, "stimulated", "control")) == expected
    assert 0.6 < expected < 0.9


def test_a_constant_activity_has_the_accuracy_of_the_larger_label():
    assert accuracy(np.zeros(10), ["a"] * 7 + ["b"] * 3) == 0.7


def test_bars_are_the_accuracies_of_both_methods(data):
    (ax,) = panel("sfig9", "a", data).axes
    assert words(ax.get_yticklabels()) == GROUPS and ax.yaxis_inverted()
    assert legend(ax)[:2] == list(sfig9.MODELS)
    for (method, model), drawn in zip(sfig9.MODELS.items(), bars(ax), strict=True):
        assert to_hex(drawn[0].get_facecolor()) == sfig9.PALETTE[method].lower()
        latent = data[model].latent
        shares = []
        for gmv in INTERFERON_RELATED:
            x = latent[:, gmv].X
            fit = LogisticRegression(random_state=42).fit(x, latent.obs["condition"])
            shares.append(fit.score(x, latent.obs["condition"]))
        np.testing.assert_allclose(shares, 1 - np.array(FLIPS[model]) / N_CELLS)
        lengths = [bar.get_width() for bar in drawn]
        np.testing.assert_allclose(lengths, [*shares, np.mean(shares)])
        assert [round(bar.get_y() + bar.get_height() / 2) for bar in drawn] == list(range(5))
    (guide,) = ax.lines
    assert set(guide.get_xdata()) == {N_CONTROL / N_CELLS}


def test_numbers_stand_at_the_bars_and_inactive_terms_are_called_so(data):
    latent = data["kang_intercode"].latent.copy()
    latent.X[:, latent.var_names == ANTIVIRAL] = 0.3
    (ax,) = panel("sfig9", "a", changed(data, "kang_intercode", latent)).axes
    numbers = words(ax.texts)
    assert numbers[:5] == ["0.980", "0.960", "0.980", "0.980", "0.975"]
    assert numbers[5:] == ["0.950", "0.600 inactive", "0.930", "0.905", "0.846"]


@pytest.mark.parametrize("model", FLIPS)
def test_a_missing_set_is_said_once(data, model):
    latent = data[model].latent
    without = latent[:, latent.var_names != ANTIVIRAL].copy()
    part = panel("sfig9", "a", changed(data, model, without))
    assert not part.axes
    (said,) = words(part.texts)
    assert "ANTIVIRAL MECHANISM" in said and "CYTOKINE" not in said


def test_times_are_medians_with_every_round(data):
    (ax,) = panel("sfig9", "b", data).axes
    assert [bar.get_height() for (bar,) in bars(ax)] == [1.66, 1.69]
    places = [middles(container)[0] for container in bars(ax)]
    seconds = data.tables["time_per_epoch"].groupby("method")["seconds"]
    for method, place, dots in zip(("VEGA", "intercode"), places, ax.collections, strict=True):
        x, y = dots.get_offsets().T
        np.testing.assert_allclose(sorted(y), sorted(seconds.get_group(method)))
        assert np.abs(x - place).max() < 0.3
    np.testing.assert_allclose(ax.get_xticks(), places)
    assert ax.get_title() == "VEGA takes 0.98 times as long"
    assert ax.get_ylim()[0] == 0


def test_a_method_without_times_is_said(data):
    table = data.tables["time_per_epoch"]
    data.tables["time_per_epoch"] = table[table["method"] == "VEGA"]
    part = panel("sfig9", "b", data)
    assert not part.axes and "not timed" in part.texts[0].get_text()


def test_no_text_covers_another_where_all_terms_are_inactive(data, monkeypatch):
    latent = data["kang_intercode"].latent.copy()
    latent.X[:] = 0
    assert_legible(page("sfig9", changed(data, "kang_intercode", latent)), monkeypatch)
