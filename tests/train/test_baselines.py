"""Baselines: against independent computations, and as guests in a process."""

import json
import logging
import random
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from anndata import AnnData
from conftest import ROOT
from helpers.cells import study_of_programmes, write_gmt
from helpers.checks import one_line_error
from scipy.stats import linregress
from sklearn.metrics import roc_auc_score

from scripts.common.config.models import Baseline
from scripts.train.baseline import run_baseline
from scripts.train.baselines import METHODS, load_method
from vega.description import write_description

SMALL = {  # settings with which each learns small cells in seconds
    "pca": {"n_components": 6},
    "mask_pca": {},
    "linear_scvi": {
        "batch_key": "batch", "n_hidden": 32, "batch_size": 32, "learning_rate": 5e-3,
        "max_epochs": 30, "patience": 4, "device": "cpu",
    },
    "intercode": {
        "n_hidden": 64, "batch_size": 32, "learning_rate": 1e-3, "max_epochs": 30, "device": "cpu",
    },
    "ulm": {},
    "score_genes": {},
}  # fmt: skip


@pytest.fixture(scope="module")
def study():
    return study_of_programmes()


def embedded(name, study, seed=1, **settings):
    adata, sets, *_ = study
    return load_method(name)(adata, sets, seed=seed, threads=1, **SMALL[name] | settings)


def scaled(x):
    """Columns with mean 0 and variance 1, or 0 where all values are the same."""
    sd = x.std(axis=0, ddof=1)
    return (x - x.mean(axis=0)) / np.where(sd > 1e-9, sd, 1)


def assert_components(found, x):
    """They are the principal components of `x` by numpy, up to sign; return shares of variance."""
    u, s, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    n = min(found.shape[1], np.linalg.matrix_rank(x))
    expected = (u * s)[:, :n]
    signs = np.sign((found[:, :n] * expected).sum(axis=0))
    np.testing.assert_allclose(found[:, :n] * signs, expected, rtol=0, atol=2e-3)
    assert np.abs(found[:, n:]).max(initial=0) < 1e-3
    return s**2 / (s**2).sum()


def test_pca_is_that_of_numpy_on_scaled_genes(study):
    found = embedded("pca", study)
    share = assert_components(found.activity, scaled(study[0].X.toarray().astype(float)))
    assert found.names == [f"PC_{i}" for i in range(1, 7)]
    np.testing.assert_allclose(found.facts["variance_ratio"], share[:6], rtol=1e-4)
    few = embedded("pca", (study[0][:9], study[1]), n_components=50)
    assert few.activity.shape == (9, 8)


@pytest.mark.parametrize("extra_nodes", [0, 1])
def test_mask_pca_is_that_of_scaled_sums_over_the_sets(study, extra_nodes):
    x, sets = study[0].to_df().astype(float), study[1]
    sums = [x[x.columns.intersection(genes)].sum(axis=1) for genes in sets.values()]
    sums = np.column_stack(sums + extra_nodes * [x.sum(axis=1)])
    found = embedded("mask_pca", study, extra_nodes=extra_nodes)
    assert len(found.names) == len(sets) + extra_nodes - 1
    assert_components(found.activity, scaled(sums))


def test_ulm_is_the_t_statistic_of_a_fit_by_membership(study):
    adata = study[0].copy()
    adata.X = adata.X.multiply(np.arange(240)[:, None] != 7).tocsr()  # a cell without expression
    sets = {**study[1], "ONE": ["G3"], "TWICE": ["G9", "G9", "G80"]}
    found = embedded("ulm", (adata, sets))
    assert found.names == list(sets) and found.facts["sets_without_score"] == 2
    assert not found.activity[7].any() and not found.activity[:, 4:6].any()  # NONE and ALL
    for activity, genes in zip(found.activity.T, sets.values(), strict=True):
        if activity.any():
            member = adata.var_names.isin(genes)
            fits = [linregress(member, x) for x in adata.X[::30].toarray()]
            expected = [fit.slope / fit.stderr for fit in fits]
            np.testing.assert_allclose(activity[::30], expected, rtol=1e-4)


