"""Rule `train`: models side by side, resumed, on the device that the job was given."""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.cells import log_cells, toy_cells, write_gmt
from helpers.checks import one_line_error

import vega
from scripts.common.config.models import ModelConfig
from scripts.train.train import (
    CHECKPOINT,
    choose_device,
    fold_of,
    train_model,
    train_models,
    without_genes,
)

SMALL = {"n_hidden": 8, "max_epochs": 3, "batch_size": 32}


@pytest.fixture
def gmt(tmp_path):
    genes = [f"G{i}" for i in range(5)]
    return write_gmt(tmp_path / "sets.gmt", {"FIRST": genes, "SECOND": ["G3", "G8", "G9"]})


def settings(seed=1, **changed):
    entry = ModelConfig(data={"study": "s", "gene_sets": "sets.gmt"}).with_settings(SMALL)
    return {**entry.training_settings(overrides=changed), "seed": seed, "precision": "float32"}


def train(gmt, configs, threads=1, **studies):
    train_models(
        {"s": toy_cells(), **studies}, gmt.parent, configs, device="cpu", models_per_gpu=1,
        given_gpu=False, require_gpu=False, threads=threads,
    )  # fmt: skip


def files_of(folder):
    """All files but `model.json`, which says how long it took."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "model.json"]
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_each_model_trained_side_by_side_is_what_it_is_alone(gmt, tmp_path):
    configs = {
        Path(f"m{n}", f"seed{s}"): settings(s, extra_nodes=n) for n in (1, 2) for s in (1, 7)
    }
    train(gmt, {tmp_path / "together" / at: each for at, each in configs.items()}, threads=4)
    train(gmt, {tmp_path / "alone" / at: each for at, each in configs.items()}, threads=1)
    together, alone = files_of(tmp_path / "together"), files_of(tmp_path / "alone")
    assert together == alone
    assert {path.name for path in alone} == {"weights.safetensors", "history.tsv"}
    assert len(set(alone.values())) == len(alone) == 8


def test_models_of_several_studies_and_precisions_train_in_one_job(gmt, tmp_path):
    half = toy_cells()[::2].copy()
    configs = {
        tmp_path / "whole": settings(),
        tmp_path / "half": settings(study="half"),
        tmp_path / "bfloat16": settings() | {"precision": "bfloat16"},
    }
    train(gmt, configs, threads=3, half=half)
    about = [vega.load(folder).training for folder in configs]
    assert [model["n_cells"] for model in about] == [150, 75, 150]
    assert [model["precision"] for model in about] == ["float32", "float32", "bfloat16"]


def test_a_killed_sweep_resumes_model_by_model(gmt, tmp_path, monkeypatch, caplog):
    """Finished models are not trained again, even where Snakemake has removed their files."""
    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    configs = {Path(f"m{n}", "seed1"): settings(extra_nodes=n) for n in (1, 2, 3)}
    train(gmt, {unbroken / at: config for at, config in configs.items()})
    configs = {killed / at: config for at, config in configs.items()}
    saves, save = [], vega.VEGA.save

    def killed_at_the_third(model, folder, **options):
        saves.append(folder)
        if len(saves) == 3:
            raise KeyboardInterrupt
        save(model, folder, **options)

    monkeypatch.setattr(vega.VEGA, "save", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        train(gmt, configs)
    monkeypatch.undo()
    for file in killed.glob("*/seed1/*.*"):
        file.unlink()
    with caplog.at_level(logging.INFO):
        train(gmt, configs)
    resumed = [message for message in caplog.messages if "resumed" in message]
    assert resumed == [f"m{n}/seed1: resumed after epoch 3" for n in (1, 2, 3)]
    assert not any(": epoch" in message for message in caplog.messages)
    assert files_of(killed) == files_of(unbroken)


def test_a_model_that_cannot_be_trained_stops_the_others(gmt, tmp_path):
    wrong = settings(remove_genes={"THIRD": ["G0"]})
    with one_line_error("remove_genes: no gene set THIRD"):
        train(gmt, {tmp_path / "m1": wrong, tmp_path / "m2": settings()})
    assert not (tmp_path / "m2" / "model.json").exists()


def test_runs_start_from_other_weights_and_share_the_split(gmt, tmp_path):
    configs = {tmp_path / f"m{n}": settings(run=n, max_epochs=1) for n in (1, 2)}
    train(gmt, configs)
    first, second = (vega.load(folder) for folder in configs)
    assert (first.seed, second.seed) == (1, 1001)
    assert first.training["split_seed"] == second.training["split_seed"]
    assert not first.weights().equals(second.weights())


def test_folds_are_stratified_and_hold_every_cell_once():
    kinds = np.random.default_rng(0).choice(["A", "B", "C"], 160, p=[0.6, 0.3, 0.1])
    obs = pd.DataFrame({"kind": kinds})
    folds = [fold_of(obs, {"n": 4, "column": "kind"}, k) for k in range(1, 5)]
    assert (np.sum(folds, axis=0) == 1).all()
    counts = pd.DataFrame([obs["kind"][fold].value_counts() for fold in folds])
    assert (counts.max() - counts.min() <= 1).all()
    assert fold_of(obs, None, 1) is None
    with one_line_error("folds: the study has no column type; it has kind"):
        fold_of(obs, {"n": 4, "column": "type"}, 1)
    with one_line_error("fold: expected at most 4 .* found 5"):
        fold_of(obs, {"n": 4, "column": "kind"}, 5)


def test_genes_are_removed_from_their_set_alone():
    sets = {"A": ["x", "y", "z"], "B": ["x", "q"]}
    assert without_genes(sets, {"A": ["x", "z", "other"]}) == {"A": ["y"], "B": ["x", "q"]}
    assert sets["A"] == ["x", "y", "z"]
    with one_line_error("remove_genes: B has none of y"):
        without_genes(sets, {"B": ["y"]})


@pytest.mark.parametrize(
    ("device", "given", "required", "there", "expected"),
    [
        ("auto", False, True, False, "cpu"),
        ("auto", True, False, False, "cpu"),
        ("auto", True, True, True, "cuda"),
        ("auto", False, False, True, "cpu"),
        ("auto", True, True, False, "was given a GPU but finds none"),
        ("cuda", True, False, False, "device 'cuda' is not there"),
    ],
)
def test_the_device_is_what_the_job_was_given(
    monkeypatch, caplog, device, given, required, there, expected
):
    caplog.set_level("INFO", logger="workflow")
    monkeypatch.setattr("torch.cuda.is_available", lambda: there)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    if " " in expected:
        with one_line_error(expected):
            choose_device(device, given, required)
    else:
        assert choose_device(device, given, required) == expected
        assert bool(caplog.messages) == (given and not there)  # that there is no GPU


def test_a_model_is_trained_as_its_entry_says(gmt, tmp_path):
    """Whatever a killed attempt has left is gone afterwards."""
    data = log_cells(np.random.default_rng(0).poisson(1, (60, 12)), run=np.resize(["a", "b"], 60))
    entry = ModelConfig(
        data={"study": "x", "gene_sets": "sets.gmt", "max_genes": 4, "batch_key": "run"},
        model={"extra_nodes": 2, "n_hidden": 8, "n_layers": 1, "nonnegative": False},
        train={"max_epochs": 3, "batch_size": 20},
    ).training_settings() | {"seed": 4, "precision": "float32"}
    folder = tmp_path / "m"
    (folder / "checkpoint").mkdir(parents=True)
    for stale in (".part-x-weights.safetensors", "checkpoint/.tmp1", CHECKPOINT):
        (folder / stale).write_bytes(b"half")
    model = train_model(data, gmt, folder, entry, say=print)
    assert model.gmvs == ["SECOND", "UNANNOTATED_1", "UNANNOTATED_2"]
    assert model.batches == ["a", "b"]
    described = json.loads((folder / "model.json").read_text())
    assert described["seed"] == described["training"]["seed"] == 4
    assert described["training"]["batch_size"] == 20
    assert described["settings"].items() >= {"n_layers": 1, "nonnegative": False}.items()
    assert described["losses"]["epochs"] == 3
    left = {path.name for path in folder.rglob("*") if path.is_file()}
    assert left == {"weights.safetensors", "model.json", "history.tsv", CHECKPOINT.name}
    with one_line_error("batch_key: the study has no column lane; it has run"):
        entry["data"]["batch_key"] = "lane"
        train_model(data, gmt, folder, entry, say=print)
    with one_line_error("none of the 12 genes"):
        entry["data"]["batch_key"] = None
        train_model(data, write_gmt(gmt, {"OTHER": ["x1", "x2"]}), folder, entry, say=print)
