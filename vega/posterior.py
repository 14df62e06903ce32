"""Where a model places cells in its latent space, and how sure it is."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Posterior:
    """Posterior of some cells: mean and variance, each cells x GMVs."""

    mean: np.ndarray
    variance: np.ndarray

    def __iter__(self) -> Iterator[np.ndarray]:
        """Return mean and variance, so that `mean, variance = posterior` works."""
        return iter((self.mean, self.variance))

    def __getitem__(self, cells: np.ndarray | slice) -> "Posterior":
        """Return the posterior of some of the cells."""
        return Posterior(self.mean[cells], self.variance[cells])

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Return one draw of each cell's GMV activities."""
        return self.mean + np.sqrt(self.variance) * rng.standard_normal(self.mean.shape)
