"""Pages of the site that are written from the project are complete."""

import re

import pytest
from conftest import ROOT
from helpers.drawn import module

import vega
import vega.plot
from scripts.claims.claims import load_measures
from scripts.claims.judging import read_claims
from scripts.common.config.load import load
from tools.site.pages import ELSEWHERE, claims_page, figures_page, relinked


@pytest.fixture(scope="module")
def claims():
    return read_claims(ROOT / "config" / "claims.tsv")


def menu():
    text = (ROOT / "mkdocs.yml").read_text()
    nav = text[text.index("\nnav:") : text.index("\nhooks:")]
    return re.findall(r"[\w-]+\.(?:md|ipynb)\b", nav)


def test_every_page_stands_in_the_menu_and_every_entry_has_a_page():
    written = {path.name for path in (ROOT / "docs").iterdir() if path.suffix in (".md", ".ipynb")}
    assert sorted(menu()) == sorted(written | set(ELSEWHERE.values()) | {"figures.md", "claims.md"})
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
        (section,) = (part for part in sections if part.partition(". ")[2].startswith(figure.title))
        rows = re.findall(r"(?m)^\| (\w+) \| (.+) \|$", section)[1:]
        assert [panel for panel, _ in rows] == list(module(name).PANELS)
        assert all(len(words) > 10 for _, words in rows)
        assert all(f"`{study}`" in section for study in figure.studies)


def test_every_claim_is_described_as_it_is_measured(claims):
    page = claims_page(claims, load_measures())
    assert sorted(re.findall(r"(?m)^\| \*\*(\w+)\*\*", page)) == sorted(claims["id"])
    (k06,) = (line for line in page.splitlines() if line.startswith("| **K06**"))
    assert "GMVs with \\|log BF\\| &gt; 3 and MD &gt; 5" in k06
    assert len(re.findall(r"(?<!\\)\|", k06)) == 6  # five cells
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
