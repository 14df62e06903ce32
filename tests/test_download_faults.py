"""What goes wrong on the way of a file: it is fetched all the same, or the old one stays."""

import email.utils
import errno
import hashlib
import os
import socket
import subprocess
import sys
import threading
import time

import pytest
from conftest import ROOT, environment
from file_server import (
    DATA,
    HALF,
    HTML,
    OTHER,
    QUOTA,
    drip,
    endless,
    for_browsers,
    make_mirror,
    reset,
    reset_at_once,
    row,
    serving,
    sha256,
    silence,
    stall,
)

from scripts.common.provenance import known, provenance
from scripts.download.download import WRONG_FILE_ATTEMPTS
from scripts.download.transfer import ATTEMPTS, LONGEST_WAIT
from vega.errors import InputError

GOOD = (200, {}, DATA)
SHORT = (200, {"Content-Length": str(len(DATA))}, DATA[:1000])


@pytest.fixture
def refused(place, fault):
    """Injects a fault that no attempt overcomes, where an old file is; gives the one line."""

    def inject(kind, asked, mirror=None):
        if not place.target.exists():
            place.target.parent.mkdir(parents=True, exist_ok=True)
            place.target.write_bytes(OTHER)
        with fault(kind, keeps=[place.target]):
            return place.fails(asked, mirror)

    return inject


@pytest.fixture
def overcome(place, fault):
    """Injects a fault that passes; the right file is there after it, and nothing else."""

    def inject(kind, asked, mirror=None):
        with fault(kind):
            place.fetch(asked, mirror)
            assert place.target.read_bytes() == DATA
            assert parts(place) == []

    return inject


def parts(place):
    return [path for path in place.target.parent.iterdir() if path.name.startswith(".part-")]


# ---------------------------------------------------------------- the wrong file


@pytest.mark.parametrize(
    ("pins", "measure_named"),
    [
        ({"bytes": len(DATA), "sha256": sha256(OTHER)}, "sha256"),
        ({"bytes": len(DATA), "md5": hashlib.md5(OTHER).hexdigest()}, "md5"),
        ({"bytes": len(DATA) + 1, "sha256": sha256(DATA)}, "bytes"),
        ({"sha256": sha256(DATA), "md5": hashlib.md5(OTHER).hexdigest()}, "md5"),
    ],
)
def test_every_known_measure_must_be_right(refused, pins, measure_named):
    with serving({"/cells.gz": [GOOD]}) as (base, seen):
        message = refused("wrong bytes", row(f"{base}/cells.gz", **pins))
    assert seen["/cells.gz"] == WRONG_FILE_ATTEMPTS
    found = {"bytes": len(DATA), "md5": hashlib.md5(DATA).hexdigest(), "sha256": sha256(DATA)}
    for part in (
        f"{base}/cells.gz",
        f"{measure_named} expected {pins[measure_named]}",
        f"found {found[measure_named]}",
        "files.tsv",
    ):
        assert part in message


def test_wrong_bytes_once(overcome):
    with serving({"/cells.gz": [(200, {}, DATA[:-1] + b"!"), GOOD]}) as (base, _):
        overcome("wrong bytes", row(f"{base}/cells.gz", DATA))


def test_a_wrong_file_is_replaced(place, overcome):
    place.target.parent.mkdir(parents=True)
    place.target.write_bytes(OTHER)
    with serving({"/cells.gz": [GOOD]}) as (base, _):
        overcome("wrong file in place", row(f"{base}/cells.gz", DATA))


@pytest.mark.parametrize("pins", [{"data": DATA}, {"data": HTML[:-1]}, {}])
def test_an_html_page_is_named_and_never_pinned(place, refused, pins):
    with serving({"/cells.gz": [(200, {}, HTML)]}) as (base, _):
        assert "HTML page" in refused("HTML instead of data", row(f"{base}/cells.gz", **pins))
    assert not place.lock.exists()


