"""Training against the plain implementation, and in bfloat16 against float32."""

import numpy as np
import pytest
import torch
from helpers.cells import fit, toy_cells, toy_model
from helpers.plain_vega import PlainVEGA, train_plainly

import vega
from vega.trainer import resolve_precision


@pytest.mark.parametrize("share", [0.03, 0.4])  # a decoder computed from its weights, and dense
@pytest.mark.parametrize("dropped", [0.0, 0.5])
def test_every_step_is_that_of_the_plain_implementation(cells_with_programmes, share, dropped):
    adata, gene_sets = cells_with_programmes(400, 300, 40, share)
    options = {"dropout": dropped, "latent_dropout": dropped, "beta": 0.1, "seed": 5}
    model = vega.VEGA(adata.var_names, gene_sets, n_hidden=32, **options)
    assert model.module.decoder.weights.sparse == (share < 0.1)
    plain = PlainVEGA(model)
    # A bias before a batch norm has no gradient but rounding. With a small epsilon, Adam makes
    # full steps of it, and the running means, which only validation uses, lag behind them.
    training = {"learning_rate": 1e-3, "batch_size": 32, "seed": 5, "adam_epsilon": 1e-3}
    losses = train_plainly(plain, adata.X.toarray(), 12, **training)
    history = model.fit(
        adata, max_epochs=12, patience=99, progress=False, precision="float32", **training
    )
    assert losses[-1, 1] < 0.97 * losses[0, 1]  # there was something to learn
    np.testing.assert_allclose(history["train_loss"], losses[:, 0], rtol=1e-5)
    np.testing.assert_allclose(history["validation_loss"], losses[:, 1], rtol=1e-3)
    expected = (plain.decoder.weight * plain.mask).detach().numpy()
    np.testing.assert_allclose(model.weights().to_numpy(), expected, atol=1e-4)


@pytest.mark.slow
def test_the_validation_loss_of_real_cells_is_that_of_the_plain_one(kang_cells, reactome):
    """Within 0.5 % of the plain implementation's, in float32 and in bfloat16."""
    adata = kang_cells
    losses = {}
    for precision in ("float32", "bfloat16"):
        model = vega.VEGA(adata.var_names, reactome, seed=2)
        plain = PlainVEGA(model)
        history = model.fit(adata, max_epochs=8, progress=False, precision=precision)
        losses[precision] = history["validation_loss"].iloc[-1]
    losses["plain"] = train_plainly(plain, adata.X.toarray(), 8, seed=2)[-1, 1]
    assert losses["float32"] == pytest.approx(losses["plain"], rel=0.001)
    assert losses["bfloat16"] == pytest.approx(losses["plain"], rel=0.005)


def test_auto_precision_is_what_the_device_computes_in(monkeypatch):
    cpu = torch.device("cpu")
    precisions = {"avx512_bf16": "bfloat16", "amx_bf16": "bfloat16", "avx512_f": "float32"}
    for able, expected in precisions.items():
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda a=able: {a: True}, raising=False)
        assert resolve_precision("auto", cpu) == expected
    monkeypatch.delattr(torch.cpu, "get_capabilities")  # torch before 2.10
    assert resolve_precision("auto", cpu) == "float32"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_weights_and_results_are_float32_at_any_precision(precision):
    adata, model = toy_cells(), toy_model()
    fit(model, adata, precision=precision)
    assert model.describe()["training"]["precision"] == precision
    assert model.module.encoder.heads.weight.dtype == torch.float32
    assert model.embed(adata).dtype == np.float32
