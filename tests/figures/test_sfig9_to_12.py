"""Supplementary Figures 9 to 12: what they draw are the numbers of their cells and tables."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.drawn import bars, legend, middles, page, panel, words
from helpers.legible import assert_legible
from helpers.variants import (
    FLIPS,
    IN_SET,
    LOSSES,
    N_CELLS,
    N_CONTROL,
    OTHERS,
    planted_variants,
    results_of,
)
from matplotlib.colors import to_hex
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from scripts.common.gmvs import ANTIVIRAL, INTERFERON, INTERFERON_AB, INTERFERON_RELATED, REMOVED
from scripts.figures import sfig9, sfig10, sfig11, sfig12
from scripts.figures.data import FigureData
from vega.metrics import accuracy
from vega.plot.colours import COLOURS, RED
from vega.values import values_of

GROUPS = [
    "CYTOKINE SIGNALING IN IMMUNE SYSTEM",
    "ANTIVIRAL MECHANISM BY IFN STIMULATED GENES",
    "INTERFERON ALPHA BETA SIGNALING",
    "INTERFERON SIGNALING",
    "mean of the four",
]
TITLES = ["λ = 0.1", "λ = 1", "λ = 10", "λ = 100", "λ = 1000"]
SERIES = {"a": sfig11.LOSSES, "b": sfig11.SILHOUETTES}
DROPOUT = {"a": 0.0, "b": 0.5, "c": 0.0, "d": 0.5}


@pytest.fixture
def data():
    return planted_variants()


# ---------------------------------------------------------------- Supplementary Figure 9


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


def test_s9_bars_are_the_accuracies_of_both_methods(data):
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


def test_s9_numbers_stand_at_the_bars_and_inactive_terms_are_called_so(data):
    latent = data["kang_intercode"].latent.copy()
    latent.X[:, latent.var_names == ANTIVIRAL] = 0.3
    (ax,) = panel("sfig9", "a", changed(data, "kang_intercode", latent)).axes
    numbers = words(ax.texts)
    assert numbers[:5] == ["0.980", "0.960", "0.980", "0.980", "0.975"]
    assert numbers[5:] == ["0.950", "0.600 inactive", "0.930", "0.905", "0.846"]


@pytest.mark.parametrize("model", FLIPS)
def test_s9_says_once_which_set_is_missing(data, model):
    latent = data[model].latent
    without = latent[:, latent.var_names != ANTIVIRAL].copy()
    part = panel("sfig9", "a", changed(data, model, without))
    assert not part.axes
    (said,) = words(part.texts)
    assert "ANTIVIRAL MECHANISM" in said and "CYTOKINE" not in said


def test_s9_times_are_medians_with_every_round(data):
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


def test_s9_says_that_a_method_has_no_times(data):
    table = data.tables["time_per_epoch"]
    data.tables["time_per_epoch"] = table[table["method"] == "VEGA"]
    part = panel("sfig9", "b", data)
    assert not part.axes and "not timed" in part.texts[0].get_text()


def test_no_text_of_s9_covers_another_where_all_terms_are_inactive(data, monkeypatch):
    latent = data["kang_intercode"].latent.copy()
    latent.X[:] = 0
    assert_legible(page("sfig9", changed(data, "kang_intercode", latent)), monkeypatch)


# ---------------------------------------------------------------- Supplementary Figure 10


def rows_of(data, letter, penalty):
    table = data.tables["kang_soft_weights"]
    return table[
        (table["seed"] == 1)
        & (table["l1_update"] == list(sfig10.STEPS)[letter == "b"])
        & (table["l1_lambda"] == penalty)
    ]


@pytest.mark.parametrize("letter", ["a", "b"])
def test_s10_bars_are_the_largest_weights_in_the_order_of_penalties(data, letter):
    part = panel("sfig10", letter, data)
    assert [ax.get_title() for ax in part.axes] == TITLES
    lefts = [ax.get_position().x0 for ax in part.axes]
    assert lefts == sorted(lefts)
    for ax, penalty in zip(part.axes, sfig10.PENALTIES, strict=True):
        rows = rows_of(data, letter, penalty)
        top = rows[rows["weight"] > 0].nlargest(20, "weight")
        names = words(ax.get_yticklabels())
        assert [name.removeprefix("★ ") for name in names] == list(top["gene"])
        np.testing.assert_allclose([bar.get_width() for bar in ax.patches], top["weight"])
        places = [bar.get_y() + bar.get_height() / 2 for bar in ax.patches]
        np.testing.assert_allclose(places, top["rank"])
        low, high = ax.get_ylim()
        assert low > 20 and high < 1  # the largest on top
        for gene, label, bar in zip(top["gene"], ax.get_yticklabels(), ax.patches, strict=True):
            colour = to_hex("black") if gene in IN_SET else RED.lower()
            assert to_hex(label.get_color()) == to_hex(bar.get_facecolor()) == colour
            assert label.get_text().startswith("★") == (gene in REMOVED)


def test_s10_genes_further_down_are_listed_with_their_rank_below_their_axes(data):
    a, b = panel("sfig10", "a", data), panel("sfig10", "b", data)
    rank = rows_of(data, "a", 0.1).set_index("gene")["rank"]
    lines = [t for t in a.texts if "rank" in t.get_text() or "weight" in t.get_text()]
    assert words(lines[:3]) == [f"★ {g}: rank {rank[g]}" for g in REMOVED]
    assert rank["ISG20"] > 200
    zero = [f"★ {gene}: weight 0" for gene in REMOVED]
    assert words(lines[6:]) == zero * 2  # at 10 all three are on top
    assert [t for t in words(b.texts) if "weight 0" in t] == zero * 3
    # Below the axes of its own penalty.
    for ax, line in zip((a.axes[0], a.axes[1], a.axes[3], a.axes[4]), lines[::3], strict=True):
        x = line.get_position()[0]
        assert abs(x - ax.get_position().x0) < 0.2 / len(TITLES) * 4
        assert x < ax.get_position().x1 and line.get_position()[1] < ax.get_position().y0


def test_s10_a_weight_of_zero_is_not_on_top_wherever_ties_put_it(data):
    table = data.tables["kang_soft_weights"]
    chosen = (table["l1_lambda"] == 1000) & (table["gene"] == "ISG15")
    table.loc[chosen, "rank"] = 3
    part = panel("sfig10", "b", data)
    names = words(part.axes[4].get_yticklabels())
    assert "★ ISG15" not in names and "★ ISG15: weight 0" in words(part.texts)


def test_s10_says_what_is_missing(data):
    table = data.tables["kang_soft_weights"]
    kept = (table["l1_lambda"] != 10) & (table["gene"] != "IFIT2")
    data.tables["kang_soft_weights"] = table[kept]
    part = panel("sfig10", "a", data)
    assert [ax.get_title() for ax in part.axes] == [*TITLES[:2], *TITLES[3:]]
    assert "no model with λ = 10" in words(part.texts)
    assert words(part.texts).count("★ IFIT2: no such gene") == 4
    data.tables["kang_soft_weights"] = table[table["gmv"] != INTERFERON_AB]
    part = panel("sfig10", "b", data)
    assert not part.axes and "INTERFERON ALPHA BETA" in words(part.texts)[0]


def test_s10_cuts_long_names(data):
    table = data.tables["kang_soft_weights"]
    table["gene"] = table["gene"].replace(OTHERS[0], "XXbac-BPG299F13.17")
    names = words(panel("sfig10", "a", data).axes[0].get_yticklabels())
    assert names[0] == "XXbac-BPG299…"


@pytest.mark.parametrize("oddity", ["long names", "no model"])
def test_no_text_of_s10_covers_another_or_leaves_the_page(data, oddity, monkeypatch):
    table = data.tables["kang_soft_weights"]
    if oddity == "long names":
        table["gene"] = table["gene"].replace(OTHERS[3], "RP11-1094M14.11")
    else:
        data.tables["kang_soft_weights"] = table[table["l1_lambda"] != 1]
    assert_legible(page("sfig10", data), monkeypatch)


# ---------------------------------------------------------------- Supplementary Figure 11


@pytest.mark.parametrize("letter", SERIES)
def test_s11_lines_are_means_with_their_sd_and_every_run_is_a_dot(data, letter):
    table = data.tables["kang_extra_nodes_sweep"].sample(frac=1, random_state=1)
    table = table.sort_values("seed", kind="stable")
    table.iloc[0, table.columns.get_indexer(SERIES[letter])] = np.nan  # a run that is left out
    data.tables["kang_extra_nodes_sweep"] = table
    (ax,) = panel("sfig11", letter, data).axes
    table = table[table["seed"] == 1]
    assert legend(ax) == list(SERIES[letter].values())
    dots, *bars = ax.collections
    values = table[list(SERIES[letter])].to_numpy()
    np.testing.assert_allclose(
        np.sort(np.ma.getdata(dots.get_offsets())[:, 1]), np.sort(values[np.isfinite(values)])
    )
    lines = [
        line for line in ax.lines if len(line.get_xdata()) == len(LOSSES) and line.get_ls() == "-"
    ]
    for column, line, bar, colour in zip(SERIES[letter], lines, bars, COLOURS, strict=False):
        groups = table.groupby("extra_nodes")[column]
        mean, sd = groups.mean(), groups.std()
        np.testing.assert_allclose(line.get_ydata(), mean)
        ends = np.array([segment[:, 1] for segment in bar.get_segments()])
        np.testing.assert_allclose(ends, np.column_stack([mean - sd, mean + sd]))
        assert to_hex(line.get_color()) == colour.lower()
        # Close to the number of nodes, so that it is clear which it is.
        assert np.abs(np.log2(line.get_xdata() / mean.index)).max() < 0.2
    assert len(lines) == len(bars) == len(SERIES[letter])


def test_s11_axis_is_logarithmic_with_a_tick_for_each_number_of_nodes(data):
    (ax,) = panel("sfig11", "a", data).axes
    assert ax.get_xscale() == "log"
    assert words(ax.get_xticklabels()) == [str(n) for n in LOSSES]
    assert list(ax.get_xticks()) == list(LOSSES) and not len(ax.get_xticks(minor=True))


# ---------------------------------------------------------------- Supplementary Figure 12


@pytest.mark.parametrize("letter", ["a", "b"])
def test_s12_activities_of_each_cell_with_their_line(data, letter):
    (ax,) = panel("sfig12", letter, data).axes
    latent = data[sfig12.MODELS[DROPOUT[letter]]].latent
    x, y = (values_of(latent, gmv) for gmv in (INTERFERON, INTERFERON_AB))
    np.testing.assert_allclose(ax.collections[0].get_offsets(), np.c_[x, y])
    first, second = ax.get_title().split("\n")
    assert first == f"Latent dropout {DROPOUT[letter]:g}"
    assert second.startswith(f"R² = {np.corrcoef(x, y)[0, 1] ** 2:.2f}, y = ")
    assert ax.get_xlabel() == "INTERFERON SIGNALING, activity"
    assert ax.get_ylabel().replace("\n", " ") == "INTERFERON ALPHA BETA SIGNALING, activity"


@pytest.mark.parametrize("letter", ["c", "d"])
def test_s12_weights_of_the_genes_of_both_sets_with_their_r(data, letter):
    (ax,) = panel("sfig12", letter, data).axes
    table = data.tables["kang_latent_dropout_weights"]
    rows = table[(table["seed"] == 1) & (table["latent_dropout"] == DROPOUT[letter])]
    weight = rows.set_index(["gmv", "gene"])["weight"]
    x, y = (np.array([weight[gmv, gene] for gene in IN_SET]) for gmv in (INTERFERON, INTERFERON_AB))
    drawn = ax.collections[0].get_offsets()
    np.testing.assert_allclose(sorted(map(tuple, drawn)), sorted(zip(x, y, strict=True)))
    r = np.corrcoef(x, y)[0, 1]
    expected = f"Latent dropout {DROPOUT[letter]:g}\nr = {r:.3f}, {len(IN_SET)} genes"
    assert ax.get_title().replace("−", "-") == expected
    named = {t.get_text() for t in ax.texts}
    assert named == {IN_SET[i] for i in np.argsort(-(x + y))[: sfig12.NAMED]}


@pytest.mark.parametrize("gmv", [INTERFERON, INTERFERON_AB])
def test_s12_says_that_a_set_is_missing(data, gmv):
    latents = {name: results.latent for name, results in data.models.items()}
    models = {n: results_of(z[:, z.var_names != gmv].copy()) for n, z in latents.items()}
    table = data.tables["kang_latent_dropout_weights"]
    tables = {"kang_latent_dropout_weights": table[table["gmv"] != gmv]}
    said = {"ab": "no GMV", "cd": "no gene is in both sets"}
    for letters, start in said.items():
        for letter in letters:
            part = panel("sfig12", letter, FigureData(models, tables))
            assert not part.axes and part.texts[0].get_text().startswith(start)


def test_s12_without_a_correlation_the_title_says_so(data):
    table = data.tables["kang_latent_dropout_weights"]
    data.tables["kang_latent_dropout_weights"] = table.assign(weight=1.0)
    (ax,) = panel("sfig12", "c", data).axes
    assert ax.get_title().endswith("no correlation: all values are the same, 15 genes")
