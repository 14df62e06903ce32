"""Fetch one raw file from its public source or a mirror, and verify it."""

from scripts.common.run import log, run


def main(snakemake):
    """Rule `download`."""
    from pathlib import Path

    from scripts.common.config import File
    from scripts.download.download_ import fetch, fetch_if_available

    params = snakemake.params
    get = fetch_if_available if params.optional else fetch
    fetched = get(File(**params.row), Path(snakemake.output.raw), params.mirror)
    log.info("%s: %s bytes, %s", fetched.file, f"{fetched.bytes:,}", fetched.identity)


run(main, snakemake)
