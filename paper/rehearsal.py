"""What every rule takes at the real size: `python -m paper.rehearsal`, part of `make rehearsal`.

Reads the records of the rehearsal's runs (`paper.resources`), writes one table of all rules, prints
it, and fails if a rule took more memory than the workflow promises to need.
"""

import sys
from pathlib import Path

import pandas as pd

from paper import resources
from paper.tables import write_table

RUNS = ("rehearsal", "rehearsal_download", "rehearsal_authors")
MOST_MB = 8000
TABLE = Path("results", RUNS[0], "resources.tsv")


def table(logs: Path) -> pd.DataFrame:
    """Return one row per rule of all runs of the rehearsal that are there; see `by_rule`."""
    records = [logs / run for run in RUNS if (logs / run / resources.FILE).exists()]
    return resources.by_rule(pd.concat(map(resources.read, records), ignore_index=True))


def markdown(rules: pd.DataFrame) -> str:
    """Return the table as docs/performance.md has it."""
    rows = [
        f"| {row.rule} | {row.jobs} | {row.seconds:,.0f} | {row.longest:,.0f} | {row.peak_mb:,} | "
        f"{row.bytes / 1e6:,.1f} |"
        for row in rules.itertuples()
    ]
    head = "| rule | jobs | seconds | longest job | peak memory, MB | written, MB |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])


def main() -> None:
    """Write and print the table."""
    rules = table(Path("logs"))
    write_table(rules, TABLE)
    print(markdown(rules))
    if len(large := rules[rules["peak_mb"] > MOST_MB]):
        names = ", ".join(f"{row.rule} {row.peak_mb:,} MB" for row in large.itertuples())
        sys.exit(f"error: {TABLE}: expected at most {MOST_MB:,} MB, found {names}")


if __name__ == "__main__":
    main()
