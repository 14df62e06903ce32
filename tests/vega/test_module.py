"""Encoders, decoders and likelihoods against brute force."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from helpers.cells import ANNOTATION, KINDS, fit, toy_cells, toy_model
from scipy.stats import nbinom

from vega.module import DeepDecoder, DeepEncoder, MaskedEncoder, NegativeBinomial, SoftDecoder
from vega.settings import ModelSettings
from vega.sparse import SparseMatrix


@pytest.fixture(scope="module")
def adata():
    return toy_cells()


def sparse_and_dense(x):
    """The same cells in both forms that a network takes."""
    return SparseMatrix.from_scipy(x), torch.from_numpy(x.toarray())


@pytest.mark.parametrize("kind", KINDS)
def test_losses_and_gradients_are_the_same_sparse_and_dense(adata, kind):
    """Cells as well as masked weights; the latter dense against torch's own linear layer."""
    module = toy_model(**KINDS[kind]).module
    batch, results = torch.arange(9) % 2, []
    for x in sparse_and_dense((adata.layers["counts"] if kind == "counts" else adata.X)[:9]):
        for part in (module.encoder, module.decoder):
            if hasattr(getattr(part, "weights", None), "sparse"):
                part.weights.sparse = isinstance(x, SparseMatrix)
        module.zero_grad()
        loss = module.loss(x, batch, torch.Generator().manual_seed(3))
        loss.backward()
        learnt = [p.grad.clone() for p in module.parameters() if p.requires_grad]
        results.append([loss.detach().float(), *learnt])
    for ours, dense in zip(*results, strict=True):
        # A bias before batch norm has no gradient but rounding errors.
        torch.testing.assert_close(ours, dense, rtol=1e-4, atol=1e-3)


