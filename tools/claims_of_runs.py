"""The claims of several runs as one table, for the documentation.

python -m tools.claims_of_runs "2,000 cells=results/small" "14,000 cells=results/large" \\
    --figures 1 4 S4 S5 S12
python -m tools.claims_of_runs 2000=results/small 14000=results/large --tsv > docs/real-cells.tsv

With `--tsv` runs are named by their number of cells, and the table is the one from which the site
writes its pages of results and claims.
"""

import argparse
from collections.abc import Collection
from functools import reduce
from pathlib import Path
from string import ascii_lowercase

import pandas as pd

from scripts.common.tables import markdown_table, read_table


def measured(claims: dict[str, pd.DataFrame], figures: Collection[str] | None) -> pd.DataFrame:
    """Return the claims that any run has measured, with columns by the name of the run.

    `claims` has the content of `claims.tsv` by the name of the run. Only claims of `figures`, such
    as `1` and `S4`, are taken, or all.
    """
    runs = pd.concat({name: table.set_index("id") for name, table in claims.items()}, axis=1)
    is_shown = (runs.xs("verdict", axis=1, level=1) != "not run").any(axis=1)
    if figures:
        panels = runs[next(iter(claims))]["panel"]
        is_shown &= panels.str.rstrip(ascii_lowercase).isin(figures)
    return runs[is_shown]


def side_by_side(claims: dict[str, pd.DataFrame], figures: Collection[str] | None = None) -> str:
    """Return a table in Markdown: what was published, and what each run gives, shuffled too."""
    runs, of_run = measured(claims, figures), ["reproduced", "control", "control_holds", "verdict"]
    about = runs[next(iter(claims))][["statement", "published"]]
    table = pd.concat([about, *(runs[name][of_run] for name in claims)], axis=1).reset_index()
    titles = (part for name in claims for part in (name, "control", "holds in", "verdict"))
    head = ["claim", "what", "published", *titles]
    return markdown_table(head, table.fillna("").astype(str).to_numpy())


def for_the_site(claims: dict[str, pd.DataFrame], figures: Collection[str] | None = None) -> str:
    """Return `docs/real-cells.tsv`: the same by number of cells.

    The control is that of the last run that has one.
    """
    runs = measured(claims, figures)
    table = runs[next(iter(claims))][["statement", "published"]].rename_axis("claim")
    for cells in claims:
        table[[f"cells_{cells}", f"verdict_{cells}"]] = runs[cells][["reproduced", "verdict"]]
    controls = [runs[cells][["control", "control_holds"]] for cells in reversed(claims)]
    return table.join(reduce(pd.DataFrame.combine_first, controls)).to_csv(sep="\t")


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
