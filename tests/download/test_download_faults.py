"""Faults of servers, connections and disks: a retry succeeds, or the old file stays."""

import email.utils
import errno
import ftplib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pooch
import pytest
from conftest import ROOT, environment
from helpers.file_server import (
    DATA,
    HALF,
    HTML,
    OTHER,
    QUOTA,
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

from scripts.common.provenance import expected_checksum, provenance
from scripts.download import transfer
from scripts.download.transfer import ATTEMPTS, LONGEST_WAIT, classify_error

GOOD = (200, {}, DATA)
EMPTY = (200, {}, b"")
PAGE = (200, {}, HTML)
WRONG = (200, {}, OTHER)
SHORT = (200, {"Content-Length": str(len(DATA))}, DATA[:1000])
NOWHERE = "http://nowhere.invalid/1"


@pytest.fixture
def refused(place, fault):
    """Inject a fault that no retry overcomes, with an old file in place; return the error."""

    def inject(kind, asked, mirror=None):
        place.target.parent.mkdir(parents=True, exist_ok=True)
        if not place.target.exists():
            place.target.write_bytes(OTHER)
        with fault(kind, keeps=[place.target]):
            message = place.fails(asked, mirror)
        assert not place.lock.exists() or "cells.gz" not in place.lock.read_text(), "never pinned"
        return message

    return inject


@pytest.fixture
def overcome(place, fault):
    """Inject a fault that passes; afterwards the right file is there, and nothing else."""

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
    ("checksums", "named"),
    [
        ({"bytes": len(DATA), "sha256": sha256(OTHER)}, "sha256"),
        ({"bytes": len(DATA), "md5": hashlib.md5(OTHER).hexdigest()}, "md5"),
        ({"bytes": len(DATA) + 1, "sha256": sha256(DATA)}, "bytes"),
        ({"sha256": sha256(DATA), "md5": hashlib.md5(OTHER).hexdigest()}, "md5"),
    ],
)
def test_every_known_checksum_must_match(refused, checksums, named):
    with serving({"/cells.gz": [GOOD]}) as (base, seen):
        message = refused("wrong bytes", row(f"{base}/cells.gz", **checksums))
    assert seen["/cells.gz"] == 2, "it may have been damaged on the way"
    found = {"bytes": len(DATA), "md5": hashlib.md5(DATA).hexdigest(), "sha256": sha256(DATA)}
    words = f"{named} expected {checksums[named]} (config/files.tsv), found {found[named]}"
    assert f"toy/cells.gz: {base}/cells.gz: {words}; nothing was kept" in message


def test_wrong_bytes_once(place, overcome):
    place.target.parent.mkdir(parents=True)
    place.target.write_bytes(OTHER)
    with serving({"/cells.gz": [(200, {}, DATA[:-1] + b"!"), GOOD]}) as (base, _):
        overcome("wrong bytes", row(f"{base}/cells.gz", DATA))


@pytest.mark.parametrize(
    ("kind", "answer", "words"),
    [
        ("HTML instead of data", PAGE, "HTML page"),
        ("quota page", (200, {}, QUOTA), "quota exceeded), try again tomorrow"),
        ("empty file", EMPTY, "the file is empty"),
        ("answer 204", (204, {}, b""), "answers 204"),
        ("answer 206", (206, {}, DATA), "answers 206"),
    ],
)
@pytest.mark.parametrize("data", [DATA, None])
def test_an_answer_that_is_not_the_file_is_named_and_never_pinned(
    refused, kind, answer, data, words
):
    with serving({"/cells.gz": [answer]}) as (base, _):
        assert words in refused(kind, row(f"{base}/cells.gz", data))


# ---------------------------------------------------------------- connections that break

BREAKS = {
    "cut short": (SHORT, "broke before the end"),
    "reset in mid-file": (reset, "reset by peer"),
    "reset instead of an answer": (reset_at_once, "reset by peer"),
    "stall in mid-file": (stall, "no data for 0.2 s"),
    "stall instead of an answer": (silence, "no data for 0.2 s"),
}


@pytest.mark.parametrize("kind", BREAKS)
@pytest.mark.parametrize("once", [True, False])
def test_a_connection_that_breaks(place, overcome, refused, monkeypatch, kind, once):
    monkeypatch.setattr(transfer, "STALL_TIMEOUT", 0.2)
    answer, words = BREAKS[kind]
    start = time.monotonic()
    with serving({"/cells.gz": [answer, GOOD] if once else [answer]}) as (base, seen):
        asked = row(f"{base}/cells.gz")  # no checksum: only the connection tells
        if once:
            overcome(kind, asked)
        else:
            assert words in refused(kind, asked)
    assert seen["/cells.gz"] == 1 + len(place.pauses) == (2 if once else ATTEMPTS)
    assert time.monotonic() - start < 10, "a stall ends after STALL_TIMEOUT"


