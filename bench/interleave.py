"""Runners side by side: each has its process, and they take their turns one after the other.

Machines get faster and slower while one measures. Each round therefore has a turn of everybody, and
what is compared are turns of the same round.
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
    """One competitor: a command that speaks `runners/protocol.py`, and the events it is in."""

    name: str
    command: list[str]
    events: tuple[str, ...]
    about: dict[str, Any] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen | None = None

    def start(self, log: IO, folder: Path) -> None:
        """Start it and wait until it is ready."""
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            cwd=folder,
        )  # fmt: skip
        self.about = self._receive()

    def turn(self) -> dict[str, Any]:
        """Give it a turn, and wait for what it says."""
        try:
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, which the next line finds
        said = self._receive()
        if "seconds" not in said:
            raise RunnerError(f"{self.name} ended before its time")
        return said

    def stop(self) -> None:
        """Let it say what it has found, and wait for its end."""
        self.found = self._receive()
        self.process.wait()

    def _receive(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            raise RunnerError(f"{self.name} ended before its time")
        return json.loads(line)


Turn = dict[str, Any]


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


def interleave(
    runners: list[Runner], events: tuple[str, ...], rounds: int, log: IO, folder: Path
) -> dict[str, dict[str, list[Turn]]]:
    """Run all rounds of all events; the turns of each event by the runner's name."""
    turns = {e: {r.name: [] for r in runners if e in r.events} for e in events}
    with started(runners, log, folder):
        for event in events:
            for number in range(rounds):
                for runner in runners:
                    if event in runner.events:
                        turn = runner.turn()
                        turns[event][runner.name].append(turn)
                        print(f"  {event} {number + 1}/{rounds} {runner.name}: "
                              f"{turn['seconds']:.2f} s", flush=True)  # fmt: skip
    return turns


def summary(turns: dict[str, list[Turn]], ours: str) -> dict[str, Any]:
    """Every repeat, median seconds, and how many times faster `ours` is, each by runner.

    A speedup is the median over the rounds of the ratio within a round.
    """
    repeats = {name: [t["seconds"] for t in found] for name, found in turns.items()}
    counted = {name: seconds[DROPPED:] for name, seconds in repeats.items()}
    ratios = {
        name: [theirs / mine for theirs, mine in zip(seconds, counted[ours], strict=True)]
        for name, seconds in counted.items()
        if name != ours
    }
    return {
        "dropped_repeats": DROPPED,
        "repeats_seconds": repeats,
        "median_seconds": {name: median(seconds) for name, seconds in counted.items()},
        "speedup": {name: median(ratio) for name, ratio in ratios.items()},
        "speedup_range": {name: [min(ratio), max(ratio)] for name, ratio in ratios.items()},
    }
