"""A simulated study, before it is written to raw files."""

from dataclasses import dataclass

import pandas as pd
import scipy.sparse as sp


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
        C x G integers, CSR.
    truth
        Which gene sets respond where, see `scripts.simulate.truth.truth`.
    """

    genes: pd.DataFrame
    cells: pd.DataFrame
    counts: sp.csr_matrix
    truth: pd.DataFrame
