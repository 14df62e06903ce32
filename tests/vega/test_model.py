"""A model: its answers on cells, its files, and wrong input."""

import json
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import torch
from anndata import read_h5ad
from helpers.cells import ANNOTATION, KINDS, fit, toy_cells, toy_model, toy_sets
from helpers.checks import one_line_error

import vega
from vega.data import as_csr
from vega.differential import differential_activity
from vega.settings import TrainSettings
from vega.sparse import SparseMatrix

ONE = np.arange(150) == 3
NUMBER, MISSING = np.repeat([0, 1, 10], 50), np.arange(150) < 20
FLOATS = np.where(MISSING, np.nan, NUMBER)  # as pandas reads integers, some of them missing


@pytest.fixture
def adata():
    return toy_cells()


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_model_is_the_saved_one(adata, kind, tmp_path):
    model = toy_model(**KINDS[kind])
    given = {"max_epochs": 2, "precision": "float32"}
    fit(model, adata, **given)
    model.save(tmp_path)
    again = vega.load(tmp_path)
    assert np.array_equal(again.annotation, ANNOTATION)
    for name in ("gmvs", "genes", "batches", "settings", "seed"):
        assert getattr(again, name) == getattr(model, name)
    np.testing.assert_allclose(again.history, model.history, rtol=1e-5)  # six digits are written
    z, batch = model.embed(adata), "y" if model.batches else None
    assert z.shape == (150, 6)
    assert np.array_equal(again.embed(adata), z)
    assert np.array_equal(again.decode(z, batch), model.decode(z, batch))
    if "deep" not in KINDS[kind].values():
        assert again.weights().equals(model.weights())
    described = json.loads((tmp_path / "model.json").read_text())
    assert described["settings"] == asdict(model.settings)
    assert described["training"].items() >= asdict(TrainSettings(**given)).items()
    assert described["losses"]["epochs"] == 2
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"history.tsv", "model.json", "weights.safetensors"}


def test_decode_is_a_linear_map_with_a_shift_per_batch(adata):
    model = toy_model(extra_nodes=2, batches=["x", "y"])
    z = np.random.default_rng(1).normal(size=(7, 7)).astype(np.float32)
    decoder = model.module.decoder
    for batch, weight in zip("xy", decoder.batch_weight.T, strict=True):
        expected = z @ model.weights().to_numpy().T + (decoder.bias + weight).detach().numpy()
        np.testing.assert_allclose(model.decode(z, batch), expected, rtol=1e-5, atol=1e-6)
    fit(toy_model(batches=["x"]), adata[adata.obs["batch"] == "x"].copy())  # one is no batch


def test_latent_variables_have_the_names_of_the_sets_that_they_use():
    assert toy_model(extra_nodes=2).gmvs == [*toy_sets(), "UNANNOTATED_1", "UNANNOTATED_2"]
    assert toy_model(encoder="masked", decoder="deep").gmvs[0] == "S0"
    assert toy_model(decoder="deep").gmvs[0] == "LATENT_1"


def test_embed_is_the_posterior_mean_of_each_cell_in_any_order(adata):
    model = toy_model()
    z = model.embed(adata)
    shuffled = adata[::-1, np.random.default_rng(0).permutation(adata.n_vars)].copy()
    np.testing.assert_allclose(model.embed(shuffled)[::-1], z, atol=1e-6)
    posterior = model.posterior(adata, batch_size=7)
    np.testing.assert_allclose(posterior.mean, z, atol=1e-5)
    assert (posterior.variance > 0).all()


def test_a_count_model_reads_its_layer_and_decodes_counts(adata):
    model = toy_model(**KINDS["counts"])
    z = model.embed(adata)
    np.testing.assert_allclose(model.decode(z, library=500).sum(1), 500, rtol=1e-4)
    adata.X = adata.X * 0
    assert np.array_equal(model.embed(adata), z)
    del adata.layers["counts"]
    with one_line_error("reads the layer 'counts' of the data; there is none"):
        model.embed(adata)


def test_the_total_of_normalisation_is_kept(adata, tmp_path):
    model = toy_model()
    fit(model, adata)
    assert model.target_sum is None
    adata.uns["normalisation"] = {"target_sum": np.float32(1234.5)}
    fit(model, adata[:100])
    model.save(tmp_path)
    assert vega.load(tmp_path).target_sum == 1234.5


