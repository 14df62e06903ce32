"""What a run took: its jobs and its trainings."""

import os
import platform
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from scripts.report.upstream_jobs import Job
from vega.description import read_description
from vega.io import versions


@dataclass(frozen=True)
class Step:
    """All jobs of a rule."""

    rule: str
    jobs: int
    seconds: float


@dataclass(frozen=True)
class Training:
    """All models of an entry of `config/models.yaml`."""

    entry: str
    models: int
    cells: int
    epochs: str
    seconds: float
    device: str
    precision: str


def steps_of(jobs: Iterable[Job]) -> list[Step]:
    """Wall time by rule, longest first."""
    seconds = defaultdict(list)
    for job in jobs:
        seconds[job.rule].append(job.end - job.start)
    steps = [Step(rule, len(each), sum(each)) for rule, each in seconds.items()]
    return sorted(steps, key=lambda step: -step.seconds)


def trainings(models: dict[str, list[Path]]) -> list[Training]:
    """How the models of each entry were trained; `models` has their `model.json` by entry."""
    found = []
    for entry, paths in models.items():
        described = [read_description(path) for path in paths]
        told = [model["training"] for model in described]
        epochs = [model["losses"]["epochs"] for model in described]
        found.append(
            Training(
                entry=entry,
                models=len(paths),
                cells=max(each["n_cells"] for each in told),
                epochs=_range(epochs),
                seconds=sum(each["seconds"] for each in told),
                device=_all(each["device"] for each in told),
                precision=_all(each["precision"] for each in told),
            )
        )
    return found


def _range(numbers: list[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _all(words: Iterable[str]) -> str:
    return ", ".join(sorted(set(words)))


def duration(seconds: float) -> str:
    """Seconds in words.

    >>> duration(7.4), duration(75), duration(4000)
    ('7 s', '1 min 15 s', '1 h 7 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def run_facts(jobs: Iterable[Job]) -> dict[str, str]:
    """When and on what a run was made."""
    jobs = list(jobs)
    facts = {"machine": f"{platform.system()}, {platform.machine()}, {os.cpu_count()} processors"}
    if jobs:
        began, ended = min(job.start for job in jobs), max(job.end for job in jobs)
        days = [datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%d %H:%M") for t in (began, ended)]
        facts["first and last job (UTC)"] = " to ".join(days)
    return facts | {"versions": ", ".join(f"{k} {v}" for k, v in versions().items())}