def test_too_many_downloads_of_a_file_are_named(place, refused):
    with serving({"/cells.gz": [(200, {}, QUOTA)]}) as (base, _):
        message = refused("quota page", row(f"{base}/cells.gz"))
    assert "quota exceeded" in message
    assert "tomorrow" in message
    assert "mirror" in message
    assert not place.lock.exists()


def test_an_empty_file_is_never_pinned(place, refused):
    with serving({"/cells.gz": [(200, {}, b"")]}) as (base, _):
        assert "empty" in refused("empty file", row(f"{base}/cells.gz"))
    assert not place.lock.exists()


@pytest.mark.parametrize(
    ("pins", "most"), [({"data": DATA[:1000]}, 1000), ({}, f"up to {2 * len(DATA)}")]
)
def test_what_has_no_end_is_broken_off(refused, monkeypatch, pins, most):
    monkeypatch.setattr("scripts.download.download.MOST_BYTES", 2 * len(DATA))
    with serving({"/cells.gz": [endless]}) as (base, _):
        message = refused("endless body", row(f"{base}/cells.gz", **pins))
    assert f"bytes expected {most} (config/files.tsv), found more" in message


def test_what_comes_after_the_end_is_left(overcome):
    longer = (200, {"Content-Length": str(len(DATA))}, DATA + OTHER)
    with serving({"/cells.gz": [longer]}) as (base, _):
        overcome("more than Content-Length says", row(f"{base}/cells.gz", DATA))


# ---------------------------------------------------------------- connections that break

BREAKS = {
    "cut short": (SHORT, "broke before the end"),
    "reset in mid-file": (reset, "reset by peer"),
    "reset instead of an answer": (reset_at_once, "reset by peer"),
    "stall in mid-file": (stall, "nothing came for 0.2 s"),
    "stall instead of an answer": (silence, "nothing came for 0.2 s"),
}


@pytest.fixture
def impatient(request, monkeypatch):
    if request.node.callspec.params["kind"].startswith("stall"):
        monkeypatch.setattr("scripts.download.transfer.TIMEOUT", (5, 0.2))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", BREAKS)
def test_a_connection_that_breaks_once(place, overcome, kind):
    with serving({"/cells.gz": [BREAKS[kind][0], GOOD]}) as (base, seen):
        overcome(kind, row(f"{base}/cells.gz"))  # no checksum: only the connection tells
    assert seen["/cells.gz"] == 1 + len(place.pauses) >= 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", BREAKS)
def test_a_connection_that_breaks_always(place, refused, kind):
    answer, said = BREAKS[kind]
    with serving({"/cells.gz": [answer]}) as (base, seen):
        assert said in refused(kind, row(f"{base}/cells.gz"))
    assert seen["/cells.gz"] == ATTEMPTS
    assert not place.lock.exists()


CHUNKED = b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("drip of a file", drip(b"200 OK\r\nContent-Length: %d\r\n\r\n" % len(DATA))),
        ("drip of chunks", drip(CHUNKED, b"1\r\nx\r\n")),
        ("drip of a header", drip(b"200 OK\r\nX-Slow: ")),
        ("drip of a redirect", drip(b"302 Found\r\nLocation: /cells.gz\r\n\r\n")),
    ],
)
def test_a_drip_is_left(place, refused, monkeypatch, kind, answer):
    monkeypatch.setattr("scripts.download.transfer.WINDOW", 0.1)
    with serving({"/cells.gz": [answer]}) as (base, _):
        assert "bytes came in 0.1 s" in refused(kind, row(f"{base}/cells.gz", DATA))
    assert len(place.pauses) == ATTEMPTS - 1


def test_out_of_reach_says_what_else_there_is(place, refused):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, and nobody listens
        port = closed.getsockname()[1]
        for url in (f"http://127.0.0.1:{port}/x", "http://nowhere.invalid/x"):
            message = refused("no connection", row(url, DATA))
            host = url.split("/")[2].split(":")[0]
            assert message.startswith(f"could not reach {host} for toy/cells.gz")
            assert "MIRROR=" in message
            assert "make demo" in message
            assert len(place.pauses) == ATTEMPTS - 1


# ---------------------------------------------------------------- what servers answer


