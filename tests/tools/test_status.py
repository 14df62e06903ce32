"""How far a run is."""

import base64
import fcntl
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT

from scripts.common.config.load import load
from tools.status import in_progress, is_alive, last_message, states


@pytest.fixture
def config():
    return load({"run": "x", "studies": "kang"}, ROOT / "config")


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_a_figure_waits_for_what_it_is_drawn_from(config, tmp_path):
    assert states(config, tmp_path)["fig1"] == (
        "waits for the cells of kang, kang (0 of 1 models trained)"
    )
    touch(tmp_path / "data" / "kang.h5ad")
    touch(tmp_path / "models" / "kang" / "seed1" / "model.json")
    assert states(config, tmp_path)["fig1"] == "waits for the latent space of kang"
    touch(tmp_path / "models" / "kang" / "seed1" / "latent.h5ad")
    assert states(config, tmp_path)["fig1"] == "waits for its turn"
    touch(tmp_path / "figures" / "fig1.pdf")
    assert states(config, tmp_path)["fig1"] == "drawn"


def test_models_of_a_family_are_counted(config, tmp_path):
    touch(tmp_path / "data" / "kang.h5ad")
    runs = config.runs_of("kang_soft")
    for run in runs[:3]:
        touch(tmp_path / "models" / run / "seed1" / "model.json")
    assert states(config, tmp_path)["sfig10"] == "waits for kang_soft (3 of 10 models trained)"
    for run in runs:
        touch(tmp_path / "models" / run / "seed1" / "model.json")
    assert states(config, tmp_path)["sfig10"] == "waits for tables/kang_soft_weights.tsv"


def test_only_figures_of_the_run_are_listed_in_the_order_of_the_paper(config, tmp_path):
    assert list(states(config, tmp_path)) == [
        "fig1", "sfig1", "sfig3", "sfig4", "sfig5", "sfig8", "sfig9", "sfig10", "sfig11", "sfig12",
    ]  # fmt: skip


def test_a_model_that_no_figure_names_has_its_page(config, tmp_path):
    own = config.models["kang"].model_copy(update={"sweep": {}})
    config = config.model_copy(update={"models": {**config.models, "own": own}})
    listed = states(config, tmp_path)
    assert list(listed)[-1] == "summary/own"
    assert listed["summary/own"] == "waits for the cells of kang, own (0 of 1 models trained)"
    touch(tmp_path / "figures" / "summary" / "own.pdf")
    assert states(config, tmp_path)["summary/own"] == "drawn"


def test_what_snakemake_has_marked_is_at_work(config, tmp_path):
    marks = tmp_path / ".snakemake" / "incomplete"
    run = tmp_path.relative_to(tmp_path) / "results" / "x"
    outputs = [
        *(f"models/{run}/seed1/model.json" for run in config.runs_of("kang_soft")),
        "models/kang/seed1/latent.h5ad", "figures/fig1/a.png", "tables/kang_gsea.tsv",
    ]  # fmt: skip
    for output in (*(run / output for output in outputs), "results/other/claims.tsv"):
        touch(marks / base64.urlsafe_b64encode(str(output).encode()).decode())
    touch(marks / "not base64")
    assert in_progress(tmp_path / ".snakemake", run, config) == [
        "figures/fig1", "models/kang", "models/kang_soft", "tables/kang_gsea.tsv",
    ]  # fmt: skip


def test_a_run_is_alive_while_it_holds_its_lock(tmp_path):
    assert not is_alive(tmp_path)
    touch(tmp_path / "alive")
    assert not is_alive(tmp_path)
    with (tmp_path / "alive").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert is_alive(tmp_path)
    assert not is_alive(tmp_path)


def test_the_last_log_is_quoted(tmp_path):
    assert last_message(tmp_path, 0) == ""
    (tmp_path / "a.log").write_text("first\nlast\n")
    written = (tmp_path / "a.log").stat().st_mtime
    assert last_message(tmp_path, written + 75) == f"{tmp_path}/a.log (1 min 15 s ago): last"


def status(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "tools.status", *words],
        cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command_says_it_all(config, tmp_path):
    (tmp_path / "config").symlink_to(ROOT / "config")
    run = tmp_path / "results" / "x"
    touch(run / "figures" / "fig1.pdf")
    settings = config.settings.model_dump(mode="json")
    (run / "config.yaml").write_text(yaml.safe_dump({"settings": settings}))
    said = status(tmp_path, "x")
    first = said.stdout.splitlines()[0]
    assert first == (
        "results/x: 1 of 10 figures drawn, claims not judged yet, report not written yet"
    )
    assert "there are x" in status(tmp_path).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["demo"], "results/demo: no run has begun there; begin one with make demo"),
        (["mine"], "results/mine: no run has begun there; begin one with make paper RUN=mine"),
        ([""], "results/paper: no run has begun there; begin one with make paper"),
        (["../x"], "'../x' is no name; it begins with a letter or digit"),
        (["bad"], "results/bad/config.yaml: not the configuration of a run ('settings'); run it"),
    ],
)
def test_the_status_of_what_is_no_run_is_one_line(tmp_path, words, message):
    touch(tmp_path / "results" / "bad" / "config.yaml")
    (tmp_path / "results" / "bad" / "config.yaml").write_text("a: 1\n")
    said = status(tmp_path, *words)
    line = said.stderr.replace("; there are bad", "")
    assert said.returncode == 1 and line.startswith(f"error: {message}") and line.count("\n") == 1
