"""The counts of a simulated study."""

from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from scripts.common.config.simulations import Simulation, Simulations, named_sets
from scripts.common.config.studies import Study
from scripts.common.obs_mask import obs_mask
from scripts.common.run import run
from scripts.simulate.cells import Simulated, codes, simulate_cells
from scripts.simulate.genes import (
    TABLE,
    genes_of,
    measured_symbols,
    named_rng,
    simulate_gene_sets,
)
from scripts.simulate.truth import responders, truth
from scripts.simulate.writers import raw_files, write
from vega.errors import InputError
from vega.files import atomic_write

# Library size relative to that of a good cell.
LOW_QUALITY = 0.25
EMPTY_DROPLET = 0.05
NUMBERS_AT_A_TIME = 8_000_000  # expected counts that are held at once


def simulate_study(name: str, study: Study, simulations: Simulations) -> Simulated:
    """Draw the cells and counts of the raw folder `name`; the same table gives the same study.

    `study` stands for all that share the folder (`Config.raw_source`).
    """
    simulation = simulations.studies[name]
    rng = np.random.default_rng(simulation.seed)
    symbols = measured_symbols(simulations, simulation)
    gene_sets = simulate_gene_sets(simulations, simulation.gene_sets)
    cells = simulate_cells(study, simulation, rng)
    kinds = cells[simulation.type_column]

    level = _levels(simulations, symbols)
    shifts: list[tuple[np.ndarray, np.ndarray]] = []  # row of each cell, and rows x genes
    # Markers are in no named set, so that the truth of those is the planted one alone.
    named = {g for s in named_sets(simulations, simulation.gene_sets) for g in gene_sets[s]}
    types = _type_profiles(simulations, simulation, ~symbols.isin([*named, *simulation.outside]))
    shifts.append((codes(kinds, simulation.types), types))
    for column, entry in simulation.columns.items():
        if entry.log2_sd:
            shift = rng.normal(0, entry.log2_sd, (len(entry.choices), len(symbols)))
            shift = np.vstack([shift, np.zeros(len(symbols))])  # of cells without a value
            shifts.append((codes(cells[column], entry.choices), shift))
    for programme in simulation.programmes:
        genes = symbols.isin(responders(programme, gene_sets))
        shift = programme.effect * np.array([0.0, 1.0])[:, None] * genes
        shifts.append((obs_mask(cells, programme.where).astype(int), shift))

    library, poor = _libraries(simulation, kinds, rng)
    called = _further_calls(simulation, len(cells))
    library = np.where(called == "empty_droplet", EMPTY_DROPLET * library, library)
    size = library / np.exp2(level).sum()
    partners = _partners(cells, rng)

    def mean_of(rows: np.ndarray) -> np.ndarray:
        log2_mean = np.repeat(level[None], len(rows), axis=0)
        for row, shift in shifts:
            log2_mean += shift[row[rows]]
        return np.exp2(log2_mean) * size[rows, None]

    # The negative binomial as a Poisson whose mean is Gamma distributed, some cells at a time.
    dispersion = simulation.dispersion
    blocks = []
    for rows in np.array_split(
        np.arange(len(cells)), -(-len(cells) * len(symbols) // NUMBERS_AT_A_TIME)
    ):
        mean = mean_of(rows)
        doublets = partners[rows] >= 0
        mean[doublets] += mean_of(partners[rows][doublets])
        counts = rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, mean.shape))
        blocks.append(sp.csr_matrix(counts, dtype=np.int32))

    unlabelled = rng.random(len(cells)) < simulation.unlabelled
    quality = np.select(
        [cells["multiplet"] == "doublet", called != "", poor],
        ["doublet", called, "low_quality"],
        "normal",
    )
    return Simulated(
        genes=genes_of(study, symbols),
        cells=cells.assign(
            quality=quality, **{simulation.type_column: kinds.mask(unlabelled, None)}
        ),
        counts=sp.vstack(blocks, format="csr"),
        truth=truth(study, simulation, gene_sets),
    )


def _levels(simulations: Simulations, symbols: pd.Index) -> np.ndarray:
    """Return the log2 expression of each gene before any effect; the median is about 0.

    Real symbols are at or above the median, so that their genes are seen, but not so high that
    their programme would outweigh the rest of the cell.
    """
    level = named_rng(simulations.genes.seed, "levels").normal(
        0, simulations.genes.log2_sd, len(symbols)
    )
    return np.where(symbols.str.startswith("SIM"), level, np.abs(level) / 2)


def _type_profiles(
    simulations: Simulations, simulation: Simulation, candidates: np.ndarray
) -> np.ndarray:
    """Return log2 fold changes (types x genes) of the markers of each type and its lineage.

    `candidates` (booleans) may be markers. The name of a type or lineage decides which are, so that
    studies share them.
    """
    free = np.flatnonzero(candidates)
    if simulation.markers > len(free):
        raise InputError(
            f"{TABLE}: studies: markers: {simulation.markers} are asked for, but only {len(free)} "
            "genes are in no named set; take fewer or raise genes.n"
        )
    profiles = np.zeros((len(simulation.types), len(candidates)))
    for profile, (name, kind) in zip(profiles, simulation.types.items(), strict=True):
        for programme in filter(None, (name, kind.lineage)):
            rng = named_rng(simulations.genes.seed, f"markers of {programme}")
            markers = rng.choice(free, simulation.markers, replace=False)
            profile[markers] += rng.exponential(simulation.marker_log2, simulation.markers)
    return profiles


def _libraries(
    simulation: Simulation, kinds: pd.Series, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the expected total of each cell before any effect, and which are of low quality."""
    relative = kinds.map({name: kind.library for name, kind in simulation.types.items()})
    spread = np.exp2(rng.normal(0, simulation.library_log2_sd, len(kinds)))
    poor = rng.random(len(kinds)) < simulation.low_quality
    size = np.where(poor, LOW_QUALITY, 1)
    return simulation.library * relative.to_numpy() * spread * size, poor


def _further_calls(simulation: Simulation, n: int) -> np.ndarray:
    """Return which further call each of `n` cells has, mostly none."""
    shares = {**simulation.qualities, "": 1 - sum(simulation.qualities.values())}
    rng = named_rng(simulation.seed, "qualities")
    return rng.choice(list(shares), n, p=list(shares.values()))


def _partners(cells: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Return the random singlet of its matrix that each doublet holds too; -1 of other cells."""
    doublet = (cells["multiplet"] == "doublet").to_numpy()
    partners = np.full(len(cells), -1)
    for number in cells["matrix"].unique():
        here = (cells["matrix"] == number).to_numpy()
        doublets, singlets = np.flatnonzero(here & doublet), np.flatnonzero(here & ~doublet)
        partners[doublets] = rng.choice(singlets, len(doublets))
    return partners


def main(snakemake):
    """Rule `simulate_study`."""
    name, study = snakemake.params.name, Study(**snakemake.params.study)
    simulations = Simulations(**snakemake.params.simulations)
    simulation = simulations.studies[name]
    simulated = simulate_study(name, study, simulations)
    write(
        raw_files(study, simulated, simulation),
        Path(snakemake.output.raw[0]).parent,
        f"config/simulations.yaml: studies.{name}, seed {simulation.seed}",
    )
    with atomic_write(snakemake.output.truth) as path:
        simulated.truth.to_csv(path, sep="\t", index=False)


if __name__ == "__main__":
    run(main, snakemake)
