"""Raw files are verified: from public sources, mirrors and this machine, pinned on first use."""

import csv
import hashlib
import json
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace

import pytest
from helpers.file_server import DATA, OTHER, make_mirror, row, serving, sha256

from scripts.common.config.figures import File
from scripts.common.config.load import load
from scripts.common.provenance import (
    absence,
    check_own,
    expected_checksum,
    forget_absences,
    measure,
    pin,
    provenance,
    record,
    record_absence,
)
from scripts.download.download import fetch, fetch_if_available
from scripts.download.verify import main as verify_rule
from scripts.download.verify import verify
from vega.errors import InputError

URL = "http://nowhere.invalid/cells.gz"  # a mirror must not need the public source
LINE = f"{sha256(DATA)}  toy/cells.gz\n"


def put(place, data=DATA):
    place.target.parent.mkdir(parents=True, exist_ok=True)
    place.target.write_bytes(data)


def lines_of(lock):
    return list(csv.DictReader(lock.read_text().splitlines(), delimiter="\t"))


def test_a_file_comes_with_its_record(place):
    with serving({"/cells.gz": [(200, {}, DATA)]}) as (base, seen):
        url = f"{base}/cells.gz"
        fetched = place.fetch(row(url, DATA))
        assert place.fetch(row(url, DATA)) == fetched
    assert place.target.read_bytes() == DATA
    assert (fetched.source, fetched.identity, fetched.bytes) == (url, "pinned", len(DATA))
    assert (fetched.sha256, fetched.md5) == (sha256(DATA), hashlib.md5(DATA).hexdigest())
    assert seen["/cells.gz"] == 1, "a file that is right already is not downloaded again"
    written = json.loads((place.raw / "toy" / ".provenance" / "cells.gz.json").read_text())
    assert written["pinned"] == {"bytes": len(DATA), "sha256": sha256(DATA)}
    assert provenance(place.raw / "toy") == [fetched]
    assert not place.lock.exists(), "a file with a published checksum needs no pin"


def test_first_use_pins_and_a_changed_file_is_refused(place):
    with serving({"/cells.gz": [(200, {}, DATA), (200, {}, OTHER)]}) as (base, _):
        asked = row(f"{base}/cells.gz")
        assert place.fetch(asked).identity == "first use"
        (line,) = lines_of(place.lock)
        assert [line[c] for c in ("study", "file", "url")] == ["toy", "cells.gz", asked.url]
        assert [line["bytes"], line["sha256"]] == [str(len(DATA)), sha256(DATA)]
        assert place.fetch(asked).identity == "pinned"
        place.target.unlink()
        assert f"bytes expected {len(DATA)} ({place.lock})" in place.fails(asked)


def test_a_size_alone_does_not_identify_a_file(place):
    with serving({"/cells.gz": [(200, {}, DATA)]}) as (base, _):
        assert "bytes expected 5" in place.fails(row(f"{base}/cells.gz", bytes=5))
        sized = row(f"{base}/cells.gz", bytes=len(DATA))
        assert place.fetch(sized).identity == "first use"
    assert expected_checksum(sized, place.lock).values["sha256"] == sha256(DATA)


def test_the_first_of_two_different_pins_holds(place):
    def pinned_meanwhile(handler):
        found = {"bytes": len(OTHER), "sha256": sha256(OTHER)}
        pin(row("http://a.org/x"), found, place.lock)
        handler.start(body=DATA)

    with serving({"/cells.gz": [pinned_meanwhile]}) as (base, _), pytest.raises(InputError) as e:
        place.fetch(row(f"{base}/cells.gz"))
    assert str(place.lock) in str(e.value)
    assert not place.target.exists()


def test_a_lock_edited_by_hand(place):
    place.lock.write_text(
        f"study\tfile\tbytes\tsha256\turl\tdate\ntoy\told\t5\t{'a' * 64}\thttp://x"
    )
    pin(row("http://a.org/x"), {"bytes": 1, "sha256": sha256(DATA)}, place.lock)
    assert expected_checksum(row(URL), place.lock).values["sha256"] == sha256(DATA)
    old = File(study="toy", file="old", url="http://x")
    assert expected_checksum(old, place.lock).values == {"bytes": 5, "sha256": "a" * 64}
    place.lock.write_text(place.lock.read_text() + "toy\tbroken\n")
    with pytest.raises(InputError, match=r"lock\.tsv: .*line 4: expected a SHA-256"):
        expected_checksum(row(URL), place.lock)


def _pin_one(lock, number):
    found = {"bytes": number + 1, "sha256": f"{number:064x}"}
    pin(File(study="toy", file=f"f{number}", url="http://a.org/f"), found, lock)


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_no_pin_of_several_runs_is_lost(place, pool):
    with pool(4) as workers:
        list(workers.map(partial(_pin_one, place.lock), [*range(40)] * 2))
    lines = lines_of(place.lock)
    assert sorted(line["file"] for line in lines) == sorted(f"f{n}" for n in range(40))
    assert all(int(line["sha256"], 16) == int(line["file"][1:]) for line in lines)


