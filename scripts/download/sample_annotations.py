"""Tabulate the sample annotations of a GEO series."""

from scripts.common.run import log, run


def main(snakemake):
    """Rule `sample_annotations`."""
    from pathlib import Path

    from scripts.download.geo import read_series
    from vega.files import written_whole

    soft = Path(snakemake.input[0])
    series = read_series(soft)
    with written_whole(snakemake.output[0]) as part:
        series.samples.to_csv(part, sep="\t", index=False)
    log.info("%d samples; files of the series: %s", len(series.samples), series.files)


run(main, snakemake)
