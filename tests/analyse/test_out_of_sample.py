"""Cells that a model has not learnt from: the numbers of Figure 4, and the claims on them."""

import json
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from conftest import ROOT

from scripts.analyse import out_of_sample as oos
from scripts.claims import out_of_sample as claims
from scripts.claims.claims import evaluate, read_claims
from scripts.claims.run_results import Evidence
from scripts.common.config.load import load
from scripts.common.tables import read_table, write_table
from vega import VEGA
from vega.differential import exact, monte_carlo
from vega.errors import InputError
from vega.metrics import r2_of_means
from vega.posterior import Posterior

TYPES = claims.TYPES
GENES = [f"G{i}" for i in range(80)]
SETS = {f"SET_{i}": GENES[i % 70 : i % 70 + 10] for i in range(119)} | {oos.GMV: GENES[:8]}


def model(seed=1, genes=GENES):
    return VEGA(genes, SETS, n_hidden=16, seed=seed)


def cells_of(sizes, seed=0):
    """Cells of given numbers by type and condition, each kind with means of its own."""
    rng = np.random.default_rng(seed)
    labels = [key for key, n in sizes.items() for _ in range(n)]
    means = {key: rng.gamma(0.5, 2, len(GENES)) for key in sizes}
    x = np.array([rng.poisson(means[key]) for key in labels], dtype=np.float32)
    obs = pd.DataFrame(labels, columns=["cell_type", "condition"]).astype("category")
    obs.index = [f"c{i}" for i in range(len(obs))]
    return AnnData(sp.csr_matrix(np.log1p(x)), obs=obs, var=pd.DataFrame(index=GENES))


@pytest.fixture(scope="module")
def study_a():
    return cells_of(
        {(t, c): 20 + i for i, t in enumerate(TYPES) for c in ("control", "stimulated")}
    )


@pytest.fixture(scope="module")
def study_b():
    cells = cells_of({(t, "none"): 15 for t in TYPES}, seed=1)
    del cells.obs["condition"]
    return cells


@pytest.fixture(autouse=True)
def few_repeats(monkeypatch):
    monkeypatch.setattr(oos, "REPEATS", 4)


def posterior(n, n_gmvs, shift, seed):
    rng = np.random.default_rng(seed)
    mean = rng.normal(shift, 1, (n, n_gmvs)).astype(np.float32)
    return Posterior(mean, rng.gamma(2, 0.3, (n, n_gmvs)).astype(np.float32))


# ---------------------------------------------------------------- Bayes factors


def test_repeats_have_the_mean_of_all_pairs_and_the_spread_of_the_published_procedure():
    a, b = posterior(30, 19, 0.5, 1), posterior(50, 19, 0, 2)
    rng = np.random.default_rng(0)
    log_bf = oos.repeated_log_bayes_factors(a, b, rng, 150, n_cells=100, n_pairs=400)
    assert log_bf.shape == (150, 19)
    p = 1 / (1 + np.exp(-log_bf))
    np.testing.assert_allclose(p * 400, np.round(p * 400), atol=1e-4)
    expected = np.array([monte_carlo(a, b, rng, 100, 400)[0] for _ in range(150)])
    error = expected.std(axis=0) / np.sqrt(150)
    assert (np.abs(p.mean(axis=0) - exact(a, b)[0]) < 4.5 * error).all()
    assert 0.9 < np.mean(p.std(axis=0) / expected.std(axis=0)) < 1.1


def test_gmvs_of_a_repeat_share_cells_and_pairs_and_repeats_do_not():
    a, b = (
        Posterior(np.tile(mean, oos.GMVS_AT_ONCE + 1), np.full((40, oos.GMVS_AT_ONCE + 1), 1e-12))
        for mean in np.random.default_rng(0).normal(size=(2, 40, 1))
    )
    log_bf = oos.repeated_log_bayes_factors(a, b, np.random.default_rng(1), 10)
    assert (np.ptp(log_bf, axis=1) == 0).all()
    assert len(set(log_bf[:, 0])) > 5


