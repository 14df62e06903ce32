"""Fetch one raw file from its public source or a mirror, and verify it."""

from paper.script import log, run


def main(snakemake):
    """Rule `download`."""
    from pathlib import Path

    from paper.config import File
    from paper.download import fetch

    fetched = fetch(
        File(**snakemake.params.row), Path(snakemake.output.raw), snakemake.params.mirror
    )
    log.info("%s: %s bytes, %s", fetched.file, f"{fetched.bytes:,}", fetched.identity)


run(main, snakemake)
