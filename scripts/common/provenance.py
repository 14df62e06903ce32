"""What a raw file is: its checksums, whether it is the published file, and a record of both.

A file without a published checksum (`config/files.tsv`) is pinned on first use into
`config/files.lock.tsv`, which is committed, so that later runs verify against it. Beside each
raw file, `.provenance/<file>.json` says what it is and where it came from.
"""

import csv
import errno
import fcntl
import hashlib
import io
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from scripts.common.config.figures import File
from vega.errors import InputError
from vega.files import reading, written_whole

TABLE = Path("config/files.tsv")
LOCK = Path("config/files.lock.tsv")
RESTORE = "restore it from git"
LOCK_COLUMNS = ("study", "file", "bytes", "sha256", "url", "date")

Identity = Literal["pinned", "mirror", "first use", "simulated", "not available"]
Measures = dict[str, int | str]


def measure(path: Path) -> Measures:
    """Size (`bytes`), `md5` and `sha256` of a file."""
    with path.open("rb") as handle:
        # MD5 only identifies files that were published with it; some systems forbid it otherwise.
        md5 = hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False))
        handle.seek(0)
        sha256 = hashlib.file_digest(handle, "sha256")
        size = handle.tell()
    return {"bytes": size, "md5": md5.hexdigest(), "sha256": sha256.hexdigest()}


# ---------------------------------------------------------------- what a file must be


@dataclass(frozen=True)
class Pins:
    """What a file must be (`bytes`, `md5`, `sha256`, as far as known) and who says so."""

    origin: str
    values: Measures

    @property
    def checksum(self) -> bool:
        """Whether they identify a file: a size alone does not."""
        return bool(self.values.keys() & {"md5", "sha256"})

    def difference(self, found: Measures) -> str:
        """The first measure that is not as it must be, in words; empty if all are."""
        for key, value in self.values.items():
            if found[key] != value:
                return f"{key} expected {value} ({self.origin}), found {found[key]}"
        return ""


def known(row: File, lock: Path) -> Pins:
    """What is known of a file: its row of `files.tsv` or, without a checksum there, the lock."""
    columns = ("bytes", "md5", "sha256")
    pins = Pins(str(TABLE), {key: value for key in columns if (value := getattr(row, key))})
    if pins.checksum or not lock.exists():
        return pins
    with reading(lock, "a table", RESTORE), lock.open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        content = handle.read()
    return _read_lock(content, lock).get((row.study, row.file), pins)


def pin(row: File, found: Measures, lock: Path) -> Pins:
    """Add a file to the lock unless it is there already; gives what the lock then says of it.

    Jobs may do this at the same time: each holds the file lock while it reads and appends.
    """
    with lock.open("a+b", buffering=0) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        handle.seek(0)
        old = handle.read()
        locked = _read_lock(old, lock)
        if (row.study, row.file) in locked:
            return locked[row.study, row.file]
        head = "\t".join(LOCK_COLUMNS) + "\n"
        start = head if not old else "" if old.endswith(b"\n") else "\n"  # edited by hand
        day = datetime.now(UTC).date().isoformat()
        values = (row.study, row.file, found["bytes"], found["sha256"], row.url, day)
        new = (start + "\t".join(map(str, values)) + "\n").encode()
        try:
            if handle.write(new) < len(new):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle.fileno())
        except OSError as error:  # half a line would spoil the lock for every later run
            handle.truncate(len(old))
            raise OSError(error.errno, error.strerror, str(lock)) from None
    return Pins(str(lock), {key: found[key] for key in ("bytes", "sha256")})


def _read_lock(content: bytes, lock: Path) -> dict[tuple[str, str], Pins]:
    pins = {}
    with reading(lock, "a table", RESTORE):
        lines = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig")), delimiter="\t"))
    for number, line in enumerate(lines, start=2):
        try:
            row = File.model_validate({key: line.get(key) for key in LOCK_COLUMNS[:-1]})
        except ValidationError:
            row = None
        if row is None or not (row.bytes and row.sha256):
            raise InputError(
                f"{lock}: line {number}: not {', '.join(LOCK_COLUMNS)} separated by tabs; "
                f"{RESTORE} or remove the line"
            )
        pins[row.study, row.file] = Pins(str(lock), {"bytes": row.bytes, "sha256": row.sha256})
    return pins


# ---------------------------------------------------------------- what a file is


