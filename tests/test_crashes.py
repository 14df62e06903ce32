"""What a run leaves when it is broken off, and what the next one makes of it.

Random kills of whole runs are in tests/kills, jobs that a cluster ends in tests/cluster.
"""

import os
import shutil
import signal
import subprocess
import sys

import pytest
from conftest import ROOT, snakemake

import vega

DATA = "results/demo/data/kang.h5ad"
MODEL = "results/demo/models/kang/seed1"

# Trains as it is told to, and dies as it is about to put its Nth file in place.
SAVE = """
import os, signal, sys
from pathlib import Path
import vega, numpy as np
folder, seed, fatal = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
model = vega.VEGA(["a", "b", "c"], {"s": ["a", "b"], "t": ["b", "c"]}, seed=seed)
replace, done = Path.replace, []
def mortal(*args):
    if len(done) == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(replace(*args))
Path.replace = mortal
model.save(folder)
"""


def save(folder, seed, fatal):
    words = [sys.executable, "-c", SAVE, str(folder), str(seed), str(fatal)]
    return subprocess.run(words, cwd=ROOT, check=False).returncode


@pytest.mark.parametrize("over", [False, True], ids=["anew", "over another one"])
@pytest.mark.parametrize("fatal", range(3))
def test_a_model_half_written_is_never_taken_for_one(tmp_path, fault, over, fatal):
    folder = tmp_path / "model"
    old = None
    if over:
        assert save(folder, 1, 9) == 0
        old = vega.load(folder).weights()
    with fault("killed while saving a model"):
        assert save(folder, 2, fatal) == -signal.SIGKILL
        try:
            loaded = vega.load(folder).weights()
        except ValueError as error:
            assert str(folder) in str(error)
            assert "train the model again" in str(error) or "not there" in str(error)
        else:
            assert loaded.equals(old)
    assert save(folder, 2, 9) == 0
    left = {path.name for path in folder.iterdir()}
    assert left == {"weights.safetensors", "history.tsv", "model.json"}
    if over:
        assert not vega.load(folder).weights().equals(old)


def room(disk, size):
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "file", "stopped"),
    [
        (DATA, DATA, DATA),
        (
            f"{MODEL}/model.json",
            f"{MODEL}/weights.safetensors",
            f"{MODEL}/checkpoint/state.safetensors",  # which has the weights, too
        ),
    ],
    ids=["cells", "model"],
)
def test_a_full_disk_ends_in_one_line_and_with_room_the_run_goes_on(
    repository, fault, small_disk, target, file, stopped
):
    """The disk holds all but half of a file."""
    disk, file = repository / "results", repository / file
    small_disk(disk, "200m")
    before = None if target == DATA else DATA
    snakemake(repository, before or "results/demo/raw/kang/GSE96583_family.soft.gz")
    others = set(disk.rglob("*"))
    snakemake(repository, target)
    made = {p: p.read_bytes() for p in {*disk.rglob("*")} - others if p.is_file()}
    for path in made:
        path.unlink()
    used = shutil.disk_usage(disk).used
    room(disk, used + sum(map(len, made.values())) - len(made[file]) // 2)
    with fault("full disk under a job"):
        said = snakemake(repository, target, check=False)
        lines = [line for line in said.splitlines() if line.startswith("error: ")]
        assert lines == [
            f"error: {stopped}: No space left on device; make room and run again, what is finished "
            "stays"
        ], said
        assert "Traceback" not in said
        assert not (repository / stopped).exists()
        assert not list(disk.rglob(".part-*"))
        room(disk, "200m")
        snakemake(repository, target)
        for path, content in made.items():
            assert path.name == "model.json" or path.read_bytes() == content, path


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
def test_a_job_ends_with_its_snakemake(tmp_path, fault):
    """The job holds one end of a pipe: when nobody does any more, it is gone."""
    job = (
        "import os, signal; from types import SimpleNamespace; from paper.script import run\n"
        "def main(snakemake): os.write({pipe}, b'at work'); signal.pause()\n"
        "run(main, SimpleNamespace(log=[], rule='r'))"
    )
    main = "import subprocess, sys; subprocess.run(sys.argv[1:], pass_fds=[{pipe}])"
    python, (read, write) = sys.executable, os.pipe()
    with fault("kill -9 of Snakemake alone"):
        parent = subprocess.Popen(
            [python, "-c", main.format(pipe=write), python, "-c", job.format(pipe=write)],
            cwd=ROOT,
            pass_fds=[write],
        )
        os.close(write)
        assert os.read(read, 100) == b"at work"
        parent.kill()
        parent.wait()
        assert os.read(read, 100) == b""
    os.close(read)
