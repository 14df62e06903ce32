"""The parts that models are composed of, each against brute force, and all in training."""

import json

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from anndata import AnnData
from scipy.stats import nbinom

import vega
from vega.module import (
    DeepDecoder,
    DeepEncoder,
    MaskedDecoder,
    MaskedEncoder,
    NegativeBinomial,
    SoftDecoder,
)
from vega.settings import ModelSettings, TrainSettings
from vega.sparse import SparseMatrix
from vega.train import train as train_module

ANNOTATION = np.random.default_rng(0).random((6, 40)) < 0.2
ANNOTATION[5] = True  # an extra node
KINDS = {
    "vega": {},
    "masked encoder": {"encoder": "masked"},
    "masked encoder, deep decoder": {"encoder": "masked_linear", "decoder": "deep"},
    "vae": {"decoder": "deep"},
    "binary": {"decoder": "binary"},
    "soft": {"decoder": "soft", "l1_lambda": 1.0},
    "counts": {
        "likelihood": "negative_binomial", "layer": "counts", "nonnegative": False, "bias": False,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def adata():
    rng = np.random.default_rng(1)
    activity = rng.gamma(2, 1, (150, 4))
    counts = rng.poisson(0.3 + activity @ rng.random((4, 40)))
    counts[:, 0] += 1  # no cell is empty
    cells = AnnData(sp.csr_matrix(np.log1p(counts), dtype=np.float32))
    cells.layers["counts"] = sp.csr_matrix(counts, dtype=np.float32)
    cells.var_names = [f"G{i}" for i in range(40)]
    return cells


@pytest.fixture(scope="module")
def gene_sets(adata):
    return {f"S{i}": list(adata.var_names[row]) for i, row in enumerate(ANNOTATION[:5])}


def model_of(adata, gene_sets, **options):
    return vega.VEGA(adata.var_names, gene_sets, **{"n_hidden": 16, "seed": 1, **options})


# ---------------------------------------------------------------- encoders


def encoder(rectified):
    torch.manual_seed(0)
    return MaskedEncoder(
        ANNOTATION, ModelSettings(encoder="masked" if rectified else "masked_linear")
    ).eval()


@pytest.mark.parametrize("rectified", [True, False])
def test_a_masked_encoder_is_a_linear_map_of_each_sets_genes(rectified):
    part, x = encoder(rectified), sp.random(9, 40, 0.4, "csr", dtype=np.float32, random_state=2)
    moments = part(SparseMatrix.from_scipy(x))
    for dense, sparse in zip(part(torch.from_numpy(x.toarray())), moments, strict=True):
        torch.testing.assert_close(dense, sparse)
    outputs, inputs = part.weights.outputs.numpy(), part.weights.inputs.numpy()
    expected = np.zeros((9, 12))
    for value, output, gene in zip(part.weights.weight.tolist(), outputs, inputs, strict=True):
        assert ANNOTATION[output % 6, gene]
        expected[:, output] += value * x.toarray()[:, gene]
    expected += part.bias.detach().numpy()
    if rectified:  # running mean 0 and variance 1 before any training
        expected = np.maximum(expected / np.sqrt(1 + part.norm.eps), 0)
    np.testing.assert_allclose(torch.cat(moments, 1).detach(), expected, rtol=1e-5, atol=1e-6)
    assert len(outputs) == 2 * ANNOTATION.sum()


@pytest.mark.parametrize("rectified", [True, False])
def test_a_masked_encoder_gets_the_same_gradients_sparse_and_dense(rectified):
    part = encoder(rectified).train()
    x = sp.random(9, 40, 0.4, "csr", dtype=np.float32, random_state=2)
    gradients = []
    for sparse in (True, False):
        part.weights.sparse = sparse
        part.zero_grad()
        generator = torch.Generator().manual_seed(3)
        mean, log_variance = part(SparseMatrix.from_scipy(x), generator)
        (mean.square().sum() + log_variance.exp().sum()).backward()
        gradients.append([p.grad.clone() for p in part.parameters()])
    for ours, plain in zip(*gradients, strict=True):
        # A bias before batch norm has no gradient but rounding errors.
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-3)


def test_weights_of_the_masked_linear_encoder_stay_non_negative(adata, gene_sets):
    model = model_of(adata, gene_sets, encoder="masked_linear", decoder="deep")
    model.fit(adata, max_epochs=10, learning_rate=0.01, progress=False)
    weight = model.module.encoder.weights.weight
    assert (weight >= 0).all()
    assert (weight == 0).any()  # some were on their way below zero
    signed = model_of(adata, gene_sets, encoder="masked")
    signed.fit(adata, max_epochs=3, learning_rate=0.01, progress=False)
    assert (signed.module.encoder.weights.weight < 0).any()


def test_batch_norm_is_that_of_the_shape():
    """Fig. S1 has torch's own in all four networks, all others that of VEGA."""
    shapes = {(0.01, 1e-3): {}, (0.1, 1e-5): {"norm_momentum": 0.1, "norm_epsilon": 1e-5}}
    for expected, settings in shapes.items():
        chosen = ModelSettings(n_hidden=4, encoder="masked", **settings)
        parts = [part(ANNOTATION, chosen) for part in (DeepEncoder, DeepDecoder, MaskedEncoder)]
        norms = [m for p in parts for m in p.modules() if isinstance(m, torch.nn.BatchNorm1d)]
        assert len(norms) == 5
        assert {(norm.momentum, norm.eps) for norm in norms} == {expected}


@pytest.mark.parametrize("kind", ["masked", "soft", "masked_linear encoder"])
def test_non_negative_weights_start_clamped_or_uniform(adata, gene_sets, kind):
    parts = (
        {"encoder": "masked_linear", "decoder": "deep"} if "encoder" in kind else {"decoder": kind}
    )

    def initial(start):
        model = model_of(adata, gene_sets, nonnegative_start=start, **parts)
        part = model.module.encoder if "encoder" in kind else model.module.decoder
        weights = part.weights if kind == "soft" else part.weights.weight
        return weights.detach().numpy().ravel()

    clamped, uniform = initial("clamped"), initial("uniform")
    bound = 1 / np.sqrt(40 if "encoder" in kind else 6)
    assert 0.35 < (clamped == 0).mean() < 0.65
    np.testing.assert_array_equal(uniform[clamped > 0], clamped[clamped > 0])
    assert uniform.min() > 0
    assert uniform.max() < bound
    assert uniform.mean() == pytest.approx(bound / 2, rel=0.25)
    with pytest.raises(
        ValueError, match="nonnegative_start: expected 'clamped' or 'uniform', found 'up'"
    ):
        initial("up")


# ---------------------------------------------------------------- decoders


def test_a_binary_decoder_never_changes(adata, gene_sets):
    model = model_of(adata, gene_sets, decoder="binary")
    before = model.module.decoder.bias.clone()
    hidden = model.module.encoder.heads.weight.clone()
    model.fit(adata, max_epochs=4, learning_rate=0.01, progress=False)
    assert np.array_equal(model.weights().to_numpy(), ANNOTATION.T)
    assert torch.equal(model.module.decoder.bias, before)
    assert not torch.equal(model.module.encoder.heads.weight, hidden)
    assert all(p.grad is None for p in model.module.decoder.parameters())


@pytest.mark.parametrize("nonnegative", [True, False])
@pytest.mark.parametrize("step", ["multiplicative", "soft_threshold"])
def test_the_penalty_is_paid_outside_the_sets_only(step, nonnegative):
    """Weight by weight against the two rules as they are written down."""
    torch.manual_seed(0)
    decoder = SoftDecoder(
        ANNOTATION,
        ModelSettings(decoder="soft", nonnegative=nonnegative, l1_lambda=20, l1_update=step),
    )
    with torch.no_grad():
        decoder.weights.normal_(0, 1.5)
    before = decoder.weights.detach().numpy().copy()
    decoder.project(learning_rate=0.01)
    after = decoder.weights.detach().numpy()
    for (gene, gmv), weight in np.ndenumerate(before):
        expected = max(weight, 0) if nonnegative else weight
        if not ANNOTATION[gmv, gene]:
            off = min(0.2, 0.2 * abs(expected)) if step == "multiplicative" else 0.2
            expected = np.sign(expected) * max(abs(expected) - off, 0)
        assert after[gene, gmv] == pytest.approx(expected, abs=1e-6)
    assert not (after[:, 5] == 0).all()  # the extra node may reach all genes


def test_a_soft_threshold_keeps_weights_out_and_a_weak_one_lets_them_in(adata, gene_sets):
    outside = ~ANNOTATION.T
    for penalty, allowed in ((1000, False), (0, True)):
        options = {"decoder": "soft", "l1_lambda": penalty, "l1_update": "soft_threshold"}
        model = model_of(adata, gene_sets, **options)
        model.fit(adata, max_epochs=5, learning_rate=0.01, progress=False)
        weights = model.weights().to_numpy()
        assert (weights >= 0).all()
        assert weights[outside].any() == allowed
        assert weights[~outside].any()


def test_a_deep_decoder_is_its_layers():
    torch.manual_seed(0)
    decoder = DeepDecoder(ANNOTATION, ModelSettings(n_hidden=8)).eval()
    z = torch.randn(5, 6)
    hidden = z
    for linear, norm in zip(decoder.hidden.linears, decoder.hidden.norms, strict=True):
        hidden = ((hidden @ linear.weight.T + linear.bias) / (1 + norm.eps) ** 0.5).relu()
    expected = hidden @ decoder.output.weight.T + decoder.output.bias
    torch.testing.assert_close(decoder(z), expected)
    assert len(decoder.hidden.linears) == 2


def test_only_linear_decoders_have_weights_and_batches(adata, gene_sets):
    with pytest.raises(ValueError, match="no weights of single latent variables"):
        model_of(adata, gene_sets, decoder="deep").weights()
    with pytest.raises(ValueError, match="no batch nodes; leave out the batches"):
        model_of(adata, gene_sets, decoder="deep", batches=["x", "y"])


def test_a_soft_decoder_has_batches_as_a_masked_one():
    torch.manual_seed(0)
    z, labels = torch.randn(4, 6), torch.tensor([0, 1, 1, 0])
    for kind in (MaskedDecoder, SoftDecoder):
        decoder = kind(ANNOTATION, ModelSettings(), n_batches=2)
        shift = decoder(z, labels) - decoder(z, 1 - labels)
        effect = (decoder.batch_weight[:, 0] - decoder.batch_weight[:, 1])[None]
        torch.testing.assert_close(shift, torch.where(labels[:, None] == 0, effect, -effect))


# ---------------------------------------------------------------- counts


def test_the_negative_binomial_is_scipys():
    torch.manual_seed(0)
    likelihood = NegativeBinomial(40)
    counts = sp.random(7, 40, 0.5, "csr", dtype=np.float32, random_state=4)
    counts.data = np.ceil(9 * counts.data)
    decoded = torch.randn(7, 40)
    share = np.exp(decoded.double().numpy())
    mean = share / share.sum(1, keepdims=True) * counts.toarray().sum(1, keepdims=True)
    theta = likelihood.log_dispersion.exp().detach().double().numpy()
    expected = -nbinom.logpmf(counts.toarray(), theta, theta / (theta + mean)).sum()
    for x in (SparseMatrix.from_scipy(counts), torch.from_numpy(counts.toarray())):
        assert likelihood.loss(decoded, x).item() == pytest.approx(expected, rel=1e-5)


def test_counts_give_the_same_gradients_sparse_and_dense():
    torch.manual_seed(0)
    counts = sp.random(7, 40, 0.5, "csr", dtype=np.float32, random_state=4)
    counts.data = np.ceil(9 * counts.data)
    start, likelihood = torch.randn(7, 40), NegativeBinomial(40)
    gradients = []
    for x in (SparseMatrix.from_scipy(counts), torch.from_numpy(counts.toarray())):
        decoded = start.clone().requires_grad_()
        likelihood.zero_grad()
        likelihood.loss(decoded, x).backward()
        gradients.append((decoded.grad, likelihood.log_dispersion.grad.clone()))
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)