@dataclass(frozen=True)
class Provenance:
    """What a raw file is and where it came from.

    `identity` is `pinned` (equals the checksum of `files.tsv` or of the lock), `mirror` (equals
    its mirror's checksum but not, or not known to be, the published file: a subset or a
    repackaged copy), `first use` (pinned by this very download), `simulated` or `not available`
    (an empty file in place of one that a run can do without, for the `reason` given). `pinned`
    holds what was known of the published file.
    """

    study: str
    file: str
    source: str
    bytes: int
    md5: str
    sha256: str
    identity: Identity
    pinned: Measures
    reason: str = ""


RECORD = TypeAdapter(Provenance)


def record(
    path: Path,
    source: str,
    identity: Identity,
    found: Measures | None = None,
    pinned: Measures | None = None,
    reason: str = "",
) -> Provenance:
    """Write the provenance of a raw file that is there (`<run>/raw/<study>/<file>`).

    `found` are its measures where they are known already.
    """
    found = found or measure(path)
    written = Provenance(
        path.parent.name, path.name, source, **found, identity=identity, pinned=pinned or {},
        reason=reason,
    )  # fmt: skip
    with written_whole(_record_path(path)) as part:
        part.write_text(json.dumps(asdict(written), indent=2) + "\n")
    return written


def recorded_source(path: Path, found: Measures) -> str | None:
    """Return the source of a raw file, if there is a record of just this file."""
    try:
        written = _read_record(_record_path(path))
    except InputError:
        return None
    return written.source if written.sha256 == found["sha256"] else None


def record_absence(path: Path, row: File, reason: str) -> Provenance:
    """Put an empty file in place of a raw file that cannot be had, and write down why."""
    with written_whole(path):
        pass
    return record(path, row.url or "", "not available", reason=reason)


def again(path: Path) -> str:
    """What to do once the file can be had: to Snakemake the empty one is as good as another."""
    return f'once it can be had, run `make paper ARGS="--forcerun {path}"`, with its mirror if any'


def forget_absences(folder: Path) -> None:
    """Remove the empty files of a study, so that the next run tries to get the real ones."""
    for written in provenance(folder):
        if written.identity == "not available":
            (folder / written.file).unlink(missing_ok=True)
            _record_path(folder / written.file).unlink()


def absence(path: Path) -> str:
    """Why there is no such raw file; empty if there is one."""
    if path.is_file() and path.stat().st_size:
        return ""
    written = _record_path(path)
    reason = _read_record(written).reason if written.exists() else ""
    return f"not available ({reason})" if reason else "no such file"


def provenance(folder: Path) -> list[Provenance]:
    """Provenance of a study's raw files, by name; `folder` is `<run>/raw/<study>`.

    They are the published ones if each `identity` is `pinned` or `first use`.
    """
    return [_read_record(path) for path in sorted((folder / ".provenance").glob("*.json"))]


def _record_path(path: Path) -> Path:
    return path.parent / ".provenance" / f"{path.name}.json"


def _read_record(path: Path) -> Provenance:
    with reading(path, "a provenance record", "remove it and make the file again"):
        return RECORD.validate_json(path.read_bytes())


# ---------------------------------------------------------------- whether it still is


@dataclass(frozen=True)
class Check:
    """What verification found of a file: `ok`, `differs` or `missing`, and more in words."""

    name: str
    status: Literal["ok", "differs", "missing"]
    detail: str

    def __str__(self) -> str:
        """One line of the list."""
        return f"{self.status:<8}{self.name}: {self.detail}"


def verify(folder: Path, rows: Iterable[File], lock: Path) -> list[Check]:
    """Hash the raw files below `folder` (`<run>/raw`) and compare them with what they must be.

    Each is compared with its record; one that the record says (or, without a record, that must
    be) the published file also with `files.tsv` or the lock.
    """
    return [_check(folder / row.study / row.file, row, lock) for row in rows]


def _check(path: Path, row: File, lock: Path) -> Check:
    name = f"{row.study}/{row.file}"
    if not path.is_file():
        return Check(name, "missing", f"no file {path}")
    written = _read_record(_record_path(path)) if _record_path(path).exists() else None
    must = [Pins("its record", {"sha256": written.sha256})] if written else []
    if written is None or written.identity in ("pinned", "first use"):
        must.append(known(row, lock))
    if not any(pins.checksum for pins in must):
        return Check(name, "differs", "nothing says what it must be: no checksum, no record")
    found = measure(path)
    for pins in must:
        if difference := pins.difference(found):
            return Check(name, "differs", difference)
    detail = ": ".join(filter(None, [written.identity, written.reason])) if written else "pinned"
    return Check(name, "ok", detail)