def test_score_genes_is_scanpys_own_with_its_seed():
    import scanpy as sc

    # More genes of the same expression than it takes.
    wide = AnnData(sp.random(40, 2000, 0.3, "csr", np.float32, random_state=0))
    sets = {"NONE": ["elsewhere"], "ALL": list(wide.var_names), "S": list(wide.var_names[:9])}
    found, other = (embedded("score_genes", (wide, sets), seed=seed) for seed in (3, 4))
    assert found.names == list(sets) and found.facts["sets_without_score"] == 2
    sc.tl.score_genes(wide, sets["S"], random_state=3)
    expected = np.column_stack([np.zeros((40, 2)), wide.obs["score"]])
    np.testing.assert_allclose(found.activity, expected, atol=1e-6)
    assert np.abs(other.activity - found.activity).max() > 1e-3


def test_linear_scvi_finds_the_programmes_and_stops_early(study):
    found = embedded("linear_scvi", study, max_epochs=100)
    assert found.names == [f"LATENT_{i}" for i in range(1, len(study[1]) + 4)]
    for programme in study[2].T:  # the sign of a latent variable is free
        assert max(abs(roc_auc_score(programme, a) - 0.5) for a in found.activity.T) > 0.3
    losses, epochs = found.facts["losses"], found.facts["epochs"]
    assert len(losses["validation"]) == len(losses["train"]) == epochs < 100
    assert epochs == np.argmin(losses["validation"]) + 1 + found.facts["settings"]["patience"]


def test_linear_scvi_is_given_the_batches(study):
    same = study[0].copy()
    same.obs["batch"] = "only"
    none, one, two = (
        embedded("linear_scvi", (cells, study[1]), batch_key=key, max_epochs=2).activity
        for cells, key in ((study[0], None), (same, "batch"), (study[0], "batch"))
    )
    np.testing.assert_array_equal(one, none)  # one batch is no batch
    assert np.abs(two - none).max() > 1e-3


def test_intercode_is_its_package_with_the_published_settings(study, caplog):
    caplog.set_level(logging.INFO, "workflow")
    from intercode import Intercode

    adata, sets, _ = study
    threads = torch.get_num_threads()
    found = load_method("intercode")(
        adata, sets, seed=5, threads=threads, max_epochs=2, device="cpu"
    )
    by_hand = AnnData(adata.X.toarray(), var=adata.var)
    by_hand.varm["I"] = np.array([[g in s for s in sets.values()] for g in adata.var_names], int)
    by_hand.uns["terms"] = list(sets)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        np.random.seed(5)  # noqa: NPY002
        model = Intercode(by_hand, n_dense=1, use_cuda=False, mid_layers_size=800, dropout_rate=0.5)
        model.train(1e-4, 128, 2, l2_reg_lambda0=0.1, lambda1=0.93, lambda3=0.57)
        model.model.eval()
        x = torch.from_numpy(by_hand.X)
        z, decoded = model.model(x)
        loss = ((decoded - x).square().sum() + 0.1 * z.square().sum()) / 240
    np.testing.assert_allclose(found.activity, z.detach(), atol=1e-5)
    assert found.names == [*sets, "UNANNOTATED_1"]
    assert found.facts["epochs"] == 2
    first, last = found.facts["losses"]["train"]
    assert last == pytest.approx(loss.item(), abs=1e-3)
    assert any(f"{first:.4f}=" in message for message in caplog.messages)  # its progress


def state():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002


def threads_of_torch():
    with ThreadPoolExecutor(1) as pool:  # a new thread has those that were set last
        return torch.get_num_threads(), pool.submit(torch.get_num_threads).result()


@pytest.mark.parametrize("name", METHODS)
def test_a_method_leaves_cells_and_process_as_they_were(name, study, tmp_path, monkeypatch, capfd):
    """Its seed holds whatever was drawn before, and its facts are plain data."""
    monkeypatch.chdir(tmp_path)
    adata, copy, threads = study[0], study[0].copy(), torch.get_num_threads()
    torch.set_num_threads(threads)
    brief = {"max_epochs": 2} if "max_epochs" in SMALL[name] else {}
    runs = []
    for _ in range(2):
        before = torch.rand(1), random.random(), np.random.rand(3), state()  # noqa: NPY002
        runs.append(embedded(name, study, **brief))
        assert state() == before[-1] and threads_of_torch() == (threads, threads)
    found, again = runs
    assert not list(tmp_path.iterdir())
    assert not capfd.readouterr().out
    for part in ("obs", "var", "uns", "obsm", "varm", "layers"):
        assert list(getattr(adata, part)) == list(getattr(copy, part))
    assert (adata.X != copy.X).nnz == 0

    assert found.activity.dtype == np.float32
    assert found.activity.shape == (240, len(found.names))
    np.testing.assert_allclose(found.activity, again.activity, rtol=0, atol=1e-6)
    facts = json.loads(json.dumps(found.facts, allow_nan=False))
    assert facts.items() >= {"seed": 1, "threads": 1, "device": "cpu"}.items()
    assert facts["settings"].items() >= (SMALL[name] | brief).items()
    lock = re.findall(r"(?m)^\S+", (ROOT / "requirements.lock").read_text())
    versions = {f"{p}=={version.split('+')[0]}" for p, version in facts["versions"].items()}
    assert versions and versions <= set(lock)
    if brief:
        other = embedded(name, study, seed=2, **brief)
        assert np.abs(other.activity - found.activity).max() > 1e-3


