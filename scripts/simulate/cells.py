"""A simulated study, and its cells without their counts."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from scripts.common.config.simulations import SimulatedColumn, Simulation
from scripts.common.config.studies import Study
from scripts.common.obs_mask import obs_mask
from vega.errors import InputError

PLATE, ROWS, COLUMNS = 1001000001, "ABCDEFGH", 12  # number of the first plate; wells of a plate


@dataclass(frozen=True)
class Simulated:
    """A simulated study.

    Columns of `cells` are `matrix` (number of its matrix in the study) and the matrix' `obs`; the
    cell's `name`, made of `bases`, `plate` and `well`; its type (None where the annotation misses
    it) and the further columns of the simulation; `multiplet` (singlet, doublet); `quality`
    (normal, low_quality, doublet, or as the simulation names it); `cluster`, `tsne1`, `tsne2`.
    """

    genes: pd.DataFrame  # `id` (Ensembl's form), `symbol` in gene sets, `name` in the species
    cells: pd.DataFrame
    counts: sp.csr_matrix  # cells x genes, integers
    truth: pd.DataFrame  # which gene sets respond where, see `scripts.simulate.truth.truth`


def simulate_cells(study: Study, simulation: Simulation, rng: np.random.Generator) -> pd.DataFrame:
    """Return one row per cell, matrix after matrix, with the columns that `Simulated` lists."""
    n_matrices = len(study.matrices)
    sizes = simulation.cells
    if isinstance(sizes, int):
        sizes = [sizes // n_matrices] * n_matrices
    elif len(sizes) != n_matrices:
        raise InputError(
            f"config/simulations.yaml: studies: cells: expected one number for each of "
            f"{n_matrices} matrices, found {len(sizes)}; "
            "correct the list, or give one number for all"
        )
    matrix = np.repeat(np.arange(n_matrices), sizes)
    n, types = len(matrix), simulation.types
    shares = np.array([kind.share for kind in types.values()])
    bases = barcodes(n, simulation.barcode_bases, rng)
    kinds = rng.choice(list(types), n, p=shares / shares.sum())
    cells = pd.DataFrame({"matrix": matrix, "bases": bases, simulation.type_column: kinds})
    for column in dict.fromkeys(c for m in study.matrices for c in m.obs):
        cells[column] = [study.matrices[i].obs.get(column) for i in matrix]
    for column, entry in simulation.columns.items():
        cells[column] = _column(entry, cells, rng)
    cells["multiplet"] = np.where(rng.random(n) < simulation.doublets, "doublet", "singlet")
    # Barcodes come from one list: some are drawn again in every further matrix.
    shared = cells["bases"].to_numpy()[: simulation.shared_barcodes]
    for first in np.cumsum(sizes)[:-1]:
        cells.loc[first : first + len(shared) - 1, "bases"] = shared
    plate, place = np.divmod(np.arange(n), len(ROWS) * COLUMNS)
    cells["plate"] = (PLATE + plate).astype(str)
    cells["well"] = [f"{ROWS[i // COLUMNS]}{i % COLUMNS + 1}" for i in place]
    cells["name"] = [simulation.name.format_map(cell) for cell in cells.to_dict("records")]
    cells["cluster"] = codes(cells[simulation.type_column], types)
    centres = rng.normal(0, 15, (len(types), 2))[cells["cluster"]]
    drawn = centres + 4 * matrix[:, None] + rng.normal(0, 2, (n, 2))
    return cells.assign(tsne1=drawn[:, 0], tsne2=drawn[:, 1])


def _column(entry: SimulatedColumn, cells: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    """Return the values of a further column, None where nothing says which."""
    if entry.of:
        values = cells[entry.of].map(entry.values).astype(object)
    else:
        p = None
        if isinstance(entry.shares, dict):
            p = np.array(list(entry.shares.values())) / sum(entry.shares.values())
        values = pd.Series(rng.choice(list(entry.shares), len(cells), p=p), dtype=object)
    values = values.where(obs_mask(cells, entry.within))
    return values.where(values.notna(), entry.otherwise)


def barcodes(n: int, length: int, rng: np.random.Generator) -> list[str]:
    """Return `n` different cell barcodes of `length` bases."""
    numbers = rng.choice(4**length, n, replace=False)
    bases = str.maketrans("0123", "ACGT")
    return [np.base_repr(i, 4).zfill(length).translate(bases) for i in numbers]


def codes(values: pd.Series, categories: Iterable[str]) -> np.ndarray:
    """Return the number of each value among the categories, from 0; -1 of others."""
    return pd.Categorical(values, categories=list(categories)).codes.astype(int)
