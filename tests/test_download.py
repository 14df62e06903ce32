"""Raw files come verified or not at all, from a server or a mirror."""

import csv
import errno
import ftplib
import hashlib
import json
import signal
import socket
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pooch
import pytest
from file_server import DATA, OTHER, make_mirror, row, serving, sha256

from scripts.common.config import load as paper_config
from scripts.common.config.figures import File
from scripts.common.provenance import (
    absence,
    forget_absences,
    known,
    measure,
    pin,
    provenance,
    record,
    record_absence,
    verify,
)
from scripts.download.download import fetch, fetch_if_available
from scripts.download.transfer import ATTEMPTS, LEAST, Failure, _downloader, meaning, watched
from vega.errors import InputError

# ---------------------------------------------------------------- public sources


def test_a_good_file_arrives_with_its_record(place):
    with serving({"/cells.gz": [(200, {}, DATA)]}) as (base, seen):
        url = f"{base}/cells.gz"
        got = place.fetch(row(url, DATA))
        again = place.fetch(row(url, DATA))
    assert place.target.read_bytes() == DATA
    assert (got.source, got.identity, got.bytes) == (url, "pinned", len(DATA))
    assert (got.sha256, got.md5) == (sha256(DATA), hashlib.md5(DATA).hexdigest())
    assert again == got
    assert seen["/cells.gz"] == 1, "a file that is right already is not fetched again"
    written = json.loads((place.raw / "toy" / ".provenance" / "cells.gz.json").read_text())
    assert written["sha256"] == sha256(DATA)
    assert written["pinned"] == {"bytes": len(DATA), "sha256": sha256(DATA)}
    assert provenance(place.raw / "toy") == [got]
    assert not place.lock.exists(), "a file with a published checksum needs no pin"


@pytest.mark.parametrize(
    ("error", "kind", "attempts"),
    [
        (ftplib.error_perm("550 No such file"), "absent", 1),
        (ftplib.error_perm("530 Login incorrect"), "", 1),
        (ftplib.error_temp("421 Too many users"), "", ATTEMPTS),
        (EOFError(), "", ATTEMPTS),
        (ConnectionResetError(), "", ATTEMPTS),
        (socket.gaierror(-2, "Name or service not known"), "unreachable", ATTEMPTS),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "unreachable", ATTEMPTS),
        (ValueError("file f.zip not found in archive"), "", 1),
    ],
)
def test_what_errors_of_ftp_and_doi_mean(error, kind, attempts):
    failure = meaning(error)
    assert (failure.kind, failure.attempts) == (kind, attempts)
    assert failure.reason


def test_each_kind_of_url_has_its_downloader():
    kinds = {
        "https://a.org/f": pooch.HTTPDownloader,
        "ftp://a.org/f": pooch.FTPDownloader,
        "doi:10.6084/m9.figshare.10298696/f.zip": pooch.DOIDownloader,
    }
    for url, kind in kinds.items():
        downloader = _downloader(url)
        assert type(downloader) is kind
        timeout = getattr(downloader, "timeout", None) or downloader.kwargs["timeout"]
        assert timeout, "never waits for ever"


def test_a_file_that_grows_is_waited_for(tmp_path):
    path, before = tmp_path / "part", signal.getsignal(signal.SIGALRM)
    with watched(path):
        for size in (LEAST, 2 * LEAST):
            path.write_bytes(bytes(size))
            signal.raise_signal(signal.SIGALRM)  # as at the end of each window
        path.write_bytes(bytes(3 * LEAST - 1))
        with pytest.raises(Failure, match="less than"):
            signal.raise_signal(signal.SIGALRM)
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


# ---------------------------------------------------------------- pinned on first use


def test_first_use_pins_and_a_changed_file_is_refused(place):
    with serving({"/cells.gz": [(200, {}, DATA), (200, {}, OTHER)]}) as (base, _):
        url = row(f"{base}/cells.gz")
        assert place.fetch(url).identity == "first use"
        with place.lock.open(newline="") as handle:
            (line,) = csv.DictReader(handle, delimiter="\t")
        assert line["sha256"] == sha256(DATA)
        assert (line["study"], line["file"], line["url"]) == ("toy", "cells.gz", url.url)
        assert int(line["bytes"]) == len(DATA)
        assert place.fetch(url).identity == "pinned"
        place.target.unlink()
        message = place.fails(url)
    assert sha256(DATA) in message or f"bytes expected {len(DATA)}" in message
    assert str(place.lock) in message


