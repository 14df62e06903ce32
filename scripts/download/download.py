"""Raw files: fetched from their public source or a mirror, and trusted only once verified.

What a file must be, its record and the lock are in `scripts.common.provenance`; what may go wrong
on the way here is in `transfer`.
"""

import itertools
import logging
import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from scripts.common.config.figures import File
from scripts.common.provenance import (
    LOCK,
    TABLE,
    Measures,
    Pins,
    Provenance,
    again,
    known,
    measure,
    pin,
    record,
    record_absence,
    recorded_source,
)
from scripts.common.run import run
from scripts.download import figshare
from scripts.download.transfer import (
    HEADERS,
    HOOKS,
    TIMEOUT,
    Failure,
    download,
    meaning,
    one_line,
    watched,
)
from vega.errors import InputError
from vega.files import written_whole

log = logging.getLogger("workflow")

SUMS = "SHA256SUMS"
MOST_SUMS = 2**24  # bytes that are read of it
MAKE_SUMS = f"once it has all its files, run `cd <mirror> && sha256sum */* > {SUMS}`"

PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<(!--|(!doctype|\?xml|html|head|body)\b)", re.I)
PAGE_BYTES = 2**16  # that are read of a page

WRONG_FILE_ATTEMPTS = 2  # at a file that came complete and is not the one asked for
MOST_BYTES = 2**36  # of a file whose size is not known; the largest known of the paper has 1.3e8


