"""Raw files come verified or not at all, from a server or a mirror."""

import csv
import errno
import ftplib
import hashlib
import http.server
import json
import socket
import threading
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager

import pooch
import pytest

from paper import config as paper_config
from paper.config import File
from paper.download import ATTEMPTS, LONGEST_WAIT, WRONG_FILE_ATTEMPTS, _downloader, _failure, fetch
from paper.errors import InputError
from paper.provenance import known, measure, pin, provenance, record, verify

DATA = bytes(range(256)) * 2000
OTHER = b"another" * 1000
HTML = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def row(url: str, data: bytes | None = None, **pins) -> File:
    """The table's row of toy/cells.gz, pinned to `data` if given."""
    if data is not None:
        pins = {"bytes": len(data), "sha256": sha256(data)}
    return File(study="toy", file="cells.gz", url=url, **pins)


@contextmanager
def serving(answers):
    """A server on this machine; `answers[path]` is a list of (status, headers, body).

    Each request takes the next answer, the last one stays. Gives (base URL, count by path).
    """
    seen = Counter()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            todo = answers.get(self.path, [(404, {}, b"")])
            status, headers, body = todo[min(seen[self.path], len(todo) - 1)]
            seen[self.path] += 1
            self.send_response(status)
            for key, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def place(tmp_path):
    """A run's raw folder, a lock beside it and the pauses that were asked for."""

    class Place:
        raw = tmp_path / "raw"
        target = raw / "toy" / "cells.gz"
        lock = tmp_path / "files.lock.tsv"
        pauses: list[float]

        def fetch(self, row, mirror=None):
            self.pauses = []
            return fetch(row, self.target, mirror, self.lock, sleep=self.pauses.append)

        def fails(self, row, mirror=None) -> str:
            """The one line of the error, after which nothing new may be there."""
            before = self.contents()
            with pytest.raises(InputError) as caught:
                self.fetch(row, mirror)
            assert self.contents() == before
            message = str(caught.value)
            assert "\n" not in message
            assert "toy/cells.gz" in message
            return message

        def contents(self):
            return {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    return Place()


def make_mirror(folder, data: bytes, sums: str | None):
    (folder / "toy").mkdir(parents=True)
    (folder / "toy" / "cells.gz").write_bytes(data)
    if sums is not None:
        (folder / "SHA256SUMS").write_text(sums)
    return str(folder)


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
    ("pins", "measure_named"),
    [
        ({"bytes": len(DATA), "sha256": sha256(OTHER)}, "sha256"),
        ({"bytes": len(DATA), "md5": hashlib.md5(OTHER).hexdigest()}, "md5"),
        ({"bytes": len(DATA) + 1, "sha256": sha256(DATA)}, "bytes"),
        ({"sha256": sha256(DATA), "md5": hashlib.md5(OTHER).hexdigest()}, "md5"),
    ],
)
def test_every_known_measure_must_be_right(place, pins, measure_named):
    with serving({"/cells.gz": [(200, {}, DATA)]}) as (base, seen):
        message = place.fails(row(f"{base}/cells.gz", **pins))
    assert seen["/cells.gz"] == WRONG_FILE_ATTEMPTS
    found = {"bytes": len(DATA), "md5": hashlib.md5(DATA).hexdigest(), "sha256": sha256(DATA)}
    for part in (
        f"{base}/cells.gz",
        f"{measure_named} expected {pins[measure_named]}",
        f"found {found[measure_named]}",
        "files.tsv",
    ):
        assert part in message


def test_a_failing_download_leaves_the_old_file(place):
    place.target.parent.mkdir(parents=True)
    place.target.write_bytes(DATA)
    with serving({"/cells.gz": [(200, {}, DATA[:-1])]}) as (base, _):
        place.fails(row(f"{base}/cells.gz", OTHER))
    assert place.target.read_bytes() == DATA


def test_a_wrong_file_is_replaced(place):
    place.target.parent.mkdir(parents=True)
    place.target.write_bytes(OTHER)
    with serving({"/cells.gz": [(200, {}, DATA)]}) as (base, _):
        place.fetch(row(f"{base}/cells.gz", DATA))
    assert place.target.read_bytes() == DATA


def test_a_body_cut_short_is_fetched_again(place):
    short = (200, {"Content-Length": str(len(DATA))}, DATA[:1000])
    with serving({"/cells.gz": [short, (200, {}, DATA)]}) as (base, seen):
        place.fetch(row(f"{base}/cells.gz"))  # no checksum: only the length tells
        assert place.target.read_bytes() == DATA
        assert seen["/cells.gz"] == 2


def test_a_body_always_cut_short_fails(place):
    short = (200, {"Content-Length": str(len(DATA))}, DATA[:1000])
    with serving({"/cells.gz": [short]}) as (base, seen):
        message = place.fails(row(f"{base}/cells.gz"))
    assert "broke before the end" in message
    assert seen["/cells.gz"] == ATTEMPTS


