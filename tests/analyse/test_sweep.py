"""Rules `sweep` and `weights`: tables of the models of a sweep."""

import numpy as np
import pytest
from helpers.cells import fit, toy_cells, toy_model
from helpers.checks import one_line_error

import vega
from scripts.analyse import weights as weights_script
from scripts.analyse.silhouettes import silhouettes
from scripts.analyse.sweep import summary
from scripts.analyse.weights import weights

ADATA = toy_cells()
ADATA.uns["provenance"] = "{}"
REMOVED = {"S0": ["G1", "G20"]}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder, models = tmp_path_factory.mktemp("models"), {}
    for n in (1, 2):
        model = toy_model(decoder="soft", extra_nodes=n)
        model.annotation[0, [1, 20]] = False
        fit(model, ADATA)
        model.save(folder / f"m{n}" / "seed1")
        by = {"extra_nodes": n}
        models[f"m{n}"] = {"by": by, "folder": str(folder / f"m{n}"), "removed": REMOVED}
    return models


def test_the_summary_of_a_sweep_is_that_of_its_models(sweep):
    how = {"column": "condition", "within": {}, "of": "mean", "extra_nodes": True}
    asked = {"condition": how}
    table, control = summary(sweep, [1], ADATA, asked, shuffles=2)
    assert list(table.columns) == [
        "model", "seed", "extra_nodes", "n_cells", "epochs", "train_loss", "validation_loss",
        "silhouette_condition",
    ]  # fmt: skip
    for number, (row, name) in enumerate(zip(table.itertuples(), sweep, strict=True), start=1):
        model = vega.load(f"{sweep[name]['folder']}/seed1")
        assert row[1:6] == (name, 1, number, 150, 2)
        assert row[6:8] == tuple(model.history.min())
        true, shuffled = silhouettes(model.latent(ADATA), asked, 1, shuffles=2)
        assert row.silhouette_condition == true["silhouette_condition"]
        rows = control[control["model"] == name].drop(columns=["model", "seed", "extra_nodes"])
        assert rows.to_dict("records") == shuffled


def test_weights_are_ranked_among_all_genes_and_say_which_were_removed(sweep, monkeypatch):
    monkeypatch.setattr(weights_script, "LARGEST", 5)
    table = weights(sweep, [1], ["S0"])
    assert set(table["model"]) == {"m1", "m2"}
    for name, run in sweep.items():
        rows = table[table["model"] == name].set_index("gene")
        expected = vega.load(f"{run['folder']}/seed1").weights()["S0"]
        largest = set(expected.nlargest(5).index)
        assert set(rows.index) == largest | {"G0", "G2"} | set(REMOVED["S0"])
        assert set(rows.index[rows["in_set"]]) == {"G0", "G2"}
        assert set(rows.index[rows["removed"]]) == set(REMOVED["S0"])
        np.testing.assert_allclose(rows["weight"], expected[rows.index], rtol=1e-6)
        for gene, rank in rows["rank"].items():
            assert rank >= 1 + (expected > expected[gene]).sum()
        assert rows["rank"].is_unique
    with one_line_error("weights_of: m1 has no GMV THIRD"):
        weights(sweep, [1], ["THIRD"])
