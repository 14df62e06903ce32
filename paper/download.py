"""Raw files: fetched from their public source or a mirror, and trusted only once verified.

What a file must be, its record and the lock are in `paper.provenance`.
"""

import email.utils
import errno
import ftplib
import itertools
import logging
import random
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pooch
import requests
import urllib3

from paper import figshare
from paper.config import File
from paper.errors import InputError
from paper.provenance import LOCK, TABLE, Measures, Pins, Provenance, known, measure, pin, record
from vega.files import written_whole

log = logging.getLogger("paper")

SUMS = "SHA256SUMS"
MAKE_SUMS = f"once it has all its files, run `cd <mirror> && sha256sum */* > {SUMS}`"

ATTEMPTS = 4  # at what may pass: no connection, a busy server
WRONG_FILE_ATTEMPTS = 2  # at a file that came complete and is not the one asked for
TIMEOUT = (10, 60)  # seconds to connect, and between two pieces of a file
LONGEST_WAIT = 120  # seconds, whatever Retry-After asks for
CHUNK = 2**20
# As stored: a server that compresses, or says of a .gz that it did, would change the checksum.
HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"pooch/{pooch.__version__}"}
NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)


def fetch(
    row: File,
    target: Path,
    mirror: str | None,
    lock: Path = LOCK,
    progress: bool = True,
    sleep: Callable[[float], None] = time.sleep,
) -> Provenance:
    """Put a raw file at `target` once it is verified, and write its provenance beside it.

    Parameters
    ----------
    row
        What `files.tsv` says of the file.
    target
        `<run>/raw/<study>/<file>`. A file there that is right already is kept; any other is
        replaced by a verified one, or stays if there is none.
    mirror
        Folder or URL with `<study>/<file>` and `SHA256SUMS`, or None for the public source.
    lock
        Where files without a known checksum are pinned; never with a mirror's file.
    progress
        Whether to draw a progress bar, if standard error is a terminal.
    sleep
        Called with the seconds to wait before another attempt.

    Raises
    ------
    InputError
        If the file cannot be had or is not the one asked for.
    """
    name = f"{row.study}/{row.file}"
    source = row.url if mirror is None else f"{mirror.rstrip('/')}/{name}"
    pins = expected = known(row, lock)
    try:
        if mirror is not None:
            expected = _mirror_pins(mirror, name, pins, sleep)
        found = _right_already(target, expected)
        if not found:
            listed = _attempts(lambda: _listed(source), name, sleep)
            url, said = listed or (source, expected)
            must = expected if expected.checksum else said
            log.info("%s: from %s", name, url)
            with written_whole(target) as part:
                found = _attempts(lambda: _get(url, part, must, progress), name, sleep)
                # Another run may have pinned it in the meantime.
                if not expected.checksum and (wrong := pin(row, found, lock).difference(found)):
                    raise _Failure(wrong)
        if not expected.checksum:
            identity = "first use"
        elif pins.checksum and not pins.difference(found):
            identity = "pinned"
        else:
            identity = "mirror"
        return record(target, source, identity, found, pins.values)
    except _Failure as failure:
        words = _in_words(failure, name, source, mirror, expected.origin)
        raise InputError(f"{words} ({row.note})" if row.note else words) from None
    except OSError as error:
        where = error.filename or target
        raise InputError(f"{name}: {where}: {error.strerror or error}; nothing was kept") from None


def _right_already(target: Path, expected: Pins) -> Measures | None:
    """Measures of the file at `target` if it is known to be the right one."""
    if not (expected.checksum and target.is_file()):
        return None
    found = measure(target)
    return None if expected.difference(found) else found


def _listed(source: str) -> tuple[str, Pins] | None:
    """Where a file of figshare is and what it must be, as its listing says."""
    try:
        file = figshare.find(source, timeout=TIMEOUT, headers=HEADERS)
    except (requests.RequestException, ValueError) as error:
        raise _failure(error) or _Failure(_one_line(error)) from None
    return file and (file.url, Pins("figshare's listing", {"bytes": file.bytes, "md5": file.md5}))


