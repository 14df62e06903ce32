"""Which cells are meant where the configuration names values of columns."""

import numpy as np
import pandas as pd


def obs_mask(cells: pd.DataFrame, where: dict[str, list[str]]) -> np.ndarray:
    """Return which cells have one of the values in each column; without columns, all."""
    mask = np.ones(len(cells), dtype=bool)
    for column, values in where.items():
        mask &= cells[column].isin(values).to_numpy()
    return mask