def test_bayes_factors_depend_on_the_seed_alone():
    a, b = posterior(30, 5, 0.5, 1), posterior(50, 5, 0, 2)
    one, again, other = (
        oos.repeated_log_bayes_factors(a, b, np.random.default_rng(s), 2) for s in (1, 1, 2)
    )
    assert (one == again).all() and (one != other).any()


def planted(gmvs, seed):
    """Two groups in a model of 120 GMVs, of which those given differ, upwards or downwards."""
    shift = np.zeros(120)
    shift[gmvs] = np.where(np.arange(len(gmvs)) % 2, 3, -3)
    group, reference = posterior(40, 120, shift, seed), posterior(30, 120, 0, seed + 1)
    return tuple(oos.Encoded(None, None, side) for side in (group, reference))


def test_the_overlap_is_the_share_of_gmvs_that_differ_in_both():
    one, other = planted(range(50), 1), planted([*range(35, 50), *range(60, 95)], 3)
    assert (oos.overlaps(one, other, (1,)) == 15 / 50).all()


# ---------------------------------------------------------------- R2 and activities


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


def test_the_baseline_is_the_correlation_of_real_means(study_a, study_b):
    table = oos.other_study(oos.encode(model(), study_a), model(2), study_b, TYPES, 1).r2
    row = table[(table["sample"] == oos.BASELINE) & (table["cell_type"] == "NK")].iloc[0]
    a = study_a[(study_a.obs["cell_type"] == "NK") & (study_a.obs["condition"] == "control")]
    b = study_b[study_b.obs["cell_type"] == "NK"]
    r = np.corrcoef(a.X.toarray().mean(axis=0), b.X.toarray().mean(axis=0))[0, 1]
    assert row["mean"] == pytest.approx(r**2, rel=1e-5)
    assert np.isnan(row["sd"])  # one value


def test_activities_are_those_of_the_right_cells_in_the_right_model(study_a, study_b):
    full, unseen = oos.encode(model(1), study_a), model(2)
    tables = [
        oos.held_out(full, dict.fromkeys(TYPES, unseen), 1),
        oos.other_study(full, model(3), study_b, TYPES, 1),
    ]
    activity = oos.joined(tables).activity
    gmv = list(SETS).index(oos.GMV)

    def of(which, cells, condition=None):
        keep = cells.obs["cell_type"] == "CD4T"
        if condition:
            keep &= cells.obs["condition"] == condition
        return which.embed(cells[keep.to_numpy()])[:, gmv]

    for sample, size, values in (
        ("control", 10_000, of(unseen, study_a, "control")),
        ("stimulated, out-of-sample", 10_000, of(unseen, study_a, "stimulated")),
        ("stimulated, in-sample", 10_000, of(model(1), study_a, "stimulated")),
        ("control, study A", 2000, of(model(1), study_a, "control")),
        ("stimulated, study A", 2000, of(model(1), study_a, "stimulated")),
        ("control, study B", 2000, of(model(1), study_b)),
    ):
        drawn = activity.loc[activity["sample"] == sample, "activity"]
        assert len(drawn) == size
        assert set(np.round(drawn, 4)) == set(np.round(values, 4).astype(float)), sample


def test_in_and_out_of_sample_are_the_same_draws(study_a):
    full = oos.encode(model(), study_a)
    tables = oos.held_out(
        full, dict.fromkeys(TYPES, model()), 1
    )  # the model has seen them after all
    r2 = tables.r2.pivot(index="cell_type", columns="sample", values="mean")
    assert (r2["in-sample"] == r2["out-of-sample"]).all()
    drawn = tables.activity.groupby("sample")["activity"].apply(list)
    assert drawn["stimulated, in-sample"] == drawn["stimulated, out-of-sample"]


# ---------------------------------------------------------------- too few cells