def _get(source: str, part: Path, expected: Pins, progress: bool) -> Measures:
    """One attempt to bring `source` to `part`; gives its measures if they are as expected."""
    if _is_url(source):
        _download(source, part, progress)
    elif Path(source).is_file():
        shutil.copyfile(source, part)
    else:
        raise _Failure("no such file", kind="absent")
    found = measure(part)
    wrong = expected.difference(found)
    if (wrong or not expected.checksum) and is_html(part):
        wrong = "the answer is an HTML page (an error or a log-in), not the file"
    elif found["bytes"] == 0:
        wrong = "the file is empty"
    if wrong:
        raise _Failure(wrong, attempts=WRONG_FILE_ATTEMPTS if _is_url(source) else 1)
    return found


def is_html(path: Path) -> bool:
    """Whether a file is an HTML page, which is what many servers answer instead of an error."""
    with path.open("rb") as handle:
        start = handle.read(512).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))


# ---------------------------------------------------------------- attempts and their failures


class _Failure(Exception):
    """An attempt that failed: why, how many attempts that is worth, what it means."""

    def __init__(
        self,
        reason: str,
        attempts: int = 1,
        wait: float = 0,
        kind: Literal["", "absent", "unreachable"] = "",
    ):
        super().__init__(reason)
        self.reason, self.attempts, self.wait, self.kind = reason, attempts, wait, kind


def _attempts(attempt: Callable[[], Any], name: str, sleep: Callable[[float], None]) -> Any:
    """Result of `attempt`, repeated with growing pauses as often as its failure is worth."""
    for number in itertools.count(1):
        try:
            return attempt()
        except _Failure as failure:
            if number >= failure.attempts:
                raise
            # The jitter keeps jobs that failed together from coming back together.
            pause = max(failure.wait, 2 ** (number - 1) * random.uniform(1, 1.5))
            log.warning("%s: %s; again in %.0f s", name, failure.reason, pause)
            sleep(pause)


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://", "ftp://", "doi:"))


def _download(url: str, path: Path, progress: bool) -> None:
    """One attempt to download `url`, whatever its kind, to `path`."""
    try:
        _downloader(url, progress and sys.stderr.isatty())(url, str(path), None)
    except (requests.RequestException, *ftplib.all_errors, ValueError) as error:
        failure = _failure(error)
        if failure is None:
            raise
        raise failure from None


def _downloader(url: str, progress: bool) -> Callable[[str, str, None], None]:
    """Pooch's downloader for http(s), ftp or `doi:<doi>/<file>` (figshare, Zenodo, Dataverse)."""
    kind = type(pooch.downloaders.choose_downloader(url))
    if kind is pooch.FTPDownloader:
        return kind(timeout=TIMEOUT[1], progressbar=progress, chunk_size=CHUNK)
    return kind(timeout=TIMEOUT, headers=HEADERS, progressbar=progress, chunk_size=CHUNK)


def _failure(error: Exception) -> _Failure | None:
    """What a downloader's error means; None if it is not about the source but about our disk."""
    cause = next(iter(error.args), None)
    match error:
        case requests.HTTPError(response=response):
            code = response.status_code
            reason = f"the server answers {code} {response.reason}"
            if code in (408, 425, 429) or code >= 500:
                wait = _retry_after(response.headers.get("Retry-After", ""))
                return _Failure(reason, ATTEMPTS, wait)
            # Object stores say 403 of what is not there.
            return _Failure(reason, kind="absent" if code in (403, 404, 410) else "")
        case requests.exceptions.SSLError():
            return _Failure(f"its certificate is not accepted: {_one_line(cause)}")
        case requests.ConnectionError() if isinstance(cause, urllib3.exceptions.MaxRetryError):
            reason = _one_line(cause.reason).rsplit(": ", 1)[-1]
            return _Failure(reason, ATTEMPTS, kind="unreachable")
        case requests.ConnectionError() | requests.exceptions.ChunkedEncodingError():
            reason = f"the connection broke before the end of the file ({_one_line(cause)})"
            return _Failure(reason, ATTEMPTS)
        case requests.Timeout():
            return _Failure(f"no answer for {TIMEOUT[1]} s", ATTEMPTS)
        case requests.RequestException():
            return _Failure(_one_line(error))
        case ftplib.error_perm():
            return _Failure(_one_line(error), kind="absent" if "550" in str(error) else "")
        case socket.gaierror() | ConnectionRefusedError() | TimeoutError():
            return _Failure(_one_line(error), ATTEMPTS, kind="unreachable")
        case ftplib.Error() | EOFError() | ConnectionError():
            return _Failure(f"the connection broke: {_one_line(error)}", ATTEMPTS)
        case OSError(errno=number) if number in NO_ROUTE:
            return _Failure(_one_line(error), ATTEMPTS, kind="unreachable")
        case ValueError():  # a DOI or a file in its archive that pooch cannot find
            return _Failure(_one_line(error))
    return None