def test_batch_norm_is_that_of_the_settings():
    """Fig. S1 has torch's own in all four networks."""
    chosen = ModelSettings(n_hidden=4, encoder="masked", norm_momentum=0.1, norm_epsilon=1e-5)
    parts = [part(ANNOTATION, chosen) for part in (DeepEncoder, DeepDecoder, MaskedEncoder)]
    norms = [m for p in parts for m in p.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    assert [(norm.momentum, norm.eps) for norm in norms] == [(0.1, 1e-5)] * 5


@pytest.mark.parametrize("kind", ["masked", "soft", "masked_linear encoder"])
def test_nonnegative_weights_start_clamped_or_uniform(kind):
    encodes = "encoder" in kind
    parts = {"encoder": "masked_linear", "decoder": "deep"} if encodes else {"decoder": kind}

    def initial(start):
        module = toy_model(nonnegative_start=start, **parts).module
        weights = (module.encoder if encodes else module.decoder).weights
        return getattr(weights, "weight", weights).detach().numpy().ravel()

    clamped, uniform = initial("clamped"), initial("uniform")
    bound = 1 / np.sqrt(40 if encodes else 6)
    assert 0.35 < (clamped == 0).mean() < 0.65
    np.testing.assert_array_equal(uniform[clamped > 0], clamped[clamped > 0])
    assert 0 < uniform.min() < uniform.max() < bound
    assert uniform.mean() == pytest.approx(bound / 2, rel=0.25)


@pytest.mark.parametrize(
    ("options", "negative", "outside"),
    [
        ({}, False, False),
        ({"nonnegative": False}, True, False),
        ({"decoder": "soft", "l1_lambda": 0}, False, True),
        ({"decoder": "soft", "l1_lambda": 1000, "l1_update": "soft_threshold"}, False, False),
        ({"encoder": "masked_linear", "decoder": "deep"}, False, False),
        ({"encoder": "masked", "decoder": "deep"}, True, False),
    ],
)
def test_training_keeps_the_constraints_on_the_weights(adata, options, negative, outside):
    model = toy_model(**options)
    fit(model, adata, max_epochs=10, learning_rate=0.01)
    if "encoder" in options:
        weights = model.module.encoder.weights.dense().detach().numpy()[:6]
    else:
        weights = model.weights().to_numpy().T
    assert (weights > 0).any()
    assert (weights < 0).any() == negative
    assert weights[~ANNOTATION].any() == outside


@pytest.mark.parametrize("kind", ["masked", "masked_linear"])
def test_a_masked_encoder_is_a_linear_map_of_the_genes_of_each_set(kind):
    part = MaskedEncoder(ANNOTATION, ModelSettings(encoder=kind)).eval()
    x = sp.random(9, 40, 0.4, "csr", dtype=np.float32, random_state=2)
    weights = np.zeros((12, 40))
    weights[part.weights.outputs, part.weights.inputs] = part.weights.weight.detach()
    assert not weights[~np.vstack([ANNOTATION, ANNOTATION])].any()
    assert len(part.weights.weight) == 2 * ANNOTATION.sum()
    expected = x @ weights.T + part.bias.detach().numpy()
    if kind == "masked":  # running mean 0 and variance 1 before any training
        expected = np.maximum(expected / np.sqrt(1 + part.norm.eps), 0)
    for cells in sparse_and_dense(x):
        found = torch.cat(part(cells), 1).detach()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_binary_decoder_never_changes(adata):
    model = toy_model(decoder="binary")
    bias, heads = model.module.decoder.bias.clone(), model.module.encoder.heads.weight.clone()
    fit(model, adata, max_epochs=4, learning_rate=0.01)
    assert np.array_equal(model.weights().to_numpy(), ANNOTATION.T)
    assert torch.equal(model.module.decoder.bias, bias)
    assert not torch.equal(model.module.encoder.heads.weight, heads)


@pytest.mark.parametrize("nonnegative", [True, False])
@pytest.mark.parametrize("update", ["multiplicative", "soft_threshold"])
def test_the_l1_penalty_shrinks_weights_outside_the_sets_only(update, nonnegative):
    settings = {"decoder": "soft", "nonnegative": nonnegative, "l1_lambda": 20, "l1_update": update}
    decoder = SoftDecoder(ANNOTATION, ModelSettings(**settings))
    before = np.random.default_rng(0).normal(0, 1.5, ANNOTATION.T.shape)
    decoder.weights.data = torch.from_numpy(before).float()
    decoder.project(learning_rate=0.01)
    kept = np.maximum(before, 0) if nonnegative else before
    off = 0.2 * (np.minimum(1, abs(kept)) if update == "multiplicative" else 1)
    shrunk = np.sign(kept) * np.maximum(abs(kept) - off, 0)
    expected = np.where(ANNOTATION.T, kept, shrunk)
    np.testing.assert_allclose(decoder.weights.detach(), expected, atol=1e-6)


def test_a_deep_decoder_is_its_layers():
    decoder = DeepDecoder(ANNOTATION, ModelSettings(n_hidden=8)).eval()
    z = hidden = torch.randn(5, 6)
    for linear, norm in zip(decoder.hidden.linears, decoder.hidden.norms, strict=True):
        hidden = ((hidden @ linear.weight.T + linear.bias) / (1 + norm.eps) ** 0.5).relu()
    expected = hidden @ decoder.output.weight.T + decoder.output.bias
    torch.testing.assert_close(decoder(z), expected)
    assert len(decoder.hidden.linears) == 2


def test_the_negative_binomial_is_that_of_scipy(adata):
    counts, likelihood = adata.layers["counts"][:7], NegativeBinomial(40)
    decoded, x = torch.randn(7, 40), counts.toarray()
    share = np.exp(decoded.double().numpy())
    mean = share / share.sum(1, keepdims=True) * x.sum(1, keepdims=True)
    theta = likelihood.log_dispersion.exp().detach().double().numpy()
    expected = -nbinom.logpmf(x, theta, theta / (theta + mean)).sum()
    for cells in sparse_and_dense(counts):
        assert likelihood.loss(decoded, cells).item() == pytest.approx(expected, rel=1e-5)
