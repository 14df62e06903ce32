"""Interleave competitors: each has its process, and each round is one turn of everyone.

The speed of a machine changes during a measurement, so only turns of the same round are compared.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import IO, Any

DROPPED = 1  # first rounds, in which caches are filled and code is compiled


class RunnerError(Exception):
    """A runner cannot run, or has ended before its time."""


@dataclass
class Runner:
    """A competitor, run by a command that speaks `runners/protocol.py`."""

    name: str
    command: list[Any]
    facts: dict[str, Any] = field(default_factory=dict)  # what it reports of itself
    process: subprocess.Popen | None = None

    def start(self, log: IO, folder: Path) -> None:
        """Start the process and wait until it is ready."""
        self.process = subprocess.Popen(
            list(map(str, self.command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=log, text=True, cwd=folder,
        )  # fmt: skip
        self.facts = self._receive()

    def turn(self) -> dict[str, Any]:
        """Run one turn; return its `seconds` and what else the runner reports of it."""
        try:
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the process has ended, which the next line finds
        report = self._receive()
        if "seconds" not in report:
            raise RunnerError(f"{self.name} ended before its time")
        return report

    def stop(self) -> None:
        """Receive what the runner reports after its last turn, and wait for its end."""
        self.facts |= self._receive()
        self.process.wait()

    def _receive(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            raise RunnerError(f"{self.name} ended before its time")
        return json.loads(line)


@contextmanager
def started(runners: list[Runner], log: IO, folder: Path) -> Iterator[None]:
    """Start the runners, stop them after their turns, and leave no process behind."""
    try:
        for runner in runners:
            print(f"  starting {runner.name}", flush=True)
            runner.start(log, folder)
        yield
        for runner in runners:
            runner.stop()
    finally:
        for runner in runners:
            if runner.process and runner.process.poll() is None:
                runner.process.kill()


def interleave(runners: list[Runner], rounds: int, log: IO, folder: Path) -> dict[str, list[float]]:
    """Run all rounds; return the seconds of each turn by the runner's name."""
    seconds = {runner.name: [] for runner in runners}
    with started(runners, log, folder):
        for number in range(rounds):
            for runner in runners:
                turn = runner.turn()["seconds"]
                seconds[runner.name].append(turn)
                print(f"  round {number + 1}/{rounds} {runner.name}: {turn:.2f} s", flush=True)
    return seconds


def ratios(numerators: list[float], denominators: list[float]) -> list[float]:
    """Return the ratio of each round."""
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def summary(seconds: dict[str, list[float]], ours: str) -> dict[str, Any]:
    """Return every repeat, median seconds, and how many times faster `ours` is, each by runner.

    A speedup is the median over the rounds of the ratio within a round.
    """
    counted = {name: repeats[DROPPED:] for name, repeats in seconds.items()}
    speedups = {n: ratios(repeats, counted[ours]) for n, repeats in counted.items() if n != ours}
    return {
        "dropped_repeats": DROPPED,
        "repeats_seconds": seconds,
        "median_seconds": {name: median(repeats) for name, repeats in counted.items()},
        "speedup": {name: median(found) for name, found in speedups.items()},
        "speedup_range": {name: [min(found), max(found)] for name, found in speedups.items()},
    }
