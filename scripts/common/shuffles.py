"""Shuffled labels: the negative control of everything that is measured between groups of cells."""

import zlib

import numpy as np
import pandas as pd

SHUFFLES = 20  # of each claim
# A label is shuffled among the cells that are alike in all others of these, so that nothing but its
# own effect is lost.
LABELS = ("cell_type", "cell_line", "condition")


def shuffle_labels(obs: pd.DataFrame, column: str, number: int) -> pd.DataFrame:
    """Return `obs` with one column shuffled among cells alike in the other `LABELS`.

    The same cells, column and number give the same order, so that all models of a study are
    measured on the same shuffled labels.
    """
    rng = np.random.default_rng([number, zlib.crc32(column.encode())])
    strata = [label for label in LABELS if label in obs and label != column]
    kinds = pd.Series(0, index=range(len(obs)))
    if strata:
        kinds = obs[strata].astype(str).groupby(strata, sort=True).ngroup().reset_index(drop=True)
    order = np.arange(len(obs))
    for cells in kinds.groupby(kinds).indices.values():
        order[cells] = rng.permutation(cells)
    shuffled = obs.copy()
    shuffled[column] = obs[column].array[order]
    return shuffled
