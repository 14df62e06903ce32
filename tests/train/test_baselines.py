"""The methods beside VEGA: against numpy and planted programmes, and as guests in a process."""

import inspect
import json
import logging
import os
import random
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from anndata import AnnData
from conftest import ROOT
from sklearn.metrics import roc_auc_score

from scripts.analyse import time_per_epoch as timing
from scripts.common.config.models import Baseline
from scripts.train.baseline import run_baseline
from scripts.train.baselines import METHODS
from vega.description import write_description
from vega.errors import InputError

CELLS, GENES, MEMBERS, SETS = 240, 150, 12, 4
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
    """Cells with one programme per set, the sets, and which cells each programme is on in.

    Beside them a set without any gene in the data and one of all genes.
    """
    rng = np.random.default_rng(0)
    on = rng.random((CELLS, SETS)) < 0.5
    member = np.arange(GENES) // MEMBERS == np.arange(SETS)[:, None]
    counts = rng.poisson(rng.uniform(0.3, 3, GENES) + 3.0 * on @ member)
    adata = AnnData(
        sp.csr_matrix(np.log1p(counts), dtype=np.float32),
        obs=pd.DataFrame({"batch": np.where(rng.random(CELLS) < 0.5, "b0", "b1")}).set_axis(
            [f"c{i}" for i in range(CELLS)]
        ),
        var=pd.DataFrame(index=[f"G{i}" for i in range(GENES)]),
        layers={"counts": sp.csr_matrix(counts, dtype=np.float32)},
    )
    genes = adata.var_names
    sets = {f"S{k}": [*genes[row], "elsewhere"] for k, row in enumerate(member)}
    return adata, {**sets, "NONE": ["elsewhere"], "ALL": list(genes)}, on


def embedded(name, study, seed=1, **settings):
    adata, sets, _ = study
    return METHODS[name](adata, sets, seed=seed, threads=1, **SMALL[name] | settings)


def components(x):
    """Principal components by numpy, largest first."""
    x = x - x.mean(axis=0)
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    return u * s, s**2 / (s**2).sum()


def assert_equal_up_to_sign(found, expected):
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected, rtol=0, atol=2e-3)


def separates(activity, on):
    """Area under the ROC curve of the better direction: the sign of a latent variable is free."""
    area = roc_auc_score(on, activity)
    return max(area, 1 - area)


# ---------------------------------------------------------------- against numpy


def test_pca_is_that_of_numpy_on_scaled_genes(study):
    x = study[0].X.toarray().astype(float)
    expected, share = components((x - x.mean(axis=0)) / x.std(axis=0, ddof=1))
    found = embedded("pca", study)
    assert found.names == [f"PC_{i}" for i in range(1, 7)]
    assert_equal_up_to_sign(found.activity, expected[:, :6])
    np.testing.assert_allclose(found.facts["variance_ratio"], share[:6], rtol=1e-4)


def test_pca_of_few_cells_has_fewer_components(study):
    adata, sets, on = study
    assert embedded("pca", (adata[:9], sets, on), n_components=50).activity.shape == (9, 8)


@pytest.mark.parametrize("extra_nodes", [0, 1])
def test_mask_pca_is_that_of_scaled_sums_over_the_sets(study, extra_nodes):
    adata, sets, _ = study
    x = adata.to_df().astype(float)
    sums = [x[[g for g in genes if g in x]].sum(axis=1) for genes in sets.values()]
    sums = np.column_stack(sums + extra_nodes * [x.sum(axis=1)])
    empty = list(sets).index("NONE")
    assert not sums[:, empty].any()
    sums[:, empty] = 1  # any constant: its scaled column is zero
    sd = sums.std(axis=0, ddof=1)
    expected, _ = components((sums - sums.mean(axis=0)) / np.where(sd > 0, sd, 1))
    n = np.linalg.matrix_rank(sums - sums.mean(axis=0))
    found = embedded("mask_pca", study, extra_nodes=extra_nodes)
    assert len(found.names) == len(sets) + extra_nodes - 1 >= n
    assert_equal_up_to_sign(found.activity[:, :n], expected[:, :n])
    assert np.abs(found.activity[:, n:]).max(initial=0) < 1e-3


def t_statistic(y, x):
    """Of the slope of a least-squares fit of `y` by a constant and `x`."""
    design = np.column_stack([np.ones_like(x), x])
    coefficients, (residual,), *_ = np.linalg.lstsq(design, y, rcond=None)
    variance = residual / (len(y) - 2) * np.linalg.inv(design.T @ design)
    return coefficients[1] / np.sqrt(variance[1, 1])


