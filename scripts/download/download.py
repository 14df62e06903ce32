"""Download raw files from their public source or a mirror, and verify their checksums.

Checksums, the record of a file and the lock are in `scripts.common.provenance`, single downloads
and their failures in `transfer`.
"""

import logging
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scripts.common.config.figures import File
from scripts.common.provenance import (
    LOCK,
    TABLE,
    Checksums,
    Measures,
    Provenance,
    accept_hint,
    expected_checksum,
    measure,
    pin,
    read_record,
    record,
    record_absence,
    retry_hint,
)
from scripts.common.run import run
from scripts.download import figshare
from scripts.download.transfer import (
    DownloadError,
    download,
    download_errors,
    request_options,
    retry,
)
from vega.errors import InputError
from vega.files import atomic_write

log = logging.getLogger("workflow")

SUMS = "SHA256SUMS"
# sha256sum writes two blanks, or a blank and "*"; find puts "./" before names.
SUMS_LINE = re.compile(r"^([0-9a-f]{64}) [ *](?:\./)?(.*\S)", re.M)
PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<(!--|(!doctype|\?xml|html|head|body)\b)", re.I)


def fetch(row: File, target: Path, mirror: str | None, lock: Path = LOCK) -> Provenance:
    """Write a verified raw file to `target` (`<run>/raw/<study>/<file>`), and its provenance.

    `mirror` is a folder or URL with `<study>/<file>` and `SHA256SUMS`; without one, the public
    sources are tried in order. A public file without a known checksum is pinned in `lock`. An old
    file is kept if it is right, and after a failure.
    """
    name = f"{row.study}/{row.file}"
    published = expected = expected_checksum(row, lock)
    if row.own:
        sources, mirror = [str(row.own)], None
    elif mirror is None:
        sources = row.urls
    else:
        sources = [f"{mirror.rstrip('/')}/{name}"]
        expected = _mirror_checksum(mirror, row, published)
    found = measure(target) if expected.identify and target.is_file() else None
    if found and not expected.difference(found):
        old = read_record(target)
        is_same = old and old.sha256 == found["sha256"]
        source = old.source if is_same else next(iter(sources), str(target))
    elif not sources:
        raise InputError(
            f"{name}: no public source has it{_note(row)}; get it by hand, and give its path as "
            f"the url `file:<path>` in {TABLE} or put it into a mirror as {name}"
        )
    else:
        with atomic_write(target) as part:
            source, found = _fetch_any(sources, part, row, mirror, expected, lock)
    if not expected.identify:
        identity = "first use"
    elif published.identify and not published.difference(found):
        identity = "pinned"
    else:
        identity = "mirror"
    return record(target, source, identity, found, published.values)


def fetch_if_available(row: File, target: Path, mirror: str | None, **options: Any) -> Provenance:
    """Fetch an optional file; where it is not available, write an empty one and the reason."""
    try:
        return fetch(row, target, mirror, **options)
    except InputError as error:
        log.warning("%s; the run continues without it: %s", error, retry_hint(target))
        return record_absence(target, row, str(error))


def fetch_unpinned(source: str, target: Path) -> Measures:
    """Write a file without a known checksum to `target`; return its measures.

    Where the source does not have it, a `DownloadError` says why.
    """
    unknown = Checksums("not known", {})
    with atomic_write(target) as part:
        return retry(lambda: _fetch(source, part, unknown), target.name)[1]


def _fetch_any(
    sources: Sequence[str],
    part: Path,
    row: File,
    mirror: str | None,
    expected: Checksums,
    lock: Path,
) -> tuple[str, Measures]:
    """Write the file to `part` from the first source that has it; return URL and measures."""
    name = f"{row.study}/{row.file}"
    failures = {}
    for source in sources:
        log.info("%s: from %s", name, source)
        try:
            url, found = retry(partial(_fetch, source, part, expected), name)
            # Another run may have pinned it in the meantime.
            if not expected.identify and (wrong := pin(row, found, lock).difference(found)):
                raise DownloadError(wrong)
            return url, found
        except DownloadError as error:
            failures[source] = error
            if source != sources[-1]:
                log.warning("%s: %s: %s; next source", name, source, error.reason)
    raise InputError(_explain(failures, row, mirror, expected.origin))


