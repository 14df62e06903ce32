"""Hash what is on disk: raw files against what they must be, results against the run's crate."""

from pathlib import Path

from scripts.common import provenance
from scripts.common.config.figures import File
from scripts.common.run import log, run
from scripts.report import ro_crate
from vega.errors import InputError


def main(snakemake):
    """Rule `verify`."""
    folder = Path(snakemake.params.run)
    rows = [File(**row) for row in snakemake.params.rows]
    if of_run := ro_crate.raw_files(folder):  # a finished run needs no others
        rows = [row for row in rows if f"{row.study}/{row.file}" in of_run]
    raw = provenance.verify(folder / "raw", rows, provenance.LOCK)
    results = ro_crate.verify(folder)
    bad = [check for check in (*raw, *results) if check.status != "ok"]
    for check in (*raw, *(check for check in results if check.status != "ok")):
        log.info("%s", check)
    if results:
        log.info("%d other files compared with %s", len(results), folder / ro_crate.NAME)
    else:
        log.info("no %s yet, so raw files only: a run ends with it", folder / ro_crate.NAME)
    if bad:
        raise InputError(
            f"{len(bad)} of {len(raw) + len(results)} files are not as they must be: "
            f"{', '.join(check.name for check in bad)}; remove those that differ and run again"
        )


if __name__ == "__main__":
    run(main, snakemake)
