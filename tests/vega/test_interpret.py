"""What the latent variables of a model say."""

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.cells import ANNOTATION, toy_cells, toy_model
from helpers.checks import one_line_error

from vega.interpret import top_genes


def test_top_genes_are_the_largest_weights_of_each_gmv():
    model = toy_model(nonnegative=False)
    weights, table = model.weights(), top_genes(model, 4)
    assert set(table["gmv"]) == set(weights) - {"S4"}  # whose set has no gene
    for gmv, rows in table.groupby("gmv"):
        expected = weights[gmv][weights[gmv] != 0].abs().nlargest(4).index
        assert list(rows["gene"]) == list(expected)
        assert list(rows["rank"]) == list(range(1, len(rows) + 1))
        assert np.array_equal(rows["weight"], weights.loc[rows["gene"], gmv])
        assert rows["in_set"].all()
    assert len(table[table["gmv"] == "S0"]) == 3  # it reaches no more
    soft = top_genes(toy_model(decoder="soft", nonnegative=False), 40)
    assert np.array_equal(soft.groupby("gmv")["in_set"].sum(), ANNOTATION.sum(axis=1))
    assert top_genes(toy_model(decoder="deep")).empty


@pytest.mark.parametrize("nonnegative", [True, False])
def test_activity_and_importance_of_groups_are_sums_over_cells_and_genes(nonnegative):
    adata, model = toy_cells(), toy_model(nonnegative=nonnegative)
    adata.obs["kind"] = pd.Categorical(np.resize(["b", "a", None], 150), ["c", "b", "a"])
    z, weights = model.embed(adata), model.weights().to_numpy()
    table = model.activity(adata, "kind").set_index(["group", "gmv"])
    assert list(dict.fromkeys(table.index.get_level_values("group"))) == ["b", "a"]
    for group in "ab":
        cells = np.flatnonzero(adata.obs["kind"] == group)
        for k, gmv in enumerate(model.gmvs):
            row = table.loc[(group, gmv)]
            sign = -1 if sum(weights[:, k]) < 0 else 1
            assert row["n_cells"] == len(cells)
            assert row["activity"] == pytest.approx(np.mean([sign * z[c, k] for c in cells]))
            parts = [abs(z[c, k] * w) for c in cells for w in weights[:, k]]
            assert row["importance"] == pytest.approx(sum(parts) / len(cells), rel=1e-5)
    every = model.activity(adata).set_index("gmv")
    np.testing.assert_allclose(every["activity"].abs(), abs(z.mean(axis=0)), atol=1e-6)


def test_silent_gmvs_have_no_weight():
    model = toy_model()
    assert model.silent_gmvs() == ["S4"]
    with torch.no_grad():
        model.module.decoder.weights.weight[model.module.decoder.weights.inputs == 0] = 0
    assert model.silent_gmvs() == ["S0", "S4"]
    with one_line_error("no weights of single latent variables"):
        toy_model(decoder="deep").silent_gmvs()
