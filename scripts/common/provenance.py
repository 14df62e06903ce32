"""Checksums of raw files: which are expected, which were found, and a record of both.

A file without a published checksum (`config/files.tsv`) is pinned on first use in
`config/files.lock.tsv`, which is committed, so that later runs verify against it. Next to each raw
file, `.provenance/<file>.json` records its checksums and its source.
"""

import csv
import errno
import fcntl
import hashlib
import io
import os
import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from scripts.common.config.figures import File
from vega.errors import InputError
from vega.files import atomic_write, read_errors

TABLE = Path("config/files.tsv")
LOCK = Path("config/files.lock.tsv")
RESTORE = "restore it from git"
LOCK_COLUMNS = ("study", "file", "bytes", "sha256", "url", "date")

Identity = Literal[
    "pinned",  # it has the checksum of files.tsv or of the lock
    "mirror",  # it has the checksum of its mirror, and is not known to be the published file
    "first use",  # this download pinned it
    "simulated",
    "not available",  # an empty file in place of an optional one
]
Measures = dict[str, int | str]


def measure(path: Path) -> Measures:
    """Return the size (`bytes`), `md5` and `sha256` of a file."""
    with path.open("rb") as handle:
        # MD5 only identifies files that were published with it; some systems forbid it otherwise.
        md5 = hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False))
        handle.seek(0)
        sha256 = hashlib.file_digest(handle, "sha256")
        size = handle.tell()
    return {"bytes": size, "md5": md5.hexdigest(), "sha256": sha256.hexdigest()}


@dataclass(frozen=True)
class Checksums:
    """Expected `bytes`, `md5` and `sha256` of a file, as far as known, and where they are from."""

    origin: str
    values: Measures

    @property
    def identify(self) -> bool:
        """Whether they identify a file: a size alone does not."""
        return bool(self.values.keys() & {"md5", "sha256"})

    def difference(self, found: Measures) -> str:
        """Return the first measure that differs, in words; empty if none does."""
        for key, value in self.values.items():
            if found[key] != value:
                return f"{key} expected {value} ({self.origin}), found {found[key]}"
        return ""


def expected_checksum(row: File, lock: Path) -> Checksums:
    """Return the checksums of a row of `files.tsv` or, if it has none, of the lock."""
    values = row.model_dump(include={"bytes", "md5", "sha256"}, exclude_none=True)
    published = Checksums(str(TABLE), values)
    if published.identify or not lock.exists():
        return published
    with read_errors(lock, "a table", RESTORE), lock.open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        content = handle.read()
    return _read_lock(content, lock).get((row.study, row.file), published)


def accept_hint(path: Path) -> str:
    """Return how to take a user's own file as it is now."""
    return f"restore it, or take it as it is now: make accept FILE={shlex.quote(str(path))}"


def check_own(row: File, raw: Path) -> None:
    """Check that a user's own file is the one that was added, if it changed since it was copied.

    `raw` is its copy. What was never copied is checked by the download.
    """
    copied = _record_path(raw)
    if not (row.own and row.own.is_file() and copied.exists()):
        return
    # The time of the last change of the inode, which copying and moving do not preserve.
    if row.own.stat().st_ctime > copied.stat().st_mtime:
        expected = expected_checksum(row, LOCK)
        if difference := expected.difference(measure(row.own)):
            raise InputError(f"{row.own}: {difference}; {accept_hint(row.own)}")


def pin(row: File, found: Measures, lock: Path) -> Checksums:
    """Add a file to the lock unless it has it already; return what the lock then expects.

    Jobs may run in parallel: each holds the file lock while it reads and appends.
    """
    with lock.open("a+b", buffering=0) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        handle.seek(0)
        old = handle.read()
        if locked := _read_lock(old, lock).get((row.study, row.file)):
            return locked
        header = "\t".join(LOCK_COLUMNS) + "\n"
        start = header if not old else "" if old.endswith(b"\n") else "\n"  # edited by hand
        day = datetime.now(UTC).date().isoformat()
        values = (row.study, row.file, found["bytes"], found["sha256"], row.url, day)
        new = (start + "\t".join(map(str, values)) + "\n").encode()
        try:
            if handle.write(new) < len(new):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle.fileno())
        except OSError as error:  # half a line would make the lock invalid for later runs
            handle.truncate(len(old))
            raise OSError(error.errno, error.strerror, str(lock)) from None
    return Checksums(str(lock), {key: found[key] for key in ("bytes", "sha256")})