def test_a_count_model_reads_its_layer_and_decodes_counts(adata, gene_sets):
    model = model_of(adata, gene_sets, **KINDS["counts"])
    model.fit(adata, max_epochs=3, learning_rate=0.01, loss_reduction="mean", progress=False)
    without = adata.copy()
    without.X = without.X * 0
    assert np.array_equal(model.embed(without), model.embed(adata))
    np.testing.assert_allclose(model.decode(model.embed(adata), library=500).sum(1), 500, rtol=1e-4)
    del without.layers["counts"]
    with pytest.raises(ValueError, match="reads the layer 'counts' of the data; there is none"):
        model.embed(without)


def test_a_count_model_finds_the_genes_that_vary(adata, gene_sets):
    """The likelihood rises, and ends above that of one mean for all cells."""
    model = model_of(adata, gene_sets, **KINDS["counts"], dropout=0, latent_dropout=0)
    losses = model.fit(
        adata,
        max_epochs=150,
        learning_rate=0.01,
        loss_reduction="mean",
        patience=150,
        progress=False,
    )["validation_loss"]
    assert losses.iloc[-10:].mean() < 0.95 * losses.iloc[0]


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_a_saved_model_of_any_kind_comes_back(adata, gene_sets, options, tmp_path):
    model = model_of(adata, gene_sets, **options)
    model.fit(adata, max_epochs=2, progress=False)
    model.save(tmp_path)
    again = vega.load(tmp_path)
    assert np.array_equal(again.annotation, ANNOTATION)
    assert again.settings == model.settings
    z = model.embed(adata)
    assert z.shape == (150, 6)
    assert np.array_equal(again.embed(adata), z)
    assert np.array_equal(again.decode(z), model.decode(z))
    if options.get("decoder") != "deep":
        assert again.weights().equals(model.weights())


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_training_of_any_kind_lowers_the_loss_and_resumes(adata, gene_sets, options, tmp_path):
    settings = {"max_epochs": 30, "learning_rate": 0.003, "patience": 30, "progress": False}
    unbroken = model_of(adata, gene_sets, **options)
    history = unbroken.fit(adata, **settings)
    assert history["train_loss"].iloc[-1] < 0.97 * history["train_loss"].iloc[0]

    class Killed(BaseException):
        pass

    def kill(line):
        if line.startswith("epoch 20"):
            raise Killed

    checkpoint = tmp_path / "state.safetensors"
    with pytest.raises(Killed):
        model_of(adata, gene_sets, **options).fit(
            adata, **settings, checkpoint=checkpoint, log=kill
        )
    resumed = model_of(adata, gene_sets, **options)
    resumed.fit(adata, **settings, checkpoint=checkpoint)
    assert resumed.history.equals(history)
    assert np.array_equal(resumed.embed(adata), unbroken.embed(adata))


