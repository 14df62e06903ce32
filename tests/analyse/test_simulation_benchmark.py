"""Simulation benchmark: its numbers against brute force, its figure against its tables."""

import json

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from conftest import ROOT
from helpers.checks import one_line_error
from helpers.drawn import page, panel
from helpers.figure_runs import COMMON, VEGA_VARIANTS, recovery_tables
from helpers.legible import assert_legible
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from scipy.stats import norm, spearmanr

from scripts.analyse.simulation_benchmark import (
    GSEA,
    NEGATIVE,
    POSITIVE,
    benchmark,
    expected_shifts,
    log_bayes_factors,
    planted_activity,
    score_sets,
    spearman,
)
from scripts.common.config.load import load
from scripts.figures.data import FigureData
from scripts.figures.recovery import over_seeds, stripplot
from scripts.simulate.genes import simulate_gene_sets
from scripts.simulate.simulate_study import simulate_study
from vega.differential import log_bayes_factor
from vega.plot.colours import COLOURS

# ---------------------------------------------------------------- truth


@pytest.fixture(scope="module")
def simulated():
    """Kang's programmes in cells without any noise but that of many counts."""
    config = load({"data": "simulated", "studies": "kang"}, ROOT / "config")
    kang = config.simulations.studies["kang"]
    plain = kang.model_copy(
        update={
            "cells": 240, "library": 1e9, "library_log2_sd": 0, "dispersion": 1e-9,
            "doublets": 0, "unlabelled": 0, "low_quality": 0, "markers": 0, "columns": {},
            "types": {k: v.model_copy(update={"library": 1.0}) for k, v in kang.types.items()},
        }
    )  # fmt: skip
    simulations = config.simulations.model_copy(
        update={
            "studies": {"kang": plain},
            "genes": config.simulations.genes.model_copy(update={"log2_sd": 0.5}),
        }
    )
    study = simulate_study("kang", config.raw_source("kang"), simulations)
    return study, simulate_gene_sets(simulations, "reactomes.gmt")


def test_expected_shifts_are_those_of_the_simulated_log2_means(simulated):
    study, gene_sets = simulated
    obs = study.cells
    stimulated = (obs["condition"] == "stimulated").to_numpy()
    innate = obs["cell_type"].isin(["CD14+Mono", "FCGR3A+Mono", "Dendritic"]).to_numpy()
    b_cells = (obs["cell_type"] == "B").to_numpy()
    sides = [
        np.where(stimulated, 1, -1) * innate,
        np.where(b_cells, 1, -1),
        np.where(stimulated, 1, -1) * b_cells,
    ]
    log2 = pd.DataFrame(np.log2(study.counts.toarray()), columns=study.genes["symbol"])
    shifts = expected_shifts(study.truth, obs, sides, list(gene_sets))
    for side, found in zip(sides, shifts, strict=True):
        change = log2[side == 1].mean() - log2[side == -1].mean()
        expected = [change[genes].mean() for genes in gene_sets.values()]
        np.testing.assert_allclose(found, expected, atol=2e-3)
    # All programmes take part: supersets of their sets, those that meet in a cell, parts of a set.
    assert (np.abs(shifts) > POSITIVE).sum(axis=1).min() >= 3


def test_planted_activity_is_the_sum_of_the_set_s_own_programmes(simulated):
    study, gene_sets = simulated
    found = planted_activity(study.truth, study.cells, list(gene_sets))
    assert len(found) == 4
    for name, values in found.items():
        expected = np.zeros(len(study.cells))
        for row in study.truth[study.truth["kind"] == "planted"].itertuples():
            if row.gene_set == name:
                for i, cell in enumerate(study.cells.itertuples()):
                    inside = cell.cell_type in row.cell_type.split(";")
                    expected[i] += row.effect * (inside and cell.condition in row.condition)
        np.testing.assert_array_equal(values, expected)


# ---------------------------------------------------------------- a small study made by hand

SETS = {
    "UP": [f"g{i}" for i in range(20)],
    "DOWN": [f"g{i}" for i in range(20, 40)],
    "SMALL": ["g40", "g41", "g42"],
    "CYCLE": [f"g{i}" for i in range(43, 55)],
    "SOME": [f"g{i}" for i in [0, 1, *range(60, 70)]],  # 2 of 12 genes are those of UP
    **{f"NULL{k}": [f"g{i}" for i in range(70 + 10 * k, 80 + 10 * k)] for k in range(8)},
}
ANALYSES = {
    "contrasts": {
        "drug": {
            "within": {}, "column": "condition", "group": "drug", "reference": "none", "by": None,
            "gsea": False,
        }
    },
    "one_vs_rest": "cell_type",
}  # fmt: skip


