"""Pages of the site that are written from the project are complete."""

import re

import pandas as pd
import pytest
from conftest import ROOT
from helpers.drawn import module

import vega
import vega.plot
from scripts.claims.claims import load_measures
from scripts.claims.judging import read_claims
from scripts.common.config.load import load
from tools.site.errors import errors_page, messages
from tools.site.pages import ELSEWHERE, claims_page, figures_page, filled_in, relinked, section
from tools.site.real_cells import findings_page, measured, outcome, read_real_cells, verdict_counts

GENERATED = {"figures.md", "claims.md", "findings.md", "error-messages.md"}


@pytest.fixture(scope="module")
def real():
    """Two claims of two runs."""
    return pd.DataFrame(
        [["K06", "GMVs with |log BF| > 3", "16", "20; negative 1", "reproduced", "18", "differs",
          "8 ±0", "0 of 20"],
         ["S12", "R2", ".06", "0.8", "direction only", "", "not run", "", ""]],
        columns=["claim", "statement", "published", "cells_2000", "verdict_2000", "cells_14000",
                 "verdict_14000", "control", "control_holds"],
    ).set_index("claim")  # fmt: skip


@pytest.fixture(scope="module")
def claims():
    return read_claims(ROOT / "config" / "claims.tsv")


def menu():
    text = (ROOT / "mkdocs.yml").read_text()
    nav = text[text.index("\nnav:") : text.index("\nhooks:")]
    return re.findall(r"[\w-]+\.(?:md|ipynb)\b", nav)


def test_every_page_stands_in_the_menu_and_every_entry_has_a_page():
    written = {path.name for path in (ROOT / "docs").iterdir() if path.suffix in (".md", ".ipynb")}
    assert sorted(menu()) == sorted(written | set(ELSEWHERE.values()) | GENERATED)
    assert all((ROOT / place).exists() for place in ELSEWHERE)


def test_every_figure_and_panel_is_described():
    figures = load({}, ROOT / "config").figures
    page = figures_page(load({}, ROOT / "config"))
    sections = page.split("\n## ")[1:]
    assert len(sections) == len(figures)
    assert [part.split(".")[0] for part in sections[:5]] == [
        "Figure 1", "Figure 2", "Figure 3", "Figure 4", "Figure S1",
    ]  # fmt: skip
    for name, figure in figures.items():
        (part,) = (part for part in sections if part.partition(". ")[2].startswith(figure.title))
        assert f"{{ #{name} }}" in part.splitlines()[0]  # to which other pages link
        rows = re.findall(r"(?m)^\| (\w+) \| (.+) \|$", part)[1:]
        assert [panel for panel, _ in rows] == list(module(name).PANELS)
        assert all(len(words) > 10 for _, words in rows)
        assert all(f"`{study}`" in part for study in figure.studies)


def test_every_claim_is_described_as_it_is_measured(claims, real):
    page = claims_page(claims, load_measures(), real)
    assert sorted(re.findall(r"(?m)^\| \*\*(\w+)\*\*", page)) == sorted(claims["id"])
    (k06,) = (line for line in page.splitlines() if line.startswith("| **K06**"))
    assert "GMVs with \\|log BF\\| &gt; 3 and MD &gt; 5" in k06
    assert len(re.findall(r"(?<!\\)\|", k06)) == 7  # six cells
    found = "2,000 cells: 20; negative 1, **✓ reproduced**<br>14,000 cells: 18, **✗ differs**"
    assert f"| {found} |" in k06
    assert "more than in as many cells of all types" in k06


@pytest.mark.parametrize(
    ("text", "page", "expected"),
    [
        ("[a](../docs/provenance.md)", "results.md", "[a](provenance.md)"),
        ("[a](../config/README.md#run)", "start.md", "[a](configuration.md#run)"),
        ("[a](config.yaml)", "kubernetes.md", "[a](profiles/kubernetes/config.yaml)"),
        ("[a](faults.md)", "provenance.md", "[a](faults.md)"),
        ("[a](docs/faults.md)", "changelog.md", "[a](faults.md)"),
        ("[a](https://x.org/b.md) [b](#here)", "faults.md", "[a](https://x.org/b.md) [b](#here)"),
    ],
)
def test_links_lead_to_pages_of_the_site(text, page, expected):
    assert relinked(text, page) == expected