@pytest.mark.parametrize(("status", "asked"), [(403, 2), (404, 1)])
def test_what_is_not_there_is_not_waited_for(place, refused, status, asked):
    with serving({"/cells.gz": [(status, {}, b"no")]}) as (base, seen):
        message = refused(f"answer {status}", row(f"{base}/cells.gz", DATA))
    assert f"{base}/cells.gz" in message
    assert str(status) in message
    assert "config/files.tsv" in message
    assert seen["/cells.gz"] == asked, "403 may be meant for programs only"
    assert place.pauses == []


@pytest.mark.parametrize("redirected", [False, True])
def test_a_server_for_browsers_only(place, overcome, redirected):
    answers = {"/cells.gz": [for_browsers], "/": [(302, {"Location": "/cells.gz"}, b"")]}
    with serving(answers) as (base, _):
        overcome("answer 403 to programs", row(f"{base}/{'' if redirected else 'cells.gz'}", DATA))
    assert place.pauses == []


@pytest.mark.parametrize("status", [201, 203, 204, 206])
@pytest.mark.parametrize("body", [b"", DATA])
def test_a_success_that_is_not_the_whole_file(place, refused, status, body):
    body = b"" if status == 204 else body
    with serving({"/cells.gz": [(status, {}, body)]}) as (base, _):
        assert f"answers {status}" in refused(f"answer {status}", row(f"{base}/cells.gz"))
    assert not place.lock.exists()


def test_a_file_that_is_prepared_first(place, overcome, refused):
    with serving({"/cells.gz": [(202, {}, b""), GOOD]}) as (base, _):
        overcome("answer 202", row(f"{base}/cells.gz"))
    (pause,) = place.pauses
    assert 1 <= pause <= 1.5
    place.lock.unlink()
    with serving({"/cells.gz": [(202, {}, b"")]}) as (base, seen):
        message = refused("answer 202", row(f"{base}/cells.gz"))
    assert "answers 202 Accepted (it has not prepared the file)" in message
    assert seen["/cells.gz"] == ATTEMPTS
    assert not place.lock.exists()


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("7", 7, 7),
        ("100000", LONGEST_WAIT, LONGEST_WAIT),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 1, 1.5),
        ("Fri, 21 Oct 2950 07:28:00 GMT", LONGEST_WAIT, LONGEST_WAIT),
        ("soon", 1, 1.5),
        (None, 1, 1.5),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_given_the_time_it_asks_for(place, overcome, status, asked, least, most):
    busy = (status, {"Retry-After": asked} if asked else {}, b"busy")
    with serving({"/cells.gz": [busy, GOOD]}) as (base, _):
        overcome(f"answer {status}", row(f"{base}/cells.gz", DATA))
    (pause,) = place.pauses
    assert least <= pause <= most


def test_a_date_to_come_back_at(place, overcome):
    soon = email.utils.formatdate(time.time() + 100, usegmt=True)
    with serving({"/cells.gz": [(503, {"Retry-After": soon}, b""), GOOD]}) as (base, _):
        overcome("answer 503", row(f"{base}/cells.gz", DATA))
    (pause,) = place.pauses
    assert 1.5 < pause <= 100


@pytest.mark.parametrize("status", [429, 500, 503])
def test_pauses_grow_and_end(place, refused, status):
    with serving({"/cells.gz": [(status, {}, b"")]}) as (base, seen):
        message = refused(f"answer {status}", row(f"{base}/cells.gz", DATA))
    assert str(status) in message
    assert seen["/cells.gz"] == ATTEMPTS
    assert len(place.pauses) == ATTEMPTS - 1
    for n, pause in enumerate(place.pauses):
        assert 2**n <= pause <= 1.5 * 2**n


@pytest.mark.parametrize(
    ("kind", "to", "said"),
    [
        ("redirect loop", "/cells.gz", "30 redirects"),
        ("redirect to a file", "file:///etc/hostname", "file:///etc/hostname"),
        ("redirect to what is not there", "/other.gz", "answers 404"),
    ],
)
def test_redirects_that_lead_nowhere(refused, kind, to, said):
    with serving({"/cells.gz": [(302, {"Location": to}, b"")]}) as (base, _):
        assert said in refused(kind, row(f"{base}/cells.gz"))