def planted(*rows):
    """Truth: programme, set, kind, `where` in words, condition, cell_type, effect, share."""
    columns = ["programme", "gene_set", "kind", "where", "condition", "cell_type", "effect"]
    return pd.DataFrame(rows, columns=[*columns, "share"])


DRUG, TYPE_A = "condition: drug", "cell_type: A"
TRUTH = planted(
    (0, "UP", "planted", DRUG, "drug", "A;B", 1.0, 1.0),
    (0, "SOME", "overlap", DRUG, "drug", "A;B", 1.0, 2 / 12),
    (1, "DOWN", "planted", DRUG, "drug", "A;B", -1.0, 0.5),
    (2, "SMALL ", "planted", f"{TYPE_A}; {DRUG}", "drug", "A", 2.0, 1.0),
    (None, None, "shift", "each donor", None, None, 0.2, None),
)


def cells(n=120):
    """Expression with the truth planted, and one column of cells that does not matter."""
    rng = np.random.default_rng(0)
    labels = {"condition": ["none", "drug"] * (n // 2), "cell_type": np.repeat(["A", "B"], n // 2)}
    obs = pd.DataFrame(labels, [f"c{i}" for i in range(n)]).astype("category")
    genes = [f"g{i}" for i in range(160)]
    x = pd.DataFrame(rng.normal(5, 1, (n, len(genes))), obs.index, genes)
    drug, type_a = obs["condition"] == "drug", obs["cell_type"] == "A"
    x.loc[drug, SETS["UP"]] += 1
    x.loc[drug, SETS["DOWN"][:10]] -= 1
    x.loc[drug & type_a, SETS["SMALL"]] += 2
    uns = {"provenance": json.dumps({"study": "toy"})}
    return AnnData(x.to_numpy(np.float32), obs=obs, var=pd.DataFrame(index=genes), uns=uns)


def score(activity, variance=None, extra=()):
    """A method's activities of all sets: `activity` maps names to values, others are 0."""
    study = cells()
    x = pd.DataFrame(0.0, study.obs_names, [*SETS, *extra])
    for name, values in activity.items():
        x[name] = values
    layers = {} if variance is None else {"variance": np.full(x.shape, variance)}
    return AnnData(x.to_numpy(), obs=study.obs, var=pd.DataFrame(index=x.columns), layers=layers)


def noise(seed):
    values = np.random.default_rng(seed).normal(size=(120, len(SETS)))
    return dict(zip(SETS, values.T, strict=True))


def right():
    """Activities as planted, among noise."""
    truth = TRUTH.assign(gene_set=TRUTH["gene_set"].str.strip())
    found = planted_activity(truth, cells().obs, list(SETS))
    return noise(1) | {name: 10 * values + noise(2)[name] for name, values in found.items()}


def scored(latents, truth=TRUTH):
    """Score methods that have no seeds."""
    latents = {(name, None): latent for name, latent in latents.items()}
    return benchmark(latents, truth, ANALYSES, cells(), SETS)


@pytest.fixture(scope="module")
def toy():
    latents = {
        "VEGA": score(right(), variance=0.1, extra=["UNANNOTATED_1"]),
        "right": score(right()),
        "inverted": score({name: -values for name, values in right().items()}),
        "constant": score({}),
    }
    return scored(latents)


def test_comparisons_know_what_was_planted(toy):
    pair = ["contrast", "group"]
    rows = toy["comparisons"].drop_duplicates(pair).set_index(pair)
    assert set(toy["comparisons"]["study"]) == {"toy"}
    # SMALL, of type A under the drug, shifts by 1 in both comparisons; SOME by 1/6 under the drug,
    # and is left out there. The types do not differ in UP and DOWN.
    assert list(rows.index) == [("drug", "drug"), ("one_vs_rest", "A"), ("one_vs_rest", "B")]
    assert rows["n_positive"].tolist() == [3, 1, 1]
    assert rows["n_negative"].tolist() == [9, 12, 12]
    assert rows["kind"].tolist() == ["condition", "type", "type"]
    np.testing.assert_allclose(rows["base_rate"], [3 / 12, 1 / 13, 1 / 13])
    assert rows["note"].tolist() == [""] * 3


def test_right_inverted_and_constant_activities_get_their_scores(toy):
    table = toy["comparisons"].set_index("method")
    exact = table.loc[["VEGA", "right", "inverted"], ["auroc", "auprc"]]
    assert (exact == 1).all(axis=None)
    assert (table.loc[["VEGA", "right"], "sign"] == 1).all()
    assert (table.loc["inverted", "sign"] == 0).all()
    # A method that says the same of all sets is chance.
    constant = table.loc["constant"]
    assert (constant["auroc"] == 0.5).all() and (constant["sign"] == 0).all()
    np.testing.assert_allclose(constant["auprc"], constant["base_rate"])


def test_gsea_finds_the_sets_that_it_tests(toy):
    """SMALL has three genes and is not tested: it ranks last."""
    table = toy["comparisons"].set_index(["method", "contrast", "group"]).loc[GSEA]
    drug = table.loc["drug", "drug"]
    assert drug["auroc"] == pytest.approx((9 + 9 + 0) / 27)
    assert drug["auprc"] == pytest.approx((1 + 1 + 3 / 12) / 3)
    assert drug["sign"] == pytest.approx(2 / 3)
    assert table.loc[("one_vs_rest", "A"), "auroc"] == 0


def test_activity_is_correlated_with_the_planted_one(toy):
    table = toy["activity"].set_index(["method", "gene_set"])
    assert set(table.index.unique("gene_set")) == {"UP", "DOWN", "SMALL"}
    assert set(table.index.unique("method")) == {"VEGA", "right", "inverted", "constant"}
    drug = (cells().obs["condition"] == "drug").to_numpy()
    expected = spearmanr(right()["UP"], drug).statistic
    assert table.loc[("right", "UP"), "spearman"] == pytest.approx(expected)
    assert table.loc[("inverted", "UP"), "spearman"] == pytest.approx(-expected)
    assert table.loc[("VEGA", "UP"), "spearman"] == pytest.approx(expected)
    assert (table.loc["constant", "spearman"] == 0).all()
    # No cell is out of order, and none tied.
    np.testing.assert_allclose(table.loc["right", "spearman"], table.loc["right", "in_order"])


def test_sets_of_programmes_by_unknown_columns_are_left_out():
    """As the cell cycle of the organoids, whose preprocessed cells have no phase."""
    phase = planted(
        (3, "CYCLE", "planted", "phase: cycling", "none;drug", "A;B", 1.0, 1.0),
        (3, "NULL0", "overlap", "phase: cycling", "none;drug", "A;B", 1.0, 0.05),
        (4, "CYCLE", "overlap", DRUG, "drug", "A;B", 1.0, 0.2),
    ).assign(phase="cycling")
    truth = pd.concat([TRUTH.assign(phase="cycling;resting"), phase], ignore_index=True)
    found = scored({"right": score(right())}, truth)
    drug = found["comparisons"].iloc[0]
    assert (drug["n_positive"], drug["n_negative"]) == (3, 7)  # CYCLE and NULL0 are neither
    assert drug["note"] == ("sets left out: of programmes by phase, which the cells do not tell: 2")
    assert "CYCLE" not in set(found["activity"]["gene_set"])
    shifts = expected_shifts(truth, cells().obs, [np.tile([-1, 1], 60)], list(SETS))
    assert np.isnan(shifts[0]).sum() == 2


def test_each_seed_of_a_method_is_scored_and_drawn_as_their_mean(toy):
    latents = {("VEGA", 1): score(right()), ("VEGA", 2): score({}), ("right", None): score(right())}
    found = benchmark(latents, TRUTH, ANALYSES, cells(), SETS)
    by_seed = found["comparisons"].groupby(["method", "seed"])["auroc"].agg(["min", "max"])
    assert by_seed.loc["VEGA"].to_numpy().tolist() == [[1, 1], [0.5, 0.5]]
    mean = over_seeds(found["comparisons"]).set_index("method")["auroc"]
    assert (mean["VEGA"] == 0.75).all() and (mean["right"] == 1).all()
    assert len(mean) == 3 * len(set(found["comparisons"]["method"]))
    activity = found["activity"].set_index(["method", "seed", "gene_set"])["spearman"]
    drawn = over_seeds(found["activity"]).set_index(["method", "gene_set"])
    assert drawn.loc[("VEGA", "UP"), "spearman"] == pytest.approx(activity["VEGA", 1, "UP"] / 2)


def test_only_sets_that_all_methods_have_are_scored():
    some = score(right())[:, [s for s in SETS if s not in ("UP", "NULL1")]]
    found = scored({"all": score(right()), "some": some})
    drug = found["comparisons"].iloc[0]
    assert (drug["n_positive"], drug["n_negative"]) == (2, 8)
    assert drug["note"] == "sets left out: that not all methods have: 2"
    assert set(found["activity"]["gene_set"]) == {"DOWN", "SMALL"}


def test_a_study_without_programmes_has_no_rows():
    found = scored({"right": score(right())}, TRUTH.tail(1))
    assert found["comparisons"].empty and found["activity"].empty
    assert {"auroc", "auprc"} <= set(found["comparisons"]) and "spearman" in found["activity"]


def test_wrong_activities_are_named():
    good, bad = score(right()), score(right() | {"DOWN": np.nan})
    with one_line_error("a, b have no gene set of the collection in common"):
        scored({"a": good[:, :1], "b": good[:, 1:]})
    with one_line_error("b: the activity of DOWN is not a number"):
        scored({"a": good, "b": bad})


# ---------------------------------------------------------------- measures


def pairs(a, b, above=lambda difference: (np.sign(difference) + 1) / 2):
    """Share of pairs in which a is above b, ties counted half."""
    return above(np.subtract.outer(a, b)).mean()


@pytest.mark.parametrize(("variance", "above"), [(None, {}), (0.5, {"above": norm.cdf})])
def test_activities_are_compared_over_all_pairs_of_cells(variance, above):
    """Scores with ties, and posteriors with their width: the variance of a difference is 1."""
    activity = {name: np.round(values) for name, values in noise(3).items()}
    side = np.resize([1, -1, 0], 120)
    (found,) = log_bayes_factors(score(activity, variance), [side])
    for name, value in zip(SETS, found, strict=True):
        p = pairs(activity[name][side == 1], activity[name][side == -1], **above)
        assert value == pytest.approx(log_bayes_factor(p))


def test_scores_of_sets_against_brute_force():
    """With ties, sets between the bounds and unknown ones, which do not count."""
    rng = np.random.default_rng(5)
    shift = rng.choice([0, NEGATIVE, 0.2, POSITIVE, -1, np.nan], 200)
    statistic = np.round(rng.normal(shift, 1), 1)
    statistic[np.isnan(shift)] = 9
    found = score_sets(statistic, shift)
    positive = np.abs(statistic[np.abs(shift) >= POSITIVE])
    negative = np.abs(statistic[np.abs(shift) <= NEGATIVE])
    assert found["auroc"] == pytest.approx(pairs(positive, negative))
    # Average precision: precision at each threshold times what recall gains there.
    area, before = 0, 0
    for threshold in sorted({*positive, *negative}, reverse=True):
        hits, false = (positive >= threshold).sum(), (negative >= threshold).sum()
        area += hits / (hits + false) * (hits - before) / len(positive)
        before = hits
    assert found["auprc"] == pytest.approx(area)
    assert found["base_rate"] == len(positive) / (len(positive) + len(negative))
    large = np.abs(shift) >= POSITIVE
    assert found["sign"] == np.mean(np.sign(statistic[large]) == np.sign(shift[large]))


def test_cells_in_order_correlate_best_unless_tied():
    rng = np.random.default_rng(6)
    planted = np.repeat([0.0, 2.0, 3.0], [50, 30, 20])
    found = spearman(planted + rng.uniform(0, 0.5, 100), planted)
    assert found["spearman"] == pytest.approx(found["in_order"])
    tied = {"spearman": 1, "in_order": found["in_order"]}
    assert spearman(planted, planted) == pytest.approx(tied)
    for activity in (rng.normal(size=100), planted + rng.normal(size=100)):
        got = spearman(activity, planted)
        assert got["spearman"] == pytest.approx(spearmanr(activity, planted).statistic)
        assert got["spearman"] < got["in_order"] == found["in_order"]


# ---------------------------------------------------------------- figure


def shown(tables):
    return FigureData({}, tables, {}, [("simulated", 1000)])


def means(axes):
    """Mean and half the length of the error bar (None without one), by place."""
    found = {}
    for dots in (line for line in axes.lines if line.get_marker() == "D"):
        for x, y in dots.get_xydata()[np.isfinite(dots.get_xydata()).all(axis=1)]:
            bars = [line.get_xydata() for line in axes.lines if line.get_marker() == "None"]
            halves = [np.ptp(b[:, 0]) / 2 for b in bars if len(b) == 2 and np.allclose(b[:, 1], y)]
            half = halves[0] if np.isfinite(halves[0]) else None
            found[round(float(y), 6)] = (x, half, to_hex(dots.get_markerfacecolor()).upper())
    return found


def names(axes):
    return [t.get_text() for t in axes.get_yticklabels()]


@pytest.mark.parametrize(("letter", "column"), [("a", "auroc"), ("b", "auprc")])
def test_rows_are_the_table_s_numbers_of_the_same_comparisons(letter, column):
    data = recovery_tables()
    every, kang = panel("recovery", letter, shown(data)).axes
    assert names(every) == COMMON
    assert names(kang) == ["VEGA", *VEGA_VARIANTS, *COMMON[1:]]
    table = data["recovery_comparisons"]
    for axes, rows in ((every, table), (kang, table[table["study"] == "kang"])):
        found = means(axes)
        assert len(found) == 2 * len(names(axes))
        dots = [c for c in axes.collections if isinstance(c, PathCollection)]
        drawn = sorted(x for c in dots for x in c.get_offsets()[:, 0])
        expected = rows.loc[rows["method"].isin(names(axes)), column]
        np.testing.assert_allclose(drawn, sorted(expected))
        for place, (mean, sd, colour) in found.items():
            kind = ["condition", "type"][place > round(place)]
            of = rows[(rows["method"] == names(axes)[round(place)]) & (rows["kind"] == kind)]
            assert mean == pytest.approx(of[column].mean())
            assert sd == pytest.approx(of[column].std(ddof=0))
            assert colour == COLOURS[kind == "type"]
        guides = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"]
        np.testing.assert_allclose(guides, [0.5] if letter == "a" else [0.3, 0.1])
    titles = [axes.get_title(loc="left") for axes in (every, kang)]
    assert titles == ["All 5 studies", "Only kang"]


def test_correlations_stand_above_that_of_cells_in_order():
    data = recovery_tables()
    every, kang = panel("recovery", "c", shown(data)).axes
    assert names(every) == [*COMMON[:-1], "all cells in order"]
    assert names(kang) == ["VEGA", *VEGA_VARIANTS, *COMMON[1:-1], "all cells in order"]
    table = data["recovery_activity"]
    for axes, rows in ((every, table), (kang, table[table["study"] == "kang"])):
        found = means(axes)
        for row, method in enumerate(names(axes)[:-1]):
            values = rows.loc[rows["method"] == method, "spearman"]
            assert found[row][:2] == pytest.approx((values.mean(), values.std(ddof=0)))
        assert found[len(names(axes)) - 1][:2] == pytest.approx((0.9, 0))
        assert axes.get_xlim()[0] < table["spearman"].min()


def test_methods_that_all_studies_have_need_no_second_block():
    (axes,) = panel("recovery", "a", shown(recovery_tables([]))).axes
    assert names(axes) == COMMON
    kang = {k: t[t["study"] == "kang"] for k, t in recovery_tables().items()}
    (axes,) = panel("recovery", "a", shown(kang)).axes
    assert names(axes) == ["VEGA", *VEGA_VARIANTS, *COMMON[1:]]
    assert axes.get_title(loc="left") == "kang"


def test_a_kind_of_comparison_that_is_not_there_has_a_dash():
    data = recovery_tables([])
    table = data["recovery_comparisons"]
    data["recovery_comparisons"] = table[table["kind"] == "type"]
    (axes,) = panel("recovery", "b", shown(data)).axes
    assert [t.get_text() for t in axes.texts] == ["–"] * 4
    assert len(means(axes)) == 4


def test_panels_without_rows_say_so():
    empty = {name: table.iloc[:0] for name, table in recovery_tables().items()}
    for letter in "abc":
        part = panel("recovery", letter, shown(empty))
        assert not part.axes and "no simulated effect" in part.texts[0].get_text()


def test_no_text_of_a_page_without_variants_covers_another(monkeypatch):
    assert_legible(page("recovery", shown(recovery_tables([]))), monkeypatch)


def test_a_single_value_has_no_error_bar_and_missing_ones_no_place():
    values = [("one", 0.4), ("two", 0.2), ("two", np.nan), ("two", 0.6), ("none", np.nan)]
    table = pd.DataFrame(values, columns=["method", "x"]).assign(kind="k")
    ax = Figure().subplots()
    stripplot(ax, table, "x", {"k": "red"})
    found = means(ax)
    assert found[0][:2] == (0.4, None)
    assert found[1][:2] == pytest.approx((0.4, 0.2))
    assert [(t.get_text(), t.get_position()[1]) for t in ax.texts] == [("–", 2)]