def test_a_type_with_few_cells_is_left_out_and_changes_no_other(study_a):
    whole = oos.held_out(oos.encode(model(), study_a), dict.fromkeys(TYPES, model(2)), 1)
    labels = list(zip(study_a.obs["cell_type"], study_a.obs["condition"], strict=True))
    nine = [i for i, label in enumerate(labels) if label == ("CD4T", "stimulated")][:9]
    keep = [i for i, label in enumerate(labels) if label != ("CD4T", "stimulated")]
    few = study_a[sorted([*keep, *nine])]
    tables = oos.held_out(oos.encode(model(), few), dict.fromkeys(TYPES, model(2)), 1)
    for table, all_types in ((tables.overlap, whole.overlap), (tables.r2, whole.r2)):
        left_out = table["cell_type"] == "CD4T"
        assert table.loc[left_out, "mean"].isna().all()
        assert set(table.loc[left_out, "note"]) == {"left out, fewer than 10 cells: 9 stimulated"}
        pd.testing.assert_frame_equal(
            table[~left_out], all_types[all_types["cell_type"] != "CD4T"], check_dtype=False
        )
    # Control cells are enough for a violin.
    assert set(tables.activity["sample"]) == {"control"}


def test_another_study_may_lack_types(study_a, study_b):
    some = study_b[study_b.obs["cell_type"].isin(["B", "NK"])]
    tables = oos.other_study(oos.encode(model(), study_a), model(2), some, TYPES, 1)
    found = tables.overlap.set_index("cell_type")
    assert list(found.index[found["mean"].notna()]) == ["NK", "B"]
    assert found.loc["CD4T", "note"] == "left out, fewer than 10 cells: 0 cells of study B"
    r2 = tables.r2.set_index(["sample", "cell_type"])["mean"]
    assert r2["study A"].notna().all()
    assert r2["study B"].notna().sum() == r2[oos.BASELINE].notna().sum() == 2
    assert not tables.activity["sample"].str.contains("study B").any()


def test_a_collection_without_the_gene_set_has_no_violins(study_a):
    without = VEGA(GENES, {f"S{i}": GENES[:9] for i in range(60)}, n_hidden=8)
    tables = oos.held_out(oos.encode(without, study_a), dict.fromkeys(TYPES, without), 1)
    assert tables.activity.empty and list(tables.activity) == oos.ACTIVITY
    assert tables.overlap["mean"].notna().all()


def test_the_order_of_the_other_study_s_genes_does_not_matter(study_a, study_b):
    full = oos.encode(model(), study_a)
    shuffled = study_b[:, np.random.default_rng(0).permutation(len(GENES))]
    one, other = (oos.other_study(full, model(2), b, TYPES, 1) for b in (study_b, shuffled))
    pd.testing.assert_frame_equal(one.r2, other.r2)


def test_cells_that_do_not_fit_are_named(study_a, study_b):
    with pytest.raises(
        InputError, match=r"lack 2 of the model's 80 genes, such as G0; .*`reindex`"
    ):
        oos.encode(model(), study_b[:, 2:])
    untyped = AnnData(study_b.X, var=study_b.var)
    with pytest.raises(InputError, match="need a column cell_type; they have no column"):
        oos.encode(model(), untyped)
    other_sets = VEGA(GENES, {"A": GENES}, n_hidden=8)
    with pytest.raises(InputError, match="the model without NK has other gene sets"):
        oos.held_out(oos.encode(model(), study_a), {"NK": other_sets}, 1)


# ---------------------------------------------------------------- claims


@pytest.fixture
def run(tmp_path):
    """Results as published."""
    write_table(published_overlap(), tmp_path / "tables" / "out_of_sample_overlap.tsv")
    write_table(published_r2(), tmp_path / "tables" / "out_of_sample_r2.tsv")
    medians = {
        ("held-out type", "control"): -3.36,
        ("held-out type", "stimulated, out-of-sample"): 4.35,
        ("held-out type", "stimulated, in-sample"): 2.79,
        ("other study", "control, study A"): -4.84,
        ("other study", "stimulated, study A"): 2.8,
        ("other study", "control, study B"): -4.88,
    }
    rows = [(1, *key, "CD4T", value + d) for key, value in medians.items() for d in (-1, 0, 5)]
    write_table(
        pd.DataFrame(rows, columns=oos.ACTIVITY),
        tmp_path / "tables" / "out_of_sample_activity.tsv",
    )
    for study in ("kang", "zheng"):
        origin(tmp_path, study, "public")
    return tmp_path


def origin(run, study, where):
    (run / "data").mkdir(exist_ok=True)
    provenance = json.dumps({"origin": where})
    AnnData(np.zeros((9, 2), np.float32), uns={"provenance": provenance}).write_h5ad(
        run / "data" / f"{study}.h5ad"
    )