def test_no_connection_names_the_mirror_and_the_demo(place, refused):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens
        port = closed.getsockname()[1]
        for url in (f"http://127.0.0.1:{port}/x", NOWHERE):
            message = refused("no connection", row(url, DATA))
            host = url.split("/")[2].split(":")[0]
            assert message.startswith(f"could not reach {host} for toy/cells.gz")
            assert "MIRROR=" in message and "make demo" in message
            assert len(place.pauses) == ATTEMPTS - 1


@pytest.mark.parametrize(
    ("error", "kind", "attempts"),
    [
        (ftplib.error_perm("550 No such file"), "absent", 1),
        (ftplib.error_perm("530 Login incorrect"), "", 1),
        (ftplib.error_temp("421 Too many users"), "", ATTEMPTS),
        (EOFError(), "", ATTEMPTS),
        (ConnectionResetError(), "unreachable", ATTEMPTS),
        (socket.gaierror(-2, "Name or service not known"), "unreachable", ATTEMPTS),
        (ValueError("file f.zip not found in archive"), "", 1),
    ],
)
def test_errors_of_ftp_and_doi(error, kind, attempts):
    failure = classify_error(error)
    assert (failure.kind, failure.attempts) == (kind, attempts)
    assert failure.reason


def test_each_kind_of_url_has_its_downloader_with_a_timeout():
    kinds = {
        "https://a.org/f": pooch.HTTPDownloader,
        "ftp://a.org/f": pooch.FTPDownloader,
        "doi:10.5281/zenodo.7/f.zip": pooch.DOIDownloader,
    }
    for url, kind in kinds.items():
        downloader = transfer._downloader(url, transfer.AGENT)
        assert type(downloader) is kind
        assert getattr(downloader, "timeout", None) or downloader.kwargs["timeout"]


# ---------------------------------------------------------------- answers of servers


@pytest.mark.parametrize(("status", "asked"), [(403, 2), (404, 1)])
def test_a_missing_file_is_not_waited_for(place, refused, status, asked):
    with serving({"/cells.gz": [(status, {}, b"no")]}) as (base, seen):
        message = refused(f"answer {status}", row(f"{base}/cells.gz", DATA))
    assert f"{base}/cells.gz: the server answers {status}" in message
    assert "correct config/files.tsv" in message
    assert seen["/cells.gz"] == asked, "403 may be meant for programs only"
    assert place.pauses == []


@pytest.mark.parametrize("redirected", [False, True])
def test_a_server_for_browsers_only(place, overcome, redirected):
    answers = {"/cells.gz": [for_browsers], "/": [(302, {"Location": "/cells.gz"}, b"")]}
    with serving(answers) as (base, _):
        overcome("answer 403 to programs", row(f"{base}/{'' if redirected else 'cells.gz'}", DATA))
    assert place.pauses == []


def test_a_redirect_that_leads_nowhere(refused):
    with serving({"/cells.gz": [(302, {"Location": "/other.gz"}, b"")]}) as (base, _):
        assert "answers 404" in refused("redirect to 404", row(f"{base}/cells.gz"))


@pytest.mark.parametrize("status", [202, 429, 500, 503])
def test_a_busy_server_is_asked_again_with_growing_pauses(place, refused, overcome, status):
    busy = (status, {}, b"")
    with serving({"/1": [busy], "/2": [busy, GOOD]}) as (base, seen):
        message = refused(f"answer {status}", row(f"{base}/1"))
        assert f"the server answers {status}" in message
        assert seen["/1"] == 1 + len(place.pauses) == ATTEMPTS
        assert all(2**n <= pause <= 2**n + 1 for n, pause in enumerate(place.pauses))
        overcome(f"answer {status}", row(f"{base}/2"))


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("7", 7, 7),
        ("100000", LONGEST_WAIT, LONGEST_WAIT),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 1, 2),
        (email.utils.formatdate(time.time() + 3000, usegmt=True), LONGEST_WAIT, LONGEST_WAIT),
        ("soon", 1, 2),
    ],
)
def test_a_busy_server_may_say_how_long_to_wait(place, overcome, asked, least, most):
    with serving({"/cells.gz": [(503, {"Retry-After": asked}, b""), GOOD]}) as (base, _):
        overcome("answer 503", row(f"{base}/cells.gz", DATA))
    (pause,) = place.pauses
    assert least <= pause <= most


def test_a_mirror_without_its_checksums_is_refused(refused):
    html, broken = "SHA256SUMS has no line for toy/cells.gz", "reset by peer"
    for answer, words in ((PAGE, html), (reset_at_once, broken)):
        answers = {"/m/SHA256SUMS": [answer], "/m/toy/cells.gz": [GOOD]}
        with serving(answers) as (base, seen):
            message = refused("no checksums in a mirror", row(f"{base}/cells.gz"), f"{base}/m")
        assert words in message and not seen["/m/toy/cells.gz"]


