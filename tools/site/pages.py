"""Pages written from configuration and code, and pages from outside of docs/.

MkDocs calls this file (`hooks` in `mkdocs.yml`): `make docs`.
"""

import importlib
import inspect
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from scripts.claims.claims import load_measures
from scripts.claims.judging import (
    MOST_BY_CHANCE,
    UNINFORMATIVE,
    Measure,
    criterion,
    read_claims,
)
from scripts.claims.shuffled_results import SHUFFLED
from scripts.common.config.load import load
from scripts.common.config.run import Config
from scripts.common.shuffles import SHUFFLES
from scripts.report.report_page import figure_of, label, place
from tools.site import real_cells
from tools.site.errors import errors_page
from tools.site.real_cells import escaped, read_real_cells

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

# Pages outside of docs/, and their names on the site.
ELSEWHERE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "config/README.md": "configuration.md",
    "profiles/kubernetes/README.md": "kubernetes.md",
    "results/README.md": "results.md",
}
IN_THE_REPOSITORY = {site: place for place, site in ELSEWHERE.items()}
# Comments in pages of docs/ that are replaced by what they name.
OUTCOME = "<!-- results on real cells -->"
SECTION = re.compile(r"<!-- (\S+\.md): (.+) -->")  # a section of a file
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")  # to a file, relative to the page's own


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are not files of `docs/`."""
    pages = {site: (ROOT / place).read_text("utf-8") for place, site in ELSEWHERE.items()}
    tables, claims = load({}, ROOT / "config"), read_claims(ROOT / "config" / "claims.tsv")
    table = read_real_cells(DOCS)
    pages["figures.md"] = figures_page(tables)
    pages["claims.md"] = claims_page(claims, load_measures(), table)
    pages["findings.md"] = real_cells.findings_page(table, claims, DOCS)
    pages["error-messages.md"] = errors_page()
    for uri, text in pages.items():
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    """Fill in what a page names, and point links between files to their pages on the site."""
    return relinked(filled_in(markdown), page.file.src_uri)


def filled_in(markdown: str) -> str:
    """Return a page with results and with sections of other files in place of their comments."""
    if OUTCOME in markdown:
        figures = load({}, ROOT / "config").figures
        titles = {name: figure.title for name, figure in figures.items()}
        shown = real_cells.outcome(read_real_cells(DOCS), DOCS, titles)
        markdown = markdown.replace(OUTCOME, shown)
    return SECTION.sub(lambda found: section(found[1], found[2]), markdown)


def section(file: str, title: str) -> str:
    """Return a section of a file at the top of the repository, with links as from docs/."""
    text = (ROOT / file).read_text("utf-8")
    (part,) = (p for p in re.split(r"(?m)^(?=## )", text) if p.startswith(f"## {title}\n"))
    return LINK.sub(lambda link: f"](../{link[1]}{link[2] or ''})", part)


def relinked(markdown: str, uri: str) -> str:
    """Return a page's text with links that lead to pages of the site."""
    here = posixpath.dirname(IN_THE_REPOSITORY.get(uri, f"docs/{uri}"))

    def on_the_site(link: re.Match) -> str:
        target = posixpath.normpath(posixpath.join(here, link[1]))
        target = ELSEWHERE.get(target, target.removeprefix("docs/"))
        return f"]({target}{link[2] or ''})"

    return LINK.sub(on_the_site, markdown)


