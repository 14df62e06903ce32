"""Rule `out_of_sample`: the numbers of Figure 4, of cells that a model has not learnt from."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from helpers.cells import log_cells
from helpers.checks import one_line_error

from scripts.analyse import out_of_sample as oos
from scripts.claims.out_of_sample import TYPES
from vega import VEGA
from vega.differential import exact, monte_carlo
from vega.metrics import r2_of_means, top_overlap
from vega.posterior import Posterior

GENES = [f"G{i}" for i in range(80)]
SETS = {f"SET_{i}": GENES[i % 70 : i % 70 + 10] for i in range(119)} | {oos.GMV: GENES[:8]}


def model(seed=1, sets=SETS):
    return VEGA(GENES, sets, n_hidden=16, seed=seed)


def cells_of(sizes, seed=0):
    """Cells of given numbers by type and condition, each kind with means of its own."""
    rng = np.random.default_rng(seed)
    means = {key: rng.gamma(0.5, 2, len(GENES)) for key in sizes}
    labels = [key for key, n in sizes.items() for _ in range(n)]
    cell_type, condition = zip(*labels, strict=True)
    return log_cells(
        np.array([rng.poisson(means[key]) for key in labels]),
        cell_type=pd.Categorical(cell_type), condition=pd.Categorical(condition),
    )  # fmt: skip


@pytest.fixture(scope="module")
def study_a():
    conditions = ("control", "stimulated")
    return cells_of({(t, c): 20 + i for i, t in enumerate(TYPES) for c in conditions})


@pytest.fixture(scope="module")
def study_b():
    """With its genes in another order than those of the models."""
    cells = cells_of({(t, "none"): 15 for t in TYPES}, seed=1)
    del cells.obs["condition"]
    return cells[:, ::-1].copy()


@pytest.fixture(autouse=True)
def few_repeats(monkeypatch):
    monkeypatch.setattr(oos, "REPEATS", 4)


@pytest.fixture(scope="module")
def full(study_a):
    return oos.encode(model(), study_a)


def held_out(full, other):
    return oos.tables(oos.held_out(full, dict.fromkeys(TYPES, other), 1))


def of_type(cells, cell_type, condition=None):
    """Some of the cells."""
    keep = cells.obs["cell_type"] == cell_type
    if condition:
        keep &= cells.obs["condition"] == condition
    return cells[keep.to_numpy()]


def posterior(n, n_gmvs, shift, seed):
    rng = np.random.default_rng(seed)
    mean = rng.normal(shift, 1, (n, n_gmvs)).astype(np.float32)
    return Posterior(mean, rng.gamma(2, 0.3, (n, n_gmvs)).astype(np.float32))


def test_repeats_are_those_of_the_published_procedure():
    """They have the mean of all pairs, and depend on the seed alone."""
    a, b = posterior(30, 19, 0.5, 1), posterior(50, 19, 0, 2)

    def repeated(seed, repeats):
        rng = np.random.default_rng(seed)
        return oos.repeated_log_bayes_factors(a, b, rng, repeats, n_cells=100, n_pairs=400)

    p = 1 / (1 + np.exp(-repeated(0, 150)))
    assert p.shape == (150, 19)
    np.testing.assert_allclose(p * 400, np.round(p * 400), atol=1e-4)
    rng = np.random.default_rng(1)
    expected = np.array([monte_carlo(a, b, rng, 100, 400)[0] for _ in range(150)])
    error = expected.std(axis=0) / np.sqrt(150)
    assert (np.abs(p.mean(axis=0) - exact(a, b)[0]) < 4.5 * error).all()
    assert 0.9 < np.mean(p.std(axis=0) / expected.std(axis=0)) < 1.1
    assert (repeated(1, 2) == repeated(1, 2)).all() and (repeated(1, 2) != repeated(2, 2)).any()


def test_gmvs_of_a_repeat_share_cells_and_pairs_and_repeats_do_not():
    n = oos.GMVS_AT_ONCE + 1
    means = np.random.default_rng(0).normal(size=(2, 40, 1))
    a, b = (Posterior(np.tile(mean, n), np.full((40, n), 1e-12)) for mean in means)
    log_bf = oos.repeated_log_bayes_factors(a, b, np.random.default_rng(1), 10)
    assert (np.ptp(log_bf, axis=1) == 0).all()
    assert len(set(log_bf[:, 0])) > 5


def test_the_overlap_is_the_share_of_gmvs_that_differ_in_both():
    def planted(gmvs, seed):
        """Two groups, of which some of 120 GMVs differ, upwards or downwards."""
        shift = np.zeros(120)
        shift[gmvs] = np.resize([-3, 3], len(gmvs))
        sides = posterior(40, 120, shift, seed), posterior(30, 120, 0, seed + 1)
        return tuple(oos.Encoded(None, None, side) for side in sides)

    one, other = planted(range(50), 1), planted([*range(35, 50), *range(60, 95)], 3)
    found = oos.overlaps([one, other, one], (1,))
    assert found.shape == (2, 4)
    assert (found == [[15 / 50], [1]]).all()


def test_the_noise_floor_is_the_overlap_of_two_models_that_differ_by_the_seed(full, study_b):
    """By hand, from the same draws."""
    unseen, again, control, control_again = map(model, (2, 3, 4, 6))
    rows = [
        *oos.held_out(full, {"NK": unseen}, 1, again),
        *oos.other_study(full, control, study_b, ["NK"], 1, control_again),
    ]
    table = oos.tables(rows)["overlap"].set_index("experiment")
    a, b = full.cells, study_b[:, GENES]
    is_nk, is_control = (a.obs["cell_type"] == "NK"), (a.obs["condition"] == "control")
    stimulated = a[is_nk & ~is_control], a[is_nk & is_control]
    of_a = a[is_nk & is_control], a[~is_nk & is_control]
    of_b = b[b.obs["cell_type"] == "NK"], b[b.obs["cell_type"] != "NK"]
    for experiment, stream, models, cells in (
        (oos.HELD_OUT, 0, (full.model, unseen, again), (stimulated,) * 3),
        (oos.OTHER_STUDY, 4, (control, control, control_again), (of_a, of_b, of_a)),
    ):
        rng = np.random.default_rng((1, 0, stream))
        first, *others = (
            oos.repeated_log_bayes_factors(*map(m.posterior, sides), rng, 4)
            for m, sides in zip(models, cells, strict=True)
        )
        by_hand = [
            np.mean([top_overlap(*pair, 50) for pair in zip(first, other, strict=True)])
            for other in others
        ]
        assert list(table.loc[experiment, ["mean", "noise_floor"]]) == pytest.approx(by_hand)


def test_without_a_second_seed_there_is_no_noise_floor_and_the_overlap_is_the_same(full):
    alone = held_out(full, model(2))["overlap"]
    again = oos.tables(oos.held_out(full, dict.fromkeys(TYPES, model(2)), 1, full.model))["overlap"]
    assert alone["noise_floor"].isna().all()
    pd.testing.assert_frame_equal(
        alone.drop(columns="noise_floor"), again.drop(columns="noise_floor")
    )


def test_r2_is_that_of_decoding_every_drawn_cell(study_a):
    encoded = oos.encode(model(), study_a[:30])
    times = np.random.default_rng(7).multinomial(oos.R2_CELLS, np.full(30, 1 / 30), size=4)
    brute = []
    for repeat in times:
        drawn = np.repeat(np.arange(30), repeat)
        z = encoded.posterior.mean[drawn]
        brute.append(r2_of_means(study_a.X[drawn].toarray(), encoded.model.decode(z)))
    np.testing.assert_allclose(oos.r2(encoded, 7), brute, rtol=1e-4)
    assert np.std(brute) > 0


def test_the_baseline_is_the_correlation_of_real_means(full, study_a, study_b):
    table = oos.tables(oos.other_study(full, model(2), study_b, TYPES, 1))["r2"]
    row = table[(table["sample"] == oos.BASELINE) & (table["cell_type"] == "NK")].iloc[0]
    sides = of_type(study_a, "NK", "control"), of_type(study_b[:, GENES], "NK")
    r = np.corrcoef([cells.X.toarray().mean(axis=0) for cells in sides])[0, 1]
    assert row["mean"] == pytest.approx(r**2, rel=1e-5)
    assert np.isnan(row["sd"])  # one value


def test_activities_are_those_of_the_right_cells_in_the_right_model(full, study_a, study_b):
    unseen, gmv = model(2), list(SETS).index(oos.GMV)
    rows = [
        *oos.held_out(full, {"CD4T": unseen}, 1),
        *oos.other_study(full, model(3), study_b, ["CD4T"], 1),
    ]
    activity = oos.tables(rows)["activity"].groupby("sample")["activity"]
    for sample, size, which, cells, condition in (
        ("control", 10_000, unseen, study_a, "control"),
        ("stimulated, out-of-sample", 10_000, unseen, study_a, "stimulated"),
        ("stimulated, in-sample", 10_000, full.model, study_a, "stimulated"),
        ("control, study A", 2000, full.model, study_a, "control"),
        ("stimulated, study A", 2000, full.model, study_a, "stimulated"),
        ("control, study B", 2000, full.model, study_b, None),
    ):
        drawn = activity.get_group(sample)
        expected = which.embed(of_type(cells, "CD4T", condition))[:, gmv]
        assert len(drawn) == size
        assert set(np.round(drawn, 4)) == set(np.round(expected, 4).astype(float)), sample


def test_in_and_out_of_sample_are_the_same_draws(full):
    tables = held_out(full, model())  # which has seen them after all
    r2 = tables["r2"].pivot(index="cell_type", columns="sample", values="mean")
    assert (r2["in-sample"] == r2["out-of-sample"]).all()
    drawn = tables["activity"].groupby("sample")["activity"].apply(list)
    assert drawn["stimulated, in-sample"] == drawn["stimulated, out-of-sample"]


def test_a_type_with_few_cells_is_left_out_and_changes_no_other(full, study_a):
    whole = held_out(full, model(2))
    obs = study_a.obs
    out = (obs["cell_type"] == "CD4T") & (obs["condition"] == "stimulated")
    few = study_a[(~out | (out.cumsum() < 10)).to_numpy()]  # nine are left
    tables = held_out(oos.encode(model(), few), model(2))
    for table, all_types in ((tables["overlap"], whole["overlap"]), (tables["r2"], whole["r2"])):
        left_out = table["cell_type"] == "CD4T"
        assert table.loc[left_out, "mean"].isna().all()
        assert set(table.loc[left_out, "note"]) == {"left out, fewer than 10 cells: 9 stimulated"}
        others = all_types[all_types["cell_type"] != "CD4T"]
        pd.testing.assert_frame_equal(table[~left_out], others, check_dtype=False)
    # Control cells are enough for a violin.
    assert set(tables["activity"]["sample"]) == {"control"}


def test_another_study_may_lack_types(full, study_b):
    some = study_b[study_b.obs["cell_type"].isin(["B", "NK"])]
    tables = oos.tables(oos.other_study(full, model(2), some, TYPES, 1))
    found = tables["overlap"].set_index("cell_type")
    assert list(found.index[found["mean"].notna()]) == ["NK", "B"]
    assert found.loc["CD4T", "note"] == "left out, fewer than 10 cells: 0 cells of study B"
    counted = tables["r2"].groupby("sample")["mean"].count()
    assert counted.to_dict() == {"study A": 7, "study B": 2, oos.BASELINE: 2}
    assert not tables["activity"]["sample"].str.contains("study B").any()


def test_a_collection_without_the_gene_set_has_no_violins(study_a):
    without = model(sets={f"S{i}": GENES[:9] for i in range(60)})
    tables = held_out(oos.encode(without, study_a), without)
    assert tables["activity"].empty and list(tables["activity"]) == oos.ACTIVITY
    assert tables["overlap"]["mean"].notna().all()


def test_cells_that_do_not_fit_are_named(full, study_b):
    with one_line_error(r"lack 2 of the model's 80 genes, such as G0; .*`reindex`"):
        oos.encode(model(), study_b[:, :-2])
    with one_line_error("need a column cell_type; they have no column"):
        oos.encode(model(), AnnData(study_b.X, var=study_b.var))
    with one_line_error("the model without NK has other gene sets"):
        list(oos.held_out(full, {"NK": model(sets={"A": GENES})}, 1))


def test_shuffled_labels_destroy_what_each_panel_shows(study_a, study_b):
    """Models without training: what is left under shuffling is that of any two groups."""
    full, models, other = oos.encode(model(), study_a), dict.fromkeys(TYPES, model(2)), study_b
    numbers = range(1, 5)
    rows = [r for n in numbers for r in oos.shuffled(full, models, model(3), other, 1, n)]
    found = oos.tables(rows, ["shuffle"])
    held_out = found["r2"][found["r2"]["experiment"] == oos.HELD_OUT]
    true = oos.tables(oos.held_out(full, models, 1))["r2"]
    of_control, of_shuffled = (
        t[t["sample"] == oos.CONTROL_MEAN]["mean"].mean() for t in (true, held_out)
    )
    assert of_shuffled > 0.8 > 0.5 > of_control  # two halves of the same cells are alike
    studies = found["r2"][found["r2"]["sample"] == oos.BASELINE]["mean"]
    assert studies.mean() > 0.6
    assert set(found["overlap"]["experiment"]) == {oos.HELD_OUT, oos.OTHER_STUDY}
    assert found["activity"].groupby(["shuffle", "experiment", "sample"]).size().eq(1).all()
    assert list(found["r2"].columns) == ["shuffle", *oos.R2]
