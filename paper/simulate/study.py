"""The counts of a simulated study."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from paper.cells import having
from paper.config import Simulation, Simulations, Study, named_sets
from paper.errors import InputError
from paper.simulate.cells import codes, simulate_cells
from paper.simulate.genes import TABLE, gene_symbols, genes_of, named_rng, simulate_gene_sets
from paper.simulate.truth import responders, truth

# Library size relative to that of a good cell.
LOW_QUALITY = 0.25
EMPTY_DROPLET = 0.05


@dataclass(frozen=True)
class Simulated:
    """A simulated study of C cells and G genes.

    Attributes
    ----------
    genes
        G rows, columns `id` (Ensembl's form), `symbol` (that of gene sets) and `name` (that of
        the study's species).
    cells
        C rows: `matrix` (number of its matrix in the study) and the matrix' `obs`; the cell's
        `name`; its type (None where the annotation misses it) and the further columns of the
        simulation; `multiplet` (singlet, doublet) and `quality` (normal, low_quality, doublet,
        and what the simulation names besides); what names are made of, `bases`, `plate` and
        `well`; and `cluster`, `tsne1`, `tsne2`.
    counts
        C x G integers.
    truth
        Which gene sets respond where, see `paper.simulate.truth.truth`.
    """

    genes: pd.DataFrame
    cells: pd.DataFrame
    counts: np.ndarray
    truth: pd.DataFrame


def simulate_study(name: str, study: Study, simulations: Simulations) -> Simulated:
    """Draw the cells and counts of the raw folder `name`; the same table gives the same study.

    Parameters
    ----------
    name
        Its entry in the simulations.
    study
        The study, or all that share the folder (`Config.raw_source`).
    simulations
        The table.

    Raises
    ------
    InputError
        If the tables ask for something that cannot be, such as more markers than genes.
    """
    simulation = simulations.studies[name]
    rng = np.random.default_rng(simulation.seed)
    symbols = gene_symbols(simulations, simulation.gene_sets)
    symbols = pd.Index(dict.fromkeys([*symbols, *simulation.outside]))
    gene_sets = simulate_gene_sets(simulations, simulation.gene_sets)
    cells = simulate_cells(study, simulation, rng)
    kinds = cells[simulation.type_column]

    level = _levels(simulations, symbols)
    # Markers are in no named set, so that the truth of those is the planted one alone.
    named = {g for s in named_sets(simulations, simulation.gene_sets) for g in gene_sets[s]}
    types = _type_profiles(simulations, simulation, ~symbols.isin([*named, *simulation.outside]))
    log2_mean = level + types[codes(kinds, simulation.types)]
    for column, entry in simulation.columns.items():
        if entry.log2_sd:
            shifts = rng.normal(0, entry.log2_sd, (len(entry.choices), len(symbols)))
            shifts = np.vstack([shifts, np.zeros(len(symbols))])  # of cells without a value
            log2_mean += shifts[codes(cells[column], entry.choices)]
    for programme in simulation.programmes:
        genes = symbols.isin(responders(programme, gene_sets))
        log2_mean += programme.effect * np.outer(having(cells, programme.where), genes)

    library, poor = _libraries(simulation, kinds, rng)
    called = _further_calls(simulation, len(cells))
    library = np.where(called == "empty_droplet", EMPTY_DROPLET * library, library)
    mean = np.exp2(log2_mean) * (library / np.exp2(level).sum())[:, None]
    mean = _with_partners(mean, cells, rng)
    # The negative binomial as a Poisson whose mean is Gamma distributed.
    dispersion = simulation.dispersion
    counts = rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, mean.shape))

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
        counts=counts.astype(np.int32),
        truth=truth(study, simulation, gene_sets),
    )


def _levels(simulations: Simulations, symbols: pd.Index) -> np.ndarray:
    """log2 expression of each gene before anything happens to it; the median is about 0.

    Real symbols are named because their genes are seen: none lies below the median, and none so
    high that its programme would outweigh the rest of the cell.
    """
    level = named_rng(simulations.genes.seed, "levels").normal(
        0, simulations.genes.log2_sd, len(symbols)
    )
    return np.where(symbols.str.startswith("SIM"), level, np.abs(level) / 2)


def _type_profiles(
    simulations: Simulations, simulation: Simulation, candidates: np.ndarray
) -> np.ndarray:
    """log2 fold changes of each type's genes: its own markers and its lineage's, T x G.

    `candidates` (G booleans) may be markers. Which are hangs on the name of the type or lineage,
    so that studies share them.
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
    """Expected counts of each cell with every gene at its level, and which are of low quality."""
    relative = kinds.map({name: kind.library for name, kind in simulation.types.items()})
    spread = np.exp2(rng.normal(0, simulation.library_log2_sd, len(kinds)))
    poor = rng.random(len(kinds)) < simulation.low_quality
    size = np.where(poor, LOW_QUALITY, 1)
    return simulation.library * relative.to_numpy() * spread * size, poor


def _further_calls(simulation: Simulation, n: int) -> np.ndarray:
    """Which further call each of so many cells has, mostly none."""
    shares = {**simulation.qualities, "": 1 - sum(simulation.qualities.values())}
    rng = named_rng(simulation.seed, "qualities")
    return rng.choice(list(shares), n, p=list(shares.values()))


def _with_partners(mean: np.ndarray, cells: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Expected counts where each doublet holds those of a random singlet of its matrix too."""
    doublet = (cells["multiplet"] == "doublet").to_numpy()
    total = mean.copy()
    for number in cells["matrix"].unique():
        here = (cells["matrix"] == number).to_numpy()
        doublets, singlets = np.flatnonzero(here & doublet), np.flatnonzero(here & ~doublet)
        total[doublets] += mean[rng.choice(singlets, len(doublets))]
    return total
