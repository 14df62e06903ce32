"""Write down the configuration that the run used, defaults and command line included."""

import yaml

from scripts.common.config.load import load
from scripts.common.run import run
from vega.files import atomic_write


def main(snakemake):
    """Rule `effective_config`."""
    config = load(snakemake.params.settings).model_dump(mode="json", exclude={"files", "public"})
    with atomic_write(snakemake.output.config) as temporary:
        temporary.write_text(yaml.safe_dump(config, sort_keys=False))


if __name__ == "__main__":
    run(main, snakemake)
