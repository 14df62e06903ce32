"""The report: one page that needs no other file, and says what the tables say."""

import base64
import html.parser
import io
import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from conftest import ROOT
from helpers.report_of_a_run import TEMPLATES, VERDICTS, claims_in_turn, write_report
from PIL import Image

from scripts.common.config.load import load
from scripts.report.facts import duration, run_facts, steps_of, trainings
from scripts.report.report_page import WIDTH, breakable, embedded, figure_of, label, place
from scripts.report.texts import caption, document
from scripts.report.upstream_jobs import Job
from vega.description import write_description


class Elements(html.parser.HTMLParser):
    """The elements of a page with their attributes, and the text between them."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def all(self, name):
        return [attributes[name] for _, attributes in self.found if name in attributes]


def report(*arguments, **settings):
    return write_report(*arguments, **settings).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def page(run):
    return (run / "report.html").read_text(encoding="utf-8")


def test_every_claim_stands_on_the_page_with_its_verdict(page):
    claims = claims_in_turn()
    rows = dict(re.findall(r'<tr id="(\w+)" data-verdict="([\w ]+)">', page))
    assert rows == dict(zip(claims["id"], claims["verdict"], strict=True))
    for verdict, count in claims["verdict"].value_counts().items():
        sign = dict(zip(VERDICTS, "✓↗✗–", strict=True))[verdict]
        assert f"<b>{count}</b><span" in page
        assert f"{sign} {verdict}</span>" in page
    cautions = re.findall(r"✓ reproduced</span> <span class=.caution.>⚠ uninformative", page)
    assert len(cautions) > (claims["caution"] != "").sum()  # in two tables, or three
    of_figures = claims["panel"].map(figure_of) != ""
    assert page.count("criterion holds in 0 of 20") == len(claims) + of_figures.sum()


def test_a_claim_is_next_to_its_control_and_its_noise(tmp_path):
    value = "mean overlap 0.757; by chance 0.0741; seed alone 0.81"
    text = report(tmp_path, claims_in_turn(reproduced=value))
    (row,) = re.findall(r'<tr id="I02".*?</tr>', text, re.DOTALL)
    here, control = re.findall(r'<td class="number[^>]*>(.*?)</td>', row, re.DOTALL)[1:]
    assert here.startswith("mean overlap 0.757<small>")
    assert re.findall(r"<small>([^<]+)", control) == [
        "criterion holds in 0 of 20", "random choices: 0.0741", "two seeds of one model: 0.81",
    ]  # fmt: skip
    assert control.startswith("AUC 0.5 ±0.02")


def test_the_source_data_of_each_panel_is_one_click_away(page):
    (links,) = re.findall(r'Source data of the panels of Figure 1">(.*?)</ul>', page, re.DOTALL)
    assert re.findall(r'href="([^"]+)">([^<]+)', links) == [
        ("figures/fig1/a.tsv", "panel a"), ("figures/fig1/b.tsv.gz", "panel b"),
        ("figures/fig1/columns.tsv", "meaning of the columns"),
    ]  # fmt: skip


def test_simulated_data_reproduce_nothing(tmp_path, page):
    text = report(tmp_path, data="simulated")
    assert "holds on simulated data</span>" in text
    assert "does not hold on simulated data</span>" in text
    body = text.split("<body")[1].split('id="errata"')[0]
    without_captions = re.sub(r"<figcaption>.*?</figcaption>", "", body, flags=re.DOTALL)
    assert "reproduced" not in " ".join(Elements(without_captions).text)
    assert 'data-verdict="reproduced"' in text  # as in claims.tsv
    assert "on simulated data" not in page


def test_each_figure_stands_before_its_own_claims(page):
    sections = page.split("<section ")[1:]
    first = next(part for part in sections if 'id="fig1"' in part)
    assert set(re.findall(r'<a href="#(\w+)">', first)) == {f"K0{n}" for n in range(1, 9)}
    assert "<b>(a)</b>" in first or "<strong>(a)</strong>" in first
    beyond = next(part for part in sections if 'id="recovery"' in part)
    assert "<table>" not in beyond


def forest(text):
    """Rows of the forest plot: claim, name, its drawing, published and our number."""
    (table,) = re.findall(r'<table class="forest">.*?</table>', text, re.DOTALL)
    row = r'<th scope="row">([^<]+)</th>\s*<td>(.*?)</td>\s*<td[^>]*>([^<]+)</td><td[^>]*>([^<]+)<'
    return [
        (claim, *found)
        for part in table.split("<tbody")[1:]
        for claim in re.findall(r'href="#(\w+)"', part)
        for found in re.findall(row, part, re.DOTALL)
    ]


def test_published_numbers_and_ours_stand_in_one_plot(tmp_path, page):
    rows = forest(page)
    expected = [
        (row.id, name)
        for row in sorted(claims_in_turn().itertuples(), key=lambda row: not figure_of(row.panel))
        for name in row.numbers.values
    ]
    assert [row[:2] for row in rows] == expected
    for _, _, drawn, published, here in rows:  # one seed, and just as published
        assert float(here) == pytest.approx(float(published), rel=0.005)
        assert 'class="dot" cx="0.0"' in drawn
        band = "M80.0 2H100.0v" if published.startswith("-") else "M-100.0 2H-80.0v"
        assert f'class="control" d="{band}' in drawn
        assert "whisker" not in drawn
    # Three seeds: as published, 100 % and 200 % above, so that the mean is at the edge of the plot.
    for _, _, drawn, published, here in forest(report(tmp_path, seeds=[1, 2, 3])):
        mean, sd = map(float, here.split(" ± "))
        number = float(published)
        assert mean == pytest.approx(number + abs(number), rel=0.005, abs=1e-9)
        assert sd == pytest.approx(abs(number), rel=0.005)
        assert 'class="whisker" d="M0.0 7H100.0"' in drawn
        assert 'class="dot" cx="100.0"' in drawn


def test_numbers_beyond_the_plot_are_arrows(tmp_path):
    five = report(tmp_path, seeds=[1, 2, 3, 4, 5])  # twice the published number more
    for _, _, drawn, _, _ in forest(five):
        assert '<path class="dot" d="M100 3l7 4l-7 4z"/>' in drawn
        assert "circle" not in drawn


def test_of_other_studies_nothing_is_said_of_the_paper(tmp_path, page):
    text = report(tmp_path, of_paper=False)
    assert "Studies that are not the paper’s" in text
    assert "Studies that are not the paper’s" not in page
    ids = set(Elements(text).all("id"))
    assert not {"claims", "forest", "errata", "shows", "K01"} & ids
    assert {"figures", "summary-kang", "run"} <= ids
    links = {href[1:] for href in Elements(text).all("href") if href.startswith("#")}
    assert links <= ids


def test_it_asks_for_nothing_beside_it(page):
    elements = Elements(page)
    for source in elements.all("src"):
        assert source.startswith("data:image/webp;base64,")
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", page)
    assert [a.get("href") for tag, a in elements.found if tag == "link"] == ["data:,"]


def test_its_links_lead_somewhere(run, page):
    elements = Elements(page)
    ids = Counter(elements.all("id"))
    assert max(ids.values()) == 1
    for href in elements.all("href"):
        if href.startswith("#"):
            assert unquote(href[1:]) in ids
        elif not href.startswith("data:"):
            assert (run / unquote(href)).exists(), href
            assert not href.startswith("/")
            assert "://" not in href


def test_pictures_have_words_and_sizes(page):
    images = [attributes for tag, attributes in Elements(page).found if tag == "img"]
    assert len(images) == 19
    for image in images:
        assert image["alt"].startswith(("Figure ", "Beyond the paper", "Summary page"))
        assert (image["width"], image["height"]) == ("400", "300")


def test_what_tables_say_is_text(tmp_path, page):
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}'
    claims = claims_in_turn(reproduced=evil, spread=evil, note=evil)
    found = Elements(report(tmp_path, claims.assign(statement=evil, published=evil)))
    tags, expected = (Counter(tag for tag, _ in e.found) for e in (found, Elements(page)))
    assert (tags["script"], tags["img"]) == (expected["script"], expected["img"])
    assert not found.all("onerror")
    assert "{{ 7 * 7 }}" in "".join(found.text)


@pytest.mark.parametrize(
    ("data", "said"),
    [("simulated", "SIMULATED DATA"), ("simulated_authors", "SIMULATED DATA"),
     ("authors", "the authors’ processed data")],
)  # fmt: skip
def test_it_says_what_the_data_are(tmp_path, page, data, said):
    text = " ".join(report(tmp_path, data=data, seeds=[1, 2, 3]).split())
    for words in (said, "seeds 1, 2, 3", "means over seeds"):
        assert words in text
        assert words not in page
    assert "SIMULATED" not in page


def test_what_is_missing_is_said_once(page):
    assert " ".join(page.split()).count("Figure 2 (darmanis).") == 1


def test_a_large_picture_is_shown_smaller_and_a_small_one_as_it_is(tmp_path):
    ramp = np.tile(np.linspace(0, 255, 3000).astype(np.uint8), (500, 1))
    Image.fromarray(ramp).save(tmp_path / "large.png")
    Image.new("RGBA", (40, 30), (10, 200, 30, 255)).save(tmp_path / "small.png")
    large, small = embedded(tmp_path / "large.png"), embedded(tmp_path / "small.png")
    assert (large.width, large.height) == (WIDTH, 300)
    assert (small.width, small.height) == (40, 30)

    def decoded(picture):
        data = base64.b64decode(picture.data.split(",", 1)[1])
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)

    expected = np.linspace(0, 255, WIDTH)
    assert np.abs(decoded(large)[100, :, 0] - expected).max() < 6
    assert np.abs(decoded(small) - [10, 200, 30]).max() < 12


@pytest.mark.parametrize("data", ["public", "simulated", "simulated_authors"])
@pytest.mark.parametrize("name", load({}, ROOT / "config").figures)
def test_captions_become_html_without_a_fault(name, data):
    settings = load({"data": data}, ROOT / "config").settings.model_dump()
    text = caption(TEMPLATES / "figure.rst", settings, figure=name)
    assert "system-message" not in text
    assert "problematic" not in text
    assert "<strong>" in text
    assert "{{" not in text
    assert ("cells are simulated" in text) == (data != "public")


def test_a_caption_brings_no_markup_and_no_file(tmp_path):
    path = tmp_path / "a.rst"
    path.write_text(
        "A *text* <script>x</script>\n\n.. raw:: html\n\n   <script>y</script>\n\n"
        ".. include:: /etc/passwd\n"
    )
    text = caption(path, {})
    assert "<em>text</em> &lt;script&gt;x" in text
    assert "<script>" not in text
    assert "root:" not in text


def test_a_document_keeps_its_tables_and_loses_its_title(tmp_path):
    path = tmp_path / "a.md"
    path.write_text("# Title\n\nText <b>b</b>\n\n## Part\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    text = document(path)
    assert "Title" not in text
    assert "&lt;b&gt;" in text
    assert "<h3>Part</h3>" in text
    assert "<td>1</td>" in text


def test_figures_are_named_and_ordered_as_in_the_paper():
    panels = {"1e": "fig1", "S12": "sfig12", "S1b": "sfig1", "data": "", "gene sets": ""}
    assert {panel: figure_of(panel) for panel in panels} == panels
    labels = {
        "fig1": "Figure 1", "fig4": "Figure 4", "sfig2": "Figure S2", "sfig10": "Figure S10",
        "recovery": "Beyond the paper", "summary/kang": "Summary page",
    }  # fmt: skip
    assert {name: label(name) for name in labels} == labels
    mixed = ["recovery", "sfig10", "sfig2", "fig4", "summary/kang", "fig1"]
    assert sorted(mixed, key=place) == list(labels)


def test_long_lists_may_be_broken_and_stay_text():
    assert str(breakable("1304/1192")) == "1304/<wbr>1192"
    assert str(breakable("<b>/&")) == "&lt;b&gt;/<wbr>&amp;"


def test_every_table_of_the_errata_is_one(page):
    """A line that a table has lost stands as text with bars."""
    errata = page.split('id="errata"')[1].split('id="run"')[0]
    assert errata.count("<table>") >= 2
    assert "<p>|" not in errata


def test_times_are_those_of_the_jobs():
    times = [("a", 10, 15), ("b", 0, 100), ("a", 15, 25)]
    jobs = [Job(rule, "", [], start, end) for rule, start, end in times]
    assert [(s.rule, s.jobs, s.seconds) for s in steps_of(jobs)] == [("b", 1, 100), ("a", 2, 15)]
    assert run_facts(jobs)["first and last job (UTC)"] == "1970-01-01 00:00 to 1970-01-01 00:01"
    assert "first and last job (UTC)" not in run_facts([])
    words = {7.4: "7 s", 75: "1 min 15 s", 59.7: "1 min 0 s", 4000: "1 h 6 min"}
    assert {seconds: duration(seconds) for seconds in words} == words


def test_trainings_are_summed_by_entry(tmp_path):
    paths = []
    for number, (epochs, device) in enumerate([(90, "cpu"), (120, "cuda"), (100, "cpu")]):
        path = tmp_path / f"{number}.json"
        told = {"n_cells": 100 + number, "seconds": 2.5, "device": device, "precision": "float32"}
        write_description(path, {"training": told, "losses": {"epochs": epochs}})
        paths.append(path)
    family, alone = trainings({"family": paths, "alone": [Path(paths[0])]})
    assert (family.models, family.cells, family.epochs) == (3, 102, "90 to 120")
    assert (family.seconds, family.device) == (7.5, "cpu, cuda")
    assert alone.epochs == "90"
