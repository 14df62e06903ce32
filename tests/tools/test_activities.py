"""New cells under a trained model."""

import json
import subprocess
import sys

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from conftest import ROOT

import vega
from scripts.common.h5ad import read_latent
from scripts.preprocess.steps import normalise, reindex
from tools.activities import query
from tools.new_study.look import look
from vega.errors import InputError


@pytest.fixture
def trained(cells_with_programmes, tmp_path):
    """A model, the log-normalised cells that it learnt from, and their counts in a file."""
    learnt, sets = cells_with_programmes(200, 60, 5, 0.2)
    counts = learnt.copy()
    counts.X = sp.csr_matrix(np.rint(np.expm1(learnt.X.toarray())).astype(np.float32))
    counts.obs["kind"] = ["a", "b"] * 100
    path = tmp_path / "new.h5ad"
    counts.write_h5ad(path)
    totals = np.asarray(counts.X.sum(axis=1)).ravel()
    scaled = counts.X.toarray() / totals[:, None] * np.median(totals[totals > 0])
    learnt.X = sp.csr_matrix(np.log1p(scaled).astype(np.float32))
    model = vega.VEGA(learnt.var_names, sets, n_hidden=16)
    model.fit(learnt, max_epochs=3, progress=False)
    return model, learnt, path


def test_counts_are_normalised_as_the_paper_does(trained):
    model, learnt, path = trained
    activities, share = query(model, look(path, ()))
    assert share == 1
    np.testing.assert_allclose(activities.X, model.embed(learnt), atol=1e-4)
    assert list(activities.var_names) == list(model.gmvs)
    assert list(activities.obs["kind"][:2]) == ["a", "b"]


def saved_and_loaded(model, folder):
    model.save(folder)
    return vega.load(folder)


@pytest.mark.parametrize("to", ["median", 1e4])
def test_cells_are_scaled_to_the_total_of_the_training(trained, tmp_path, to):
    """New cells are fewer and of other depth, and have genes that the model does not know."""
    model, _, path = trained
    counts = ad.read_h5ad(path)
    learnt = normalise(counts, to)
    known = reindex(learnt, pd.DataFrame({"gene_id": model.genes}, index=pd.Index(model.genes)))
    model = vega.VEGA(model.genes[:40], {"A": model.genes[:9], "B": model.genes[5:30]}, n_hidden=16)
    model.fit(known, max_epochs=3, progress=False)
    model = saved_and_loaded(model, tmp_path / "m")
    whole, _ = query(model, look(path, ()))
    np.testing.assert_allclose(whole.X, model.embed(known), atol=1e-5)
    assert "like the training cells" in json.loads(whole.uns["provenance"])["scaling"]

    few = counts[::7].copy()
    depth = np.arange(2, 2 + few.n_obs, dtype=np.float32)[:, None]
    few.X = sp.csr_matrix(few.X.multiply(depth))
    few.write_h5ad(path)
    deeper, _ = query(model, look(path, ()))
    np.testing.assert_allclose(deeper.X, model.embed(known)[::7], atol=1e-4)


def test_log_normalised_cells_are_scaled_from_their_total(trained):
    model, _, path = trained
    counts = ad.read_h5ad(path)
    model.target_sum = 5000.0
    expected, _ = query(model, look(path, ()))

    def asked(cells):
        cells = ad.AnnData(cells.X, obs=counts.obs, var=counts.var)
        cells.write_h5ad(path)
        found, _ = query(model, look(path, ()))
        return found.X, json.loads(found.uns["provenance"])["scaling"]

    for to in (1e4, 5000):
        activities, scaling = asked(normalise(counts, to))
        np.testing.assert_allclose(activities, expected.X, atol=1e-4)
        assert (
            scaling
            == {
                1e4: "log-normalised to 10,000, scaled to the 5,000 of the training cells",
                5000: "log-normalised to the 5,000 of the training cells",
            }[to]
        )
    lost = normalise(counts, 1e4)[:, :50].copy()
    counts = counts[:, :50].copy()
    model = vega.VEGA(counts.var_names, {"A": list(counts.var_names[:9])}, n_hidden=16)
    assert "as they are: the model does not know its total" in asked(lost)[1]
    model.target_sum = 5000.0
    activities, scaling = asked(lost)
    assert scaling.startswith("warning: log-normalised, but their totals differ (from ")
    np.testing.assert_allclose(activities, model.embed(lost), atol=1e-5)


def test_without_a_known_total_counts_are_scaled_to_their_median(trained):
    model, learnt, path = trained
    assert model.target_sum is None
    activities, _ = query(model, look(path, ()))
    np.testing.assert_allclose(activities.X, model.embed(learnt), atol=1e-4)
    assert "their own median" in json.loads(activities.uns["provenance"])["scaling"]


def test_genes_in_another_order_and_genes_that_are_absent(trained):
    model, learnt, path = trained
    cells = ad.read_h5ad(path)
    shuffled = cells[:, np.random.default_rng(0).permutation(cells.n_vars)].copy()
    shuffled.write_h5ad(path)
    np.testing.assert_allclose(query(model, look(path, ()))[0].X, model.embed(learnt), atol=1e-4)

    found = look(path, ())
    found.adata.X.data = np.log1p(found.adata.X.data)  # normalised already: taken as it is
    fewer = found.adata[:, found.adata.var_names != "G7"].copy()
    whole = found.adata[:, list(model.genes)].copy()
    whole.X = whole.X.toarray()
    whole.X[:, list(model.genes).index("G7")] = 0
    whole.X = sp.csr_matrix(whole.X)
    look_of = type(found)
    activities, share = query(model, look_of("h5ad", {}, found.files, fewer, False))
    assert share == pytest.approx(59 / 60)
    np.testing.assert_allclose(activities.X, model.embed(whole), atol=1e-4)


def test_cells_that_the_model_does_not_know_are_refused(trained):
    model, _, path = trained
    cells = ad.read_h5ad(path)
    cells.var_names = [f"ENSG{i:011d}" for i in range(60)]
    cells.write_h5ad(path)
    with pytest.raises(InputError, match=r"only 0% of the model.s 60 genes are in it; its are EN"):
        query(model, look(path, ()))


def test_the_command_writes_what_it_says(trained, tmp_path):
    model, learnt, path = trained
    model.save(tmp_path / "model")

    def run(*words):
        return subprocess.run(
            [sys.executable, "-m", "tools.activities", *map(str, words)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip

    said = run(tmp_path / "model", path, "--out", tmp_path / "out.h5ad")
    assert said.returncode == 0, said.stderr
    assert "200 cells x 6 GMVs; 100% of the model's genes were measured" in said.stdout
    assert "counts per cell, their own median: the model does not know" in said.stdout
    written = read_latent(tmp_path / "out.h5ad")
    np.testing.assert_allclose(written.X, model.embed(learnt), atol=1e-4)
    said = run(tmp_path / "none", path)
    assert said.returncode == 1
    assert said.stderr.startswith("error: ")
    assert len(said.stderr.splitlines()) == 1
