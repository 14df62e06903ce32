"""Verify the files of a run: raw files against their checksums, results against the crate."""

from collections.abc import Iterable
from pathlib import Path

from scripts.common.config.figures import File
from scripts.common.provenance import (
    LOCK,
    Check,
    Checksums,
    expected_checksum,
    measure,
    read_record,
)
from scripts.common.run import log, run
from scripts.report import ro_crate
from vega.errors import InputError


def verify(folder: Path, rows: Iterable[File], lock: Path) -> list[Check]:
    """Hash the raw files below `folder` (`<run>/raw`) and compare them with their records.

    A file that should be the published one is also compared with `files.tsv` or the lock.
    """
    return [_check(folder / row.study / row.file, row, lock) for row in rows]


def _check(path: Path, row: File, lock: Path) -> Check:
    name = f"{row.study}/{row.file}"
    if not path.is_file():
        return Check(name, "missing", f"no file {path}")
    record = read_record(path)
    expected = [Checksums("its record", {"sha256": record.sha256})] if record else []
    if record is None or record.identity in ("pinned", "first use"):
        expected.append(expected_checksum(row, lock))
    if not any(checksums.identify for checksums in expected):
        return Check(name, "differs", "no checksum and no record to compare it with")
    found = measure(path)
    for checksums in expected:
        if difference := checksums.difference(found):
            return Check(name, "differs", difference)
    detail = ": ".join(filter(None, [record.identity, record.reason])) if record else "pinned"
    return Check(name, "ok", detail)


def main(snakemake):
    """Rule `verify`."""
    folder = Path(snakemake.params.run)
    rows = [File(**row) for row in snakemake.params.rows]
    if of_run := ro_crate.raw_files(folder):  # a finished run needs no others
        rows = [row for row in rows if f"{row.study}/{row.file}" in of_run]
    raw = verify(folder / "raw", rows, LOCK)
    results = ro_crate.verify(folder)
    for check in raw + [check for check in results if check.status != "ok"]:
        log.info("%s", check)
    if results:
        log.info("%d other files compared with %s", len(results), folder / ro_crate.NAME)
    else:
        log.info("no %s yet, so raw files only: a run ends with it", folder / ro_crate.NAME)
    if bad := [check for check in raw + results if check.status != "ok"]:
        for row, check in zip(rows, raw, strict=True):
            if check.status == "differs" and row.own and not row.own.exists():
                raise InputError(f"{check.name} differs; put back its original {row.own} first")
        raise InputError(
            f"{len(bad)} of {len(raw) + len(results)} files differ or are missing: "
            f"{', '.join(check.name for check in bad)}; remove those that differ and run again"
        )


if __name__ == "__main__":
    run(main, snakemake)
