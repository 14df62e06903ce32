"""The record of what jobs take, against jobs of a known size."""

import subprocess
import sys

import pandas as pd
from conftest import ROOT

from scripts.common import resources

JOB = """
from pathlib import Path
from types import SimpleNamespace
from scripts.common.run import run

def main(snakemake):
    held = bytearray({megabytes} * 10**6)
    held[::4096] = b"x" * len(held[::4096])  # pages that are only asked for are not taken
    for path in snakemake.output:
        Path(path).write_bytes(bytes(1000))

run(main, SimpleNamespace(
    log=["logs/r/deep/x.log"], rule="{rule}", wildcards=["a", "b"], threads=2, output=["one", "two"]
))
"""


def run(folder, **job):
    environment = {"PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", JOB.format(**job)], cwd=folder, env=environment, check=True
    )


def test_a_job_adds_its_seconds_memory_and_bytes(tmp_path):
    run(tmp_path, rule="small", megabytes=1)
    run(tmp_path, rule="large", megabytes=301)
    jobs = resources.read(tmp_path / "logs" / "r").set_index("rule")
    assert list(jobs.index) == ["small", "large"]
    assert (jobs["wildcards"] == "a,b").all()
    assert (jobs["bytes"] == 2000).all()
    assert (jobs["seconds"] > 0).all()
    assert 250 < jobs.loc["large", "peak_mb"] - jobs.loc["small", "peak_mb"] < 350


def test_a_job_that_ran_twice_counts_once_and_rules_are_summed_up(tmp_path):
    rows = [("train", "a", 2, 5.0, 9, 100, 7), ("embed", "a", 1, 2.0, 2, 50, 1),
            ("train", "b", 2, 8.0, 9, 300, 7), ("train", "a", 2, 4.0, 8, 120, 6)]  # fmt: skip
    lines = ["\t".join(map(str, row)) for row in rows]
    (tmp_path / resources.FILE).write_text("\n".join(lines) + "\n")
    table = resources.by_rule(resources.read(tmp_path)).set_index("rule")
    expected = pd.DataFrame(
        {"jobs": [1, 2], "seconds": [2.0, 12.0], "longest": [2.0, 8.0], "cpu_seconds": [2, 17],
         "peak_mb": [50, 300], "bytes": [1, 13]},
        index=pd.Index(["embed", "train"], name="rule"),
    )  # fmt: skip
    pd.testing.assert_frame_equal(table, expected)
