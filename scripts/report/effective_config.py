"""Write down the configuration that the run used, defaults and command line included."""

from scripts.common.run import run


def main(snakemake):
    import yaml

    from scripts.common.config import load
    from vega.files import written_whole

    config = load(snakemake.params.settings).model_dump(mode="json", exclude={"files", "public"})
    with written_whole(snakemake.output.config) as temporary:
        temporary.write_text(yaml.safe_dump(config, sort_keys=False))


run(main, snakemake)