def test_where_no_part_knows_the_sets_latent_variables_are_not_named_after_them(adata, gene_sets):
    assert model_of(adata, gene_sets, decoder="deep").gmvs[0] == "LATENT_1"
    assert model_of(adata, gene_sets, encoder="masked", decoder="deep").gmvs[0] == "S0"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            {"encoder": "thin"},
            "encoder: expected 'deep' or .*, found 'thin'",
        ),
        (
            {"decoder": "thin"},
            "decoder: expected 'masked' or .*, found 'thin'",
        ),
        (
            {"likelihood": "poisson"},
            "likelihood: expected 'gaussian' or .*, found 'poisson'",
        ),
        (
            {"decoder": "soft", "l1_update": "l1"},
            "l1_update: expected 'multiplicative' or .*, found 'l1'",
        ),
    ],
)
def test_unknown_parts_are_named(adata, gene_sets, option, message):
    with pytest.raises(ValueError, match=message):
        model_of(adata, gene_sets, **option)


# ---------------------------------------------------------------- how they are trained


def test_cells_that_validate_are_not_learnt_from(adata, gene_sets):
    validation = np.zeros(150, dtype=bool)
    validation[::10] = True
    other = adata.copy()
    # Values in the same order, on which the rounding of a sum depends.
    other.X.data *= np.repeat(np.where(validation, 3.0, 1.0), np.diff(other.X.indptr))
    fits = []
    for cells in (adata, other):
        model = model_of(adata, gene_sets)
        history = model.fit(cells, validation=validation, max_epochs=3, progress=False)
        fits.append((model.weights(), history))
    assert fits[0][0].equals(fits[1][0])
    assert fits[0][1]["train_loss"].equals(fits[1][1]["train_loss"])
    assert (fits[0][1]["validation_loss"] < fits[1][1]["validation_loss"]).all()