@pytest.mark.parametrize("status", [403, 404])
def test_what_is_not_there_is_asked_for_once(place, status):
    with serving({"/cells.gz": [(status, {}, b"no")]}) as (base, seen):
        message = place.fails(row(f"{base}/cells.gz", DATA))
    assert f"{base}/cells.gz" in message
    assert str(status) in message
    assert "config/files.tsv" in message
    assert seen["/cells.gz"] == 1
    assert place.pauses == []


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [("7", 7, 7), ("100000", LONGEST_WAIT, LONGEST_WAIT), ("soon", 1, 1.5), (None, 1, 1.5),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 1, 1.5)],
)  # fmt: skip
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_given_the_time_it_asks_for(place, status, asked, least, most):
    busy = (status, {"Retry-After": asked} if asked else {}, b"busy")
    with serving({"/cells.gz": [busy, (200, {}, DATA)]}) as (base, _):
        place.fetch(row(f"{base}/cells.gz", DATA))
    assert place.target.read_bytes() == DATA
    (pause,) = place.pauses
    assert least <= pause <= most


def test_pauses_grow_and_end(place):
    with serving({"/cells.gz": [(500, {}, b"")]}) as (base, seen):
        message = place.fails(row(f"{base}/cells.gz", DATA))
    assert "500" in message
    assert seen["/cells.gz"] == ATTEMPTS
    assert len(place.pauses) == ATTEMPTS - 1
    for n, pause in enumerate(place.pauses):
        assert 2**n <= pause <= 1.5 * 2**n


@pytest.mark.parametrize("pinned", [True, False])
def test_an_html_page_is_named_and_never_pinned(place, pinned):
    with serving({"/cells.gz": [(200, {}, HTML)]}) as (base, _):
        message = place.fails(row(f"{base}/cells.gz", DATA if pinned else None))
    assert "HTML page" in message
    assert not place.lock.exists()


def test_an_empty_file_is_never_pinned(place):
    with serving({"/cells.gz": [(200, {}, b"")]}) as (base, _):
        assert "empty" in place.fails(row(f"{base}/cells.gz"))


def test_out_of_reach_says_what_else_there_is(place):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, and nobody listens
        port = closed.getsockname()[1]
        for url in (f"http://127.0.0.1:{port}/x", "http://nowhere.invalid/x"):
            message = place.fails(row(url, DATA))
            host = url.split("/")[2].split(":")[0]
            assert message.startswith(f"could not reach {host} for toy/cells.gz")
            assert "MIRROR=" in message
            assert "make demo" in message
            assert len(place.pauses) == ATTEMPTS - 1


def test_a_server_that_never_answers_is_left(place, monkeypatch):
    monkeypatch.setattr("paper.download.TIMEOUT", (5, 0.01))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        message = place.fails(row(f"http://127.0.0.1:{silent.getsockname()[1]}/x", DATA))
    assert "no answer" in message
    assert len(place.pauses) == ATTEMPTS - 1


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
    failure = _failure(error)
    assert (failure.kind, failure.attempts) == (kind, attempts)
    assert failure.reason


def test_a_full_disk_is_not_blamed_on_the_source(place, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pooch.HTTPDownloader.__call__", full)
    message = place.fails(row("http://127.0.0.1/x", DATA))
    assert f"{place.target}: No space left on device" in message
    assert place.pauses == []


def test_each_kind_of_url_has_its_downloader():
    kinds = {
        "https://a.org/f": pooch.HTTPDownloader,
        "ftp://a.org/f": pooch.FTPDownloader,
        "doi:10.6084/m9.figshare.10298696/f.zip": pooch.DOIDownloader,
    }
    for url, kind in kinds.items():
        downloader = _downloader(url, progress=False)
        assert type(downloader) is kind
        timeout = getattr(downloader, "timeout", None) or downloader.kwargs["timeout"]
        assert timeout, "never waits for ever"


def test_a_target_that_cannot_be_written_is_named(place):
    place.raw.mkdir()
    (place.raw / "toy").write_text("a file where the folder should be")
    with serving({"/cells.gz": [(200, {}, DATA)]}) as (base, _):
        assert str(place.raw / "toy") in place.fails(row(f"{base}/cells.gz", DATA))


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

    def pinned_meanwhile(*answer):
        pin(row("http://a.org/x"), measure(other), place.lock)
        return answer

    class Answers(list):
        def __getitem__(self, index):
            return pinned_meanwhile(200, {}, DATA)

    with serving({"/cells.gz": Answers([None])}) as (base, _), pytest.raises(InputError) as caught:
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


def test_a_corrupt_mirror_is_refused_even_if_nothing_is_published(place, tmp_path):
    sums = f"{sha256(DATA)}  toy/cells.gz\n"
    mirror = make_mirror(tmp_path / "m", DATA[:-1] + b"!", sums)
    for published in (DATA, None):
        message = place.fails(row(URL, published), mirror)
        assert f"expected {sha256(DATA)}" in message
        assert "SHA256SUMS" in message
        assert mirror in message


def test_a_mirror_that_lacks_the_file(place, tmp_path):
    mirror = make_mirror(tmp_path / "m", DATA, f"{sha256(DATA)}  toy/cells.gz\n")
    (tmp_path / "m" / "toy" / "cells.gz").unlink()
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
