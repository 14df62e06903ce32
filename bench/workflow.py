"""The demo as a whole, and both demo and training with busy processes."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import IO, Any

from bench.interleave import DROPPED, Runner, RunnerError, ratios, started
from scripts.common import resources

RUN = "bench_demo"  # below results/ and logs/, removed before and after each run
ROOT = Path(__file__).resolve().parents[1]
FEW = f"results/{RUN}/figures/fig3.png"  # all that the small benchmark asks for: one model


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep so many other processes computing."""
    command = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(command) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def demo(targets: list[str], log: IO) -> dict[str, Any]:
    """Run the demo from its start and return its times.

    `seconds` (wall clock) and `cpu_seconds` are those of the whole, `cpu_seconds_snakemake` those
    outside the jobs; `rules` has one entry per rule with the columns of `resources.by_rule`.
    """
    _remove()
    command = [
        sys.executable, "-m", "snakemake", "--cores", "all", "--profile", "profiles/demo",
        "--config", f"run={RUN}", "--", *targets,
    ]  # fmt: skip
    started, before = time.perf_counter(), os.times()
    result = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False)
    seconds, after = time.perf_counter() - started, os.times()
    if result.returncode:
        raise RunnerError("the demo did not finish")
    used = sum(after[2:4]) - sum(before[2:4])  # user and system time of child processes
    jobs = resources.read(ROOT / "logs" / RUN)
    _remove()
    return {
        "seconds": seconds,
        "cpu_seconds": used,
        "cpu_seconds_snakemake": used - jobs["cpu_seconds"].sum(),
        "jobs": len(jobs),
        "rules": resources.by_rule(jobs).to_dict("records"),
    }


def _remove() -> None:
    for folder in ("results", "logs"):
        shutil.rmtree(ROOT / folder / RUN, ignore_errors=True)


def with_busy_processes(
    runners: list[Runner], rounds: int, cores: int, log: IO, folder: Path
) -> dict[str, Any]:
    """Give each runner a turn on idle cores and one with a busy process per core, each round.

    Return by runner `idle` and `busy`, seconds of all turns, and `ratio`, the median over the
    rounds but the first of busy / idle.
    """
    turns: dict[str, dict[str, Any]] = {r.name: {"idle": [], "busy": []} for r in runners}
    with started(runners, log, folder):
        for number in range(rounds):
            for runner in runners:
                idle = runner.turn()["seconds"]
                with busy(cores):
                    loaded = runner.turn()["seconds"]
                turns[runner.name]["idle"].append(idle)
                turns[runner.name]["busy"].append(loaded)
                progress = f"  load {number + 1}/{rounds} {runner.name}"
                print(f"{progress}: {idle:.2f} s, {loaded:.2f} s", flush=True)
    for found in turns.values():
        found["ratio"] = median(ratios(found["busy"], found["idle"])[DROPPED:])
    return turns
