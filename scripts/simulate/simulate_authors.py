"""Simulate the authors' processed data, and write down what was planted in each study."""

from scripts.common.run import run


def main(snakemake):
    """Draw the studies, write the authors' files with their provenance, and the truth tables."""
    from pathlib import Path

    from scripts.common.config import Simulations, Study
    from scripts.simulate import authors_files, simulate_study, write
    from vega.files import written_whole

    params = snakemake.params
    studies, sources = (
        {name: Study(**study) for name, study in of.items()}
        for of in (params.studies, params.sources)
    )
    simulations = Simulations(**params.simulations)
    drawn = {name: simulate_study(name, source, simulations) for name, source in sources.items()}
    write(
        authors_files(studies, sources, drawn, simulations).items(),
        Path(snakemake.output.raw[0]).parent,
        f"config/simulations.yaml: studies {', '.join(sources)}, preprocessed",
    )
    for simulated, output in zip(drawn.values(), snakemake.output.truth, strict=True):
        with written_whole(output) as path:
            simulated.truth.to_csv(path, sep="\t", index=False)


run(main, snakemake)
