"""Claims of the supplementary figures: reproduced, pointing the published way, or not."""

import os
import shutil

import numpy as np
import pytest
from helpers.claim_runs import (
    CLAIMS,
    change_latent,
    change_study,
    change_table,
    claims_of,
    counts_latent,
    put,
    write_latent,
    write_variants,
)
from helpers.variants import cells, planted_variants

from scripts.claims.architectures import ARCHITECTURES
from scripts.common.gmvs import ANTIVIRAL, INTERFERON, INTERFERON_AB

IDS = "D11|S"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run in which every claim comes out as published; its tables hold an absurd second seed."""
    folder = tmp_path_factory.mktemp("run")
    write_variants(folder)
    return folder


@pytest.fixture
def run(made, tmp_path):
    """The same, as files that a test may change: links to those that it does not."""
    return shutil.copytree(made, tmp_path, copy_function=os.symlink, dirs_exist_ok=True)


@pytest.fixture(scope="module")
def table(made):
    return claims_of(made, IDS)


def test_what_comes_out_as_published_is_reproduced(table):
    assert list(table.index) == list(CLAIMS.index[CLAIMS["id"].str.match(IDS)])
    assert set(table["verdict"]) == {"reproduced"}
    shown = dict(table["reproduced"])
    assert shown["D11"] == "cells 29065; genes 7000"
    assert shown["S01"] == "sparse-sparse 0.0230; VEGA 0.113; sparse-deep 0.0650; VAE 0.0930"
    assert shown["S03"] == "sparse-sparse 164; VEGA 168; sparse-deep 152; VAE 152"
    assert shown["S04"] == "PCA 0.0380; linear scVI 0.00240; VEGA 0.00590"
    assert shown["S07"] == "VEGA 0.975; regularised autoencoder 0.916"
    assert shown["S08"] == "ratio 0.982; VEGA 1.66; regularised autoencoder 1.69"
    assert "penalty 10 6;" in shown["S09"]
    assert shown["S10"] == "1 161; 4 156; 8 153; 16 148; 32 148; 64 144; rises beyond noise 0"
    assert shown["S11"].startswith("1 0.0910; 4 0.0920;")


def test_values_are_those_of_the_cells_and_weights(table):
    latent = counts_latent(-1)
    z, treated = latent.X[:, 0], (latent.obs["condition"] == "stimulated").to_numpy()
    higher = (z[~treated][:, None] > z[treated]).mean()  # of all pairs, in control cells
    assert table.loc["S06", "reproduced"] == f"AUC {higher:#.3g}"
    planted = planted_variants()
    names = [f"kang_latent_dropout_latent-dropout-{value}" for value in ("0", "0-5")]
    r2 = [np.corrcoef(planted[name].latent.X.T)[0, 1] ** 2 for name in names]
    assert table.loc["S12", "reproduced"] == f"dropout 0 {r2[0]:#.3g}; dropout 0.5 {r2[1]:#.3g}"
    weights = planted.tables["kang_latent_dropout_weights"]
    weights = weights[(weights["seed"] == 1) & ~weights["gene"].str.startswith("OTHER")]
    weights = weights.pivot(index=["latent_dropout", "gene"], columns="gmv", values="weight")
    r = [np.corrcoef(weights.loc[d].T)[0, 1] for d in (0.0, 0.5)]
    assert table.loc["S13", "reproduced"] == f"dropout 0 {r[0]:#.3g}; dropout 0.5 {r[1]:#.3g}"


def test_notes_say_what_a_scientist_would_ask(table):
    notes = dict(table["note"])
    assert "0.050, VEGA 0.150, sparse-deep 0.080, VAE 0.120" in notes["S01"]
    assert "standard deviation over folds: sparse-sparse 3.03" in notes["S03"]
    assert "of the conditions: mask + PCA 0.011, binary 0.022, trainable 0.099" in notes["S05"]
    assert notes["S06"].startswith("activity is lower in stimulated cells")
    # The mean of antiviral, interferon alpha/beta and interferon signaling.
    assert "as the printed mean: 0.905" in notes["S07"]
    assert "ANTIVIRAL MECHANISM BY IFN STIMULATED GENES 0.880" in notes["S07"]
    assert "ranks at penalty 10: ISG15 4, IFIT2 5, ISG20 6" in notes["S09"]
    assert "soft threshold" in notes["S09"] and "218 at 10" in notes["S09"]
    assert notes["S12"].startswith("dropout 0: the slope is negative")
    assert notes["S13"].startswith("15 genes")


def of_architecture(name, column, value):
    return put(column, value, variant=ARCHITECTURES[name], seed=1)


def nodes(column, values):
    """Set a column by number of extra nodes in the rows of seed 1."""

    def fault(table):
        for n, value in values.items():
            put(column, value, extra_nodes=n, seed=1)(table)

    return fault


def noise(weights):
    return np.random.default_rng(3).gamma(2, 1, len(weights))


def blur(weights):
    return weights + np.random.default_rng(3).normal(0, 0.08, len(weights))


AT_10 = {"gene": "ISG20", "l1_update": "multiplicative", "l1_lambda": 10}
AT_HALF = {"latent_dropout": 0.5, "seed": 1}
MEMBERS, NODES = "kang_architectures_sweep", "kang_extra_nodes_sweep"
SOFT, DROPOUT = "kang_soft_weights", "kang_latent_dropout_weights"
DROPPED_OUT = "kang_latent_dropout_latent-dropout-0-5"


@pytest.mark.parametrize(
    ("id", "table", "fault", "verdict"),
    [
        ("S01", MEMBERS, of_architecture("VEGA", "silhouette_condition", 0.15), "direction only"),
        ("S01", MEMBERS, of_architecture("VAE", "silhouette_condition", 0.12), "differs"),
        ("S02", MEMBERS, of_architecture("VEGA", "silhouette_type_control", 0.09), "differs"),
        ("S02", MEMBERS, of_architecture("VEGA", "silhouette_type_stimulated", 0.06), "differs"),
        ("S03", MEMBERS, of_architecture("VAE", "validation_loss", 152.3), "direction only"),
        ("S03", MEMBERS, of_architecture("VAE", "validation_loss", 165), "differs"),
        ("S04", "retina_silhouettes", put("silhouette_batch", 0.025, seed=1), "direction only"),
        ("S04", "retina_silhouettes", put("silhouette_batch", 0.05, seed=1), "differs"),
        ("S05", "kang_binary_silhouettes", put("silhouette_type", 0.08, seed=1), "direction only"),
        ("S05", "kang_binary_silhouettes", put("silhouette_type", 0.4, seed=1), "differs"),
        ("S08", "time_per_epoch", put("seconds", 0.5, method="intercode"), "differs"),
        ("S08", "time_per_epoch", put("seconds", 4.0, method="intercode"), "differs"),
        ("S09", SOFT, put("rank", 11, **AT_10), "direction only"),
        ("S09", SOFT, put("rank", 21, **AT_10), "differs"),
        # A weight of zero has not returned, wherever ties put it.
        ("S09", SOFT, put("weight", 0.0, gene="ISG20", l1_lambda=10), "differs"),
        ("S10", NODES, nodes("validation_loss", {8: 157.0}), "direction only"),
        ("S10", NODES, nodes("validation_loss", {64: 170.0}), "differs"),
        ("S11", NODES, nodes("silhouette_condition", {64: 0.07}), "direction only"),
        ("S11", NODES, nodes("silhouette_condition", {64: 0.10}), "differs"),
        # A negative silhouette has no 0.7 of it to fall to.
        ("S11", NODES, nodes("silhouette_condition", {1: -0.10, 64: -0.08}), "differs"),
        ("S13", DROPOUT, put("weight", blur, **AT_HALF), "direction only"),
        ("S13", DROPOUT, put("weight", noise, **AT_HALF), "differs"),
    ],
)
def test_a_miss_is_reported_as_one(run, id, table, fault, verdict):
    change_table(run, table, fault)
    assert claims_of(run, id).loc[id, "verdict"] == verdict


def test_a_rise_within_the_standard_errors_is_none(run):
    """From 32 to 64 nodes 147.8 -> 148.2, of five runs with a standard error of 0.18 each."""
    offsets = np.array([-0.5, -0.25, 0, 0.25, 0.5])
    change_table(run, NODES, nodes("validation_loss", {64: 148.1 + offsets}))
    assert claims_of(run, "S10").loc["S10", "verdict"] == "reproduced"
    change_table(run, NODES, nodes("validation_loss", {64: 148.3 + offsets}))
    row = claims_of(run, "S10").loc["S10"]
    assert row["verdict"] == "direction only" and row["reproduced"].endswith("beyond noise 1")


def shuffled(latent):
    latent.X = np.random.default_rng(0).permutation(latent.X)


def blurred(sd):
    def fault(latent):
        latent.X[:, 1] += np.random.default_rng(9).normal(0, sd, latent.n_obs)

    return fault


@pytest.mark.parametrize(
    ("id", "model", "fault", "verdict"),
    [
        ("S06", "kang_counts", lambda latent: counts_latent(0.3), "direction only"),
        ("S07", "kang_intercode", shuffled, "direction only"),
        ("S07", "kang_all_cells", shuffled, "differs"),
        ("S12", DROPPED_OUT, blurred(1.5), "direction only"),
        ("S12", DROPPED_OUT, blurred(99), "differs"),
    ],
)
def test_a_miss_among_cells_is_reported_as_one(run, id, model, fault, verdict):
    change_latent(run, model, fault)
    assert claims_of(run, id).loc[id, "verdict"] == verdict


def test_activity_that_is_higher_in_stimulated_cells_needs_no_note(run):
    write_latent(run, "kang_counts", counts_latent(1))
    row = claims_of(run, "S06").loc["S06"]
    assert (row["verdict"], row["note"]) == ("reproduced", "")


def test_an_inactive_term_counts_with_the_accuracy_of_the_larger_condition(run):
    def switch_off(latent):
        latent.X[:, latent.var_names == ANTIVIRAL] = 0

    change_latent(run, "kang_intercode", switch_off)
    row = claims_of(run, "S07").loc["S07"]
    assert "ANTIVIRAL MECHANISM BY IFN STIMULATED GENES 0.600 (inactive)" in row["note"]
    mean = float(row["reproduced"].split()[-1])
    assert mean == pytest.approx((0.95 + 0.60 + 0.93 + 0.905) / 4, abs=1e-3)
    assert row["verdict"] == "direction only"


def test_exact_numbers_are_not_judged_on_a_subset_but_their_direction_is(run):
    for study in ("kang", "kang_counts"):
        change_study(run, study, origin="mirror subset")
    table = claims_of(run, IDS)
    assert table.loc["D11", "verdict"] == "not run"
    assert list(table.loc[["S01", "S07"], "verdict"]) == ["direction only"] * 2
    assert table.loc["S10", "verdict"] == "reproduced"


def test_a_seed_takes_its_own_rows(run):
    change_table(run, NODES, lambda table: table.drop(table.index[table["seed"] == 1]))
    assert claims_of(run, "S10").loc["S10", "note"] == (
        "tables/kang_extra_nodes_sweep.tsv has nothing of seed 1"
    )
    assert claims_of(run, "S11", [2]).loc["S11", "reproduced"].startswith("1 1.00e+03")


def test_what_is_missing_is_not_run_and_says_why(run):
    change_table(run, SOFT, lambda t: t.drop(t.index[t["gene"] == "IFIT2"]))
    change_table(run, DROPOUT, lambda t: t.drop(t.index[t["gmv"] == INTERFERON]))
    change_table(run, "time_per_epoch", lambda t: t.drop(t.index[t["method"] == "VEGA"]))
    change_table(run, "retina_silhouettes", put("silhouette_batch", np.nan, seed=1))
    change_table(run, MEMBERS, of_architecture("VAE", "silhouette_condition", np.nan))
    change_latent(run, "kang_all_cells", lambda z: z[:, z.var_names != ANTIVIRAL].copy())
    model = "kang_latent_dropout_latent-dropout-0"
    change_latent(run, model, lambda z: cells({INTERFERON: z.X[:, 0], INTERFERON_AB: np.ones(200)}))
    change_table(run, NODES, lambda t: t.drop(t.index[t["extra_nodes"] > 1]))
    table = claims_of(run, IDS)
    unknown = "is not known: no such model, or too few cells or labels"
    constant = "fewer than two values that differ, so no correlation"
    notes = {
        "S01": f"silhouette_condition of VAE {unknown}",
        "S04": f"silhouette_batch of VEGA {unknown}",
        "S07": f"the gene sets have no {ANTIVIRAL}",
        "S08": "tables/time_per_epoch.tsv has no time of VEGA",
        "S09": f"there is no weight of IFIT2 in {INTERFERON_AB}",
        "S10": "validation_loss is known of one number of extra nodes only",
        "S11": "silhouette_condition is known of one number of extra nodes only",
        "S12": f"activities at latent dropout 0: {constant}",
        "S13": f"weights at latent dropout 0: {constant}",
    }
    assert dict(table.loc[list(notes), "note"]) == notes
    assert set(table.loc[list(notes), "verdict"]) == {"not run"}
    assert set(table.loc[["S02", "S03", "S05", "S06"], "verdict"]) == {"reproduced"}