def test_all_cells_may_be_trained_on(adata, gene_sets):
    model = model_of(adata, gene_sets)
    history = model.fit(
        adata, train_fraction=1, max_epochs=400, learning_rate=0.02, patience=3, progress=False
    )
    assert history["validation_loss"].isna().all()
    assert model.training["early_stopped"]  # by the training loss alone
    assert len(history) - history["train_loss"].argmin() - 1 == 3
    described = model.describe()["losses"]
    assert described["validation_loss"] is None
    json.dumps(described, allow_nan=False)


def test_a_smaller_last_minibatch_may_be_left_out(adata, gene_sets, monkeypatch):
    """120 cells are trained on: three minibatches of 32, and one of 24."""
    sizes = []
    loss = vega.module.VEGAModule.loss

    def counted(self, x, *args):
        if self.training:
            sizes.append(x.shape[0])
        return loss(self, x, *args)

    monkeypatch.setattr(vega.module.VEGAModule, "loss", counted)
    for drop_last, expected in ((False, [32, 32, 32, 24]), (True, [32, 32, 32])):
        sizes.clear()
        model = model_of(adata, gene_sets)
        model.fit(adata, max_epochs=1, batch_size=32, drop_last=drop_last, progress=False)
        assert sizes == expected


def test_the_weight_of_the_divergence_rises_in_the_warm_up(adata, gene_sets, monkeypatch):
    weights = []
    loss = vega.module.VEGAModule.loss

    def noted(self, *args):
        weights.append(self.kl_weight.item())
        return loss(self, *args)

    monkeypatch.setattr(vega.module.VEGAModule, "loss", noted)
    model = model_of(adata, gene_sets, beta=2)
    model.fit(adata, max_epochs=6, n_epochs_kl_warmup=4, progress=False)
    assert list(dict.fromkeys(weights)) == [0, 0.5, 1, 1.5, 2]