def test_ulm_is_the_t_statistic_of_a_fit_by_membership(study):
    adata, sets, on = study
    adata = adata.copy()
    adata.X = adata.X.multiply(np.arange(CELLS)[:, None] != 7).tocsr()
    sets = {**sets, "ONE": ["G3"], "TWICE": ["G9", "G9", "G80"]}
    found = embedded("ulm", (adata, sets, on))
    assert found.names == list(sets) and found.facts["sets_without_score"] == 2
    x = adata.X.toarray().astype(float)
    for column, (name, genes) in enumerate(sets.items()):
        if name in ("NONE", "ALL"):
            assert not found.activity[:, column].any()
            continue
        member = adata.var_names.isin(genes).astype(float)
        for cell in range(0, CELLS, 30):
            expected = t_statistic(x[cell], member)
            assert found.activity[cell, column] == pytest.approx(expected, rel=1e-4)
    assert not found.activity[7].any()  # a cell without expression


def test_score_genes_is_scanpys_own_and_ranks_the_cells_of_a_programme(study):
    import scanpy as sc

    adata, sets, on = study
    found = embedded("score_genes", study, seed=3)
    assert found.names == list(sets) and found.facts["sets_without_score"] == 2
    for column, name in enumerate(sets):
        if name in ("NONE", "ALL"):
            assert not found.activity[:, column].any()
            continue
        assert roc_auc_score(on[:, column], found.activity[:, column]) > 0.95
        alone = adata.copy()
        sc.tl.score_genes(alone, sets[name][:-1], random_state=3)
        np.testing.assert_allclose(found.activity[:, column], alone.obs["score"], atol=1e-6)


def test_the_seed_draws_the_genes_that_score_genes_compares_with():
    import scanpy as sc

    # More genes of the same expression than it takes.
    wide = AnnData(sp.random(40, 2000, 0.3, "csr", np.float32, np.random.default_rng(0)))
    sets = {"S": list(wide.var_names[:9])}
    scores = [
        METHODS["score_genes"](wide, sets, seed=seed, threads=1).activity[:, 0] for seed in (3, 4)
    ]
    sc.tl.score_genes(wide, sets["S"], random_state=3)
    np.testing.assert_allclose(scores[0], wide.obs["score"], atol=1e-6)
    assert np.abs(scores[1] - scores[0]).max() > 1e-3


# ---------------------------------------------------------------- those that learn


def test_linear_scvi_finds_the_programmes_and_stops_by_itself(study):
    found = embedded("linear_scvi", study, max_epochs=100)
    _, sets, on = study
    assert found.names == [f"LATENT_{i}" for i in range(1, len(sets) + 4)]
    for programme in on.T:
        assert max(separates(a, programme) for a in found.activity.T) > 0.8
    validation = found.facts["losses"]["validation"]
    assert len(validation) == found.facts["epochs"] == len(found.facts["losses"]["train"]) < 100
    assert found.facts["epochs"] == np.argmin(validation) + 1 + found.facts["settings"]["patience"]


def test_linear_scvi_is_given_the_batches(study):
    adata, sets, on = study
    same = adata.copy()
    same.obs["batch"] = "only"
    none, one, two = (
        embedded("linear_scvi", (cells, sets, on), batch_key=key, max_epochs=2).activity
        for cells, key in ((adata, None), (same, "batch"), (adata, "batch"))
    )
    np.testing.assert_array_equal(one, none)  # one batch is no batch
    assert np.abs(two - none).max() > 1e-3


