"""Supplementary Figure 9: accuracies and times are those of the cells and the table."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from legible import assert_legible
from matplotlib.figure import Figure
from planted_variants import FLIPS, N_CELLS, N_CONTROL, planted_variants, results
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from scripts.common.gmvs import ANTIVIRAL, INTERFERON_RELATED
from scripts.figures import layout as page
from scripts.figures import sfig9
from vega import plot
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
    return replace(data, models={**data.models, model: results(latent)})


def panel(letter, data):
    draw = getattr(sfig9, letter)
    return page.panel_figure(draw, sfig9.LAYOUT.size(letter), data).subfigs[1]


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
    (ax,) = panel("a", data).axes
    names = [t.get_text().replace("\n", " ") for t in ax.get_yticklabels()]
    assert names == GROUPS and ax.yaxis_inverted()
    assert [t.get_text() for t in ax.get_legend().get_texts()][:2] == list(sfig9.MODELS)
    for (method, model), drawn in zip(sfig9.MODELS.items(), ax.containers, strict=True):
        assert drawn.get_label() == method
        latent = data[model].latent
        shares = []
        for gmv in INTERFERON_RELATED:
            x = latent[:, gmv].X
            fit = LogisticRegression(random_state=42).fit(x, latent.obs["condition"])
            shares.append(fit.score(x, latent.obs["condition"]))
        np.testing.assert_allclose(shares, 1 - np.array(FLIPS[model]) / N_CELLS)
        lengths = [bar.get_width() for bar in drawn]
        np.testing.assert_allclose(lengths, [*shares, np.mean(shares)])
        middles = [bar.get_y() + bar.get_height() / 2 for bar in drawn]
        assert [round(y) for y in middles] == list(range(5))
    (guide,) = ax.lines
    assert set(guide.get_xdata()) == {N_CONTROL / N_CELLS}


def test_numbers_stand_at_the_bars_and_inactive_terms_are_called_so(data):
    latent = data["kang_intercode"].latent.copy()
    latent.X[:, latent.var_names == ANTIVIRAL] = 0.3
    (ax,) = panel("a", changed(data, "kang_intercode", latent)).axes
    words = [t.get_text() for t in ax.texts]
    assert words[:5] == ["0.980", "0.960", "0.980", "0.980", "0.975"]
    assert words[5:] == ["0.950", "0.600 inactive", "0.930", "0.905", "0.846"]


@pytest.mark.parametrize("model", FLIPS)
def test_a_missing_set_is_said_once(data, model):
    latent = data[model].latent
    part = panel("a", changed(data, model, latent[:, latent.var_names != ANTIVIRAL].copy()))
    assert not part.axes
    (words,) = part.texts
    assert "ANTIVIRAL MECHANISM" in words.get_text() and "CYTOKINE" not in words.get_text()


def test_times_are_medians_with_every_round(data):
    (ax,) = panel("b", data).axes
    assert [bar.get_height() for (bar,) in ax.containers] == [1.66, 1.69]
    middles = [bar.get_x() + bar.get_width() / 2 for (bar,) in ax.containers]
    table = data.tables["time_per_epoch"]
    for method, middle, dots in zip(("VEGA", "intercode"), middles, ax.collections, strict=True):
        x, y = dots.get_offsets().T
        np.testing.assert_allclose(y, table.loc[table["method"] == method, "seconds"])
        assert len(set(x)) == 3 and np.mean(x) == pytest.approx(middle)
    np.testing.assert_allclose(ax.get_xticks(), middles)
    assert ax.get_title() == "VEGA takes 0.98 times as long"
    assert ax.get_ylim()[0] == 0


def test_a_method_without_times_is_said(data):
    table = data.tables["time_per_epoch"]
    data.tables["time_per_epoch"] = table[table["method"] == "VEGA"]
    part = panel("b", data)
    assert not part.axes and "not timed" in part.texts[0].get_text()


@pytest.mark.parametrize("inactive", [False, True])
def test_no_text_of_the_page_covers_another_or_leaves_it(data, inactive, monkeypatch):
    if inactive:
        latent = data["kang_intercode"].latent.copy()
        latent.X[:] = 0
        data = changed(data, "kang_intercode", latent)
    panels = {letter: getattr(sfig9, letter) for letter in "ab"}
    assert_legible(page.page_figure(panels, sfig9.LAYOUT, "A title", data), monkeypatch)


def test_horizontal_bars_keep_groups_apart():
    ax = Figure().subplots()
    lengths = pd.DataFrame({"a": [0.1, 0.2], "b": [0.3, 0.4], "c": [0.5, 0.6]}, index=["x", "y"])
    plot.horizontal_bars(lengths, colors=["red", "green", "blue"], ax=ax)
    bars = sorted(ax.patches, key=lambda p: p.get_y())
    assert [round(bar.get_width(), 2) for bar in bars] == [0.1, 0.3, 0.5, 0.2, 0.4, 0.6]
    ends = [bar.get_y() + bar.get_height() for bar in bars]
    assert all(end <= bar.get_y() + 1e-9 for end, bar in zip(ends, bars[1:], strict=False))
    assert bars[3].get_y() - ends[2] > 0.1