@pytest.mark.parametrize("line", ["{}  toy/cells.gz", "{} *toy/cells.gz", "{}  ./toy/cells.gz"])
@pytest.mark.parametrize(
    ("data", "published", "identity"),
    [(DATA, DATA, "pinned"), (OTHER, DATA, "mirror"), (OTHER, None, "mirror")],
)
def test_a_file_of_a_mirror_is_identified_and_never_pinned(
    place, tmp_path, data, published, identity, line
):
    mirror = make_mirror(tmp_path / "m", data, line.format(sha256(data)) + "\n\n")
    fetched = place.fetch(row(URL, published), mirror)
    assert (fetched.identity, fetched.source) == (identity, f"{mirror}/toy/cells.gz")
    assert place.target.read_bytes() == data
    assert not place.lock.exists()


def test_a_corrupt_mirror_is_refused_even_without_a_published_checksum(place, fault, tmp_path):
    mirror = make_mirror(tmp_path / "m", DATA[:-1] + b"!", LINE)
    for published in (DATA, None):
        with fault("wrong bytes in a mirror"):
            message = place.fails(row(URL, published), mirror)
        assert f"{mirror}/toy/cells.gz: sha256 expected {sha256(DATA)} (SHA256SUMS" in message


def test_a_mirror_without_the_file(place, fault, tmp_path):
    mirror = make_mirror(tmp_path / "m", DATA, LINE)
    (tmp_path / "m" / "toy" / "cells.gz").unlink()
    with fault("file missing in a mirror"):
        message = place.fails(row(URL, DATA), mirror)
    assert "no such file; copy the file into the mirror" in message


@pytest.mark.parametrize(
    ("sums", "words"),
    [
        (None, "SHA256SUMS is missing, and no checksum of toy/cells.gz is published; once the"),
        (f"{sha256(DATA)}  toy/another.gz\n", "SHA256SUMS has no line for toy/cells.gz"),
        ("not a list\n", "SHA256SUMS has no line for toy/cells.gz"),
    ],
)
def test_a_mirror_without_a_checksum_needs_a_published_one(place, tmp_path, sums, words):
    mirror = make_mirror(tmp_path / "m", DATA, sums)
    assert place.fetch(row(URL, DATA), mirror).identity == "pinned"
    place.target.unlink()
    assert words in place.fails(row(URL), mirror)
    assert sha256(DATA) in place.fails(row(URL, DATA[:-1] + b"!"), mirror)


def test_a_mirror_that_does_not_exist(place, tmp_path):
    assert "no such folder" in place.fails(row(URL, DATA), str(tmp_path / "none"))


def test_a_mirror_on_a_server(place):
    sums = f"{sha256(OTHER)}  toy/cells.gz\n".encode()
    answers = {
        "/m/SHA256SUMS": [(503, {}, b""), (200, {}, sums)],
        "/m/toy/cells.gz": [(200, {}, OTHER)],
    }
    with serving(answers) as (base, _):
        fetched = place.fetch(row(URL, DATA), f"{base}/m/")
    assert (fetched.identity, fetched.source) == ("mirror", f"{base}/m/toy/cells.gz")
    assert place.target.read_bytes() == OTHER
    with serving({"/m/toy/cells.gz": [(200, {}, DATA)]}) as (base, _):
        assert place.fetch(row(URL, DATA), f"{base}/m").identity == "pinned"
        assert "SHA256SUMS is missing" in place.fails(row(URL), f"{base}/m")
    assert "could not reach 127.0.0.1" in place.fails(row(URL, DATA), f"{base}/m")


def test_the_real_mirror(mirror, tmp_path):
    """Its cells are subsets of the published files, its gene sets the published files."""
    table = load({"studies": "kang zheng"})
    lock = tmp_path / "lock.tsv"
    for study, file in table.raw_files:
        fetched = fetch(table.file(study, file), tmp_path / study / file, str(mirror), lock)
        assert fetched.identity == ("pinned" if study == "gene_sets" else "mirror"), file
        assert (tmp_path / study / file).read_bytes() == (mirror / study / file).read_bytes()
    assert not lock.exists()
    rows = [table.file(*raw) for raw in table.raw_files]
    assert {check.status for check in verify(tmp_path, rows, lock)} == {"ok"}


