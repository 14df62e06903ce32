"""Tabulate the sample annotations of a GEO series."""

from paper.script import log, run


def main(snakemake):
    """Rule `sample_annotations`."""
    from pathlib import Path

    from paper.geo import sample_annotations, supplementary_files
    from vega.files import written_whole

    soft = Path(snakemake.input[0])
    samples = sample_annotations(soft)
    with written_whole(snakemake.output[0]) as part:
        samples.to_csv(part, sep="\t", index=False)
    log.info("%d samples; files of the series: %s", len(samples), supplementary_files(soft))


run(main, snakemake)
