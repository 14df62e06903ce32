"""Where a model places cells in its latent space, and how sure it is."""

from typing import NamedTuple

import numpy as np


class Posterior(NamedTuple):
    """Posterior of some cells: mean and variance, each cells x GMVs."""

    mean: np.ndarray
    variance: np.ndarray

    def __getitem__(self, cells) -> "Posterior":  # type: ignore[override]
        """Return the posterior of some of the cells."""
        mean, variance = tuple(self)
        return Posterior(mean[cells], variance[cells])

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Return one draw of each cell's GMV activities."""
        mean, variance = tuple(self)
        return mean + np.sqrt(variance) * rng.standard_normal(mean.shape)
