"""What a run leaves when it is broken off, and what the next one makes of it.

Random kills of whole runs are in tests/kills, jobs that a cluster ends in tests/cluster.
"""

import os
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


def room(folder, size):
    subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "size"),
    [(DATA, "100k"), (f"{MODEL}/model.json", "600k")],
    ids=["cells", "model"],
)
def test_a_full_disk_ends_in_one_line_and_with_room_the_run_goes_on(
    repository, fault, small_disk, target, size
):
    snakemake(repository, target)
    whole = repository / target
    expected = {path.name: path for path in whole.parent.iterdir() if path.suffix != ".json"}
    expected = {name: path.read_bytes() for name, path in expected.items()}
    whole.parent.rename(repository / "unbroken")
    small_disk(whole.parent, size)
    with fault("full disk under a job"):
        said = snakemake(repository, target, check=False)
        lines = [line for line in said.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, said
        assert str(whole.parent.relative_to(repository)) in lines[0]
        assert "No space left on device; make room and run again" in lines[0]
        assert "Traceback" not in said
        assert not whole.exists()
        assert not list(whole.parent.rglob(".part-*"))
        room(whole.parent, "64m")
        snakemake(repository, target)
        found = {name: (whole.parent / name).read_bytes() for name in expected}
        assert found == expected


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
