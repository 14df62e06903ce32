"""Find the jobs that made the files of a run, in Snakemake's records of their outputs."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TIMESTAMP = ".snakemake_timestamp"  # Snakemake writes it into folders that are an output
SCRIPT = re.compile(r'"\.\./(scripts/[^"]+)"')  # in the code of a rule


@dataclass
class Job:
    """A recorded job; times in seconds since 1970."""

    rule: str
    script: str
    inputs: Sequence[str]
    start: float
    end: float
    outputs: list[str] = field(default_factory=list)


def files_below(folder: Path) -> list[Path]:
    """Return all files in a folder and its folders, sorted, without Snakemake's own."""
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name != TIMESTAMP)


def upstream_jobs(targets: Iterable[str], folder: Path) -> list[Job]:
    """Return the jobs that files of a run depend on, by the records in the working directory."""
    from snakemake.persistence.file import FilePersistence

    read_record = FilePersistence(nolock=True)._read_record  # there is no public function
    return select_upstream(targets, recorded_jobs(folder, read_record))


def recorded_jobs(
    folder: Path, read_record: Callable[[str], Mapping[str, Any] | None]
) -> list[Job]:
    """Return the jobs that made the files in the folder of a run, sorted by start.

    `read_record` gives Snakemake's record of an output, or None. The record of a folder applies to
    each file in it.
    """
    jobs: dict[tuple, Job] = {}
    for path in files_below(folder):
        parents = [path, *path.parents][: len(path.parts) - len(folder.parts)]
        found = next(filter(None, (read_record(str(name)) for name in parents)), None)
        if found is None:
            continue
        script = SCRIPT.search(found["code"] or "")
        job = jobs.setdefault(
            (found["rule"], found["job_hash"]),
            Job(
                found["rule"], script[1] if script else "", found["input"],
                found["starttime"], found["endtime"],
            ),
        )  # fmt: skip
        job.outputs.append(str(path))
        job.start = min(job.start, found["starttime"])  # the outputs of a job differ in time
        job.end = max(job.end, found["endtime"])
    return sorted(jobs.values(), key=lambda job: (job.start, job.outputs))


def select_upstream(targets: Iterable[str], jobs: Sequence[Job]) -> list[Job]:
    """Return those jobs that the targets depend on, in the same order."""
    maker = {output: number for number, job in enumerate(jobs) for output in job.outputs}
    needed: set[int] = set()
    waiting = list(targets)
    while waiting:
        number = maker.get(waiting.pop())
        if number is not None and number not in needed:
            needed.add(number)
            waiting += jobs[number].inputs
    return [jobs[number] for number in sorted(needed)]