def published_overlap():
    rows = [
        (1, experiment, t, mean, 0.03, 50 / 675, 99, "")
        for experiment, means in (
            (oos.HELD_OUT, claims.OVERLAP_CONDITIONS.values()),
            (oos.OTHER_STUDY, claims.OVERLAP_STUDIES.values()),
        )
        for t, mean in zip(TYPES, means, strict=True)
    ]
    return pd.DataFrame(rows, columns=oos.OVERLAP)


def published_r2():
    rows = [
        (1, experiment, sample, t, mean, 0.01, 99, "")
        for experiment, sample, means in (
            (oos.HELD_OUT, oos.IN_SAMPLE, claims.R2_IN_SAMPLE.values()),
            (oos.HELD_OUT, oos.OUT_OF_SAMPLE, claims.R2_OUT_OF_SAMPLE.values()),
            (oos.OTHER_STUDY, oos.STUDY_A, claims.R2_STUDY_A.values()),
            (oos.OTHER_STUDY, oos.STUDY_B, claims.R2_STUDY_B.values()),
            (oos.OTHER_STUDY, oos.BASELINE, claims.R2_BASELINE.values()),
        )
        for t, mean in zip(TYPES, means, strict=True)
    ]
    return pd.DataFrame(rows, columns=oos.R2)


@cache
def config(**settings):
    return load({"run": "t", "studies": "kang zheng"} | settings, ROOT / "config")


def verdicts(run, **settings):
    rows = read_claims(ROOT / "config" / "claims.tsv")
    rows = rows[rows["id"].str.match(r"I\d\d")]
    return evaluate(rows, Evidence(run, config(**settings)), [1])[0].set_index("id")


def change(run, table, where, column, value):
    path = run / "tables" / f"out_of_sample_{table}.tsv"
    found = read_table(path)
    rows = np.logical_and.reduce([found[key] == v for key, v in where.items()])
    assert rows.any()
    if isinstance(value, str):
        found[column] = found[column].astype(object)
    found.loc[rows, column] = value(found.loc[rows, column]) if callable(value) else value
    write_table(found, path)


def test_the_published_numbers_are_reproduced(run):
    table = verdicts(run)
    assert list(table.index) == [f"I{i:02}" for i in range(1, 13)]
    assert set(table["verdict"]) == {"reproduced"}
    assert table.loc["I01", "reproduced"] == "control -3.36; out 4.35; in 2.79"
    assert table.loc["I05", "reproduced"].endswith("mean drop 0.0227")
    assert table.loc["I12", "reproduced"].startswith("types 4;")
    assert table.loc["I03", "note"] == "lowest: CD4T"


NK = {"cell_type": "NK"}
FAULTS = [
    ("I01", "activity", {"sample": "control"}, lambda v: v + 9, "differs"),
    ("I01", "activity", {"sample": "stimulated, out-of-sample"}, lambda v: v + 2, "direction only"),
    ("I02", "overlap", {"experiment": oos.HELD_OUT}, lambda v: v - 0.1, "direction only"),
    ("I03", "overlap", NK | {"experiment": oos.HELD_OUT}, 0.56, "direction only"),
    ("I03", "overlap", NK | {"experiment": oos.HELD_OUT}, 0.05, "differs"),
    ("I04", "r2", NK | {"sample": oos.IN_SAMPLE}, 0.7, "direction only"),
    ("I04", "r2", NK | {"sample": oos.IN_SAMPLE}, 0.4, "differs"),
    ("I05", "r2", {"sample": oos.OUT_OF_SAMPLE}, lambda v: v - 0.05, "differs"),
    ("I06", "activity", {"sample": "control, study B"}, lambda v: v + 2, "direction only"),
    ("I06", "activity", {"sample": "control, study B"}, lambda v: v + 9, "differs"),
    ("I07", "overlap", {"experiment": oos.OTHER_STUDY}, lambda v: v - 0.2, "direction only"),
    ("I08", "overlap", NK | {"experiment": oos.OTHER_STUDY}, 0.5, "direction only"),
    ("I09", "r2", NK | {"sample": oos.STUDY_A}, 0.7, "direction only"),
    ("I10", "r2", {"sample": oos.STUDY_B}, lambda v: v + 0.2, "differs"),
    ("I11", "r2", NK | {"sample": oos.BASELINE}, 0.74, "direction only"),
    ("I12", "r2", {"sample": oos.STUDY_B}, lambda v: v - 0.1, "differs"),
]


