"""Files of a figshare article: their addresses and checksums are those of its listing."""

import hashlib
import json

import pytest
from helpers.file_server import DATA, HTML, OTHER, row, serving

from scripts.common.config.load import load
from scripts.common.provenance import expected_checksum, measure
from scripts.download import figshare
from scripts.download.transfer import ATTEMPTS

DOI = "doi:10.6084/m9.figshare.7/cells.gz"
FIRST, SECOND = "/files/3", "/v2/file/download/3"
UNUSED = "/ndownloader/files/3"  # as figshare lists it; answers 202 and nothing


@pytest.fixture
def site(monkeypatch):
    """A server in place of figshare; `listed(...)` sets the listing of article 7."""
    given = {FIRST: [(200, {}, DATA)], SECOND: [(200, {}, DATA)], UNUSED: [(202, {}, b"")]}
    with serving(given) as (base, seen):
        monkeypatch.setattr(figshare, "API", f"{base}/v2")
        monkeypatch.setattr(figshare, "DOWNLOADS", base)

        class Site:
            url, asked, answers = base, seen, given

            def listed(self, name="cells.gz", data=DATA, **changes):
                md5 = hashlib.md5(data).hexdigest()
                entry = {"id": 3, "name": name, "size": len(data), "computed_md5": md5}
                other = entry | {"id": 4, "name": "other.zip"}
                entry |= {"download_url": f"{base}{UNUSED}"} | changes
                self.listing((200, {}, json.dumps([other, entry]).encode()))

            def listing(self, answer):
                given[f"/v2/articles/7/files?page_size={figshare.PAGE_SIZE}"] = [answer]

        yield Site()


def test_the_listing_gives_address_and_checksum(place, site):
    site.listed()
    fetched = place.fetch(row(DOI))
    assert place.target.read_bytes() == DATA
    assert (fetched.identity, fetched.source) == ("first use", f"{site.url}{FIRST}")
    assert not site.asked[UNUSED]
    sha256 = measure(place.target)["sha256"]
    assert expected_checksum(row(DOI), place.lock).values["sha256"] == sha256
    # From then on the lock counts, whatever the listing says.
    site.listed(data=OTHER)
    place.target.unlink()
    assert place.fetch(row(DOI)).identity == "pinned"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": OTHER}, f"bytes expected {len(OTHER)} (figshare's listing), found {len(DATA)}"),
        ({"computed_md5": "0" * 32}, "md5 expected 00000000000000000000000000000000"),
        ({"name": "cells.zip"}, "article 7 has no file cells.gz (it has cells.zip, other.zip)"),
        ({"size": "many"}, "not a listing of files"),
    ],
)
def test_another_file_than_listed_is_refused(place, site, fault, changes, words):
    site.listed(**changes)
    with fault("listing of another file"):
        assert words in place.fails(row(DOI))
    assert not place.lock.exists()


@pytest.mark.parametrize("body", [HTML, b"", b'{"message": "no"}', b"[1]"])
def test_an_answer_that_is_not_a_listing(place, site, fault, body):
    site.listing((200, {}, body))
    with fault("HTML or nothing instead of a listing"):
        assert "not a listing of files" in place.fails(row(DOI))


@pytest.mark.parametrize(("status", "attempts"), [(404, 1), (202, ATTEMPTS), (503, ATTEMPTS)])
def test_a_missing_article_and_a_busy_server(place, site, fault, status, attempts):
    site.listing((status, {}, b""))
    asked = row(DOI, note="take it from elsewhere")
    with fault(f"answer {status}"):
        message = place.fails(asked)
    assert f"answers {status}" in message and message.endswith("(take it from elsewhere)")
    assert len(place.pauses) == attempts - 1


def test_the_second_address_if_the_first_gives_nothing(place, site, fault):
    site.listed()
    site.answers[FIRST] = [(202, {}, b"")]
    with fault("answer 202 at the first address"):
        assert place.fetch(row(DOI)).source == f"{site.url}{SECOND}"
    assert place.target.read_bytes() == DATA


def test_rows_with_a_file_id_have_both_addresses():
    rows = [row.urls for row in load({}).files if "figshare.com" in row.url]
    assert rows
    for first, second in rows:
        assert [first, second] == figshare.addresses(int(first.rsplit("/", 1)[1]))


def test_other_sources_are_not_looked_up(site):
    for source in ("https://x/cells.gz", "doi:10.5281/zenodo.7/cells.gz"):
        assert figshare.find(source) == ([source], {})
    assert not site.asked
