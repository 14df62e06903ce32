"""Hash the raw files on disk and compare them with what they must be."""

from paper.script import log, run


def main(snakemake):
    """Rule `verify`."""
    from pathlib import Path

    from paper.config import File
    from paper.errors import InputError
    from paper.provenance import LOCK, verify

    rows = [File(**row) for row in snakemake.params.rows]
    checks = verify(Path(snakemake.params.folder), rows, LOCK)
    for check in checks:
        log.info("%s", check)
    bad = [check.name for check in checks if check.status != "ok"]
    if bad:
        raise InputError(
            f"{len(bad)} of {len(checks)} raw files are not as they must be: {', '.join(bad)}; "
            "remove those that differ and run again"
        )


run(main, snakemake)