@pytest.mark.parametrize(
    ("kind", "answer", "said"),
    [
        ("HTML instead of checksums", (200, {}, HTML), "SHA256SUMS: line 2: not '<sha256>"),
        ("endless list of checksums", endless, "SHA256SUMS: line 1: not '<sha256>"),
        ("reset instead of checksums", reset_at_once, "reset by peer"),
    ],
)
def test_a_mirror_whose_checksums_do_not_come(place, fault, monkeypatch, kind, answer, said):
    monkeypatch.setattr("scripts.download.download.MOST_SUMS", 5000)
    answers = {"/m/SHA256SUMS": [answer], "/m/toy/cells.gz": [GOOD]}
    with serving(answers) as (base, seen), fault(kind), pytest.raises(InputError) as caught:
        place.fetch(row(f"{base}/cells.gz", DATA), f"{base}/m")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not seen["/m/toy/cells.gz"]
    assert not place.target.exists()


# ---------------------------------------------------------------- several sources

FIRSTS = {
    "no connection": None,
    "answer 404": (404, {}, b""),
    "answer 202": (202, {}, b""),
    "wrong bytes": (200, {}, OTHER),
    "HTML instead of data": (200, {}, HTML),
    "quota page": (200, {}, QUOTA),
    "empty file": (200, {}, b""),
    "cut short": SHORT,
}


@pytest.mark.parametrize("kind", FIRSTS)
def test_the_next_source_is_taken(place, overcome, caplog, kind):
    with serving({"/1": [FIRSTS[kind]], "/2": [GOOD]}) as (base, _):
        first = f"{base}/1" if FIRSTS[kind] else "http://nowhere.invalid/1"
        asked = row(f"{first} {base}/2", DATA)
        overcome(f"{kind} at the first source", asked)
        (record,) = provenance(place.raw / "toy")
        assert record.source == f"{base}/2"
        (line,) = [message for message in caplog.messages if "next source" in message]
        assert line.startswith(f"toy/cells.gz: {first}: ")
        # What is there stays what it was.
        assert place.fetch(asked) == record


def test_no_source_gives_the_file(place, refused):
    with serving({"/1": [(200, {}, OTHER)], "/2": [(404, {}, b"")]}) as (base, _):
        for order in (["1", "2"], ["2", "1"]):
            urls = " ".join(f"{base}/{path}" for path in order)
            message = refused("wrong bytes, and answer 404", row(urls, DATA))
            assert f"{base}/1: bytes expected {len(DATA)}" in message
            assert f"{base}/2: the server answers 404" in message
            assert message.endswith("what config/files.tsv says of it")
    message = refused("no connection", row("http://a.invalid/1 http://b.invalid/2", DATA))
    assert message.startswith("could not reach a.invalid, b.invalid for toy/cells.gz")


def test_an_unpinned_file_is_pinned_from_the_source_that_gives_it(place, overcome):
    with serving({"/1": [(200, {}, HTML)], "/2": [GOOD]}) as (base, _):
        overcome("HTML instead of data", row(f"{base}/1 {base}/2"))
    assert known(row(f"{base}/1"), place.lock).values["sha256"] == sha256(DATA)


# ---------------------------------------------------------------- the disk


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_full_disk(place, small_disk, refused, tmp_path, mirrored):
    small_disk(place.target.parent, "64k")
    with serving({"/cells.gz": [GOOD]}) as (base, _):
        mirror = make_mirror(tmp_path / "mirror", DATA, None) if mirrored else None
        message = refused("full disk", row(f"{base}/cells.gz", DATA), mirror)
    assert "No space left on device" in message
    assert str(place.target.parent) in message
    assert str(tmp_path / "mirror") not in message
    assert place.pauses == []


