"""What a run leaves when it is interrupted, and what the next one makes of it.

Whole runs that are killed, or whose disk fills, are in tests/kills; jobs that a cluster ends are in
tests/cluster.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import vega

NEVER = 9  # a model is of three files


def save(folder, seed, fatal):
    """Save a model in a process that dies when its file number `fatal` is put in place.

    Gives the number of the signal that ended it, below zero, or 0.
    """
    if (child := os.fork()) == 0:
        replace, done = Path.replace, []

        def mortal(*paths):
            if len(done) == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            done.append(replace(*paths))

        Path.replace = mortal
        try:
            vega.VEGA(["a", "b", "c"], {"s": ["a", "b"], "t": ["b", "c"]}, seed=seed).save(
                folder, overwrite=True
            )
        finally:  # whatever happens, there are not two of the tests from here on
            os._exit(len(done) != 3)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("over", [False, True], ids=["first run", "over another one"])
@pytest.mark.parametrize("fatal", range(3))
def test_a_model_half_written_is_never_taken_for_one(tmp_path, fault, over, fatal):
    folder = tmp_path / "model"
    old = None
    if over:
        assert save(folder, 1, NEVER) == 0
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
    assert save(folder, 2, NEVER) == 0
    left = {path.name for path in folder.iterdir()}
    assert left == {"weights.safetensors", "history.tsv", "model.json"}
    if over:
        assert not vega.load(folder).weights().equals(old)


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
def test_a_job_ends_with_its_snakemake(tmp_path, fault):
    """The job holds one end of a pipe: when nobody does any more, it is gone."""
    read, write = os.pipe()
    job = (
        "import os, signal; from types import SimpleNamespace; from scripts.common.run import run\n"
        f"def main(snakemake): os.write({write}, b'at work'); signal.pause()\n"
        f"run(main, SimpleNamespace(log=[{str(tmp_path / 'log')!r}], rule='r'))"
    )
    main = f"import subprocess, sys; subprocess.run(sys.argv[1:], pass_fds=[{write}])"
    python = sys.executable
    with fault("kill -9 of Snakemake alone"):
        parent = subprocess.Popen(
            [python, "-c", main, python, "-c", job], cwd=ROOT, pass_fds=[write]
        )
        os.close(write)
        assert os.read(read, 100) == b"at work"
        parent.kill()
        parent.wait()
        assert os.read(read, 100) == b""
    os.close(read)
