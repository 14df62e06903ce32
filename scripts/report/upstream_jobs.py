"""Which jobs made the files of a run, from the records that Snakemake keeps of each output."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TIMESTAMP = ".snakemake_timestamp"  # Snakemake's own, in folders that are an output
SCRIPT = re.compile(r'"\.\./(scripts/[^"]+)"')  # in the code of a rule


@dataclass
class Job:
    """A job that Snakemake has recorded; times in seconds since 1970."""

    rule: str
    script: str
    inputs: Sequence[str]
    start: float
    end: float
    outputs: list[str] = field(default_factory=list)


def files_below(folder: Path) -> list[Path]:
    """All files in a folder and its folders, in order, but for Snakemake's own."""
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name != TIMESTAMP)


def jobs_of(run: Path, record: Callable[[str], Mapping[str, Any] | None]) -> list[Job]:
    """The jobs that made the files of a run, in the order in which they began.

    Parameters
    ----------
    run
        Folder of the run, as the outputs of its rules begin.
    record
        What Snakemake has recorded of an output, or None. The record of a folder is that of each
        file in it.
    """
    jobs: dict[tuple, Job] = {}
    for path in files_below(run):
        above = [path, *path.parents][: len(path.parts) - len(run.parts)]
        found = next(filter(None, (record(str(name)) for name in above)), None)
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
        job.start = min(job.start, found["starttime"])  # each output has its own
        job.end = max(job.end, found["endtime"])
    return sorted(jobs.values(), key=lambda job: (job.start, job.outputs))


def jobs_behind(targets: Iterable[str], run: Path) -> list[Job]:
    """The jobs of a run that files of it come from, by the records in this folder."""
    from snakemake.persistence.file import FilePersistence

    # There is no public way to ask for a record.
    record = FilePersistence(nolock=True)._read_record
    return leading_to(targets, jobs_of(run, record))


def leading_to(targets: Iterable[str], jobs: Iterable[Job]) -> list[Job]:
    """Those jobs that the targets come from, in the same order."""
    jobs = list(jobs)
    maker = {output: number for number, job in enumerate(jobs) for output in job.outputs}
    needed: set[int] = set()
    asked = list(targets)
    while asked:
        number = maker.get(asked.pop())
        if number is not None and number not in needed:
            needed.add(number)
            asked += jobs[number].inputs
    return [jobs[number] for number in sorted(needed)]
