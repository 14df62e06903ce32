"""The documentation agrees with the code."""

import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import networkx as nx
import pytest
import yaml
from conftest import ROOT

from scripts.common.config.load import load

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/*.md")),
    ROOT / "results" / "README.md",
]
SOURCES = [ROOT / "Snakefile", *ROOT.glob("scripts/**/*.py"), *ROOT.glob("tools/**/*.py")]
WRITTEN_FOR_THE_SITE = {
    "figures.md",
    "claims.md",
    "findings.md",
    "error-messages.md",
}  # tools/site/pages.py


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith(("http", "../../actions")) and target not in WRITTEN_FOR_THE_SITE:
            assert (page.parent / target).exists(), target


def test_make_targets_and_variables_that_pages_and_messages_name_exist():
    makefile, call = (ROOT / "Makefile").read_text(), r"make ([a-z-]+)((?: [A-Z]+=\S+)*)"
    targets = set(re.findall(r"(?m)^([a-z-]+):", makefile))
    variables = set(re.findall(r"(?m)^([A-Z_]+) \?=", makefile))
    pages, sources = ("\n".join(p.read_text() for p in paths) for paths in (PAGES, SOURCES))
    messages = re.findall(rf"\b{call}", sources)  # and phrases such as "make room"
    messages = [(target, rest) for target, rest in messages if rest or target in targets]
    assert len(messages) > 8
    named = re.findall(rf"(?m)(?:^|`){call}", pages) + messages
    assert {target for target, _ in named} <= targets
    assert {v for _, rest in named for v in re.findall(r"([A-Z]+)=", rest)} <= variables


def edges_of(dot: str) -> set[tuple[str, str]]:
    labels = dict(re.findall(r'^\s*(\d+)\[label = "([^"]+)"', dot, re.MULTILINE))
    edges = re.findall(r"^\s*(\d+) -> (\d+)", dot, re.MULTILINE)
    # A rule that needs another study of its own kind would point at itself.
    graph = nx.DiGraph((labels[a], labels[b]) for a, b in edges if a != b)
    return set(nx.transitive_reduction(graph).edges)


def test_the_picture_of_the_rules_is_that_of_today():
    """Run `make rulegraph` if it is not."""
    # Of the paper's studies; a working copy may have others.
    studies = " ".join(load({"data": "simulated"}, ROOT / "config").selected_studies)
    snakemake = Path(sys.executable).with_name("snakemake")
    command = [snakemake, "--rulegraph", "--quiet", "all", "--config", f"studies={studies}"]
    now = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    groups = ET.parse(ROOT / "docs" / "rulegraph.svg").iter("{http://www.w3.org/2000/svg}g")
    labels, drawn = {}, []
    for group in groups:
        title = group.find("{http://www.w3.org/2000/svg}title")
        if group.get("class") == "node":
            labels[title.text] = group.find("{http://www.w3.org/2000/svg}text").text
        elif group.get("class") == "edge":
            drawn.append(title.text.split("->"))
    edges = {(labels[a], labels[b]) for a, b in drawn if a != b}
    assert edges == edges_of(now)


def test_environment_files_and_citation_tell_one_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == version
    released = f"## {version} ({citation['date-released']})"
    assert released in (ROOT / "CHANGELOG.md").read_text().splitlines()
    assert citation["preferred-citation"]["doi"] == "10.1038/s41467-021-26017-0"


def test_every_rule_has_a_script_of_its_name_with_its_code_and_every_script_a_rule():
    text = "".join(p.read_text() for p in sorted((ROOT / "rules").glob("*.smk")))
    used = set(re.findall(r'"\.\./scripts/([\w/]+\.py)"', text))
    scripts = {
        str(path.relative_to(ROOT / "scripts"))
        for path in (ROOT / "scripts").rglob("*.py")
        if "run(main, snakemake)" in path.read_text()
    }
    assert used == scripts
    for script in used - {"download/verify.py"}:  # which runs each time
        assert f'code_of("{script}"' in text, script
    for rule, script in re.findall(r"(?ms)^ *rule (\w+):.*?scripts/\w+/(\w+)\.py", text):
        assert rule == script
