"""The claims of several runs as one table, for docs/real-cells.md.

python -m tools.claims_of_runs "2,000 cells=results/small" "14,000 cells=results/large" \\
    --figures 1 4 S4 S5 S12
"""

import argparse
from collections.abc import Container
from pathlib import Path
from string import ascii_lowercase

import pandas as pd

from scripts.common.tables import markdown_table, read_table


def side_by_side(claims: dict[str, pd.DataFrame], figures: Container[str] | None = None) -> str:
    """Return a table in Markdown: what was published, and what each run gives, shuffled too.

    `claims` has the content of `claims.tsv` by the name of the run. Only claims of `figures`, such
    as `1` and `S4`, are shown, or all; claims that no run has measured are left out.
    """
    runs = {name: table.fillna("").set_index("id") for name, table in claims.items()}
    of_run = ("control", "control_holds", "verdict")
    titles = (part for name in runs for part in (name, "control", "holds in", "verdict"))
    head = ["claim", "what", "published", *titles]
    rows = []
    for claim, about in next(iter(runs.values())).iterrows():
        if figures and about["panel"].rstrip(ascii_lowercase) not in figures:
            continue
        found = [table.loc[claim, ["reproduced", *of_run]] for table in runs.values()]
        if all(measured["verdict"] == "not run" for measured in found):
            continue
        texts = [str(text) for measured in found for text in measured]
        rows.append([claim, about["statement"], about["published"], *texts])
    return markdown_table(head, rows)


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.claims_of_runs", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("runs", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--figures", nargs="+", help="whose claims are shown, such as 1 S4")
    options = parser.parse_args()
    runs = (run.partition("=") for run in options.runs)
    tables = {name: read_table(Path(folder) / "claims.tsv") for name, _, folder in runs}
    print(side_by_side(tables, options.figures))


if __name__ == "__main__":
    main()
