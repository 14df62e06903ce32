"""What each job of a run took: seconds, peak memory, bytes written."""

import os
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    import pandas as pd  # late, as every job imports this

FILE = "resources.tsv"  # in the folder of the run's logs, one line per finished job
COLUMNS = ("rule", "wildcards", "threads", "seconds", "cpu_seconds", "peak_mb", "bytes")
UNIT = 1 if sys.platform == "darwin" else 1024  # bytes of ru_maxrss


def record(snakemake: Any) -> None:
    """Append what this process and its children took to the record of the run.

    Jobs append at the same time: one line is one write. A disk that is full does not fail a job
    whose results are written.
    """
    path = Path(*Path(snakemake.log[0]).parts[:2], FILE)
    own, children = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    values = (
        snakemake.rule,
        ",".join(map(str, snakemake.wildcards)),
        snakemake.threads,
        f"{time.time() - psutil.Process().create_time():.1f}",
        f"{sum(usage.ru_utime + usage.ru_stime for usage in (own, children)):.1f}",
        f"{max(peak_memory(), children.ru_maxrss * UNIT) / 1e6:.0f}",
        sum(map(_size, map(Path, snakemake.output))),
    )
    line = "\t".join(map(str, values)) + "\n"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666), "w") as file:
            file.write(line)
    except OSError:
        return


def peak_memory() -> int:
    """Return the largest resident memory of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says includes that of the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def read(logs: Path) -> "pd.DataFrame":
    """Return the record of a run, one row per finished job; columns are `COLUMNS`.

    A job that ran several times has its last row. Times are in seconds, memory in megabytes.
    """
    import pandas as pd

    table = pd.read_csv(logs / FILE, sep="\t", names=COLUMNS, keep_default_na=False)
    return table.drop_duplicates(["rule", "wildcards"], keep="last", ignore_index=True)


def by_rule(jobs: "pd.DataFrame") -> "pd.DataFrame":
    """Return one row per rule, in the order in which the rules first ended."""
    return jobs.groupby("rule", sort=False, as_index=False).agg(
        jobs=("rule", "size"),
        seconds=("seconds", "sum"),
        longest=("seconds", "max"),
        cpu_seconds=("cpu_seconds", "sum"),
        peak_mb=("peak_mb", "max"),
        bytes=("bytes", "sum"),
    )