def test_intercode_is_its_package_with_the_published_settings(study):
    from intercode import Intercode

    adata, sets, _ = study
    found = METHODS["intercode"](
        adata, sets, seed=5, threads=torch.get_num_threads(), max_epochs=2, device="cpu"
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
        loss = ((decoded - x).square().sum() + 0.1 * z.square().sum()) / CELLS
    np.testing.assert_allclose(found.activity, z.detach(), atol=1e-5)
    assert found.names == [*sets, "UNANNOTATED_1"]
    assert found.facts["epochs"] == len(found.facts["losses"]["train"]) == 2
    assert found.facts["losses"]["train"][-1] == pytest.approx(loss.item(), abs=1e-3)


def test_intercode_finds_each_programme_in_the_term_of_its_set(study, caplog):
    caplog.set_level(logging.INFO, "workflow")
    found = embedded("intercode", study, max_epochs=60, learning_rate=3e-3)
    for programme, activity in zip(study[2].T, found.activity.T, strict=False):
        assert separates(activity, programme) > 0.95
    losses = found.facts["losses"]["train"]
    assert losses[-1] < 0.8 * losses[0]
    told = [record.message for record in caplog.records if record.message.startswith("Epoch")]
    assert len(losses) == 60
    assert f"{losses[0]:.4f}=" in told[0]  # how far it is; not each of its lines


# ---------------------------------------------------------------- guests in the process


def state():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002


def threads_of_torch():
    with ThreadPoolExecutor(1) as pool:  # a new thread has those that were set last
        return torch.get_num_threads(), pool.submit(torch.get_num_threads).result()


@pytest.mark.parametrize("name", METHODS)
def test_a_method_gives_plain_facts_and_leaves_cells_and_process_as_they_were(
    name, study, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    adata = study[0]
    before, copy, threads = state(), adata.copy(), torch.get_num_threads()
    torch.set_num_threads(threads)
    brief = {"max_epochs": 2} if "max_epochs" in SMALL[name] else {}
    found, again = (embedded(name, study, **brief) for _ in range(2))
    assert state() == before and threads_of_torch() == (threads, threads)
    assert not list(tmp_path.iterdir())
    assert not capfd.readouterr().out
    for part in ("obs", "var", "uns", "obsm", "varm", "layers"):
        assert list(getattr(adata, part)) == list(getattr(copy, part))
    assert (adata.X != copy.X).nnz == 0

    assert found.activity.dtype == np.float32
    assert found.activity.shape == (CELLS, len(found.names))
    np.testing.assert_allclose(found.activity, again.activity, rtol=0, atol=1e-6)
    facts = json.loads(json.dumps(found.facts, allow_nan=False))
    assert facts["seed"] == 1 and facts["threads"] == 1 and facts["device"] == "cpu"
    assert facts["settings"].items() >= (SMALL[name] | brief).items()
    lock = re.findall(r"(?m)^\S+", (ROOT / "requirements.lock").read_text())
    assert facts["versions"]
    for package, version in facts["versions"].items():
        assert f"{package}=={version.split('+')[0]}" in lock
    if brief:
        other = embedded(name, study, seed=2, **brief)
        assert np.abs(other.activity - found.activity).max() > 1e-3


def test_linear_scvi_is_silent_and_leaves_no_file(study, tmp_path):
    adata, sets, _ = study
    adata.write_h5ad(tmp_path / "cells.h5ad")
    code = (
        "import anndata, scripts.train.baselines; scripts.train.baselines.METHODS['linear_scvi']("
        f"anndata.read_h5ad('cells.h5ad'), {sets}, seed=1, threads=1, "
        "n_hidden=8, max_epochs=3, patience=1, learning_rate=1.0, device='cpu')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (result.stdout, result.stderr) == ("", "")
    assert [file.name for file in tmp_path.iterdir()] == ["cells.h5ad"]


def test_a_seed_holds_whatever_was_drawn_before(study):
    found = embedded("linear_scvi", study, max_epochs=2)
    torch.rand(1)
    random.random()
    np.random.rand(3)  # noqa: NPY002
    again = embedded("linear_scvi", study, max_epochs=2)
    np.testing.assert_array_equal(found.activity, again.activity)


def test_settings_can_be_read_from_the_signature(study):
    for name, settings in SMALL.items():
        assert set(settings) <= set(inspect.signature(METHODS[name]).parameters)
    with pytest.raises(TypeError, match="n_hiden"):
        embedded("intercode", study, n_hiden=3)


def test_packages_are_only_imported_when_they_are_called():
    late = {"scvi", "lightning", "intercode", "decoupler", "scanpy"}
    code = f"import sys, scripts.train.baselines; print({late} & set(sys.modules))"
    output = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    assert output.strip() == "set()"


# ---------------------------------------------------------------- bad input


def without_counts(adata):
    del adata.layers["counts"]


def without_batch(adata):
    del adata.obs["batch"]


def named_twice(adata):
    adata.var_names = ["G0", *adata.var_names[:-1]]


def of_other_names(adata):
    adata.var_names = "mouse_" + adata.var_names


@pytest.mark.parametrize(
    ("name", "fault", "settings", "message"),
    [
        ("linear_scvi", without_counts, {}, "no layer counts .it has none"),
        ("linear_scvi", without_batch, {}, "no column batch; it has none"),
        ("linear_scvi", None, {"batch_size": 191}, "batch_size 191: 192 cells"),
        ("intercode", None, {"batch_size": 239}, "batch_size 239: 240 cells"),
        ("intercode", None, {"learning_rate": 1e30}, "loss is not finite after 30 epochs"),
        ("intercode", None, {"device": "cuda:99"}, "device"),
        ("linear_scvi", None, {"device": "tpu"}, "device 'tpu' is not there"),
        *(
            (name, of_other_names, {}, "none of the 150 genes")
            for name in ("mask_pca", "intercode", "ulm", "score_genes")
        ),
        ("ulm", named_twice, {}, "G0 is named twice"),
    ],
)
def test_bad_input_is_told_in_one_line(study, name, fault, settings, message):
    if settings.get("device") == "cuda:99" and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    adata, sets, on = study
    if fault:
        adata = adata.copy()
        fault(adata)
    with pytest.raises(InputError, match=message) as caught:
        embedded(name, (adata, sets, on), **settings)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- timing


def test_epochs_are_timed_turn_by_turn_over_all_cells(study, monkeypatch, capfd):
    import intercode.model

    trained = []
    train, train_intercode = timing.Trainer.train, intercode.model.train_autoencoder

    def watched(self, rows, rng):
        k = self.module.decoder.dense_weight().shape[1]
        lr, batch_size = self.settings.learning_rate, self.settings.batch_size
        trained.append(("VEGA", k, len(set(rows)), lr, batch_size))
        return train(self, rows, rng)

    def watched_intercode(adata, model, lr, batch_size, epochs, *arguments, **more):
        trained.append(("intercode", model.n_terms, epochs * adata.n_obs, lr, batch_size))
        lambda0, lambda1, lambda2, lambda3 = arguments[:4]
        assert (lambda0, lambda1 / lr, lambda2, lambda3 / lr) == (0.1, 0.93, None, 0.57)
        return train_intercode(adata, model, lr, batch_size, epochs, *arguments, **more)

    monkeypatch.setattr(timing.Trainer, "train", watched)
    monkeypatch.setattr(intercode.model, "train_autoencoder", watched_intercode)
    adata, sets, _ = study
    before = state()
    table = timing.time_per_epoch(
        adata, sets, rounds=2, threads=1, seed=1, n_hidden=32, device="cpu", batch_size=64,
        learning_rate=1e-3, max_epochs=9,
    )  # fmt: skip
    assert state() == before and capfd.readouterr().out == ""
    assert list(table.columns) == ["method", "round", "seconds"]
    assert list(table["round"]) == [1, 1, 2, 2] and (table["seconds"] > 0).all()
    assert list(table["method"]) == ["intercode", "VEGA", "VEGA", "intercode"]
    order = ["VEGA", "intercode", *table["method"]]  # with the first of each, which is not counted
    assert trained == [(name, len(sets) + 1, CELLS, 1e-3, 64) for name in order]


@pytest.mark.parametrize(
    ("fault", "message"), [("nan", "not finite"), ("names", "none of the 150 genes")]
)
def test_timing_tells_bad_input_in_one_line(study, fault, message):
    adata, sets, _ = study
    adata = adata.copy()
    if fault == "nan":
        adata.X.data[0] = np.nan
    else:
        of_other_names(adata)
    with pytest.raises(InputError, match=message):
        timing.time_per_epoch(adata, sets, rounds=1, threads=1, seed=1, n_hidden=8, device="cpu")


# ---------------------------------------------------------------- as an entry of the configuration


def entry(method, **settings):
    data = {"study": "s", "gene_sets": "sets.gmt"}
    analyses = {"embedding": "none"}
    return Baseline(method=method, data=data, settings=settings, analyses=analyses).model_dump()


@pytest.fixture
def gmt(study, tmp_path):
    path = tmp_path / "sets.gmt"
    _, sets, _ = study
    path.write_text("".join("\t".join([name, "", *genes]) + "\n" for name, genes in sets.items()))
    return path


def baseline(study, gmt, entry, **options):
    adata = study[0].copy()
    adata.uns["provenance"] = "{}"
    given = {"epochs_of": None, "overrides": {}, "device": "cpu", "seed": 1, "threads": 1}
    return run_baseline(adata, gmt, entry, **{**given, **options})


def test_an_entry_gives_the_latent_space_of_its_method(study, gmt):
    adata, sets, _ = study
    latent, facts = baseline(study, gmt, entry("mask_pca", n_components=3))
    expected = METHODS["mask_pca"](adata, sets, seed=1, threads=1, n_components=3)
    np.testing.assert_allclose(latent.X, expected.activity, atol=1e-5)
    assert list(latent.var_names) == expected.names == ["PC_1", "PC_2", "PC_3"]
    assert latent.obs.equals(adata.obs) and latent.uns["provenance"] == "{}"
    assert facts["method"] == "mask_pca" and facts["settings"]["n_components"] == 3


def test_a_method_is_trained_for_as_many_epochs_as_a_model(study, gmt, tmp_path):
    """Of what is set for all models in a trial it takes the settings that it knows."""
    described = tmp_path / "model.json"
    write_description(described, {"losses": {"epochs": 3}})
    trial = {"n_hidden": 8, "max_epochs": 77, "beta": 5, "batch_size": 64}
    _, facts = baseline(study, gmt, entry("intercode"), epochs_of=described, overrides=trial)
    assert len(facts["losses"]["train"]) == 3
    settings = facts["settings"]
    assert (settings["n_hidden"], settings["batch_size"], settings["device"]) == (8, 64, "cpu")


def test_an_unknown_setting_is_one_line(study, gmt):
    with pytest.raises(InputError, match=r"settings: pca has no width; it has n_comp"):
        baseline(study, gmt, entry("pca", width=3))
