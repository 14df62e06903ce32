"""Training on a GPU. On a machine without one, what does not need it."""

import numpy as np
import pytest
import torch
from helpers.cells import write_gmt

import vega
from scripts.common.config.models import ModelConfig
from scripts.train.train import train_models
from vega.cuda import GraphedStep
from vega.data import InMemoryData
from vega.settings import TrainSettings
from vega.trainer import Trainer

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
SETTINGS = {"n_hidden": 32, "seed": 1}


def losses_on(device, cells, gene_sets, **options):
    model = vega.VEGA(cells.var_names, gene_sets, **{**SETTINGS, **options})
    return model.fit(
        cells, device=device, max_epochs=30, learning_rate=3e-3, patience=30, progress=False
    )


@needs_gpu
def test_a_gpu_learns_what_the_cpu_learns(cells_with_programmes):
    cells, gene_sets = cells_with_programmes(700, 200, 20, 0.05)
    cpu, gpu, again = (losses_on(device, cells, gene_sets) for device in ("cpu", "cuda", "cuda"))
    last = [losses["validation_loss"].iloc[-5:].mean() for losses in (cpu, gpu)]
    assert last[1] == pytest.approx(last[0], rel=0.05)
    assert again.equals(gpu)  # the same seed, the same losses


@needs_gpu
@pytest.mark.parametrize(
    "parts",
    [
        {}, {"encoder": "masked"}, {"encoder": "masked_linear", "decoder": "deep"},
        {"decoder": "binary"}, {"decoder": "soft"},
        {"likelihood": "negative_binomial", "nonnegative": False, "bias": False},
    ],
)  # fmt: skip
def test_a_recorded_step_is_the_step(cells_with_programmes, monkeypatch, parts):
    """Without draws, replayed and called one by one end up with the same weights."""
    cells, gene_sets = cells_with_programmes(700, 200, 20, 0.05)
    options = {"dropout": 0, "latent_dropout": 0, **parts}
    recorded = losses_on("cuda", cells, gene_sets, **options)
    monkeypatch.setattr(vega.cuda, "WARM_UP", 10**9)
    one_by_one = losses_on("cuda", cells, gene_sets, **options)
    np.testing.assert_allclose(recorded, one_by_one, rtol=0.02)


def test_a_step_that_cannot_be_recorded_is_run_each_time(monkeypatch, caplog):
    def refuse():
        raise RuntimeError("operation not permitted when stream is capturing\nmore on that")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", refuse)
    taken = []
    step = GraphedStep(lambda x, batch: taken.append(len(batch)), torch.Generator())
    for size in (4, 4, 4, 4, 4, 2, 4):
        step(torch.zeros(size, 3), torch.zeros(size))
    assert taken == [4, 4, 4, 4, 4, 2, 4]
    [said] = caplog.messages
    assert "cannot record a training step (operation not permitted when stream is" in said


@needs_gpu
def test_nothing_waits_for_the_gpu_within_an_epoch(cells_with_programmes):
    cells, gene_sets = cells_with_programmes(700, 200, 20, 0.05)
    model = vega.VEGA(cells.var_names, gene_sets, **SETTINGS)
    data = InMemoryData(cells.X, np.zeros(cells.n_obs, dtype=np.int64))
    epochs = Trainer(model.module, data, TrainSettings(), torch.device("cuda"))
    with torch.cuda.stream(torch.cuda.Stream()):
        epochs.train(np.arange(640), np.random.default_rng(0))
        assert epochs.step.graph is not None
        try:
            torch.cuda.set_sync_debug_mode("error")
            for x, batch in epochs._minibatches(np.arange(640), 128, np.random.default_rng(1)):
                epochs.step(x, batch)
        finally:
            torch.cuda.set_sync_debug_mode("default")


@needs_gpu
def test_models_side_by_side_on_a_gpu_are_those_that_train_alone(cells_with_programmes, tmp_path):
    cells, gene_sets = cells_with_programmes(700, 200, 20, 0.05)
    write_gmt(tmp_path / "sets.gmt", gene_sets)
    entry = ModelConfig(data={"study": "x", "gene_sets": "sets.gmt"})
    blocks = entry.training_settings(overrides={"n_hidden": 32, "max_epochs": 8})
    config = {**blocks, "seed": 2, "precision": "auto"}
    weights = {}
    for at_once in (1, 3):
        folders = {tmp_path / str(at_once) / name: config for name in "abc"}
        train_models(
            {"x": cells}, tmp_path, folders, models_per_gpu=at_once, device="cuda", given_gpu=True,
            require_gpu=True, threads=1,
        )  # fmt: skip
        weights[at_once] = [vega.load(f).weights() for f in folders]
    assert all(alone.equals(parallel) for alone, parallel in zip(*weights.values(), strict=True))


def test_a_step_is_recorded_once_for_the_common_size(monkeypatch):
    """Warm-up and the smaller last minibatches are run, the others replayed."""
    done = []
    step = GraphedStep(lambda x, batch: done.append(("run", len(x))), torch.Generator())

    class Graph:
        def replay(self):
            done.append(("replay", len(step.x), step.x[0, 0].item()))

    def record(x, batch):
        step.x, step.batch = x.clone(), batch.clone()
        done.append(("record", len(x)))
        return Graph()

    monkeypatch.setattr(step, "_record", record)
    for number, size in enumerate([4, 4, 4, 2, 4, 4, 2, 4]):
        step(torch.full((size, 3), float(number)), torch.zeros(size, dtype=torch.int64))
    assert done == [
        ("run", 4), ("run", 4), ("run", 4), ("run", 2), ("record", 4), ("replay", 4, 4.0),
        ("replay", 4, 5.0), ("run", 2), ("replay", 4, 7.0),
    ]  # fmt: skip