def test_results_are_kept_under_keys(adata, tmp_path):
    """Of genes in another order, some of which the model does not have; they survive an h5ad."""
    model = toy_model()
    cells = adata[:, ::-1].copy()
    model.annotate(cells)
    assert np.array_equal(cells.obsm["X_vega"], model.embed(cells))
    weights = pd.DataFrame(cells.varm["vega_weights"], cells.var_names, model.gmvs)
    assert weights.loc[model.genes].equals(model.weights())
    small = vega.VEGA(adata.var_names[:30], toy_sets(), n_hidden=16)
    small.annotate(cells, key="small")
    cells.write_h5ad(tmp_path / "cells.h5ad")
    read = read_h5ad(tmp_path / "cells.h5ad")
    assert not read.varm["small_weights"][:10].any() and read.varm["small_weights"][10:].any()
    assert list(read.uns["small"]["gmvs"]) == small.gmvs
    assert read.uns["vega"]["coverage"] == 1 and read.obsm["X_small"].shape == (150, 6)


@pytest.mark.parametrize("kind", ["masked", "counts", "batches"])
def test_losses_of_cells_are_the_loss_at_the_mean_of_their_posterior(adata, kind, monkeypatch):
    model = toy_model(**{**KINDS[kind], "beta": 0.5})
    fit(model, adata)
    losses = model.cell_losses(adata)
    noise = torch.zeros
    monkeypatch.setattr(torch, "randn", lambda *size, **_: noise(*size))  # no posterior sample
    x = as_csr(adata.layers["counts"] if kind == "counts" else adata.X)
    labels = (adata.obs["batch"] == "y").to_numpy(dtype=int)
    for cell in (0, 77, 149):
        part = SparseMatrix.from_scipy(x[cell]), torch.from_numpy(labels[[cell]])
        assert losses["loss"].iloc[cell] == pytest.approx(model.module.loss(*part).item(), rel=1e-4)
    total = losses["reconstruction"] + 0.5 * losses["kl"]
    np.testing.assert_allclose(losses["loss"], total, rtol=1e-6)


def test_a_model_tells_its_state_and_is_not_overwritten_by_mistake(adata, tmp_path):
    model = toy_model(batches=["x", "y"])
    sizes = "VEGA: 6 GMVs (1 unannotated), 40 genes, 2 batches; "
    assert repr(model) == f"{sizes}not trained, on cpu"
    fit(model, adata)
    assert repr(model.to_device("cpu")) == f"{sizes}2 epochs on 150 cells, on cpu"
    model.save(tmp_path)
    with one_line_error("there is a model already; give overwrite=True"):
        toy_model(seed=2).save(tmp_path)
    assert vega.load(tmp_path).weights().equals(model.weights())
    other = toy_model(seed=2)
    other.save(tmp_path, overwrite=True)
    assert vega.load(tmp_path).weights().equals(other.weights())


def test_sets_with_few_genes_in_the_data_have_no_gmv():
    table = vega.coverage(toy_sets(), [f"G{i}" for i in range(40)])
    assert np.array_equal(table["n_genes_in_data"], ANNOTATION[:5].sum(axis=1))
    assert table["share"].iloc[:4].eq(1).all() and table["share"].isna().sum() == 0
    least = int(table["n_genes_in_data"].max())
    kept = toy_model(min_genes_in_data=least)
    expected = table.index[table["n_genes_in_data"] == least]
    assert kept.gmvs == [*expected, "UNANNOTATED_1"]
    assert np.array_equal(kept.annotation[:-1], ANNOTATION[:5][table["n_genes_in_data"] == least])
    with one_line_error(rf"no gene set has 99 genes .* the largest has {least}"):
        toy_model(min_genes_in_data=99)


def test_scalars_of_numpy_do_not_lose_a_training(adata, tmp_path):
    adata.obs["batch"] = np.resize([1, 2], 150)
    sets = {np.str_(name): np.array(genes) for name, genes in toy_sets().items()}
    model = vega.VEGA(
        np.array(adata.var_names, dtype=str), sets, batches=adata.obs["batch"].unique(),
        seed=np.int32(3), extra_nodes=np.int64(1), beta=np.float32(0.5), n_hidden=np.int64(16),
        bias=np.True_, decoder=np.str_("masked"),
    )  # fmt: skip
    fit(model, adata, max_epochs=np.int64(2), learning_rate=np.float32(1e-3), drop_last=np.False_)
    model.save(tmp_path)
    again = vega.load(tmp_path)
    assert np.array_equal(again.embed(adata), model.embed(adata))
    assert again.settings == model.settings
    assert (again.settings.beta, again.batches) == (0.5, ["1", "2"])
    assert {type(name) for name in (*model.genes, *model.gmvs, *model.batches)} == {str}


