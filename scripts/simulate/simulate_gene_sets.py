"""Simulate the gene sets of the run's models."""

from scripts.common.run import run


def main(snakemake):
    """Write each GMT file with its provenance."""
    from pathlib import Path

    from scripts.common.config import Simulations
    from scripts.simulate import gmt, simulate_gene_sets, write

    simulations = Simulations(**snakemake.params.simulations)
    for path in map(Path, snakemake.output.raw):
        write(
            [(path.name, gmt(simulate_gene_sets(simulations, path.name)))],
            path.parent,
            f"config/simulations.yaml: gene_sets.{path.name}, seed {simulations.genes.seed}",
        )


run(main, snakemake)