@pytest.mark.parametrize(("id", "table", "where", "value", "verdict"), FAULTS)
def test_a_miss_is_one(run, id, table, where, value, verdict):
    change(run, table, where, "activity" if table == "activity" else "mean", value)
    assert verdicts(run).loc[id, "verdict"] == verdict


def test_a_subset_is_judged_by_its_direction_and_simulated_numbers_are_not(run):
    origin(run, "kang", "mirror subset")
    change(run, "r2", NK | {"sample": oos.IN_SAMPLE}, "mean", 0.4)
    table = verdicts(run)
    assert list(table.index[table["verdict"] == "reproduced"]) == ["I01", "I05", "I06", "I12"]
    assert list(table.index[table["verdict"] == "differs"]) == ["I04"]
    assert (table.loc[["I02", "I03", "I07", "I11"], "verdict"] == "direction only").all()
    assert table.loc["I02", "note"].startswith("subset of kang from a mirror (9 cells): exact")
    simulated = verdicts(run, data="simulated")
    assert list(simulated.index[simulated["verdict"] == "not run"]) == [
        "I02", "I03", "I04", "I07", "I08", "I09", "I10", "I11",
    ]  # fmt: skip
    assert (simulated["reproduced"] != "").all()


def test_types_left_out_are_said_and_keep_a_claim_from_being_reproduced(run):
    note = "left out, fewer than 10 cells: 3 cells of study B"
    for table in ("overlap", "r2"):
        where = {"experiment": oos.OTHER_STUDY, "cell_type": "NK"}
        change(run, table, where, "note", note)
        change(run, table, where, "mean", np.nan)
    found = verdicts(run)
    assert f"NK {note}" in found.loc["I08", "note"]
    assert "NK" not in found.loc["I08", "reproduced"]
    assert found.loc["I08", "verdict"] == found.loc["I10", "verdict"] == "direction only"
    assert "of 6 types" in found.loc["I12", "note"]


def test_kang_alone_is_judged_without_zheng(run):
    for table in ("overlap", "r2", "activity"):
        path = run / "tables" / f"out_of_sample_{table}.tsv"
        found = read_table(path)
        write_table(found[found["experiment"] == oos.HELD_OUT], path)
    table = verdicts(run, studies="kang")
    assert (table.loc["I01":"I05", "verdict"] == "reproduced").all()
    assert (table.loc["I06":, "note"] == "zheng is not part of this run").all()


def test_without_violins_their_claims_say_why(run):
    write_table(pd.DataFrame(columns=oos.ACTIVITY), run / "tables" / "out_of_sample_activity.tsv")
    table = verdicts(run)
    assert table.loc["I01", "verdict"] == table.loc["I06", "verdict"] == "not run"
    assert "too few cells, or no such gene set" in table.loc["I06", "note"]


def test_published_numbers_are_in_the_order_of_the_paper():
    """CD4T is the lowest of 4b, CD14+Mono the highest, as in the figure."""
    overlap = claims.OVERLAP_CONDITIONS
    assert min(overlap, key=overlap.get) == "CD4T" and max(overlap, key=overlap.get) == "CD14+Mono"
    rows = read_claims(ROOT / "config" / "claims.tsv").set_index("id")["published"]
    for id, values in {
        "I03": claims.OVERLAP_CONDITIONS,
        "I04": claims.R2_IN_SAMPLE,
        "I08": claims.OVERLAP_STUDIES,
        "I09": claims.R2_STUDY_A,
        "I10": claims.R2_STUDY_B,
        "I11": claims.R2_BASELINE,
    }.items():
        assert [float(x) for x in rows[id].split("/")] == [*values.values()]
    assert all(a != b for a, b in pairwise(claims.R2_STUDY_A.values()))
