"""What was measured on real cells (docs/real-cells.tsv), as parts of the site's pages.

`python -m tools.claims_of_runs --tsv` writes the table, `python -m tools.site.pictures` the
pictures in docs/img.
"""

import html
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from scripts.claims.judging import Verdict
from scripts.common.tables import read_table
from scripts.report.report_page import figure_of, label, place

SIGNS = dict(zip(Verdict, "✓↗✗–", strict=True))
# The picture of all numbers, beyond those of the figures, and its title.
PUBLISHED_AND_OURS = ("published-and-ours", "Published numbers and ours")
HEAD = """---
hide: [toc]
---

# Results on real cells

The claims of the paper as measured on real cells, by the number of cells of Kang's study that the
run had. The paper's study has 18,868. Claims about exact numbers are not judged on a part of the
cells. [How each claim is measured](claims.md), [details of these runs and what more cells
change](real-cells.md).

*Reproduced* meets the criterion, *direction only* points the published way but misses it,
*differs* does neither. The control is the same number on shuffled labels: a criterion that holds
in more than one of 20 shuffles says little.

"""
FOOT = """
## Beyond one run

- [Robustness](robustness.md): the same claims under other seeds, settings, cells and definitions,
  one at a time.
- Seeds: `make paper SEEDS=1,2,3` gives every number a mean and a standard deviation over seeds,
  and the report draws them against the published ones.
- [Known truth](simulation-benchmark.md): VEGA and other methods on simulated cells, where the
  right answer is known.
- [Errata](errata.md): where the paper's text, its code and its figures disagree.
"""


def read_real_cells(docs: Path) -> pd.DataFrame:
    """Return the table, by claim, all as text."""
    return read_table(docs / "real-cells.tsv").astype("string").fillna("").set_index("claim")


def runs_of(table: pd.DataFrame) -> dict[str, str]:
    """Return the runs of the table: their number of cells, as in its columns and in words."""
    sizes = [column.removeprefix("cells_") for column in table if column.startswith("cells_")]
    return {size: f"{int(size):,} cells" for size in sizes}


def verdict_counts(table: pd.DataFrame) -> str:
    """Return a table in Markdown: how many claims of each run have which verdict."""
    lines = [
        "| run | " + " | ".join(f"{SIGNS[v]} {v}" for v in Verdict) + " |",
        "|---|" + 4 * "---|",
    ]
    for size, title in runs_of(table).items():
        counts = table[f"verdict_{size}"].value_counts()
        numbers = " | ".join(str(counts.get(v.value, 0)) for v in Verdict)
        lines.append(f"| {title} of Kang | {numbers} |")
    return "\n".join(lines) + "\n"


def measured(table: pd.DataFrame, claim: str) -> str:
    """Return what each run gives for a claim, for a cell of a table."""
    if claim not in table.index:
        return "–"
    row = table.loc[claim]
    of_runs = (
        f"{title}: {escaped(row[f'cells_{size}'])}, **{_verdict(row[f'verdict_{size}'])}**"
        for size, title in runs_of(table).items()
        if row[f"cells_{size}"]
    )
    return "<br>".join(of_runs)


def _verdict(word: str) -> str:
    return f"{SIGNS[Verdict(word)]} {word}"


def findings_page(table: pd.DataFrame, claims: pd.DataFrame, docs: Path) -> str:
    """Return the page of results: the verdicts, and the claims of each figure with pictures."""
    parts = [HEAD, verdict_counts(table), "\n", picture(docs, *PUBLISHED_AND_OURS)]
    panels = claims.set_index("id")["panel"]
    figures = panels.loc[[claim for claim in table.index if claim in panels.index]].map(figure_of)
    head = ["claim", "published", *runs_of(table).values(), "control", "holds in"]
    for name in sorted(figures.unique(), key=place):
        parts.append(f"\n## {label(name)}\n\n")
        parts.append(picture(docs, name, label(name)))
        parts.append(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}\n")
        for claim in figures.index[figures == name]:
            row = table.loc[claim]
            cells = [f"**{claim}** {escaped(row['statement'])}", escaped(row["published"])]
            for size in runs_of(table):
                cells.append(
                    f"{escaped(row[f'cells_{size}'])}<br>**{_verdict(row[f'verdict_{size}'])}**"
                )
            cells += [escaped(row["control"]) or "–", row["control_holds"] or "–"]
            parts.append(f"| {' | '.join(cells)} |\n")
    return "".join([*parts, FOOT])


def outcome(table: pd.DataFrame, docs: Path, titles: Mapping[str, str]) -> str:
    """Return what the home page shows: verdicts of each run, and the figures as pictures.

    `titles` are those of the figures, by name.
    """
    shown = [
        f'<figure><a href="figures.html#{name}"><img src="img/{name}.webp" loading="lazy" '
        f'alt="{label(name)}"></a><figcaption><b>{label(name)}</b> {html.escape(titles[name])}'
        "</figcaption></figure>"
        for name in sorted(titles, key=place)
        if has_picture(docs, name)
    ]
    gallery = f'<div class="gallery">\n{chr(10).join(shown)}\n</div>\n' if shown else ""
    return f"{verdict_counts(table)}\n{gallery}\n{picture(docs, *PUBLISHED_AND_OURS)}"


def has_picture(docs: Path, name: str) -> bool:
    """Return whether docs/img has the picture of a figure."""
    return (docs / "img" / f"{name}.webp").is_file()


def picture(docs: Path, name: str, title: str) -> str:
    """Return the picture of a figure in Markdown; empty if there is none."""
    if not has_picture(docs, name):
        return ""
    return f"[![{title}, from real cells](img/{name}.webp){{ loading=lazy }}](img/{name}.webp)\n\n"


def escaped(text: str) -> str:
    """Escape a text for a cell of a table."""
    return re.sub(r"([|*_`\[])", r"\\\1", html.escape(str(text), quote=False))