@pytest.mark.parametrize(
    ("values", "sides", "group", "reference"),
    [
        *(
            (values, sides, NUMBER == 0, NUMBER == 10)
            for values in (NUMBER, pd.Categorical(NUMBER), NUMBER.astype(float), NUMBER.astype(str))
            for sides in ((0, 10), ("0", "10"), (np.int64(0), 10))
        ),
        *(
            (values, (group,), ~MISSING & (NUMBER == 0), NUMBER > 0)
            for values, group in (
                (FLOATS, 0),
                (FLOATS, "0"),
                (pd.array(FLOATS, dtype="Int64"), 0),
                (pd.Categorical(FLOATS), 0),
                (np.where(MISSING, None, NUMBER.astype(str)), "0"),
            )
        ),
        (NUMBER == 0, (True,), NUMBER == 0, NUMBER > 0),
        ((NUMBER == 0).astype(str), ("True", "False"), NUMBER == 0, NUMBER > 0),
    ],
)
def test_groups_may_be_numbers_booleans_and_categories(adata, values, sides, group, reference):
    """A cell without a value is on no side."""
    model = toy_model()
    adata.obs["kind"] = pd.Series(values, index=adata.obs_names)
    found = model.differential_activity(adata, "kind", *sides, method="exact")
    cells = model.posterior(adata)
    expected = differential_activity(cells[group], cells[reference], model.gmvs, method="exact")
    pd.testing.assert_frame_equal(found.set_index("gmv")[expected.columns], expected)
    numbers = (found["n_group"].unique(), found["n_reference"].unique())
    assert numbers == (group.sum(), reference.sum())


@pytest.mark.parametrize(
    ("values", "sides", "message"),
    [
        (np.arange(150) % 13 + 10, (9,), "no cell has kind 9; there are 10, .*, 19 and 3 more$"),
        (["b", None, "a"] * 50, ("a", np.nan), "no cell has kind nan; there are a, b$"),
        (["b", None] * 75, ("b",), "all cells have the same kind, b; there is no rest"),
        (["b", "rest"] * 75, ("b",), "kind has a value 'rest', .* give reference=None"),
    ],
)
def test_an_unknown_group_is_named_with_those_there_are(adata, values, sides, message):
    adata.obs["kind"] = pd.Series(values, index=adata.obs_names)
    with one_line_error(message):
        toy_model().differential_activity(adata, "kind", *sides)


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Index, pd.Series, pd.Categorical])
def test_several_values_may_come_in_any_kind_of_list(adata, kind):
    model = toy_model()
    adata.obs["kind"] = np.resize(["a", "b", "c"], 150)
    expected = model.differential_activity(
        adata[(adata.obs["kind"] != "b") & (adata.obs["batch"] != "z")].copy(), "kind", "a"
    )
    found = model.differential_activity(
        adata, "kind", kind(["a", "a"]), "c", within={"batch": kind(["x", "y"])}
    )
    numbers = [*expected.columns[4:]]
    pd.testing.assert_frame_equal(found[numbers], expected[numbers])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, a: m.differential_activity(a, "batch", []), "groups: expected one or more"),
        (lambda m, a: m.differential_activity(a, "batch", "x", fdr=5), "fdr: expected 0 to 1, fou"),
        (lambda m, a: m.differential_activity(a, "batch", "x", bayes_factor=-1), "bayes_factor: e"),
        (lambda m, a: m.differential_activity(a, "batch", "x", min_difference=np.nan), "found nan"),
        (lambda m, a: m.decode(m.embed(a), "w"), "unknown batch 'w'; the model has none; leave"),
        (lambda m, a: m.decode(np.zeros((3, 2))), r"expected cells x 6 .*, found \(3, 2\); give"),
        (lambda m, a: m.posterior(a, batch_size=-1), "batch_size: expected 1 or more, found -1"),
        (lambda m, a: m.top_genes(-1), "n: expected 0 or more, found -1"),
        (lambda m, a: m.fit(a, checkpoint_every=0), "checkpoint_every: expected 1 or more, found"),
        (lambda m, a: m.fit(a, target_sum=-1e4), "target_sum: expected a total above 0, found -1"),
        (lambda m, a: vega.VEGA(a, {"S": ["G1"]}), "genes: expected names, .* adata.var_names"),
        (lambda m, a: vega.VEGA(a.var_names, "x.gmt"), r"found str; read .* vega.read_gmt\(path\)"),
        (lambda m, a: vega.coverage({"S": "G1"}, ["G1"]), "set S: expected a list .*, found 'G1'"),
    ],
)
def test_an_argument_of_another_kind_or_range_is_refused(adata, call, message):
    with one_line_error(message):
        call(toy_model(), adata)


