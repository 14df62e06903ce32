"""The claims of several runs as one table, for the documentation.

python -m tools.claims_of_runs "2,000 cells=results/small" "14,000 cells=results/large" \\
    --figures 1 4 S4 S5 S12
python -m tools.claims_of_runs 2000=results/small 14000=results/large --tsv > docs/real-cells.tsv

With `--tsv` runs are named by their number of cells, and the table is the one from which the site
writes its pages of results and claims.
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


def for_the_site(claims: dict[str, pd.DataFrame], figures: Container[str] | None = None) -> str:
    """Return `docs/real-cells.tsv`: the same by number of cells.

    The control is that of the last run that has one.
    """
    runs = {cells: table.fillna("").set_index("id") for cells, table in claims.items()}
    rows = []
    for claim, about in next(iter(runs.values())).iterrows():
        found = {cells: table.loc[claim] for cells, table in runs.items()}
        shown = not figures or about["panel"].rstrip(ascii_lowercase) in figures
        if not shown or all(run["verdict"] == "not run" for run in found.values()):
            continue
        row = {"claim": claim, "statement": about["statement"], "published": about["published"]}
        for cells, run in found.items():
            row |= {f"cells_{cells}": run["reproduced"], f"verdict_{cells}": run["verdict"]}
        of_control = [run for run in found.values() if run["control"]]
        row |= {c: of_control[-1][c] if of_control else "" for c in ("control", "control_holds")}
        rows.append(row)
    return pd.DataFrame(rows).to_csv(sep="\t", index=False)


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.claims_of_runs", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("runs", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--figures", nargs="+", help="whose claims are shown, such as 1 S4")
    parser.add_argument("--tsv", action="store_true", help="write the table of the site")
    options = parser.parse_args()
    runs = (run.partition("=") for run in options.runs)
    tables = {name: read_table(Path(folder) / "claims.tsv") for name, _, folder in runs}
    write = for_the_site if options.tsv else side_by_side
    print(write(tables, options.figures).rstrip("\n"))


if __name__ == "__main__":
    main()
