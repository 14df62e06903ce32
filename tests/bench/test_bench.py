"""The benchmark: how turns are taken and summed up, and a run of it in small."""

import json
import re
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from conftest import ROOT

from bench import workflow
from bench.__main__ import competitors
from bench.cells import SIZES, simulated, write_gene_sets
from bench.interleave import Runner, RunnerError, interleave, summary
from vega import gene_mask, read_gmt

TAKES_TURNS = """
import sys
from types import SimpleNamespace
sys.path.insert(0, {runners!r})
from protocol import Protocol
protocol = Protocol()
print("noise of a library")
sys.modules["torch"] = SimpleNamespace(get_num_threads=lambda: 1)
protocol.ready("numpy")
for seconds in {seconds}:
    protocol.wait()
    open({trace!r}, "a").write({name!r})
    protocol.done(seconds=seconds)
protocol.end(loss=[1, 2])
"""


def runner(name, trace, seconds=(1, 2, 3)):
    """Return a runner that reports these seconds, one per turn."""
    runners = str(ROOT / "bench" / "runners")
    code = TAKES_TURNS.format(runners=runners, trace=str(trace), name=name, seconds=seconds)
    return Runner(name, [sys.executable, "-c", code])


def test_everybody_has_a_turn_in_each_round(tmp_path):
    trace = tmp_path / "trace"
    runners = [runner("a", trace), runner("b", trace, (4, 5, 6))]
    with (tmp_path / "log").open("w") as log:
        assert interleave(runners, 3, log, tmp_path) == {"a": [1, 2, 3], "b": [4, 5, 6]}
    assert trace.read_text() == "ababab"
    assert (runners[0].facts["threads"], runners[0].facts["loss"]) == (1, [1, 2])
    assert runners[0].facts["peak_mb"] > 1
    assert (tmp_path / "log").read_text() == "noise of a library\n" * 2


def test_a_runner_that_ends_is_named_and_no_other_is_left(tmp_path):
    runners = [runner("steady", tmp_path / "trace"), runner("quitter", tmp_path / "trace", (1,))]
    with (
        (tmp_path / "log").open("w") as log,
        pytest.raises(RunnerError, match="quitter ended before its time"),
    ):
        interleave(runners, 3, log, tmp_path)
    for left in runners:
        assert left.process.wait(timeout=20) is not None


def test_speedup_is_the_median_of_ratios_within_rounds():
    seconds = {"vega": [9, 1, 2, 4], "other": [1, 10, 10, 20]}
    found = summary(seconds, "vega")
    assert found["median_seconds"] == {"vega": 2, "other": 10}  # without the first round
    assert found["speedup"] == {"other": 5}  # of 10, 5 and 5
    assert found["speedup_range"] == {"other": [5, 10]}
    assert found["repeats_seconds"] == seconds
    assert found["dropped_repeats"] == 1


def test_load_is_the_median_ratio_of_turns_with_busy_processes(tmp_path, monkeypatch):
    """The busy processes are there in every second turn, and nowhere else."""
    running = []

    @contextmanager
    def busy(processes):
        running.append(processes)
        yield

    monkeypatch.setattr(workflow, "busy", busy)
    steady = runner("steady", tmp_path / "trace", (1, 9, 2, 3, 2, 4, 1, 4))
    with (tmp_path / "log").open("w") as log:
        found = workflow.with_busy_processes([steady], 4, 2, log, tmp_path)
    assert found == {"steady": {"idle": [1, 2, 2, 1], "busy": [9, 3, 4, 4], "ratio": 2}}
    assert running == [2, 2, 2, 2]


def test_simulated_cells_are_as_sparse_as_real_ones_and_sets_as_large(tmp_path):
    full = SIZES["full"]
    adata = simulated(type(full)(**{**vars(full), "cells": 400}))
    share = adata.X.nnz / np.prod(adata.shape)
    assert share == pytest.approx(0.066, abs=0.004)
    seen = np.median(np.diff(adata.X.tocsc().indptr)) / 400
    assert 0.015 < seen < 0.035
    write_gene_sets(tmp_path / "sets.gmt", full, full.sets, full.members)
    mask = gene_mask(read_gmt(tmp_path / "sets.gmt"), adata.var_names)
    assert mask.shape == (674, 6998)
    assert mask.sum() == pytest.approx(14_200, rel=0.02)
    assert mask.any(axis=0).sum() == pytest.approx(2_147, rel=0.05)