def test_the_mean_loss_is_the_sum_in_other_units(adata, gene_sets):
    """With all else of Adam scaled alike, both take the same steps."""
    weights = []
    for options in (
        {"loss_reduction": "mean", "adam_epsilon": 1e-2, "weight_decay": 1e-3},
        {"adam_epsilon": 40e-2, "weight_decay": 40e-3},
    ):
        model = model_of(adata, gene_sets)
        options |= {"batch_size": 40, "precision": "float32"}  # 120 cells in three minibatches
        model.fit(adata, max_epochs=5, progress=False, **options)
        weights.append(model.weights().to_numpy())
    np.testing.assert_allclose(*weights, rtol=1e-3, atol=1e-6)


def test_settings_that_change_what_is_learnt_are_part_of_the_checkpoint(adata, gene_sets, tmp_path):
    """A finished training is not taken for that of another split."""
    checkpoint = tmp_path / "state.safetensors"
    model_of(adata, gene_sets).fit(adata, max_epochs=2, checkpoint=checkpoint, progress=False)
    validation = np.arange(150) < 20
    lines = []
    model_of(adata, gene_sets).fit(
        adata, max_epochs=2, checkpoint=checkpoint, progress=False, validation=validation,
        log=lines.append,
    )  # fmt: skip
    assert lines[0] == "the checkpoint is damaged or of another run: from the start"


def test_a_binary_decoder_trains_no_parameter_of_it(adata, gene_sets):
    model = model_of(adata, gene_sets, decoder="binary")
    cells = model._cells(adata)
    state = train_module(
        model.module, cells, TrainSettings(max_epochs=1, precision="float32"),
        torch.device("cpu"), progress=False,
    )  # fmt: skip
    assert len(state.losses) == 1
    assert not any(p.requires_grad for p in model.module.decoder.parameters())