def test_a_size_alone_does_not_identify_a_file(place):
    with serving({"/cells.gz": [(200, {}, DATA)]}) as (base, _):
        assert "bytes expected 5" in place.fails(row(f"{base}/cells.gz", bytes=5))
        sized = row(f"{base}/cells.gz", bytes=len(DATA))
        assert place.fetch(sized).identity == "first use"
    assert known(sized, place.lock).values["sha256"] == sha256(DATA)


def test_the_first_of_two_different_pins_holds(place):
    other = place.target.with_name("other")
    other.parent.mkdir(parents=True)
    other.write_bytes(OTHER)

    def pinned_meanwhile(handler):
        pin(row("http://a.org/x"), measure(other), place.lock)
        handler.start(body=DATA)

    with (
        serving({"/cells.gz": [pinned_meanwhile]}) as (base, _),
        pytest.raises(InputError) as caught,
    ):
        place.fetch(row(f"{base}/cells.gz"))
    assert str(place.lock) in str(caught.value)
    assert not place.target.exists()


def test_a_lock_edited_by_hand(place):
    data = place.raw / "x"
    data.parent.mkdir()
    data.write_bytes(DATA)
    place.lock.write_text(
        f"study\tfile\tbytes\tsha256\turl\tdate\ntoy\told\t5\t{'a' * 64}\thttp://x"
    )
    pin(row("http://a.org/x"), measure(data), place.lock)
    assert known(row("http://a.org/x"), place.lock).values["sha256"] == sha256(DATA)
    old = File(study="toy", file="old", url="http://x")
    assert known(old, place.lock).values == {"bytes": 5, "sha256": "a" * 64}
    place.lock.write_text(place.lock.read_text() + "toy\tbroken\n")
    with pytest.raises(InputError, match="line 4"):
        known(row("http://a.org/x"), place.lock)