def test_baselines_that_are_not_selected_are_left_out(tmp_path):
    def names(event, **pythons):
        return [r.name for r in competitors(event, SIZES["small"], tmp_path, 2, pythons)]

    ours = ["vega", "vega in float32", "authors' loop"]
    assert names("training") == ours
    assert names("training", scvega="python", linear_scvi="python") == [
        *ours, "scvega", "linear scVI",
    ]  # fmt: skip
    assert names("bayes_factor", expimap="python") == ["vega", "vega, as published", ours[-1]]


def bench(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "bench", "--size", "small", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_a_run_in_small_finds_the_same_everywhere(tmp_path):
    """No time is asserted: only that each figure is there, and what does not depend on speed."""
    result = bench(
        "--rounds", "4", "--baselines", "linear_scvi", "--out", str(tmp_path),
        "--only", "training", "bayes_factor", "memory",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found = {n: json.loads((tmp_path / f"{n}.json").read_text())
             for n in ("training", "bayes_factor", "memory")}  # fmt: skip
    training, bayes_factor, memory = found.values()
    for event, names in (
        (training, {"vega", "vega in float32", "authors' loop", "linear scVI"}),
        (bayes_factor, {"vega", "vega, as published", "authors' loop"}),
    ):
        assert set(event["median_seconds"]) == names == set(event["competitors"])
        assert set(event["speedup"]) == names - {"vega"}
        assert {len(seconds) for seconds in event["repeats_seconds"].values()} == {4}
        assert event["machine"]["cores"] >= 1
        assert event["data"]["simulated"] is True
        assert all("torch" in found["versions"] for found in event["competitors"].values())
        assert all(found["peak_mb"] > 100 for found in event["competitors"].values())
        assert "no registry" in event["competitors"]["authors' loop"]["not_comparable"]

    # linear scVI runs with the project's own Python, and its versions are those of the lock.
    lock = re.findall(r"(?m)^\S+", (ROOT / "requirements.lock").read_text())
    versions = training["competitors"]["linear scVI"]["versions"]
    assert f"scvi-tools=={versions['scvi-tools']}" in lock

    # The same initial weights and numbers of updates; the draws of dropout differ.
    losses = {
        name: competitor["validation_loss"]
        for name, competitor in training["competitors"].items()
        if name != "linear scVI"
    }
    assert {len(of_rounds) for of_rounds in losses.values()} == {4}
    assert losses["vega"][-1] == pytest.approx(losses["vega in float32"][-1], rel=0.005)
    assert losses["vega"][-1] == pytest.approx(losses["authors' loop"][-1], rel=0.05)

    assert bayes_factor["competitors"]["vega"]["error_of_p"]["max"] < 1e-5
    assert 1e-4 < bayes_factor["competitors"]["vega, as published"]["error_of_p"]["rms"] < 0.02
    assert list(memory["microseconds_per_cell"]) == ["300", "1000", "3000"]
    assert set(memory["speed_from_disk"]) == {"memory", "plain file", "gzip file"}
    assert memory["aracne"]["gmvs"] == SIZES["small"].regulons + 1
    assert {"Adam", "draws"} <= set(memory["profile"]["seconds"])
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"bench.{suffix}").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--baselines", "scvega totalvi"), "totalvi is not one of scvega, expimap, linear_scvi"),
        (("--rounds", "1"), "--rounds: at least 2, as the first is dropped"),
    ],
)
def test_a_wrong_option_gives_one_line(words, message):
    result = bench(*words)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].endswith(message)


def test_a_baseline_that_cannot_be_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    result = bench(
        "--baselines", "scvega", "--environments", str(tmp_path / "e"), "--out", str(tmp_path / "o")
    )
    assert result.returncode == 1
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert "scvega cannot be installed; --baselines leaves it out" in line
    assert "Traceback" not in result.stderr
