"""The model: its shape, its constraints, its training, its files."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from anndata import AnnData

import vega
from vega.description import read_description, write_description
from vega.differential import differential_activity
from vega.errors import InputError
from vega.settings import TrainSettings
from vega.train import EarlyStopping, split

SETS = {
    "A": ["G0", "G1", "G2"],
    "B": ["G2", "G3"],
    "EMPTY": ["X"],
    "C": [f"G{i}" for i in range(20)],
}
SMALL = {"n_hidden": 16, "seed": 3}


@pytest.fixture
def adata():
    rng = np.random.default_rng(0)
    x = rng.poisson(0.7, (120, 30)).astype(np.float32)
    x[:60, :3] += 2
    obs = pd.DataFrame(
        {
            "condition": np.repeat(["on", "off"], 60),
            "batch": np.tile(["x", "y"], 60),
        },
        index=[f"c{i}" for i in range(120)],
    )
    return AnnData(
        sp.csr_matrix(np.log1p(x)), obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(30)])
    )


def model_of(adata, **options):
    return vega.VEGA(adata.var_names, SETS, **{**SMALL, **options})


def test_decoder_is_a_masked_linear_map(adata):
    model = model_of(adata, extra_nodes=2)
    assert model.gmvs == ["A", "B", "EMPTY", "C", "UNANNOTATED_1", "UNANNOTATED_2"]
    z = np.random.default_rng(1).normal(size=(7, 6)).astype(np.float32)
    bias = model.module.decoder.bias.detach().numpy()
    expected = z @ model.weights().to_numpy().T + bias
    np.testing.assert_allclose(model.decode(z), expected, rtol=1e-5, atol=1e-6)


def test_weights_stay_in_the_mask_and_non_negative_through_training(adata):
    model = model_of(adata)
    model.fit(adata, max_epochs=5, learning_rate=0.01, progress=False)
    weights = model.weights()
    for gmv, genes in SETS.items():
        outside = ~weights.index.isin(genes)
        assert (weights.loc[outside, gmv] == 0).all()
    assert (weights.to_numpy() >= 0).all()
    assert (weights["A"] > 0).any()


def test_signed_weights_stay_in_the_mask(adata):
    model = model_of(adata, nonnegative=False)
    model.fit(adata, max_epochs=3, progress=False)
    weights = model.weights()
    assert (weights.to_numpy() < 0).any()
    assert (weights.loc[~weights.index.isin(SETS["B"]), "B"] == 0).all()


def test_batches_reach_the_decoder_only(adata):
    model = model_of(adata, batches=["x", "y"])
    model.fit(adata, batch_key="batch", max_epochs=2, progress=False)
    z = np.zeros((1, len(model.gmvs)), dtype=np.float32)
    shift = model.decode(z, "y") - model.decode(z, "x")
    weight = model.module.decoder.batch_weight.detach().numpy()
    np.testing.assert_allclose(shift[0], weight[:, 1] - weight[:, 0], rtol=1e-4, atol=1e-6)
    assert model.module.encoder.hidden.linears[0].weight.shape[0] == adata.n_vars


def test_loss_is_summed_squared_error_and_weighted_divergence(adata):
    model = model_of(adata, dropout=0, latent_dropout=0, beta=0.3)
    module = model.module.eval()
    x = torch.from_numpy(adata.X[:9].toarray())
    torch.manual_seed(5)
    loss = module.loss(x).item()
    torch.manual_seed(5)
    reconstruction, mean, log_variance = (t.detach().double().numpy() for t in module(x))
    divergence = -0.5 * (1 + log_variance - mean**2 - np.exp(log_variance)).sum()
    assert loss == pytest.approx(
        ((reconstruction - x.numpy()) ** 2).sum() + 0.3 * divergence, rel=1e-5
    )


def test_a_dropped_log_variance_is_a_standard_deviation_of_one(adata):
    module = model_of(adata, latent_dropout=0.5).module.train()
    mean, log_variance = module.encoder(torch.from_numpy(adata.X.toarray()))
    assert 0.4 < (log_variance == 0).float().mean() < 0.6
    assert not torch.equal(mean == 0, log_variance == 0)


def test_same_seed_same_bytes_and_another_seed_not(adata):
    runs = []
    for seed in (3, 3, 4):
        model = model_of(adata, seed=seed)
        model.fit(adata, max_epochs=4, progress=False)
        runs.append((model.weights().to_numpy().tobytes(), model.history.to_csv()))
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[2][0]


def test_the_users_own_random_numbers_are_left_alone(adata):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    model_of(adata).fit(adata, max_epochs=1, progress=False)
    assert torch.equal(torch.rand(3), expected)


def test_all_seeds_share_one_split():
    first = split(100, TrainSettings(seed=1))
    second = split(100, TrainSettings(seed=2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert len(first[0]) == 80
    assert sorted(np.concatenate(first)) == list(range(100))
    with pytest.raises(ValueError, match="3 cells cannot be split"):
        split(3, TrainSettings())


def test_patience_counts_epochs_without_strict_improvement():
    patience = EarlyStopping(3)
    assert [patience.step(x) for x in (5, 4, 4, 4.5, 3.9, 3.9, 3.9, 3.9)] == [
        False, False, False, False, False, False, False, True,
    ]  # fmt: skip


def test_training_stops_when_either_loss_stalls(adata):
    model = model_of(adata)
    history = model.fit(adata, max_epochs=400, learning_rate=0.02, patience=4, progress=False)
    assert model.training["early_stopped"]
    waited = [len(history) - history[c].argmin() - 1 for c in history]
    assert max(waited) == 4


def killed_after(adata, checkpoint, epochs):
    """Break a training off, as a kill would: between two epochs, with nothing tidied."""
    seen = []

    class Killed(BaseException):
        pass

    def log(line):
        seen.append(line)
        if len([s for s in seen if s.startswith("epoch")]) == epochs:
            raise Killed

    with pytest.raises(Killed):
        model_of(adata).fit(
            adata, max_epochs=12, checkpoint=checkpoint, checkpoint_every=1, progress=False, log=log
        )


def test_a_resumed_training_ends_where_an_unbroken_one_does(adata, tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    unbroken = model_of(adata)
    unbroken.fit(adata, max_epochs=12, progress=False)
    killed_after(adata, checkpoint, 6)
    assert checkpoint.exists()
    lines = []
    resumed = model_of(adata)
    resumed.fit(adata, max_epochs=12, checkpoint=checkpoint, progress=False, log=lines.append)
    assert lines[0] == "resumed after epoch 6"
    assert resumed.weights().equals(unbroken.weights())
    assert resumed.history.equals(unbroken.history)


def test_a_finished_training_comes_back_from_its_checkpoint_at_once(adata, tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    first = model_of(adata)
    first.fit(adata, max_epochs=3, checkpoint=checkpoint, progress=False)
    lines = []
    again = model_of(adata)
    again.fit(adata, max_epochs=3, checkpoint=checkpoint, progress=False, log=lines.append)
    assert lines == ["resumed after epoch 3"]  # no epoch is trained
    assert again.weights().equals(first.weights())
    assert again.history.equals(first.history)


@pytest.mark.parametrize("fault", ["other data", "other settings", "truncated"])
def test_a_checkpoint_of_another_run_is_not_taken_up(adata, tmp_path, fault):
    checkpoint = tmp_path / "checkpoint.safetensors"
    killed_after(adata, checkpoint, 4)
    options = {"max_epochs": 12}
    if fault == "other data":
        adata = adata[::-1].copy()
    elif fault == "other settings":
        options["learning_rate"] = 2e-4
    else:
        checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    fresh = model_of(adata)
    fresh.fit(adata, progress=False, **options)
    again = model_of(adata)
    lines = []
    again.fit(adata, checkpoint=checkpoint, progress=False, log=lines.append, **options)
    assert lines[0] == "the checkpoint is damaged or of another run: from the start"
    assert again.weights().equals(fresh.weights())


def test_embed_is_the_posterior_mean_of_each_cell_whatever_the_order(adata):
    model = model_of(adata)
    model.fit(adata, max_epochs=2, progress=False)
    z = model.embed(adata)
    assert z.shape == (120, 5)
    shuffled = adata[::-1, np.random.default_rng(0).permutation(adata.n_vars)].copy()
    np.testing.assert_allclose(model.embed(shuffled)[::-1], z, atol=1e-6)
    posterior = model.posterior(adata, batch_size=7)
    np.testing.assert_allclose(posterior.mean, z, atol=1e-5)
    assert (posterior.variance > 0).all()


def test_save_and_load_give_the_same_model(adata, tmp_path):
    model = model_of(adata, batches=["x", "y"], extra_nodes=2)
    model.fit(adata, batch_key="batch", max_epochs=3, progress=False)
    model.save(tmp_path / "m")
    again = vega.load(tmp_path / "m")
    assert again.gmvs == model.gmvs
    assert again.genes == model.genes
    assert np.array_equal(again.embed(adata), model.embed(adata))
    z = model.embed(adata)[:3]
    assert np.array_equal(again.decode(z, "y"), model.decode(z, "y"))
    described = json.loads((tmp_path / "m" / "model.json").read_text())
    assert described["losses"]["epochs"] == 3
    assert described["training"]["device"] == "cpu"
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [
        "history.tsv", "model.json", "weights.safetensors",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda m: (m / "model.json").unlink(), "model.json: cannot be read .No such file"),
        (
            lambda m: (m / "weights.safetensors").unlink(),
            "weights.safetensors: cannot be read .No such",
        ),
        (lambda m: (m / "model.json").write_text("{"), "not JSON"),
        (lambda m: (m / "model.json").write_text("[]"), "not a model of format"),
        (
            lambda m: (m / "weights.safetensors").write_bytes(
                (m / "weights.safetensors").read_bytes()[:-1]
            ),
            "not the weights that model.json",
        ),
        (
            lambda m: (m / "model.json").write_text(
                (m / "model.json").read_text().replace('"n_hidden": 16', '"n_hidden": 17')
            ),
            "model.json: not as it was written",
        ),
        (
            lambda m: (m / "history.tsv").write_text("epoch\n"),
            "not the history that model.json describes",
        ),
    ],
)
def test_a_damaged_model_is_named(adata, tmp_path, damage, message):
    model_of(adata).save(tmp_path / "m")
    damage(tmp_path / "m")
    with pytest.raises(ValueError, match=message) as error:
        vega.load(tmp_path / "m")
    assert "\n" not in str(error.value)


def test_wrong_input_is_told_in_one_line(adata):
    model = model_of(adata)
    with pytest.raises(
        ValueError, match="2 of the model's 30 genes are not in the data, such as G28"
    ):
        model.embed(adata[:, :28].copy())
    broken = adata.copy()
    broken.X.data[3] = np.nan
    with pytest.raises(ValueError, match="not finite; log-normalise"):
        model.fit(broken, progress=False)
    with pytest.raises(ValueError, match="name their column of obs, got None"):
        model_of(adata, batches=["x", "y"]).fit(adata, progress=False)
    with pytest.raises(ValueError, match="batch 'y', which is not among the model's: x, z"):
        model_of(adata, batches=["x", "z"]).fit(adata, batch_key="batch", progress=False)
    with pytest.raises(ValueError, match="no column 'treatment'; it has condition, batch"):
        model.differential_activity(adata, "treatment", "on")
    with pytest.raises(ValueError, match=r"no cell has condition up; there are off, on$"):
        model.differential_activity(adata, "condition", "up", "off")
    with pytest.raises(ValueError, match="the loss is not finite after"):
        model_of(adata).fit(adata, learning_rate=1e30, progress=False)


def test_a_validation_mask_that_does_not_fit_is_refused(adata):
    one = np.arange(120) == 3
    for wrong, message in (
        (one[:-1], r"expected one boolean for each of the 120 cells, found bool of shape \(119,\)"),
        (np.arange(10), r"found int64 of shape \(10,\); of row numbers, make numpy.isin"),
        (one[:, None], r"shape \(120, 1\)"),
        (one.astype(int), "found int64"),
        (np.where(one, "True", "False"), "found <U5"),
        (pd.Series(one, dtype="boolean").mask(one), "found object"),
        (~one & False, "120 cells are left to train on and 0 to validate on"),
        (~one, "1 cells are left to train on and 119"),
    ):
        with pytest.raises(InputError, match=message):
            model_of(adata).fit(adata, validation=wrong, progress=False)


def test_a_validation_mask_is_taken_by_position(adata):
    mask = np.arange(120) < 30
    other_order = pd.Series(mask, index=adata.obs_names[::-1])
    histories = [
        model_of(adata).fit(adata, validation=given, max_epochs=2, progress=False)
        for given in (mask, list(mask), other_order, other_order.astype("boolean"))
    ]
    assert all(history.equals(histories[0]) for history in histories)


def test_batches_that_the_model_has_not_are_refused(adata):
    with pytest.raises(InputError, match=r"no batches; build it with VEGA\(..., batches=adata.obs"):
        model_of(adata).fit(adata, batch_key="batch", progress=False)
    with pytest.raises(InputError, match="batch 'y', which is not among the model's: x"):
        model_of(adata, batches=["x"]).fit(adata, batch_key="batch", progress=False)
    alone = adata[adata.obs["batch"] == "x"].copy()
    model_of(adata, batches=["x"]).fit(alone, batch_key="batch", max_epochs=1, progress=False)


def test_scalars_of_numpy_do_not_lose_a_training(adata, tmp_path):
    model = vega.VEGA(
        np.array(adata.var_names, dtype=str),
        {np.str_(name): np.array(genes) for name, genes in SETS.items()},
        batches=pd.Categorical(adata.obs["batch"]).categories,
        extra_nodes=np.int64(1),
        beta=np.float32(0.5),
        n_hidden=np.int64(16),
        bias=np.bool_(True),
        decoder=np.str_("masked"),
        seed=np.int32(3),
    )
    settings = {
        "max_epochs": np.int64(2),
        "learning_rate": np.float32(1e-3),
        "patience": np.int8(5),
    }
    model.fit(adata, batch_key="batch", drop_last=np.bool_(False), progress=False, **settings)
    model.save(tmp_path / "m")
    again = vega.load(tmp_path / "m")
    assert np.array_equal(again.embed(adata), model.embed(adata))
    assert again.settings == model.settings
    assert again.settings.beta == 0.5
    assert {type(name) for name in (*model.genes, *model.gmvs, *model.batches)} == {str}


def test_batches_may_be_numbers(adata):
    adata.obs["lane"] = np.tile([1, 2], 60)
    model = model_of(adata, batches=adata.obs["lane"].unique())
    model.fit(adata, batch_key="lane", max_epochs=1, progress=False)
    assert model.batches == ["1", "2"]


@pytest.mark.parametrize("value", [np.ones(2), torch.ones(()), object(), [1]])
def test_settings_that_cannot_be_saved_are_refused_before_training(adata, value):
    with pytest.raises(InputError, match="beta: expected float >= 0, found") as error:
        model_of(adata, beta=value)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="max_epochs: expected int > 0, found"):
        model_of(adata).fit(adata, max_epochs=value, progress=False)


def test_groups_may_be_numbers_truth_values_and_categories(adata):
    """And a cell without a value is on no side."""
    model = model_of(adata)
    number = np.repeat([0, 1, 10], 40)
    missing = np.arange(120) < 20

    def compared(values, *sides):
        adata.obs["kind"] = pd.Series(values, index=adata.obs_names)
        return model.differential_activity(adata, "kind", *sides, method="exact")

    text = compared(number.astype(str), "0", "10")
    for values in (number, pd.Categorical(number), number.astype(float), number.astype(str)):
        for sides in ((0, 10), ("0", "10"), (np.int64(0), 10)):
            pd.testing.assert_frame_equal(compared(values, *sides), text)
    some = compared(np.where(missing, None, number.astype(str)), "0")
    cells = model.posterior(adata)
    sides = cells[~missing & (number == 0)], cells[number > 0]
    expected = differential_activity(*sides, model.gmvs, method="exact")
    pd.testing.assert_frame_equal(some, expected)
    floats = np.where(missing, np.nan, number)  # as pandas reads integers, some of them missing
    for values in (floats, pd.array(floats, dtype="Int64"), pd.Categorical(floats)):
        pd.testing.assert_frame_equal(compared(values, 0), expected)
    pd.testing.assert_frame_equal(compared(floats, "0"), expected)
    first = compared(number == 0, True)
    pd.testing.assert_frame_equal(first, compared((number == 0).astype(str), "True"))
    pd.testing.assert_frame_equal(first, compared(number == 0, "True", False))


def test_an_unknown_group_is_told_which_there_are(adata):
    model = model_of(adata)
    adata.obs["kind"] = np.arange(120) % 13 + 10
    names = ", ".join(map(str, range(10, 20)))
    with pytest.raises(InputError, match=f"no cell has kind 9; there are {names} and 3 more$"):
        model.differential_activity(adata, "kind", 9)
    adata.obs["kind"] = pd.Series(["b", None, "a"] * 40, index=adata.obs_names)
    with pytest.raises(InputError, match=r"no cell has kind nan; there are a, b$"):
        model.differential_activity(adata, "kind", "a", np.nan)
    adata.obs["kind"] = pd.Series(["b", None] * 60, index=adata.obs_names)
    with pytest.raises(InputError, match="all cells have kind b; there is no other"):
        model.differential_activity(adata, "kind", "b")


def test_the_total_of_normalisation_is_kept(adata, tmp_path):
    model = model_of(adata)
    model.fit(adata, max_epochs=1, progress=False)
    assert model.target_sum is None
    adata.uns["normalisation"] = {"target_sum": np.float32(1234.5)}
    model.fit(adata[:100], max_epochs=1, progress=False)
    model.save(tmp_path / "m")
    assert vega.load(tmp_path / "m").target_sum == 1234.5
    content = read_description(tmp_path / "m" / "model.json")
    del content["target_sum"]  # as older versions write it
    write_description(tmp_path / "m" / "model.json", content)
    assert vega.load(tmp_path / "m").target_sum is None


def test_differential_activity_finds_the_planted_programme(adata):
    model = model_of(adata, dropout=0.1, latent_dropout=0.1)
    model.fit(adata, max_epochs=150, learning_rate=0.003, patience=150, progress=False)
    table = model.differential_activity(adata, "condition", "on", "off", method="exact")
    assert table.index[0] == "A"
    assert table["log_bf"].iloc[0] > 1.5


def test_a_gpu_asked_for_by_name_must_be_there():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ValueError, match="device 'cuda' is not there; use auto or cpu"):
        vega.model.resolve_device("cuda")


@pytest.mark.parametrize(
    "what",
    [
        "vega; vega.read_gmt",
        "scripts.analyse.differential",
        "scripts.figures.summary_page",
        "scripts.claims.claims",
    ],
)
def test_what_trains_nothing_does_not_start_torch(what):
    code = f"import sys, {what}; print('torch' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