def _fetch(source: str, part: Path, expected: Checksums) -> tuple[str, Measures]:
    """Copy or download `source` to `part` in one attempt and verify it; return URL and measures."""
    with download_errors():
        urls, listed = figshare.find(source, **request_options())
    if listed and not expected.identify:
        expected = Checksums("figshare's listing", listed)
    for url in urls[:-1]:
        try:
            return url, _fetch_url(url, part, expected)
        except DownloadError as error:
            log.warning("%s: %s; next address", url, error)
    return urls[-1], _fetch_url(urls[-1], part, expected)


def _fetch_url(url: str, part: Path, expected: Checksums) -> Measures:
    _copy(url, part)
    found = measure(part)
    wrong = expected.difference(found)
    if found["bytes"] == 0:
        wrong = "the file is empty"
    elif wrong or not expected.identify:
        wrong = _html_page(part) or wrong
    if wrong:
        raise DownloadError(wrong, attempts=2 if _is_url(url) else 1)
    return found


def _copy(source: str, path: Path) -> None:
    if _is_url(source):
        download(source, path)
    elif Path(source).is_file():
        with Path(source).open("rb") as file, path.open("wb") as copy:
            shutil.copyfileobj(file, copy)
    else:
        raise DownloadError("no such file", kind="absent")


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://", "ftp://", "doi:"))


def _html_page(path: Path) -> str:
    """Return what an HTML page in place of the file means; empty if it is none."""
    with path.open("rb") as handle:
        start = handle.read(2**16)
    if not PAGE.match(start):
        return ""
    if b"quota exceeded" in start.lower():  # Google Drive
        return "too many downloads of this file today (quota exceeded), try again tomorrow"
    return "the answer is an HTML page (an error or a log-in), not the file"


def _explain(
    failures: Mapping[str, DownloadError], row: File, mirror: str | None, origin: str
) -> str:
    """Return the error of a file that no source has: what failed where, and the remedy."""
    name = f"{row.study}/{row.file}"
    if {error.kind for error in failures.values()} == {"unreachable"}:
        # Without addresses, so that all files of a host give the same reason.
        hosts = ", ".join(dict.fromkeys(urlsplit(url).hostname or "doi.org" for url in failures))
        reasons = "; ".join(dict.fromkeys(error.reason for error in failures.values()))
        return (
            f"could not reach {hosts} for {name} ({reasons}); give a mirror "
            f"(`make paper MIRROR=<folder or URL>`) or run `make demo`{_note(row)}"
        )
    reasons = "; ".join(f"{url}: {error.reason}" for url, error in failures.items())
    if row.own:
        missing = f"put it back, or correct its path in {TABLE}"
        remedy = accept_hint(row.own) if row.own.exists() else missing
    elif mirror:
        remedy = (
            f"copy the file into the mirror again and update its {SUMS}, or give another mirror"
        )
    else:
        remedy = (
            "nothing was kept: run again, give a mirror or, if the source has changed for "
            f"good, correct {origin}"
        )
    return f"{name}: {reasons}; {remedy}{_note(row)}"


def _note(row: File) -> str:
    return f" ({row.note})" if row.note else ""


def _mirror_checksum(mirror: str, row: File, published: Checksums) -> Checksums:
    """Return the checksum of a mirror's file: of its SHA256SUMS or else the published one."""
    name, source = f"{row.study}/{row.file}", f"{mirror.rstrip('/')}/{SUMS}"
    if not (_is_url(mirror) or Path(mirror).is_dir()):
        raise InputError(f"mirror {mirror}: no such folder; give MIRROR=<folder or URL>")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / SUMS
        try:
            retry(lambda: _copy(source, path), source)
            lines = SUMS_LINE.findall(path.read_text(errors="replace"))
            sums, lacks = {file: digest for digest, file in lines}, f"has no line for {name}"
        except DownloadError as error:
            if error.kind != "absent":
                raise InputError(_explain({source: error}, row, mirror, SUMS)) from None
            sums, lacks = {}, "is missing"
    if name in sums:
        return Checksums(f"{SUMS} of the mirror", {"sha256": sums[name]})
    if published.identify:
        return published
    raise InputError(
        f"{source} {lacks}, and no checksum of {name} is published; once the mirror has all its "
        f"files, run `cd <mirror> && sha256sum */* > {SUMS}`"
    )


def main(snakemake):
    """Rule `download`."""
    params = snakemake.params
    get = fetch_if_available if params.optional else fetch
    fetched = get(File(**params.row), Path(snakemake.output.raw), params.mirror)
    log.info("%s: %s bytes, %s", fetched.file, f"{fetched.bytes:,}", fetched.identity)


if __name__ == "__main__":
    run(main, snakemake)