def fetch(
    row: File,
    target: Path,
    mirror: str | None,
    lock: Path = LOCK,
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
        Folder or URL with `<study>/<file>` and `SHA256SUMS`, or None for the public sources, of
        which each is tried until one gives the right file.
    lock
        Where files without a known checksum are pinned; never with a mirror's file.
    sleep
        Called with the seconds to wait before another attempt.

    Raises
    ------
    InputError
        If the file cannot be had or is not the one asked for.
    """
    name = f"{row.study}/{row.file}"
    if row.own:  # no mirror has it
        sources, mirror = [str(row.own)], None
    else:
        sources = row.urls if mirror is None else [f"{mirror.rstrip('/')}/{name}"]
    pins = expected = known(row, lock)
    with _told_of_disk(name, target):
        try:
            if mirror is not None:
                expected = _mirror_pins(mirror, name, pins, sleep)
            if found := _right_already(target, expected):
                source = recorded_source(target, found) or next(iter(sources), str(target))
            elif not sources:
                raise InputError(_by_hand(row))
            else:
                with written_whole(target) as part:
                    source, found = _first(sources, part, row, expected, lock, sleep)
            if not expected.checksum:
                identity = "first use"
            elif pins.checksum and not pins.difference(found):
                identity = "pinned"
            else:
                identity = "mirror"
            return record(target, source, identity, found, pins.values)
        except _Failures as failures:
            words = _in_words(failures.by_source, name, mirror, expected.origin)
        except Failure as failure:  # of the mirror's checksums
            words = _in_words({sources[0]: failure}, name, mirror, expected.origin)
    raise InputError(f"{words} ({row.note})" if row.note else words)


def fetch_if_available(row: File, target: Path, mirror: str | None, **options: Any) -> Provenance:
    """Do as `fetch`, but leave an empty file, and a record of the reason, of what cannot be had."""
    try:
        return fetch(row, target, mirror, **options)
    except InputError as error:
        log.warning("%s; the run continues without it: %s", error, again(target))
        return record_absence(target, row, str(error))


def bring(source: str, target: Path, sleep: Callable[[float], None] = time.sleep) -> Measures:
    """Put a file of which nothing is known at `target`; gives what it is.

    Raises
    ------
    Failure
        If it cannot be had.
    InputError
        If the disk cannot be written.
    """
    with _told_of_disk(target.name, target), written_whole(target) as part:
        unknown = Pins("nothing is known of it", {})
        return _attempts(lambda: _get(source, part, unknown), target.name, sleep)


@contextmanager
def _told_of_disk(name: str, target: Path) -> Iterator[None]:
    """Turn what the disk says into one line."""
    try:
        yield
    except OSError as error:
        where = error.filename2 or error.filename or target  # the second is where a copy goes
        raise InputError(f"{name}: {where}: {error.strerror or error}; nothing was kept") from None


def _right_already(target: Path, expected: Pins) -> Measures | None:
    """Measures of the file at `target` if it is known to be the right one."""
    if not (expected.checksum and target.is_file()):
        return None
    found = measure(target)
    return None if expected.difference(found) else found


class _Failures(Exception):
    """No source gives the file: why, by source."""

    def __init__(self, by_source: Mapping[str, Failure]):
        super().__init__()
        self.by_source = by_source


def _first(
    sources: Sequence[str],
    part: Path,
    row: File,
    expected: Pins,
    lock: Path,
    sleep: Callable[[float], None],
) -> tuple[str, Measures]:
    """Bring the file to `part` from the first source that gives it; return this and its measures.

    Without a checksum in `expected` the file is pinned in the lock.
    """
    name = f"{row.study}/{row.file}"
    failures = {}
    left = [(source, expected) for source in sources]
    while left:
        source, must = left.pop(0)
        try:
            if listed := _attempts(partial(_listed, source), name, sleep):
                said = Pins("figshare's listing", {"bytes": listed.bytes, "md5": listed.md5})
                left = [(url, must if must.checksum else said) for url in listed.urls] + left
                continue
            log.info("%s: from %s", name, source)
            found = _attempts(partial(_get, source, part, must), name, sleep)
            # Another run may have pinned it in the meantime.
            if not expected.checksum and (wrong := pin(row, found, lock).difference(found)):
                raise Failure(wrong)
        except Failure as failure:
            failures[source] = failure
            if left:
                log.warning("%s: %s: %s; next source", name, source, failure.reason)
        else:
            return source, found
    raise _Failures(failures)


def _listed(source: str) -> figshare.ListedFile | None:
    """Return what figshare's listing says of a source; None if it is on another host."""
    try:
        with watched():
            return figshare.find(source, timeout=TIMEOUT, headers=HEADERS, hooks=HOOKS)
    except (requests.RequestException, ValueError) as error:
        raise meaning(error) or Failure(one_line(error)) from None


def _get(source: str, part: Path, expected: Pins) -> Measures:
    """One attempt to bring `source` to `part`; gives its measures if they are as expected."""
    size, whole = expected.values.get("bytes"), True
    if _is_url(source):
        whole = download(source, part, size or MOST_BYTES)
    elif Path(source).is_file():
        shutil.copyfile(source, part)
    else:
        raise Failure("no such file", kind="absent")
    found = measure(part)
    wrong = expected.difference(found)
    if not whole:
        most = size or f"up to {MOST_BYTES}"
        wrong = f"bytes expected {most} ({expected.origin}), found more"
    if found["bytes"] == 0:
        wrong = "the file is empty"
    elif wrong or not expected.checksum:
        wrong = _page(part) or wrong
    if wrong:
        raise Failure(wrong, attempts=WRONG_FILE_ATTEMPTS if _is_url(source) else 1)
    return found


def _page(path: Path) -> str:
    """What it means that a file is an HTML page, which many servers send instead of an error."""
    with path.open("rb") as handle:
        start = handle.read(PAGE_BYTES)
    if not PAGE.match(start):
        return ""
    if b"quota exceeded" in start.lower():
        return "too many downloads of this file today (quota exceeded), try again tomorrow"
    return "the answer is an HTML page (an error or a log-in), not the file"


# ---------------------------------------------------------------- attempts and their failures


def _attempts(attempt: Callable[[], Any], name: str, sleep: Callable[[float], None]) -> Any:
    """Result of `attempt`, repeated with growing pauses as often as its failure is worth."""
    for number in itertools.count(1):
        try:
            return attempt()
        except Failure as failure:
            if number >= failure.attempts:
                raise
            # The jitter keeps jobs that failed together from coming back together.
            pause = max(failure.wait, 2 ** (number - 1) * random.uniform(1, 1.5))
            log.warning("%s: %s; again in %.0f s", name, failure.reason, pause)
            sleep(pause)


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://", "ftp://", "doi:"))


def _in_words(failures: Mapping[str, Failure], name: str, mirror: str | None, origin: str) -> str:
    """The line for the user: what happened where, and what to do."""
    kinds = {failure.kind for failure in failures.values()}
    if kinds == {"unreachable"}:  # without addresses, so that it is one line for all such files
        hosts = ", ".join(dict.fromkeys(urlsplit(url).hostname or "doi.org" for url in failures))
        reasons = "; ".join(dict.fromkeys(failure.reason for failure in failures.values()))
        return (
            f"could not reach {hosts} for {name} ({reasons}); give a mirror "
            "(`make paper MIRROR=<folder or URL>`) or take simulated data (`make demo`)"
        )
    if kinds == {"absent"}:
        remedy = "add it to the mirror" if mirror else f"correct its url in {TABLE}"
        remedy += ", give another mirror or run other STUDIES"
    elif mirror:
        remedy = f"copy the file into the mirror again or renew its {SUMS}"
    else:
        remedy = (
            "nothing was kept: run again, give a mirror or, if the source has changed for good, "
            f"change what {origin} says of it"
        )
    reasons = "; ".join(f"{source}: {failure.reason}" for source, failure in failures.items())
    return f"{name}: {reasons}; {remedy}"


def _by_hand(row: File) -> str:
    """The line for a file that no public source has."""
    name = f"{row.study}/{row.file}"
    about = f" ({row.note})" if row.note else ""
    return (
        f"{name}: no public source has it{about}; get it by hand, and give its place as the url "
        f"`file:<path>` in {TABLE} or put it into a mirror as {name}"
    )


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
            _attempts(lambda: download(source, path, MOST_SUMS), source, sleep)
        except Failure as failure:
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


def main(snakemake):
    """Rule `download`."""
    params = snakemake.params
    get = fetch_if_available if params.optional else fetch
    fetched = get(File(**params.row), Path(snakemake.output.raw), params.mirror)
    log.info("%s: %s bytes, %s", fetched.file, f"{fetched.bytes:,}", fetched.identity)


if __name__ == "__main__":
    run(main, snakemake)
