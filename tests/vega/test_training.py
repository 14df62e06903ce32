"""Training: seeds, split, early stopping, checkpoints, and what is summed over the cells."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.cells import KINDS, fit, toy_cells, toy_model
from helpers.checks import Killed, kill_at, one_line_error

import vega
from vega.settings import TrainSettings
from vega.train import split
from vega.trainer import Trainer


@pytest.fixture(scope="module")
def adata():
    return toy_cells()


def test_a_seed_gives_the_same_bytes_and_leaves_the_users_generator_alone(adata):
    torch.manual_seed(11)
    drawn = torch.rand(3)
    torch.manual_seed(11)
    runs = []
    for seed in (3, 3, 4):
        model = toy_model(seed=seed)
        history = fit(model, adata, max_epochs=4)
        runs.append((model.weights().to_numpy().tobytes(), history.to_csv()))
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[2][0]
    assert torch.equal(torch.rand(3), drawn)


def test_all_seeds_share_one_split():
    first, second = (split(100, TrainSettings(seed=seed)) for seed in (1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert len(first[0]) == 80
    assert sorted(np.concatenate(first)) == list(range(100))
    with one_line_error("3 cells cannot be split"):
        split(3, TrainSettings())


def test_a_validation_mask_is_taken_by_position(adata):
    mask = np.arange(150) < 30
    other_order = pd.Series(mask, index=adata.obs_names[::-1])
    masks = mask, list(mask), other_order, other_order.astype("boolean")
    first, *others = (fit(toy_model(), adata, validation=given) for given in masks)
    assert all(history.equals(first) for history in others)


def test_validation_cells_are_not_learnt_from(adata):
    validation = np.arange(150) % 10 == 0
    other = adata.copy()
    # Values in the same order, on which the rounding of a sum depends.
    other.X.data *= np.repeat(np.where(validation, 3.0, 1.0), np.diff(other.X.indptr))
    models = [toy_model(), toy_model()]
    first, second = (
        fit(model, cells, validation=validation, max_epochs=3)
        for model, cells in zip(models, (adata, other), strict=True)
    )
    assert models[0].weights().equals(models[1].weights())
    assert first["train_loss"].equals(second["train_loss"])
    assert (first["validation_loss"] < second["validation_loss"]).all()


@pytest.mark.parametrize("stalls", ["train", "validate"])
def test_training_stops_when_either_loss_stalls(adata, monkeypatch, stalls):
    falling = iter(range(100, 0, -1))
    for name in ("train", "validate"):
        losses = itertools.repeat(1.0) if name == stalls else falling
        monkeypatch.setattr(Trainer, name, lambda *_, losses=losses: next(losses))
    model = toy_model()
    assert len(fit(model, adata, max_epochs=50, patience=4)) == 5
    assert model.training["early_stopped"]


def test_without_validation_cells_the_training_loss_alone_decides(adata):
    model = toy_model()
    settings = {"train_fraction": 1, "max_epochs": 400, "learning_rate": 0.02, "patience": 3}
    history = fit(model, adata, **settings)
    assert history["validation_loss"].isna().all()
    assert len(history) - history["train_loss"].argmin() - 1 == 3
    assert model.describe()["losses"]["validation_loss"] is None  # as JSON has no NaN


@pytest.mark.parametrize("kind", KINDS)
def test_training_lowers_the_loss_and_resumes_to_the_same_bytes(adata, kind, tmp_path):
    settings = {"max_epochs": 30, "learning_rate": 0.003, "patience": 30}
    unbroken, resumed = toy_model(**KINDS[kind]), toy_model(**KINDS[kind])
    history = fit(unbroken, adata, **settings)
    assert history["train_loss"].iloc[-1] < 0.97 * history["train_loss"].iloc[0]
    settings["checkpoint"] = tmp_path / "state.safetensors"
    with pytest.raises(Killed):
        fit(toy_model(**KINDS[kind]), adata, **settings, log=kill_at(20))
    lines = []
    fit(resumed, adata, **settings, log=lines.append)
    assert lines[0] == "resumed after epoch 20"
    assert resumed.history.equals(history)
    assert np.array_equal(resumed.embed(adata), unbroken.embed(adata))
    for name, tensor in unbroken.module.state_dict().items():
        assert torch.equal(resumed.module.state_dict()[name], tensor)


@pytest.mark.parametrize(
    ("damage", "changed"),
    [
        ("none", {"learning_rate": 2e-4}),
        ("none", {"validation": np.arange(150) < 20}),
        ("other data", {}),
        ("truncated", {}),
    ],
)
def test_a_checkpoint_of_another_run_or_a_damaged_one_is_not_used(adata, tmp_path, damage, changed):
    checkpoint = tmp_path / "state.safetensors"
    settings = {"max_epochs": 6, "checkpoint_every": 1}
    with pytest.raises(Killed):
        fit(toy_model(), adata, checkpoint=checkpoint, log=kill_at(4), **settings)
    if damage == "truncated":
        checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    cells = adata[::-1].copy() if damage == "other data" else adata
    fresh, again, lines = toy_model(), toy_model(), []
    fit(fresh, cells, **settings, **changed)
    fit(again, cells, checkpoint=checkpoint, log=lines.append, **settings, **changed)
    assert "from the start" in lines[0]
    assert again.weights().equals(fresh.weights())


@pytest.fixture
def seen(monkeypatch):
    """Minibatches that are trained on: their sizes and the weight of the divergence."""
    seen, loss = [], vega.module.VEGAModule.loss

    def noted(self, x, *args):
        if self.training:
            seen.append((x.shape[0], self.kl_weight.item()))
        return loss(self, x, *args)

    monkeypatch.setattr(vega.module.VEGAModule, "loss", noted)
    return seen


@pytest.mark.parametrize(("drop_last", "rest"), [(False, [24]), (True, [])])
def test_a_smaller_last_minibatch_may_be_left_out(adata, seen, drop_last, rest):
    """120 of the cells are trained on."""
    fit(toy_model(), adata, max_epochs=1, batch_size=32, drop_last=drop_last)
    assert [size for size, _ in seen] == [32, 32, 32, *rest]


def test_the_weight_of_the_divergence_rises_in_the_warm_up(adata, seen):
    fit(toy_model(beta=2), adata, max_epochs=6, n_epochs_kl_warmup=4)
    assert list(dict.fromkeys(weight for _, weight in seen)) == [0, 0.5, 1, 1.5, 2]
    annealed, constant = toy_model(beta=2).module.eval(), toy_model(beta=0.5).module.eval()
    annealed.anneal(1, 4)
    x, draw = torch.from_numpy(adata.X.toarray()), torch.Generator()
    losses = [module.loss(x, None, draw.manual_seed(1)) for module in (annealed, constant)]
    assert losses[0] == losses[1]


def test_the_mean_loss_is_the_sum_in_other_units(adata):
    """With all else of Adam scaled alike, both take the same steps."""
    weights = []
    for options in (
        {"loss_reduction": "mean", "adam_epsilon": 1e-2, "weight_decay": 1e-3},
        {"adam_epsilon": 40e-2, "weight_decay": 40e-3},
    ):
        model = toy_model()
        options |= {"batch_size": 40, "precision": "float32"}  # 120 cells in three minibatches
        fit(model, adata, max_epochs=5, **options)
        weights.append(model.weights().to_numpy())
    np.testing.assert_allclose(*weights, rtol=1e-3, atol=1e-6)