def test_packages_are_only_imported_when_a_method_is_called():
    late = {"scvi", "lightning", "intercode", "decoupler", "scanpy"}
    code = f"import sys, scripts.train.baselines; sys.exit(bool({late} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def rename(adata):
    adata.var_names = "mouse_" + adata.var_names


def repeat(adata):
    adata.var_names = ["G0", *adata.var_names[:-1]]


@pytest.mark.parametrize(
    ("name", "damage", "settings", "message"),
    [
        ("linear_scvi", lambda cells: cells.layers.clear(), {}, "no layer counts .it has none"),
        ("linear_scvi", lambda cells: cells.obs.pop("batch"), {}, "no column batch; it has none"),
        ("linear_scvi", None, {"batch_size": 191}, "batch_size 191: 192 cells"),
        ("intercode", None, {"batch_size": 239}, "batch_size 239: 240 cells"),
        ("intercode", None, {"learning_rate": 1e30}, "loss is not finite after 30 epochs"),
        ("intercode", None, {"device": "tpu"}, "device 'tpu' is not there"),
        ("linear_scvi", None, {"device": "tpu"}, "device 'tpu' is not there"),
        *(
            (name, rename, {}, "none of the 150 genes")
            for name in ("mask_pca", "intercode", "ulm", "score_genes")
        ),
        ("ulm", repeat, {}, "genes: duplicate G0"),
    ],
)
def test_wrong_input_is_named_in_one_line(study, name, damage, settings, message):
    adata = study[0].copy()
    if damage:
        damage(adata)
    with one_line_error(message):
        embedded(name, (adata, study[1]), **settings)


@pytest.fixture
def baseline(study, tmp_path):
    """Runs a method as rule `baseline` does."""
    adata, gmt = study[0].copy(), write_gmt(tmp_path / "sets.gmt", study[1])
    adata.uns["provenance"] = "{}"

    def run(method, epochs_of=None, overrides=None, **settings):
        data = {"study": "s", "gene_sets": "sets.gmt"}
        entry = Baseline(
            method=method, data=data, settings=settings, analyses={"embedding": "none"}
        )
        return run_baseline(
            adata, gmt, entry.model_dump(), epochs_of=epochs_of, overrides=overrides or {},
            device="cpu", seed=1, threads=1,
        )  # fmt: skip

    return run


def test_an_entry_gives_the_latent_space_of_its_method(study, baseline):
    latent, facts = baseline("mask_pca", n_components=3)
    expected = embedded("mask_pca", study, n_components=3)
    np.testing.assert_allclose(latent.X, expected.activity, atol=1e-5)
    assert list(latent.var_names) == expected.names == ["PC_1", "PC_2", "PC_3"]
    assert latent.obs.equals(study[0].obs) and latent.uns["provenance"] == "{}"
    assert facts["method"] == "mask_pca" and facts["settings"]["n_components"] == 3


def test_a_method_is_trained_for_as_many_epochs_as_a_model(baseline, tmp_path):
    """Of the overrides for all models it takes the settings that it knows."""
    write_description(tmp_path / "model.json", {"losses": {"epochs": 3}})
    overrides = {"n_hidden": 8, "max_epochs": 77, "beta": 5, "batch_size": 64}
    _, facts = baseline("intercode", epochs_of=tmp_path / "model.json", overrides=overrides)
    assert len(facts["losses"]["train"]) == 3
    expected = {"n_hidden": 8, "batch_size": 64, "device": "cpu"}
    assert facts["settings"].items() >= expected.items()
