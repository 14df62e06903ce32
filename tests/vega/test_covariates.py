"""Covariates in decoder and encoder, and new batches of a trained model, on planted effects."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from anndata import AnnData
from helpers.cells import toy_cells, toy_model
from helpers.checks import one_line_error

import vega
from vega.covariates import covariates_of, design
from vega.metrics import auc

N_GENES, N_SETS = 60, 4
MEMBER = np.arange(N_GENES) // 8 == np.arange(N_SETS)[:, None]
SETS = {f"S{k}": [f"G{i}" for i in np.flatnonzero(row)] for k, row in enumerate(MEMBER)}
SMALL = {"n_hidden": 32, "latent_dropout": 0.0, "dropout": 0.0}
# Single precision on every processor: with bfloat16 some of these trainings stop early.
TRAINING = {
    "max_epochs": 60, "learning_rate": 5e-3, "batch_size": 32, "precision": "float32",
    "progress": False,
}  # fmt: skip


def planted(n, seed, labels, **effects):
    """Cells with four programmes, which of them are on, and the effects on genes by covariate.

    `effects` are the sizes of the effects of `batch` (of `b`) and of a random `score`. Their mean
    over the genes of each set is 0, so that no programme can express them.
    """
    genes = np.random.default_rng(0)
    base = genes.uniform(3, 4, N_GENES)
    shifts = {
        name: size * np.ravel([genes.permutation([1, 1, -1, -1]) for _ in range(15)])
        for name, size in effects.items()
    }
    rng = np.random.default_rng(seed)
    on = rng.random((n, N_SETS)) < 0.5
    obs = pd.DataFrame(
        {"batch": labels, "score": rng.normal(10, 3, n)}, [f"c{i}" for i in range(n)]
    )
    values = {"batch": obs["batch"] == "b", "score": (obs["score"] - 10) / 3}
    x = base + 1.2 * on @ MEMBER + rng.normal(0, 0.3, (n, N_GENES))
    for name, shift in shifts.items():
        x += values[name].to_numpy(float)[:, None] * shift
    adata = AnnData(sp.csr_matrix(x.clip(0), dtype=np.float32), obs=obs)
    adata.var_names = [f"G{i}" for i in range(N_GENES)]
    return adata, on, shifts


def told_apart(model, adata, on):
    """AUC of each programme by its activity."""
    z = model.embed(adata)
    return np.array([auc(z[:, k], on[:, k]) for k in range(N_SETS)])


@pytest.mark.parametrize("encoded", [False, True])
def test_effects_of_a_batch_and_a_number_go_to_the_decoder(encoded, tmp_path):
    adata, on, shifts = planted(400, 1, np.resize(["a", "b"], 400), batch=0.6, score=0.4)
    without, covariates = vega.VEGA(adata.var_names, SETS, **SMALL), adata.obs[["batch", "score"]]
    model = vega.VEGA(
        adata.var_names, SETS, covariates=covariates, encode_covariates=encoded, **SMALL
    )
    for each in (without, model):
        each.fit(adata, **TRAINING)
    losses = [each.history["train_loss"].iloc[-1] for each in (without, model)]
    assert losses[1] < 0.7 * losses[0]
    assert told_apart(model, adata, on).min() > 0.99
    z = model.embed(adata)
    at = pd.DataFrame({"batch": ["a", "b", "a"], "score": [10.0, 10.0, 13.0]})
    a, b, higher = model.decode(np.repeat(z[:1], 3, axis=0), covariates=at)
    # An offset of an activity may take a part of the effect.
    assert np.corrcoef(b - a, shifts["batch"])[0, 1] > 0.95
    assert np.corrcoef(higher - a, shifts["score"])[0, 1] > 0.95

    model.save(tmp_path)
    again = vega.load(tmp_path)
    assert again.covariates == model.covariates
    assert np.array_equal(again.embed(adata), z)


def test_the_design_has_a_column_per_category_and_standardised_numbers():
    obs = pd.DataFrame(
        {"sex": ["m", "f", "f"], "donor": pd.Categorical([3, 1, 3]), "age": [1.0, 2.0, 6.0]}
    )
    found = covariates_of(obs)
    assert [c[:2] for c in found] == [
        ("sex", "f"), ("sex", "m"), ("donor", "1"), ("donor", "3"), ("age", None)
    ]  # fmt: skip
    expected = [[0, 1, 0, 1, -2], [1, 0, 1, 0, -1], [1, 0, 0, 1, 3]] / np.array(
        [1, 1, 1, 1, np.std([1, 2, 6], ddof=1)]
    )
    np.testing.assert_allclose(design(obs, found), expected, rtol=1e-6)
    for change, message in (
        ({"sex": "x"}, "'sex'. has 'x', which is not among the model's: f, m; VEGA.extend adds"),
        ({"sex": None}, "'sex'. has nan, which is not among"),
        ({"age": np.nan}, "'age'. has values that are not finite; fill them in"),
    ):
        with one_line_error(message):
            design(obs.assign(**change), found)
    with one_line_error("no column sex"):
        design(obs.drop(columns="sex"), found)
    with one_line_error(r"'n'. has integers; make them categories, .astype\('category'\)"):
        covariates_of(obs.assign(n=[1, 2, 3]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batches": ["x", "y"], "covariates": toy_cells().obs}, "give the batch as a covariate"),
        ({"decoder": "deep", "covariates": toy_cells().obs}, "leave out the batches and covar"),
        ({"encode_covariates": True}, "needs a deep encoder, and covariates or"),
        ({"encode_covariates": True, "encoder": "masked", "batches": ["x", "y"]}, "a deep encoder"),
    ],
)
def test_covariates_that_a_model_cannot_take_are_refused(options, message):
    with one_line_error(message):
        toy_model(**options)


# ---------------------------------------------------------------- new batches of a trained model


@pytest.fixture(scope="module")
def reference():
    adata, on, _ = planted(400, 2, "a")
    model = vega.VEGA(adata.var_names, SETS, extra_nodes=0, **SMALL)
    model.fit(adata, **{**TRAINING, "max_epochs": 150, "patience": 50})
    return model, adata, on


def states(model, adata, on):
    """Mean activity of each programme where it is off and where it is on."""
    z = model.embed(adata)
    return np.array([[z[on[:, k] == s, k].mean() for s in (False, True)] for k in range(N_SETS)])


def assert_frozen(model, extended, old, changed, before):
    """The old cells are where they were, and of all parameters only these have changed."""
    z = extended.embed(old)[:, : len(model.gmvs)]
    assert np.array_equal(z, model.embed(old))
    now = extended.module.named_parameters()
    assert {name for name, p in now if not torch.equal(p, before[name])} == changed


def parameters(model):
    return {name: p.clone() for name, p in model.module.named_parameters()}


@pytest.mark.filterwarnings("ignore:the genes of the model have")  # so large is the batch effect
def test_a_new_batch_comes_to_lie_where_the_old_one_is(reference, tmp_path):
    model, old, old_on = reference
    new, on, shifts = planted(300, 3, "b", batch=1.6)
    extended = model.extend(new, "batch")
    before = parameters(extended)
    np.testing.assert_allclose(extended.embed(new), model.embed(new), atol=1e-5)
    extended.fit(new, batch_key="batch", **TRAINING)
    gaps = [abs(states(m, new, on) - states(model, old, old_on)) for m in (model, extended)]
    assert gaps[1].mean() < 0.4 * gaps[0].mean()
    assert gaps[1].max() < 0.4
    assert told_apart(extended, new, on).min() > 0.99
    z = model.embed(new)[:1]
    shift = (extended.decode(z, "b") - extended.decode(z, "reference"))[0]
    assert np.corrcoef(shift, shifts["batch"])[0, 1] > 0.98

    old = old.copy()
    old.obs["batch"] = "reference"
    assert_frozen(model, extended, old, {"decoder.batch_weight"}, before)
    extended.save(tmp_path)
    again = vega.load(tmp_path)
    assert np.array_equal(again.embed(new), extended.embed(new))
    before = parameters(again)
    again.fit(new, batch_key="batch", **{**TRAINING, "max_epochs": 2})
    assert_frozen(model, again, old, {"decoder.batch_weight"}, before)


def test_a_new_latent_variable_takes_a_programme_that_is_new(reference):
    model, old, _ = reference
    new, *_ = planted(300, 3, "a")
    x, active = new.X.toarray(), np.random.default_rng(9).random(300) < 0.5
    x[active, 40:52] += 1.5
    new.X = sp.csr_matrix(x)
    extended = model.extend(new, extra_nodes=1)
    before = parameters(extended)
    extended.fit(new, **TRAINING)
    nodes = {"encoder.heads.weight", "encoder.heads.bias", "decoder.weights.weight"}
    assert_frozen(model, extended, old, nodes, before)
    assert extended.gmvs[-1] == "UNANNOTATED_1"
    separation = auc(extended.embed(new)[:, -1], active)
    assert max(separation, 1 - separation) > 0.95
    weights = extended.weights()["UNANNOTATED_1"].to_numpy()
    assert set(np.argsort(-weights)[:12]) == set(range(40, 52))


@pytest.mark.parametrize(
    "options", [{"batches": ["x", "y"]}, {"covariates": toy_cells().obs[["batch"]]}]
)
def test_batches_and_categories_are_added_to_those_there_are(options, tmp_path):
    """And a second time, after which what the first has learnt is frozen too."""
    adata, model = toy_cells(), toy_model(**options)
    key = "batch" if "batches" in options else None
    model.fit(adata, batch_key=key, max_epochs=2, progress=False)
    expected, latest = model.embed(adata), model
    for name in ("z", "a"):
        new = adata[:60].copy()
        new.obs["batch"] = name
        latest = latest.extend(new, key, extra_nodes=1)
        latest.fit(new, batch_key=key, max_epochs=2, learning_rate=0.01, progress=False)
        known = [c.category for c in latest.covariates] or latest.batches
        assert known[-1] == name and known[:2] == ["x", "y"]
        assert latest.embed(new).shape == (60, len(latest.gmvs))
        latest.save(tmp_path / name)
        latest = vega.load(tmp_path / name)
    assert latest.gmvs[-3:] == ["UNANNOTATED_1", "UNANNOTATED_2", "UNANNOTATED_3"]
    assert np.array_equal(latest.embed(adata)[:, : len(model.gmvs)], expected)
    with one_line_error("no batch that is new to the model"):
        latest.extend(adata, key)


def test_new_cells_may_lack_genes_and_be_counts(reference):
    counts = vega.examples.counts()
    model = vega.VEGA(counts.var_names, vega.examples.GENE_SETS, n_hidden=16)
    model.fit(vega.examples.log_normalised(counts), max_epochs=2, progress=False)
    new = counts[:, 3:].copy()
    with pytest.warns(UserWarning, match="3 of the model's 80 genes"):
        extended = model.extend(new, "batch")
        extended.fit(new, batch_key="batch", max_epochs=2, progress=False)
    assert extended.target_sum == model.target_sum
    assert extended.batches == ["reference", "one", "two"]


def test_what_cannot_be_extended_is_one_line(reference):
    model, adata, _ = reference
    for broken, key, message in (
        (model, "lane", "obs has no column lane; name the one with the batch"),
        (model, None, "no batch that is new to the model; it knows none; give batch_key="),
        (toy_model(encoder="masked"), "batch", "needs a deep encoder, and a masked or soft"),
        (toy_model(decoder="binary"), "batch", "needs a deep encoder, and a masked or soft"),
    ):
        with one_line_error(message):
            broken.extend(adata, key)