def figures_page(config: Config) -> str:
    """Return a page on how each figure is made: its data, models, tables and panels."""
    parts = [
        "# Figures, and how each is made\n\n"
        "Pictures are those of the last run on [real cells](real-cells.md); figures without one "
        "need studies that it did not have. "
        "`snakemake --cores all results/paper/figures/fig1.pdf` makes one figure and whatever it "
        "needs. Each panel is a file, `results/<run>/figures/<figure>/<panel>.{png,pdf}`, "
        "with the table that it is drawn from, `<panel>.tsv` (`.tsv.gz` above 5,000 rows); "
        "`columns.tsv` describes the columns. Models are entries of `config/models.yaml`, other "
        "methods of `config/baselines.yaml`, studies of `config/studies.yaml`.\n"
    ]
    for name in sorted(config.figures, key=place):
        figure = config.figures[name]
        module = importlib.import_module(f"scripts.figures.{name}")
        facts = {
            "drawn by": [f"scripts/figures/{name}.py"],
            "studies": figure.studies,
            "models and methods": figure.models,
            "further tables": [f"{table}.tsv" for table in figure.tables],
        }
        parts.append(f"\n## {label(name)}. {figure.title} {{ #{name} }}\n\n")
        parts.append(real_cells.picture(DOCS, name, label(name)))
        parts += [f"- {what}: {_code(names)}\n" for what, names in facts.items() if names]
        parts.append("\n| panel | draws |\n|---|---|\n")
        parts += [f"| {p} | {escaped(panel.shows)} |\n" for p, panel in module.PANELS.items()]
    return "".join(parts)


def claims_page(claims: Any, measures: dict[str, Measure], real: pd.DataFrame) -> str:
    """Return a page on what the paper claims, how it is judged, and how it is measured.

    `real` has what was measured on real cells (`real_cells.read_real_cells`).
    """
    parts = [
        "---\nhide: [toc]\n---\n\n# The claims\n\n"
        "Every number and every finding that the paper publishes, the criterion by which ours is "
        "judged, what is measured, and what that was on [real cells](findings.md). "
        "`results/<run>/claims.tsv` has the verdicts of a run:\n\n"
        "| verdict | means |\n|---|---|\n"
        "| reproduced | the criterion is met |\n"
        "| direction only | it is missed, but ours points the published way, further than in any "
        "shuffle |\n"
        "| differs | neither |\n"
        "| not run | what it needs is not part of the run, or only the whole public data could "
        "give the number; the table says which |\n\n"
        "`config/claims.tsv` has the published numbers and tolerances "
        "([its columns](../config/README.md#claimstsv)), and `tables/claim_values.tsv` of a run "
        "compares each number, by seed, with the published one.\n\n"
        f"**Negative control.** A claim about labels is also measured on {SHUFFLES} shuffles. They "
        "destroy what the claim is about and leave everything else: a label among cells that are "
        "alike otherwise, such as the condition within each cell type; for pairs of GMVs the names "
        "of the GMVs or the order of the cells; for weights the genes. No model is trained again. "
        "`control` is the mean and standard deviation over the shuffles and `control_holds` the "
        "number of shuffles in which the criterion holds. A claim whose criterion holds in more "
        f"than {MOST_BY_CHANCE} of them has the caution `{UNINFORMATIVE}`: its verdict says "
        "little. *Beyond the control* means larger than in every shuffle.\n"
    ]
    by_figure = claims["panel"].map(figure_of)
    for name in sorted(filter(None, by_figure.unique()), key=place):
        parts += _claims(label(name), claims[by_figure == name], measures, real)
    parts += _claims("Data, gene sets, training", claims[by_figure == ""], measures, real)
    return "".join(parts)


def _claims(
    title: str, claims: Any, measures: dict[str, Measure], real: pd.DataFrame
) -> Iterator[str]:
    head = ("claim", "published", "on real cells", "criterion", "how it is measured", "shuffles")
    yield f"\n## {title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}\n"
    for row in claims.itertuples():
        measured = " ".join(inspect.getdoc(measures[row.id].function).split())
        about = f"({row.panel}) {row.statement}"
        shuffled = SHUFFLED[measures[row.id].shuffle]
        cells = [*map(escaped, (about, row.published, criterion(row), measured, shuffled))]
        cells.insert(2, real_cells.measured(real, row.id))
        yield f"| **{row.id}** {' | '.join(cells)} |\n"


def _code(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