def _read_lock(content: bytes, lock: Path) -> dict[tuple[str, str], Checksums]:
    checksums = {}
    with read_errors(lock, "a table of checksums", f"{RESTORE} or remove the line"):
        table = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), delimiter="\t")
        for number, row in enumerate(table, start=2):
            if not re.fullmatch(r"[0-9a-f]{64}", row["sha256"] or ""):
                raise ValueError(f"line {number}: expected a SHA-256, found {row['sha256']!r}")
            values = {"bytes": int(row["bytes"]), "sha256": row["sha256"]}
            checksums[row["study"], row["file"]] = Checksums(str(lock), values)
    return checksums


@dataclass(frozen=True)
class Provenance:
    """Record of a raw file: its checksums, its source, and how far it is the published file."""

    study: str
    file: str
    source: str
    bytes: int
    md5: str
    sha256: str
    identity: Identity
    pinned: Measures  # checksums of the published file, as far as known
    reason: str = ""  # why it is not available


RECORD = TypeAdapter(Provenance)


def record(
    path: Path,
    source: str,
    identity: Identity,
    found: Measures | None = None,
    pinned: Measures | None = None,
    reason: str = "",
) -> Provenance:
    """Write the provenance of the raw file at `path` (`<run>/raw/<study>/<file>`).

    `found` are its measures, where they are known already.
    """
    written = Provenance(
        path.parent.name, path.name, source, **(found or measure(path)), identity=identity,
        pinned=pinned or {}, reason=reason,
    )  # fmt: skip
    with atomic_write(_record_path(path)) as part:
        part.write_bytes(RECORD.dump_json(written, indent=2) + b"\n")
    return written


def provenance(folder: Path) -> list[Provenance]:
    """Return the records of a study's raw files (`<run>/raw/<study>`), by name."""
    paths = sorted((folder / ".provenance").glob("*.json"))
    return [read_record(folder / path.stem) for path in paths]


def read_record(path: Path) -> Provenance | None:
    """Return the record of a raw file; None if it has none."""
    path = _record_path(path)
    if not path.exists():
        return None
    with read_errors(path, "a provenance record", "remove it and run again"):
        return RECORD.validate_json(path.read_bytes())


def _record_path(path: Path) -> Path:
    return path.parent / ".provenance" / f"{path.name}.json"


def record_absence(path: Path, row: File, reason: str) -> Provenance:
    """Write an empty file in place of an optional raw file, and record the reason."""
    with atomic_write(path):
        pass
    return record(path, row.url, "not available", reason=reason)


def retry_hint(path: Path) -> str:
    """Return how to get an optional file later: for Snakemake the empty one is up to date."""
    run = path.parts[-4]  # results/<run>/raw/<study>/<file>
    command = f'make paper {"" if run == "paper" else f"RUN={run} "}ARGS="--forcerun {path}"'
    return f"once it is available, run `{command}`, with its mirror if any"


def absence(path: Path) -> str:
    """Return why a raw file is missing; empty if it is not."""
    if path.is_file() and path.stat().st_size:
        return ""
    written = read_record(path)
    return f"not available ({written.reason})" if written and written.reason else "no such file"


def forget_absences(folder: Path) -> None:
    """Remove the empty files of a study, so that the next run tries to download the real ones."""
    for written in provenance(folder):
        if written.identity == "not available":
            (folder / written.file).unlink(missing_ok=True)
            _record_path(folder / written.file).unlink()


@dataclass(frozen=True)
class Check:
    """Result of verifying a file, with a detail in words."""

    name: str
    status: Literal["ok", "differs", "missing"]
    detail: str

    def __str__(self) -> str:
        """Return one line of the list."""
        return f"{self.status:<8}{self.name}: {self.detail}"