def test_the_reference_has_all_that_the_package_offers():
    named = set(re.findall(r"(?m)^::: (\S+)", (ROOT / "docs" / "api.md").read_text()))
    for name in vega.plot.__all__:
        function = getattr(vega.plot, name)
        assert f"{function.__module__}.{name}" in named, name
    for name, place in vega._PUBLIC.items():
        assert {place, f"{place}.{name}"} & named, name


def test_what_was_measured_on_real_cells_is_counted_and_shown(claims, real, tmp_path):
    assert verdict_counts(real).splitlines() == [
        "| run | ✓ reproduced | ↗ direction only | ✗ differs | – not run |",
        "|---|---|---|---|---|",
        "| 2,000 cells of Kang | 1 | 1 | 0 | 0 |",
        "| 14,000 cells of Kang | 0 | 0 | 1 | 1 |",
    ]
    assert measured(real, "S12") == "2,000 cells: 0.8, **↗ direction only**"
    assert measured(real, "K01") == "–"
    page = findings_page(real, claims, tmp_path)
    assert re.findall(r"(?m)^## (.+)", page)[:2] == ["Figure 1", "Figure S12"]
    (k06,) = (line for line in page.splitlines() if line.startswith("| **K06**"))
    assert k06.endswith("| 18<br>**✗ differs** | 8 ±0 | 0 of 20 |")


def test_the_committed_results_are_of_known_claims_and_verdicts(claims):
    real = read_real_cells(ROOT / "docs")
    assert set(real.index) <= set(claims["id"])
    counts = re.findall(r"(?m)^\| .* of Kang .*", verdict_counts(real))
    for line in counts:
        assert sum(map(int, re.findall(r"\| (\d+) (?=\|)", line))) == len(real)


def test_pages_show_a_figure_where_its_picture_is(claims, real, tmp_path):
    titles = {"sfig12": "Latent dropout", "fig1": "Blood cells"}
    assert "<figure>" not in outcome(real, tmp_path, titles)
    (tmp_path / "img").mkdir()
    for name in ("fig1", "sfig12", "published-and-ours"):
        (tmp_path / "img" / f"{name}.webp").touch()
    home = outcome(real, tmp_path, titles)
    assert re.findall(r'href="figures.html#(\w+)"', home) == ["fig1", "sfig12"]
    assert re.findall(r'src="(img/\S+)"', home) == ["img/fig1.webp", "img/sfig12.webp"]
    assert "(img/published-and-ours.webp)" in home
    assert findings_page(real, claims, tmp_path).count("loading=lazy") == 3


def test_a_page_takes_sections_of_other_files_with_links_that_work():
    part = section("CONTRIBUTING.md", "Where things go")
    assert part.startswith("## Where things go\n") and part.count("\n## ") == 0
    assert "| add a figure | 3 |" in part
    text = filled_in("A\n\n<!-- CONTRIBUTING.md: A new claim -->\n")
    assert "](../config/README.md#claimstsv)" in text


ERRORS = {
    "<path>: line <number>: duplicate set <name>; rename one": "vega/gene_sets.py",
    "mirror <mirror>: no such folder; give MIRROR=<folder or URL>": "scripts/download/download.py",
    # A constant of another file.
    "<file>: empty file; delete it and run again to fetch it again":
        "scripts/preprocess/readers/files.py",
    # What another error quotes.
    "a programme has a gene_set, genes or both": "scripts/common/config/simulations.py",
    "there are no Neoplastic cells": "scripts/claims/darmanis.py",  # so that a claim is not run
}  # fmt: skip


def test_the_page_of_errors_has_all_messages_by_phase():
    listed = messages()
    for text, file in ERRORS.items():
        assert [each.file for each in listed if each.text == text] == [file]
    # Two of its parts are chosen by one condition: branches are not mixed.
    (network,) = (each.text for each in listed if each.text.startswith("could not reach"))
    assert "make paper MIRROR=" in network
    page = errors_page()
    assert re.findall(r"(?m)^## (.+)", page)[:3] == [
        "The configuration, at the start of a run", "Download", "Simulate",
    ]  # fmt: skip
    assert page.count("<code>&#") + page.count("| <code>") >= len(listed) > 200
    assert "&lt;path&gt;: line &lt;number&gt;: duplicate set" in page