# ---------------------------------------------------------------- several sources


@pytest.mark.parametrize("pinned", [True, False])
@pytest.mark.parametrize(
    ("kind", "first"),
    [
        ("no connection", None),
        ("answer 404", (404, {}, b"")),
        ("answer 202", (202, {}, b"")),
        ("HTML instead of data", PAGE),
        ("empty file", EMPTY),
        ("cut short", SHORT),
    ],
)
def test_the_next_source_is_tried(place, overcome, caplog, kind, first, pinned):
    with serving({"/1": [first], "/2": [GOOD]}) as (base, _):
        url = f"{base}/1" if first else NOWHERE
        asked = row(f"{url} {base}/2", DATA if pinned else None)
        overcome(f"{kind} at the first source", asked)
        (record,) = provenance(place.raw / "toy")
        assert record.source == f"{base}/2"
        (line,) = [message for message in caplog.messages if "next source" in message]
        assert line.startswith(f"toy/cells.gz: {url}: ")
        assert place.fetch(asked).source == record.source
    assert expected_checksum(asked, place.lock).values["sha256"] == sha256(DATA)


def test_all_sources_fail_to_the_same_checksum(refused):
    with serving({"/1": [WRONG], "/2": [(404, {}, b"")]}) as (base, _):
        for order in (["1", "2"], ["2", "1"]):
            urls = " ".join(f"{base}/{path}" for path in order)
            message = refused("wrong bytes, and answer 404", row(urls, DATA))
            assert f"{base}/1: bytes expected {len(DATA)}" in message
            assert f"{base}/2: the server answers 404" in message
    message = refused("no connection", row("http://a.invalid/1 http://b.invalid/2", DATA))
    assert message.startswith("could not reach a.invalid, b.invalid for toy/cells.gz")


# ---------------------------------------------------------------- the disk


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_full_disk(place, small_disk, refused, tmp_path, mirrored):
    small_disk(place.target.parent, "64k")
    with serving({"/cells.gz": [GOOD]}) as (base, _):
        mirror = make_mirror(tmp_path / "mirror", DATA, None) if mirrored else None
        message = refused("full disk", row(f"{base}/cells.gz", DATA), mirror)
    assert "No space left on device" in message and str(place.target) in message
    assert place.pauses == [], "a retry does not help"


def test_a_full_disk_is_not_blamed_on_the_source(place, refused, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pooch.HTTPDownloader.__call__", full)
    message = refused("full disk", row("http://127.0.0.1/x", DATA))
    assert f"No space left on device: '{place.target}'" in message
    assert place.pauses == []


def test_a_full_disk_under_the_lock(place, small_disk, fault, tmp_path):
    place.lock = tmp_path / "config" / "files.lock.tsv"
    small_disk(place.lock.parent, "4k")
    lines = [f"toy\tother{i}\t5\t{'a' * 64}\thttp://x\t2026-01-01\n" for i in range(41)]
    place.lock.write_text("study\tfile\tbytes\tsha256\turl\tdate\n" + "".join(lines))
    assert 4096 - 60 < place.lock.stat().st_size < 4096, "room for a part of a line"
    with serving({"/cells.gz": [GOOD]}) as (base, _), fault("full disk", keeps=[place.lock]):
        message = place.fails(row(f"{base}/cells.gz"))
    assert f"No space left on device: '{place.lock}'" in message
    assert expected_checksum(row("http://x"), place.lock).values == {}


def test_a_read_only_folder(place, small_disk, refused):
    folder = place.target.parent
    if os.geteuid():
        folder.mkdir(parents=True)
        place.target.write_bytes(OTHER)
        folder.chmod(0o500)
    else:  # root may write everywhere
        small_disk(folder, "1m")
        place.target.write_bytes(OTHER)
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    with serving({"/cells.gz": [GOOD]}) as (base, seen):
        message = refused("read-only folder", row(f"{base}/cells.gz", DATA))
    assert str(folder) in message
    assert "Read-only file system" in message or "Permission denied" in message
    assert not seen


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
    """Start a process that fetches the same file."""
    words = [sys.executable, "-c", RUN, asked.model_dump_json(), place.target, place.lock]
    return subprocess.Popen(words, env=environment(ROOT), stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("pinned", [True, False])
def test_two_runs_at_once(place, fault, pinned):
    begun, at_work = threading.Event(), []

    def together(handler):
        """Send the rest of the file once both have half of it."""
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
        assert run.wait(60) == -signal.SIGKILL
        assert len(parts(place)) == 1
        place.fetch(asked)
    assert parts(place) == []
    assert place.target.read_bytes() == DATA