def test_all_groups_are_compared_in_one_table(adata):
    """Within cells and part by part; each comparison is that of its two groups."""
    model = toy_model()
    adata.obs["kind"] = np.resize(["a", "b", "c"], 150)
    cells = model.posterior(adata)
    table = model.differential_activity(
        adata, "kind", reference="c", within={"condition": "on"}, by="batch", method="monte_carlo"
    )
    assert list(table["comparison"].unique()) == [
        f"{batch}: {kind} vs c" for kind in "ab" for batch in "xy"
    ]
    for (part, kind), rows in table.groupby(["by", "group"]):
        here = (adata.obs["condition"] == "on") & (adata.obs["batch"] == part)
        a, b = (cells[(here & (adata.obs["kind"] == side)).to_numpy()] for side in (kind, "c"))
        expected = differential_activity(a, b, model.gmvs, seed=model.seed)
        found = rows.set_index("gmv")
        pd.testing.assert_frame_equal(found[expected.columns], expected)
        assert set(found["n_group"]) == {len(a.mean)} and set(found["n_reference"]) == {len(b.mean)}
    rest = model.differential_activity(adata, "kind")
    assert list(rest["comparison"].unique()) == ["a vs rest", "b vs rest", "c vs rest"]
    with one_line_error("no value of batch has cells of a group and of its reference"):
        model.differential_activity(adata, "batch", "x", "y", by="batch")


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("model.json", None, "model.json: cannot be read .No such file"),
        ("weights.safetensors", None, "weights.safetensors: cannot be read .No such"),
        ("model.json", lambda _: b"{", "not JSON"),
        ("model.json", lambda _: b"[]", "not a model of format"),
        ("weights.safetensors", lambda was: was[:-1], "not the weights that model.json"),
        ("model.json", lambda was: was.replace(b'hidden": 16', b'hidden": 17'), "was written"),
        ("history.tsv", lambda _: b"epoch\n", "not the history that model.json describes"),
    ],
)
def test_a_damaged_file_of_a_model_is_named(tmp_path, file, change, message):
    toy_model().save(tmp_path)
    path = tmp_path / file
    path.write_bytes(change(path.read_bytes())) if change else path.unlink()
    with one_line_error(message):
        vega.load(tmp_path)


@pytest.mark.parametrize(
    ("options", "settings", "message"),
    [
        ({"batches": ["x", "y"]}, {}, "has batches: name their column of obs, got None"),
        ({"batches": ["x", "z"]}, {"batch_key": "batch"}, "batch 'y', which is not among .*: x, z"),
        ({"batches": ["x"]}, {"batch_key": "batch"}, "batch 'y', which is not among .*: x"),
        ({}, {"batch_key": "batch"}, r"no batches; build it with VEGA\(..., batches=adata.obs"),
        ({}, {"learning_rate": 1e30}, "the loss is not finite after"),
        *(
            ({}, {"validation": mask}, message)
            for mask, message in (
                (ONE[:-1], r"one boolean for each of the 150 cells, found bool of shape \(149,\)"),
                (np.arange(10), r"found int64 of shape \(10,\); of row numbers, make numpy.isin"),
                (ONE[:, None], r"shape \(150, 1\)"),
                (ONE.astype(int), "found int64"),
                (pd.Series(ONE, dtype="boolean").mask(ONE), "found object"),
                (~ONE & False, "150 cells are left to train on and 0 to validate on"),
                (~ONE, "1 cells are left to train on and 149"),
            )
        ),
    ],
)
def test_a_wrong_setting_or_mask_is_refused(adata, options, settings, message):
    with one_line_error(message):
        toy_model(**options).fit(adata, progress=False, **settings)


def test_what_does_not_fit_the_model_is_refused(adata):
    model = toy_model()
    with one_line_error("2 of the model's 40 genes are not in the data, such as G38"):
        fit(model, adata[:, :38].copy())
    adata.X.data[3] = np.nan
    with one_line_error("not finite; log-normalise"):
        model.fit(adata, progress=False)


def test_what_trains_nothing_does_not_start_torch():
    scripts = "scripts.analyse.differential, scripts.figures.summary_page, scripts.claims.claims"
    code = f"import sys, vega, {scripts}; vega.read_gmt; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
