"""Activities of new cells under a trained model."""

import json
import sys
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import vega
from scripts.common.h5ad import read_latent
from scripts.preprocess.steps import normalise, reindex
from tools.activities import main, query
from tools.new_study.inspect import inspect_file
from vega.errors import InputError


@pytest.fixture
def trained(cells_with_programmes, tmp_path):
    """A model, its log-normalised training cells, and their counts in a file."""
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
    model.target_sum = None  # as of cells whose genes were selected after they were scaled
    return model, learnt, path


def activities_of(model, path, cells=None):
    """Activities of the cells in a file, how they were scaled, and the share of known genes."""
    if cells is not None:
        cells.write_h5ad(path)
    found, share = query(model, inspect_file(path, ()))
    return found, json.loads(found.uns["provenance"])["scaling"], share


def test_counts_are_scaled_to_their_own_median_without_a_known_total(trained):
    model, learnt, path = trained
    assert model.target_sum is None
    cells = ad.read_h5ad(path)
    shuffled = cells[:, np.random.default_rng(0).permutation(cells.n_vars)].copy()
    for adata in (cells, shuffled):
        found, scaling, share = activities_of(model, path, adata)
        assert share == 1 and "their own median" in scaling
        np.testing.assert_allclose(found.X, model.embed(learnt), atol=1e-4)
        assert list(found.var_names) == list(model.gmvs)
        assert list(found.obs["kind"][:2]) == ["a", "b"]


@pytest.mark.parametrize("to", ["median", 1e4])
def test_cells_are_scaled_to_the_total_of_the_training_cells(trained, tmp_path, to):
    """New cells are fewer and of other depth, with genes that the model does not have."""
    model, _, path = trained
    counts = ad.read_h5ad(path)
    genes = model.genes
    known = reindex(normalise(counts, to), pd.DataFrame({"gene_id": genes}, index=pd.Index(genes)))
    model = vega.VEGA(genes[:40], {"A": genes[:9], "B": genes[5:30]}, n_hidden=16)
    model.fit(known, max_epochs=3, progress=False)
    model.save(tmp_path / "m")
    model = vega.load(tmp_path / "m")
    whole, scaling, _ = activities_of(model, path)
    np.testing.assert_allclose(whole.X, model.embed(known), atol=1e-5)
    assert scaling == f"counts, log-normalised to {model.target_sum:,.6g} per cell"

    few = counts[::7].copy()
    depth = np.arange(2, 2 + few.n_obs, dtype=np.float32)[:, None]
    few.X = sp.csr_matrix(few.X.multiply(depth))
    deeper, _, _ = activities_of(model, path, few)
    np.testing.assert_allclose(deeper.X, model.embed(known)[::7], atol=1e-4)


def test_log_normalised_cells_are_scaled_from_their_total(trained):
    model, _, path = trained
    counts = ad.read_h5ad(path)
    model.target_sum = 5000.0
    expected, _, _ = activities_of(model, path)
    for to, said in (
        (1e4, "log-normalised values of 10,000 per cell, scaled to 5,000"),
        (5000, "log-normalised values, as they are"),
    ):
        normal = normalise(counts, to)
        found, scaling, _ = activities_of(model, path, ad.AnnData(normal.X, var=counts.var))
        np.testing.assert_allclose(found.X, expected.X, atol=1e-4)
        assert scaling == said


def test_log_normalised_cells_without_a_common_total_are_taken_as_they_are(trained):
    model, learnt, path = trained
    fewer = learnt[:, learnt.var_names != "G7"].copy()
    zero = learnt.copy()
    zero.X = sp.csr_matrix(learnt.X.multiply((learnt.var_names != "G7")[None]))
    for target_sum, words in (
        (None, "as they are: the total of the training cells is not known"),
        (5000.0, "as they are: they have no common total"),
    ):
        model.target_sum = target_sum
        found, scaling, share = activities_of(model, path, fewer)
        assert words in scaling and share == pytest.approx(59 / 60)
        np.testing.assert_allclose(found.X, model.embed(zero), atol=1e-4)


def test_cells_with_other_genes_than_the_model_are_refused(trained):
    model, _, path = trained
    cells = ad.read_h5ad(path)
    cells.var_names = [f"ENSG{i:011d}" for i in range(60)]
    with pytest.raises(InputError, match=r"new.h5ad: only 0% of the model.s 60 genes .* have EN"):
        activities_of(model, path, cells)


@pytest.fixture
def command(trained, tmp_path, monkeypatch, caplog):
    """The command in a folder with a saved model."""
    caplog.set_level("INFO", "workflow")  # restored after the command has changed it
    trained[0].save(tmp_path / "model")
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["activities", *words])
        main()

    return run


def test_the_command_writes_activities_and_says_how_cells_were_scaled(trained, command, capsys):
    model, learnt, _ = trained
    command("model", "new.h5ad", "--out=out.h5ad")
    said = capsys.readouterr().out
    assert "200 cells x 6 GMVs; 100% of the model's genes were measured" in said
    assert "per cell, their own median: the model does not know" in said
    np.testing.assert_allclose(read_latent("out.h5ad").X, model.embed(learnt), atol=1e-4)
    with pytest.raises(SystemExit, match=r"^error: none: not a trained model; [^\n]+$"):
        command("none", "new.h5ad")


def test_the_name_of_the_output_is_that_of_the_input_and_nothing_is_overwritten(trained, command):
    path = trained[-1]
    for name in ("a.b.h5ad", "a.c.h5ad"):
        path = path.rename(path.with_name(name))
        command("model", name)
    first = read_latent("a.b_activities.h5ad")
    np.testing.assert_array_equal(first.X, read_latent("a.c_activities.h5ad").X)
    before = Path("a.c_activities.h5ad").read_bytes()
    with pytest.raises(SystemExit, match=r"^error: a.c_activities.h5ad: .*another with --out$"):
        command("model", name)
    assert Path("a.c_activities.h5ad").read_bytes() == before
    command("model", name, "--out", "second.h5ad")
    np.testing.assert_array_equal(read_latent("second.h5ad").X, first.X)
