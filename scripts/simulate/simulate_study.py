"""Simulate one folder of raw files in the source's formats, and write down its planted truth."""

from scripts.common.run import run


def main(snakemake):
    """Draw the study, write its raw files with their provenance, and the table of the truth."""
    from pathlib import Path

    from scripts.common.config import Simulations, Study
    from scripts.simulate import raw_files, simulate_study, write
    from vega.files import written_whole

    name, study = snakemake.params.name, Study(**snakemake.params.study)
    simulations = Simulations(**snakemake.params.simulations)
    simulation = simulations.studies[name]
    simulated = simulate_study(name, study, simulations)
    write(
        raw_files(study, simulated, simulation),
        Path(snakemake.output.raw[0]).parent,
        f"config/simulations.yaml: studies.{name}, seed {simulation.seed}",
    )
    with written_whole(snakemake.output.truth) as path:
        simulated.truth.to_csv(path, sep="\t", index=False)


run(main, snakemake)