def _retry_after(value: str) -> float:
    """Seconds that a Retry-After header (seconds, or a date) asks for, within bounds."""
    try:
        if value.isdigit():
            seconds = float(value)
        else:
            then = email.utils.parsedate_to_datetime(value)
            seconds = (then - datetime.now(then.tzinfo)).total_seconds()
    except ValueError:
        return 0
    return min(max(seconds, 0), LONGEST_WAIT)


def _one_line(error: Any) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _in_words(failure: _Failure, name: str, source: str, mirror: str | None, origin: str) -> str:
    """The line for the user: what happened where, and what to do."""
    if failure.kind == "unreachable":
        host = urlsplit(source).hostname or "doi.org"
        return (
            f"could not reach {host} for {name} ({failure.reason}); give a mirror "
            "(`make paper MIRROR=<folder or URL>`) or take simulated data (`make demo`)"
        )
    if failure.kind == "absent":
        remedy = "add it to the mirror" if mirror else f"correct its url in {TABLE}"
        remedy += ", give another mirror or run other STUDIES"
    elif mirror:
        remedy = f"copy the file into the mirror again or renew its {SUMS}"
    else:
        remedy = (
            "nothing was kept: run again, give a mirror or, if the source has changed for good, "
            f"change what {origin} says of it"
        )
    return f"{name}: {source}: {failure.reason}; {remedy}"


# ---------------------------------------------------------------- mirrors


def _mirror_pins(mirror: str, name: str, pins: Pins, sleep: Callable[[float], None]) -> Pins:
    """What a mirror's file must be: its line of SHA256SUMS or, without one, its published pins."""
    sums = _mirror_sums(mirror, sleep)
    if sums and name in sums:
        return Pins(f"{SUMS} of the mirror", {"sha256": sums[name]})
    if pins.checksum:
        return pins
    lacks = f"has no {SUMS}" if sums is None else f"has no line for {name} in {SUMS}"
    raise InputError(
        f"mirror {mirror} {lacks}, and no checksum of {name} is published; {MAKE_SUMS}"
    )


def _mirror_sums(mirror: str, sleep: Callable[[float], None]) -> dict[str, str] | None:
    """Checksum by `<study>/<file>`; None if the mirror has no list."""
    source = f"{mirror.rstrip('/')}/{SUMS}"
    if not _is_url(mirror):
        if not Path(mirror).is_dir():
            raise InputError(f"mirror {mirror}: no such folder; give MIRROR=<folder or URL>")
        return _read_sums(Path(source), source) if Path(source).exists() else None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / SUMS
        try:
            _attempts(lambda: _download(source, path, progress=False), source, sleep)
        except _Failure as failure:
            if failure.kind == "absent":
                return None
            raise
        return _read_sums(path, source)


def _read_sums(path: Path, source: str) -> dict[str, str]:
    sums = {}
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        # sha256sum writes two blanks, or a blank and "*"; find puts "./" before names.
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](?:\./)?(.+)", line.strip())
        if not match:
            raise InputError(
                f"{source}: line {number}: not '<sha256>  <study>/<file>' but {line!r:.60}; "
                f"{MAKE_SUMS}"
            )
        sums[match[2]] = match[1]
    return sums
