"""Files of a figshare article come as its listing says, or not at all."""

import hashlib
import json

import pytest
from file_server import DATA, HTML, OTHER, drip, row, serving

from scripts.common.config.load import load
from scripts.common.provenance import known, measure
from scripts.download import figshare
from scripts.download.transfer import ATTEMPTS

DOI = "doi:10.6084/m9.figshare.7/cells.gz"
FIRST, SECOND = "/files/3", "/v2/file/download/3"
NOTHING = "/ndownloader/files/3"  # as figshare lists it; answers 202 and nothing


def entry(base, name="cells.gz", data=DATA, **changes):
    """One file as figshare lists it."""
    md5 = hashlib.md5(data).hexdigest()
    listed = {"id": 3, "name": name, "size": len(data), "is_link_only": False}
    return listed | {"download_url": f"{base}{NOTHING}", "computed_md5": md5} | changes


@pytest.fixture
def site(monkeypatch):
    """Answers of a server that stands for figshare; `listed` gives a page of its listing."""
    answers = {FIRST: [(200, {}, DATA)], NOTHING: [(202, {}, b"")]}
    with serving(answers) as (base, seen):
        monkeypatch.setattr(figshare, "API", f"{base}/v2")
        monkeypatch.setattr(figshare, "DOWNLOADS", base)

        class Site:
            url, asked = base, seen

            def listed(self, *entries, page=1, body=None):
                body = json.dumps(entries).encode() if body is None else body
                self.listing((200, {}, body), page=page)

            def listing(self, *listing, page=1):
                path = f"/v2/articles/7/files?page={page}&page_size={figshare.PAGE}"
                self.answers(path, *listing)

            def answers(self, path, *given):
                answers[path] = given

        yield Site()


def test_the_listing_says_where_a_file_is_and_what_it_must_be(place, site):
    site.listed(entry(site.url, "other.zip", OTHER), entry(site.url))
    got = place.fetch(row(DOI))
    assert place.target.read_bytes() == DATA
    assert (got.identity, got.source) == ("first use", f"{site.url}{FIRST}")
    assert not site.asked[NOTHING]
    assert known(row(DOI), place.lock).values["sha256"] == measure(place.target)["sha256"]
    # From then on it is pinned here, whatever the listing says.
    site.listed(entry(site.url, data=OTHER))
    place.target.unlink()
    assert place.fetch(row(DOI)).identity == "pinned"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": OTHER}, "bytes expected 7000 (figshare's listing), found more"),
        ({"computed_md5": "0" * 32}, "md5 expected 00000000000000000000000000000000"),
        ({"name": "cells.zip"}, "article 7 has no file cells.gz (it has cells.zip)"),
        ({"size": "many"}, "not a listing of files"),
    ],
)
def test_another_file_than_listed_is_refused(place, site, fault, changes, words):
    site.listed(entry(site.url, **changes))
    with fault("listing of another file"):
        assert words in place.fails(row(DOI))
    assert not place.lock.exists()


@pytest.mark.parametrize("body", [HTML, b"", b'{"message": "no"}', b"[1]"])
def test_an_answer_that_is_no_listing(place, site, fault, body):
    site.listed(body=body)
    with fault("HTML or nothing instead of a listing"):
        assert "not a listing of files" in place.fails(row(DOI))


def test_a_listing_that_drips(place, site, fault, monkeypatch):
    monkeypatch.setattr("scripts.download.transfer.WINDOW", 0.1)
    site.listing(drip(b"200 OK\r\nContent-Length: 9000\r\n\r\n"))
    with fault("drip of a listing"):
        assert "bytes came in 0.1 s" in place.fails(row(DOI))
    assert len(place.pauses) == ATTEMPTS - 1


def test_all_pages_of_a_listing_are_read(site, monkeypatch):
    monkeypatch.setattr(figshare, "PAGE", 2)
    names = ["a", "b", "c", "d"]
    for page in (1, 2, 3):
        here = names[2 * page - 2 : 2 * page]
        site.listed(*(entry(site.url, name) for name in here), page=page)
    assert list(figshare.listing("7")) == names


def test_an_article_that_is_not_there_and_a_busy_server(place, site, fault):
    note = "take it from elsewhere"
    with fault("answer 404"):
        message = place.fails(row(DOI).model_copy(update={"note": note}))
    assert note in message
    assert "answers 404" in message
    for status in (202, 503):
        site.listing((status, {}, b""))
        with fault(f"answer {status}"):
            assert f"answers {status}" in place.fails(row(DOI))
        assert len(place.pauses) == ATTEMPTS - 1


def test_an_address_that_gives_nothing_and_the_second(place, site, fault):
    site.listed(entry(site.url))
    site.answers(FIRST, (202, {}, b""))
    site.answers(SECOND, (200, {}, DATA))
    with fault("answer 202 at the first address"):
        assert place.fetch(row(DOI)).source == f"{site.url}{SECOND}"
    assert site.asked[FIRST] == ATTEMPTS
    assert place.target.read_bytes() == DATA


def test_files_whose_id_is_known_have_both_addresses():
    rows = [row.urls for row in load({}).files if "figshare.com" in row.url]
    assert rows
    for first, second in rows:
        number = first.rsplit("/", 1)[1]
        assert [first, second] == figshare.addresses(int(number))


def test_other_sources_are_not_asked_for_a_listing(site):
    assert figshare.find("https://x/cells.gz") is None
    assert figshare.find("doi:10.5281/zenodo.7/cells.gz") is None
    assert not site.asked
