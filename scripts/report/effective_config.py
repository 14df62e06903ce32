"""Write down the configuration that the run used, defaults and command line included."""

from paper.script import run


def main(snakemake):
    import yaml

    from vega.files import written_whole

    with written_whole(snakemake.output.config) as temporary:
        temporary.write_text(yaml.safe_dump(snakemake.params.config, sort_keys=False))


run(main, snakemake)