def test_a_file_without_a_source_names_remedies_that_work(place, tmp_path):
    asked = row("", note="the portal has it")
    message = place.fails(asked)
    assert "toy/cells.gz: no public source has it (the portal has it)" in message
    assert "`file:<path>` in config/files.tsv" in message
    assert "mirror as toy/cells.gz" in message
    mirror = make_mirror(tmp_path / "m", DATA, LINE)
    assert place.fetch(asked, mirror).source == f"{mirror}/toy/cells.gz"
    here = tmp_path / "my downloads" / "cells.gz"
    here.parent.mkdir()
    here.write_bytes(DATA)
    fetched = place.fetch(row(f"file:{here}"))
    assert (fetched.source, fetched.identity) == (str(here), "first use")
    assert place.fetch(asked).source == str(here), "it is kept"


def test_a_file_of_ones_own_is_never_to_be_removed(place, tmp_path):
    here = tmp_path / "my cells.gz"
    here.write_bytes(DATA)
    asked = row(f"file:{here}", DATA)
    place.fetch(asked)
    check_own(asked, place.target)
    here.write_bytes(OTHER)
    with pytest.raises(InputError, match=r"expected .*; restore it, or .*FILE='.*my cells.gz'$"):
        check_own(asked, place.target)
    put(place, OTHER)
    message = place.fails(asked)
    assert f"take it as it is now: make accept FILE='{here}'" in message
    here.unlink()
    check_own(asked, place.target)  # the copy will do, if it is right
    assert "put it back, or correct its path in config/files.tsv" in place.fails(asked)
    rows = [asked.model_dump(exclude_none=True)]
    params = SimpleNamespace(run=str(place.raw.parent), rows=rows)
    with pytest.raises(InputError, match=r"cells.gz differs; put back its original .*cells.gz fir"):
        verify_rule(SimpleNamespace(params=params))


@pytest.mark.parametrize("url", ["a.org/x", "https://a.org/x file:/x", "https://a.org/x y", " "])
def test_invalid_urls_of_a_row(url):
    with pytest.raises(ValueError, match="String should match"):
        row(url)


def test_an_optional_file_that_is_not_available_is_recorded(place, tmp_path, caplog):
    def get(mirror):
        return fetch_if_available(row(URL, DATA), place.target, mirror, lock=place.lock)

    mirror = tmp_path / "m"
    mirror.mkdir()
    fetched = get(str(mirror))
    assert fetched.identity == "not available" and place.target.read_bytes() == b""
    assert provenance(place.raw / "toy") == [fetched]
    assert fetched.reason.startswith("toy/cells.gz: ") and "no such file" in fetched.reason
    assert fetched.reason in caplog.text and f"--forcerun {place.target}" in caplog.text
    assert absence(place.target) == f"not available ({fetched.reason})"
    (check,) = verify(place.raw, [row(URL, DATA)], place.lock)
    assert (check.status, check.detail) == ("ok", f"not available: {fetched.reason}")

    make_mirror(mirror, DATA, LINE)
    assert get(str(mirror)).identity == "pinned"
    assert place.target.read_bytes() == DATA and absence(place.target) == ""


def test_absences_are_forgotten_after_a_failure(place):
    put(place)
    kept = record(place.target, "here", "simulated")
    other = place.target.with_name("labels.rds")
    record_absence(other, row(URL), "the network is down")
    forget_absences(place.raw / "toy")
    assert not other.exists() and provenance(place.raw / "toy") == [kept]
    assert place.target.read_bytes() == DATA and absence(other) == "no such file"


def status(place, asked):
    (check,) = verify(place.raw, [asked], place.lock)
    return check.status


@pytest.mark.parametrize("identity", [None, "pinned", "mirror", "simulated"])
def test_verify_finds_a_flipped_byte_and_a_missing_file(place, identity):
    published = row(URL, DATA if identity in (None, "pinned") else OTHER)
    put(place)
    if identity:
        record(place.target, "here", identity)
    assert status(place, published) == "ok"
    put(place, DATA[:77] + b"\0" + DATA[78:])
    assert status(place, published) == "differs"
    place.target.unlink()
    assert status(place, published) == "missing"


def test_verify_compares_with_the_current_table_and_the_lock(place):
    put(place)
    assert status(place, row(URL)) == "differs", "no checksum and no record"
    assert status(place, row(URL, OTHER)) == "differs", "only a record allows another file"
    pin(row(URL), measure(place.target), place.lock)
    assert status(place, row(URL)) == "ok"
    record(place.target, "here", "pinned")
    (check,) = verify(place.raw, [row(URL, OTHER)], place.lock)
    assert check.status == "differs" and "files.tsv" in str(check)


@pytest.mark.parametrize("text", ['{"study": "toy", ', "{}", "[]"])
def test_a_broken_record_is_named(place, text):
    put(place)
    record(place.target, "here", "simulated")
    (place.raw / "toy" / ".provenance" / "cells.gz.json").write_text(text)
    with pytest.raises(InputError, match=r"cells\.gz\.json"):
        provenance(place.raw / "toy")
