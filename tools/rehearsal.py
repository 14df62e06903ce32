"""Resources of every rule at the real size: `python -m tools.rehearsal` in `make rehearsal`.

Prints a table of all rules and the cost of the paper's trainings, and fails if a rule took more
memory than the workflow promises to need.
"""

import sys
from heapq import heapreplace
from pathlib import Path

import pandas as pd

from scripts.common import resources
from scripts.common.config.load import load
from scripts.common.config.models import ModelConfig
from scripts.common.config.plain import read_yaml
from scripts.common.config.run import Config
from scripts.common.tables import markdown_table, write_table

RUNS = ("rehearsal", "rehearsal_download", "rehearsal_authors")
MOST_MB = 8000
TABLE = Path("results", RUNS[0], "resources.tsv")
EPOCHS = 203  # until Kang's model stops on 13,929 real cells; taken for all that stop early
CORES = (2, 8, 32)
JOB = 8  # cores of a training job at most, as rules/train.smk asks for


def table(logs: Path) -> pd.DataFrame:
    """Return one row per rule of all runs of the rehearsal so far; see `by_rule`."""
    records = [logs / run for run in RUNS if (logs / run / resources.FILE).exists()]
    return resources.by_rule(pd.concat(map(resources.read, records), ignore_index=True))


def markdown(rules: pd.DataFrame) -> str:
    """Return the table as docs/performance.md has it."""
    rows = (
        (
            row.rule, f"{row.jobs}", f"{row.seconds:,.0f}", f"{row.longest:,.0f}",
            f"{row.peak_mb:,}", f"{row.bytes / 1e6:,.1f}",
        )
        for row in rules.itertuples()
    )  # fmt: skip
    head = ("rule", "jobs", "seconds", "longest job", "peak memory, MB", "written, MB")
    return markdown_table(head, rows)


def too_large(rules: pd.DataFrame) -> str:
    """Return the rules that took more memory than promised, and how much; empty if none did."""
    large = rules[rules["peak_mb"] > MOST_MB]
    return ", ".join(f"{row.rule} {row.peak_mb:,} MB" for row in large.itertuples())


def expected_epochs(model: ModelConfig) -> int:
    """Return how many epochs a model trains: all of them if it cannot stop early."""
    most = model.train.max_epochs
    return min(EPOCHS, most) if model.train.patience < most else most


def trainings(config: Config, rules: pd.DataFrame) -> pd.DataFrame:
    """Return what the trainings of the paper cost, one row per entry of `models.yaml`.

    Columns are `entry`, `models`, `epochs` (of each), `seconds_per_epoch` and `core_hours` of all.
    Both are CPU time of the rehearsal's jobs, start included, which depends little on what else the
    machine does.
    """
    seconds, trained = rules.set_index("rule")["cpu_seconds"], config.settings.training_overrides
    rows = []
    for entry in config.selected_entries:
        model = config.models[entry]
        models = len(config.runs_of(entry)) * len(config.seeds_of(entry))
        if model.simulated:
            continue
        per_epoch = seconds[f"train_{entry}"] / models / trained["max_epochs"]
        epochs = expected_epochs(model)
        rows.append((entry, models, epochs, per_epoch, models * epochs * per_epoch / 3600))
    columns = ["entry", "models", "epochs", "seconds_per_epoch", "core_hours"]
    return pd.DataFrame(rows, columns=columns)


def hours(jobs: pd.DataFrame, cores: int) -> float:
    """Return the hours of all trainings on so many cores, the longest job first.

    A job trains its models side by side, one on each of at most `JOB` cores. A model alone gains
    nothing from further cores, which is nearly so.
    """
    width = min(JOB, cores)
    lengths = jobs["core_hours"] / jobs["models"].clip(upper=width)
    ends = [0.0] * (cores // width)  # of the jobs that run at the same time
    for length in lengths.sort_values(ascending=False):
        heapreplace(ends, ends[0] + length)
    return max(ends)


def cost(jobs: pd.DataFrame) -> str:
    """Return the cost of the trainings as docs/performance.md has it."""
    rows = (
        (
            row.entry, f"{row.models}", f"{row.epochs}", f"{row.seconds_per_epoch:.1f}",
            f"{row.core_hours:.1f}",
        )
        for row in jobs.itertuples()
    )  # fmt: skip
    head = ("entry", "models", "epochs", "CPU seconds per epoch", "core hours")
    total = ", ".join(f"{hours(jobs, n):.1f} hours on {n} cores" for n in CORES)
    return f"{markdown_table(head, rows)}\n\nAll trainings: {total}."


def main() -> None:
    """Write and print the tables."""
    rules = table(Path("logs"))
    write_table(rules, TABLE)
    print(markdown(rules))
    settings = read_yaml(Path("config/config.yaml")) | read_yaml(Path("config/rehearsal.yaml"))
    print(f"\n{cost(trainings(load(settings), rules))}")
    if large := too_large(rules):
        sys.exit(f"error: {TABLE}: expected at most {MOST_MB:,} MB a rule, found {large}")


if __name__ == "__main__":
    main()
