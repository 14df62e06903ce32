"""Cells that a model has not learnt from: their genes, their scale, the warnings."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from anndata import AnnData, read_h5ad
from helpers.cells import fit, toy_cells, toy_model
from helpers.checks import one_line_error

import vega
from vega.scale import COUNTS, LOGS, check_scale, common_total, log_normalise

TARGET = 500.0


@pytest.fixture(scope="module")
def cells():
    """Counts of the 40 genes of the model and of two others."""
    toy = toy_cells()
    more = sp.csr_matrix(np.random.default_rng(5).poisson(9, (150, 2)), dtype=np.float32)
    adata = AnnData(sp.hstack([more, toy.layers["counts"]], format="csr"), obs=toy.obs)
    adata.var_names = ["other0", "other1", *toy.var_names]
    return adata


@pytest.fixture(scope="module")
def model(cells):
    """A model of 40 of the 42 genes, whose training cells have a total of `TARGET`."""
    model = toy_model()
    fit(model, vega.examples.log_normalised(cells, TARGET))
    return model


@pytest.fixture(params=["memory", "disk"])
def opened(request, tmp_path):
    """Opens cells as they are, or from a file some at a time."""

    def opened(adata):
        if request.param == "memory":
            return adata
        adata.write_h5ad(tmp_path / "x.h5ad")
        return read_h5ad(tmp_path / "x.h5ad", backed="r")

    return opened


def test_the_total_is_found_where_all_cells_have_it(cells, model, tmp_path):
    assert model.target_sum == TARGET
    model.save(tmp_path / "model")
    again = vega.load(tmp_path / "model")
    assert (again.target_sum, again.median_total) == (TARGET, model.median_total)
    learnt = vega.examples.log_normalised(cells, TARGET)[:, model.genes].copy()
    assert common_total(learnt.X) is None
    other = toy_model()
    fit(other, learnt, target_sum=np.float32(TARGET))
    assert other.target_sum == TARGET
    totals = np.expm1(learnt.X.toarray()).sum(1)
    assert other.median_total == pytest.approx(np.median(totals))


def test_counts_are_normalised_over_all_their_genes(cells, model, opened):
    x = cells.X.toarray().astype(float)
    logs = np.log1p(x / x.sum(1, keepdims=True) * TARGET)
    np.testing.assert_allclose(log_normalise(cells.X, TARGET).toarray(), logs, rtol=1e-6)
    learnt = cells.copy()
    learnt.X = sp.csr_matrix(logs.astype(np.float32))
    latent = model.latent(opened(cells[::-1].copy()))
    np.testing.assert_allclose(latent.X[::-1], model.embed(learnt), atol=1e-5)
    assert latent.uns["vega"]["scaling"] == "counts, log-normalised to 500 per cell"
    as_they_are = model.latent(learnt).uns["vega"]
    assert as_they_are["scaling"] == "log-normalised values, as they are"
    assert as_they_are["coverage"] == 1 and not len(as_they_are["missing_genes"])


def test_genes_that_were_not_measured_are_zero_and_told(cells, model, opened):
    learnt = vega.examples.log_normalised(cells, TARGET)
    gone = ["G3", "G30"]
    zero = learnt.copy()
    zero.X = sp.csr_matrix(learnt.X.multiply(~learnt.var_names.isin(gone)[None]))
    fewer = learnt[:, ~learnt.var_names.isin(gone)].copy()
    with pytest.warns(UserWarning, match="^2 of the model.s 40 genes are not in the data"):
        latent = model.latent(opened(fewer))
    np.testing.assert_allclose(latent.X, model.embed(zero), atol=1e-6)
    assert latent.uns["vega"]["coverage"] == 0.95
    assert list(latent.uns["vega"]["missing_genes"]) == gone
    few = learnt[:, :15].copy()
    with one_line_error(r"only 32% of the model's 40 genes .* expected 50% .* have other0, other1"):
        model.embed(few)
    with pytest.warns(UserWarning, match="27 of the model's|have 0.45 times the total"):
        assert model.embed(few, min_coverage=0.3).shape == (150, 6)


def test_cells_of_another_total_are_scaled_to_that_of_the_model(cells, model, opened):
    expected = model.embed(vega.examples.log_normalised(cells, TARGET))
    for total, words in ((10 * TARGET, "5,000"), (0.3 * TARGET, "150")):
        latent = model.latent(opened(vega.examples.log_normalised(cells, total)))
        np.testing.assert_allclose(latent.X, expected, atol=1e-4)
        said = f"log-normalised values of {words} per cell, scaled to 500"
        assert latent.uns["vega"]["scaling"] == said


def test_cells_of_another_total_are_told_where_genes_are_left_out(cells, model):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fewer = vega.examples.log_normalised(cells, 0.7 * TARGET)
        fewer.X.data[0] *= 1.5  # as if genes had been left out of a cell
        assert "no common total" in model.latent(fewer).uns["vega"]["scaling"]
    for factor in (10, 0.1):
        with pytest.warns(UserWarning, match=f"have {factor} times the total .* give counts"):
            more = vega.examples.log_normalised(cells, factor * TARGET)
            more.X.data[0] *= 1.5
            model.embed(more)


def test_what_is_on_another_scale_is_refused(cells, model):
    dense = cells.X.toarray()
    wrong = {
        "X holds counts, expected log-normalised values; run sc.pp.norm": cells.X,
        "negative values such as -0.5, expected log-normalised .* adata.raw": dense * 0.3 - 0.5,
        "values that are not log-transformed such as .*; run sc.pp.log1p": cells.X * 7.3,
    }
    unknown = toy_model()
    for message, x in wrong.items():
        adata = cells.copy()
        adata.X = sp.csr_matrix(x.toarray() if sp.issparse(x) else x, dtype=np.float32)
        for refuse in (unknown.embed, lambda adata: fit(unknown, adata)):
            with one_line_error(message):
                refuse(adata)
    of_counts = toy_model(likelihood="negative_binomial", layer="logs")
    adata = vega.examples.log_normalised(cells)
    adata.layers["logs"] = adata.X
    with one_line_error(
        "layer 'logs' holds log-normalised values such as .*, expected counts; name"
    ):
        fit(of_counts, adata)


def test_counts_may_have_rounding_errors(cells):
    x = cells.X.copy()
    x.data = cells.X.data + np.float32(1e-6)
    assert check_scale(x, COUNTS) == COUNTS
    x.data = cells.X.data + np.float32(0.1)
    with one_line_error("expected counts"):
        check_scale(x, COUNTS)
    assert check_scale(x * 0, LOGS) is None
