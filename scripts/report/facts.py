"""What a run took: its jobs and its trainings."""

import os
import platform
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

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
    """Return the wall time by rule, longest first."""
    seconds = defaultdict(list)
    for job in jobs:
        seconds[job.rule].append(job.end - job.start)
    steps = [Step(rule, len(each), sum(each)) for rule, each in seconds.items()]
    return sorted(steps, key=lambda step: -step.seconds)


def trainings(models: dict[str, list[Path]]) -> list[Training]:
    """Return how the models of each entry were trained, from their `model.json` by entry."""
    return [_training(entry, paths) for entry, paths in models.items()]


def _training(entry: str, paths: list[Path]) -> Training:
    described = [read_description(path) for path in paths]
    facts = pd.DataFrame([model["training"] for model in described])
    epochs = [model["losses"]["epochs"] for model in described]
    return Training(
        entry=entry,
        models=len(paths),
        cells=int(facts["n_cells"].max()),
        epochs=" to ".join(map(str, sorted({min(epochs), max(epochs)}))),
        seconds=sum(facts["seconds"]),
        device=", ".join(sorted(set(facts["device"]))),
        precision=", ".join(sorted(set(facts["precision"]))),
    )


def duration(seconds: float) -> str:
    """Return seconds in words, such as `1 min 15 s` or `1 h 6 min`."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def run_facts(jobs: Iterable[Job]) -> dict[str, str]:
    """Return when and on what a run was made."""
    jobs = list(jobs)
    facts = {"machine": f"{platform.system()}, {platform.machine()}, {os.cpu_count()} processors"}
    if jobs:
        began, ended = min(job.start for job in jobs), max(job.end for job in jobs)
        days = [datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%d %H:%M") for t in (began, ended)]
        facts["first and last job (UTC)"] = " to ".join(days)
    return facts | {"versions": ", ".join(f"{k} {v}" for k, v in versions().items())}
