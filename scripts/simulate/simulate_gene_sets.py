"""Simulate the gene sets of the run's models."""

from pathlib import Path

from scripts.common.config.simulations import Simulations
from scripts.common.run import run
from scripts.simulate.genes import gmt, simulate_gene_sets
from scripts.simulate.writers import write


def main(snakemake):
    """Rule `simulate_gene_sets`."""
    simulations = Simulations(**snakemake.params.simulations)
    for path in map(Path, snakemake.output.raw):
        write(
            [(path.name, gmt(simulate_gene_sets(simulations, path.name)))],
            path.parent,
            f"config/simulations.yaml: gene_sets.{path.name}, seed {simulations.genes.seed}",
        )


if __name__ == "__main__":
    run(main, snakemake)