def _pin_one(arguments):
    number, lock = arguments
    found = {"bytes": number + 1, "md5": "0" * 32, "sha256": f"{number:064x}"}
    pin(File(study="toy", file=f"f{number}", url="http://a.org/f"), found, lock)


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_pins_at_the_same_time_are_all_kept(place, pool):
    jobs = [(number // 2, place.lock) for number in range(80)]  # each pin twice
    with pool(4) as workers:
        list(workers.map(_pin_one, jobs))
    with place.lock.open(newline="") as handle:
        lines = list(csv.DictReader(handle, delimiter="\t"))
    assert sorted(line["file"] for line in lines) == sorted(f"f{n}" for n in range(40))
    assert all(int(line["sha256"], 16) == int(line["file"][1:]) for line in lines)


# ---------------------------------------------------------------- mirrors


URL = "http://nowhere.invalid/cells.gz"  # a mirror must not need the public source


def test_a_mirror_with_the_published_file(place, tmp_path):
    mirror = make_mirror(tmp_path / "m", DATA, f"{sha256(DATA)}  toy/cells.gz\n")
    got = place.fetch(row(URL, DATA), mirror)
    assert (got.identity, got.source) == ("pinned", f"{mirror}/toy/cells.gz")
    assert place.target.read_bytes() == DATA


@pytest.mark.parametrize("published", [DATA, None])
@pytest.mark.parametrize("line", ["{}  toy/cells.gz", "{} *toy/cells.gz", "{}  ./toy/cells.gz"])
def test_a_mirror_with_another_file_is_told_apart_and_never_pinned(
    place, tmp_path, published, line
):
    mirror = make_mirror(tmp_path / "m", OTHER, line.format(sha256(OTHER)) + "\n\n")
    got = place.fetch(row(URL, published), mirror)
    assert got.identity == "mirror"
    assert place.target.read_bytes() == OTHER
    assert not place.lock.exists()


def test_a_corrupt_mirror_is_refused_even_if_nothing_is_published(place, fault, tmp_path):
    sums = f"{sha256(DATA)}  toy/cells.gz\n"
    mirror = make_mirror(tmp_path / "m", DATA[:-1] + b"!", sums)
    for published in (DATA, None):
        with fault("wrong bytes in a mirror"):
            message = place.fails(row(URL, published), mirror)
        assert f"expected {sha256(DATA)}" in message
        assert "SHA256SUMS" in message
        assert mirror in message


def test_a_mirror_that_lacks_the_file(place, fault, tmp_path):
    mirror = make_mirror(tmp_path / "m", DATA, f"{sha256(DATA)}  toy/cells.gz\n")
    (tmp_path / "m" / "toy" / "cells.gz").unlink()
    with fault("file missing in a mirror"):
        assert "add it to the mirror" in place.fails(row(URL, DATA), mirror)


def test_a_mirror_without_checksums_is_taken_for_published_files_only(place, tmp_path):
    mirror = make_mirror(tmp_path / "m", DATA, None)
    assert place.fetch(row(URL, DATA), mirror).identity == "pinned"
    place.target.unlink()
    message = place.fails(row(URL), mirror)
    assert "sha256sum */* > SHA256SUMS" in message
    assert sha256(DATA) in place.fails(row(URL, DATA[:-1] + b"!"), mirror)


def test_a_mirror_whose_list_leaves_the_file_out(place, tmp_path):
    mirror = make_mirror(tmp_path / "m", DATA, f"{sha256(DATA)}  toy/another.gz\n")
    assert place.fetch(row(URL, DATA), mirror).identity == "pinned"
    assert "no line for toy/cells.gz" in place.fails(row(URL), mirror)


def test_a_mirror_that_is_none(place, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        place.fetch(row(URL, DATA), str(tmp_path / "none"))
    mirror = make_mirror(tmp_path / "m", DATA, "not a list\n")
    with pytest.raises(InputError, match="SHA256SUMS: line 1"):
        place.fetch(row(URL, DATA), mirror)


def test_a_mirror_on_a_server(place):
    answers = {
        "/m/SHA256SUMS": [(503, {}, b""), (200, {}, f"{sha256(OTHER)}  toy/cells.gz\n".encode())],
        "/m/toy/cells.gz": [(200, {}, OTHER)],
    }
    with serving(answers) as (base, _):
        got = place.fetch(row(URL, DATA), f"{base}/m/")
        assert (got.identity, got.source) == ("mirror", f"{base}/m/toy/cells.gz")
        assert got.pinned["sha256"] == sha256(DATA)
    assert place.target.read_bytes() == OTHER
    answers = {"/m/toy/cells.gz": [(200, {}, DATA)]}
    with serving(answers) as (base, _):
        assert place.fetch(row(URL, DATA), f"{base}/m").identity == "pinned"
        assert "no SHA256SUMS" in place.fails(row(URL), f"{base}/m")
    assert "could not reach 127.0.0.1" in place.fails(row(URL, DATA), f"{base}/m")


def test_the_real_mirror(mirror, tmp_path):
    """Its cells are subsets of the published files, its gene sets the published files."""
    table = paper_config.load({"studies": "kang zheng"})
    lock = tmp_path / "lock.tsv"
    for study, file in table.raw_files:
        got = fetch(table.file(study, file), tmp_path / study / file, str(mirror), lock)
        assert got.identity == ("pinned" if study == "gene_sets" else "mirror"), file
        assert (tmp_path / study / file).read_bytes() == (mirror / study / file).read_bytes()
    assert not lock.exists()
    rows = [table.file(*raw) for raw in table.raw_files]
    assert {check.status for check in verify(tmp_path, rows, lock)} == {"ok"}


# ---------------------------------------------------------------- sources


def test_a_file_without_a_source_says_how_to_give_it(place, tmp_path):
    asked = row("").model_copy(update={"note": "the portal has it"})
    message = place.fails(asked)
    assert "no public source has it (the portal has it)" in message
    assert "`file:<path>` in config/files.tsv" in message
    assert "mirror as toy/cells.gz" in message
    assert place.pauses == []
    # Both remedies work, and what came from them is kept.
    mirror = make_mirror(tmp_path / "m", DATA, f"{sha256(DATA)}  toy/cells.gz\n")
    assert place.fetch(asked, mirror).source == f"{mirror}/toy/cells.gz"
    here = tmp_path / "my downloads" / "cells.gz"
    here.parent.mkdir()
    here.write_bytes(DATA)
    got = place.fetch(row(f"file:{here}"))
    assert (got.source, got.identity) == (str(here), "first use")
    assert place.fetch(asked).source == str(here)


@pytest.mark.parametrize(
    ("url", "urls"),
    [
        ("", []),
        ("https://a.org/x", ["https://a.org/x"]),
        ("doi:10.1/x  ftp://a.org/x", ["doi:10.1/x", "ftp://a.org/x"]),
        ("file:/my files/x", []),
    ],
)
def test_urls_of_a_row(url, urls):
    assert row(url).urls == urls


@pytest.mark.parametrize("url", ["a.org/x", "https://a.org/x file:/x", "https://a.org/x y", " "])
def test_what_is_no_url_of_a_row(url):
    with pytest.raises(ValueError, match="String should match"):
        row(url)


# ---------------------------------------------------------------- files one can do without


def test_an_optional_file_that_cannot_be_had_is_recorded_as_such(place, tmp_path, caplog):
    def get(mirror):
        return fetch_if_available(row(URL, DATA), place.target, mirror, lock=place.lock)

    mirror = tmp_path / "m"
    mirror.mkdir()
    got = get(str(mirror))
    assert got.identity == "not available" and place.target.read_bytes() == b""
    assert provenance(place.raw / "toy") == [got]
    assert got.reason.startswith("toy/cells.gz: ") and "no such file" in got.reason
    assert got.reason in caplog.text and f"--forcerun {place.target}" in caplog.text
    assert absence(place.target) == f"not available ({got.reason})"
    (check,) = verify(place.raw, [row(URL, DATA)], place.lock)
    assert (check.status, check.detail) == ("ok", f"not available: {got.reason}")

    make_mirror(mirror, DATA, f"{sha256(DATA)}  toy/cells.gz\n")
    assert get(str(mirror)).identity == "pinned"
    assert place.target.read_bytes() == DATA and absence(place.target) == ""


def test_what_could_not_be_had_is_forgotten_after_a_failure(place):
    place.target.parent.mkdir(parents=True)
    place.target.write_bytes(DATA)
    kept = record(place.target, "here", "simulated")
    other = place.target.with_name("labels.rds")
    record_absence(other, row(URL), "the network is down")
    forget_absences(place.raw / "toy")
    assert not other.exists() and provenance(place.raw / "toy") == [kept]
    assert place.target.read_bytes() == DATA and absence(other) == "no such file"


# ---------------------------------------------------------------- verification


def statuses(place, *rows):
    return [check.status for check in verify(place.raw, rows, place.lock)]


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("identity", ["pinned", "mirror", "simulated"])
def test_verify_finds_a_flipped_byte_and_a_missing_file(place, identity, recorded):
    published = row(URL, DATA if identity == "pinned" else OTHER)
    place.target.parent.mkdir(parents=True)
    place.target.write_bytes(DATA)
    if recorded:
        record(place.target, "here", identity)
    elif identity != "pinned":
        assert statuses(place, published) == ["differs"], "only its record tells it is meant"
        return
    assert statuses(place, published) == ["ok"]
    place.target.write_bytes(DATA[:77] + b"\0" + DATA[78:])
    assert statuses(place, published) == ["differs"]
    place.target.unlink()
    assert statuses(place, published) == ["missing"]


def test_verify_compares_with_the_table_of_today(place):
    place.target.parent.mkdir(parents=True)
    place.target.write_bytes(DATA)
    record(place.target, "here", "pinned")
    (check,) = verify(place.raw, [row(URL, OTHER)], place.lock)
    assert check.status == "differs"
    assert "files.tsv" in str(check)


def test_verify_uses_the_lock(place):
    place.target.parent.mkdir(parents=True)
    place.target.write_bytes(DATA)
    assert statuses(place, row(URL)) == ["differs"], "nothing says what it must be"
    pin(row(URL), measure(place.target), place.lock)
    assert statuses(place, row(URL)) == ["ok"]
    place.target.write_bytes(OTHER)
    assert statuses(place, row(URL)) == ["differs"]


def test_a_broken_record_is_named(place):
    place.target.parent.mkdir(parents=True)
    place.target.write_bytes(DATA)
    record(place.target, "here", "simulated")
    path = place.raw / "toy" / ".provenance" / "cells.gz.json"
    for text in (path.read_text()[:40], "{}", "[]"):
        path.write_text(text)
        with pytest.raises(InputError, match=r"cells\.gz\.json"):
            provenance(place.raw / "toy")
