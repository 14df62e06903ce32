"""What several models agree on, against brute force."""

import numpy as np
import pandas as pd
import pytest
from helpers.cells import log_cells
from helpers.checks import one_line_error

import vega
from vega.consensus import consensus


def differential(gmvs, seed):
    rng = np.random.default_rng(seed)
    log_bf = rng.normal(0, 4, len(gmvs))
    table = {"log_bf": log_bf, "md": rng.gamma(2, 2, len(gmvs)), "significant": abs(log_bf) > 3}
    return pd.DataFrame(table, index=pd.Index([*gmvs], name="gmv"))


def test_mean_sd_and_share_are_those_of_each_gmv_over_the_models():
    gmvs = "abcdefgh"
    tables = [differential(gmvs, 1), differential(gmvs[::-1], 2), differential(gmvs, 3)]
    found = consensus(tables)
    assert sorted(found.index) == list(gmvs) and found.index.name == "gmv"
    sizes = found["log_bf_mean"].abs()
    assert list(sizes) == sorted(sizes, reverse=True)
    for gmv, row in found.iterrows():
        log_bf = [table.loc[gmv, "log_bf"] for table in tables]
        mean = sum(log_bf) / 3
        assert row["log_bf_mean"] == pytest.approx(mean)
        assert row["log_bf_sd"] == pytest.approx((sum((x - mean) ** 2 for x in log_bf) / 2) ** 0.5)
        assert row["share_significant"] == pytest.approx(sum(abs(x) > 3 for x in log_bf) / 3)
        assert row["md"] == pytest.approx(sum(table.loc[gmv, "md"] for table in tables) / 3)
    assert len(set(found["share_significant"])) > 1


def test_one_model_has_no_sd():
    table = differential("ab", 1)
    found = consensus([table]).loc[list("ab")]
    assert found["log_bf_mean"].equals(table["log_bf"].rename("log_bf_mean"))
    assert found["log_bf_sd"].isna().all()


def test_models_are_compared_on_the_same_cells():
    """In each comparison as by itself."""
    rng = np.random.default_rng(0)
    adata = log_cells(rng.poisson(2, (60, 12)), kind=pd.Categorical(list("xyz") * 20))
    gene_sets = {"A": adata.var_names[:6], "B": adata.var_names[4:]}
    models = [vega.VEGA(adata.var_names, gene_sets, n_hidden=8, seed=seed) for seed in (1, 2)]
    found = vega.differential_activity(models, adata, "kind", method="rank", seed=5)
    assert list(found["comparison"].unique()) == ["x vs rest", "y vs rest", "z vs rest"]
    assert set(found["n_group"]) == {20} and set(found["n_reference"]) == {40}
    for group, rows in found.groupby("group"):
        each = [
            model.differential_activity(adata, "kind", group, method="rank", seed=5)
            for model in models
        ]
        expected = consensus([table.set_index("gmv")[list(differential("a", 1))] for table in each])
        pd.testing.assert_frame_equal(rows.set_index("gmv")[list(expected)], expected)
    assert (found["log_bf_sd"] > 0).all()


def test_what_cannot_be_compared_is_named():
    with one_line_error("at least one model, found none"):
        consensus([])
    with one_line_error("model 2 has other GMVs than the first, such as b; compare models of"):
        consensus([differential("ab", 1), differential("ac", 2)])