def test_a_full_disk_is_not_blamed_on_the_source(place, refused, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pooch.HTTPDownloader.__call__", full)
    message = refused("full disk, as told", row("http://127.0.0.1/x", DATA))
    assert f"{place.target}: No space left on device" in message
    assert place.pauses == []


def test_a_full_disk_where_the_lock_is(place, small_disk, fault, tmp_path):
    place.lock = tmp_path / "config" / "files.lock.tsv"
    small_disk(place.lock.parent, "4k")
    lines = [f"toy\tother{i}\t5\t{'a' * 64}\thttp://x\t2026-01-01\n" for i in range(41)]
    place.lock.write_text("study\tfile\tbytes\tsha256\turl\tdate\n" + "".join(lines))
    assert 4096 - 60 < place.lock.stat().st_size < 4096, "room for a part of a line"
    with serving({"/cells.gz": [GOOD]}) as (base, _), fault("full disk", keeps=[place.lock]):
        message = place.fails(row(f"{base}/cells.gz"))
    assert "No space left on device" in message
    assert str(place.lock) in message
    assert known(row("http://x"), place.lock).values == {}


def test_a_folder_that_may_not_be_written(place, small_disk, refused):
    folder = place.target.parent
    if os.geteuid():
        folder.mkdir(parents=True)
        place.target.write_bytes(OTHER)
        folder.chmod(0o500)
    else:  # who may do everything
        small_disk(folder, "1m")
        place.target.write_bytes(OTHER)
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    with serving({"/cells.gz": [GOOD]}) as (base, seen):
        message = refused("read-only folder", row(f"{base}/cells.gz", DATA))
    assert str(folder) in message
    assert "Read-only file system" in message or "Permission denied" in message
    assert not seen


def test_a_target_that_cannot_be_written_is_named(place, fault):
    place.raw.mkdir()
    (place.raw / "toy").write_text("a file where the folder should be")
    with (
        serving({"/cells.gz": [GOOD]}) as (base, _),
        fault("file in place of a folder", keeps=[place.raw / "toy"]),
    ):
        assert str(place.raw / "toy") in place.fails(row(f"{base}/cells.gz", DATA))


# ---------------------------------------------------------------- other runs

RUN = """
import sys
from pathlib import Path
from scripts.common.config.figures import File
from scripts.download.download import fetch
row, target, lock = sys.argv[1:]
fetch(File.model_validate_json(row), Path(target), None, Path(lock))
"""


def another_run(place, asked):
    """A process that fetches the same file."""
    words = [sys.executable, "-c", RUN, asked.model_dump_json(), place.target, place.lock]
    return subprocess.Popen(words, env=environment(ROOT), stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("pinned", [True, False])
def test_two_runs_at_once(place, fault, pinned):
    begun, at_work = threading.Event(), []

    def together(handler):
        """The rest of the file once both have half of it."""
        handler.start(size=len(DATA))
        begun.set()
        both.wait(60)
        handler.wfile.write(DATA[len(HALF) :])

    both = threading.Barrier(2, action=lambda: at_work.extend(parts(place)))
    with (
        serving({"/cells.gz": [together]}) as (base, seen),
        fault("two runs at once"),
    ):
        asked = row(f"{base}/cells.gz", DATA if pinned else None)
        first = another_run(place, asked)
        assert begun.wait(60)
        second = another_run(place, asked)
        for run in (first, second):
            assert run.wait(60) == 0, run.stderr.read()
    assert seen["/cells.gz"] == len(at_work) == 2
    assert place.target.read_bytes() == DATA
    assert parts(place) == []
    assert pinned or place.lock.read_text().count("cells.gz") == 2, "a line with file and URL"


def test_a_killed_run_leaves_nothing_for_long(place, fault):
    begun = threading.Event()

    def answer(handler):
        begun.set()
        stall(handler)

    with serving({"/cells.gz": [answer, GOOD]}) as (base, _), fault("killed in mid-file"):
        asked = row(f"{base}/cells.gz", DATA)
        run = another_run(place, asked)
        assert begun.wait(60)
        run.kill()
        assert run.wait(60) < 0
        assert len(parts(place)) == 1
        place.fetch(asked)
    assert parts(place) == []
    assert place.target.read_bytes() == DATA
