"""P(z_a > z_b) over all pairs of cells of two groups, without going through the pairs.

The posterior of a group is a mixture with one normal distribution per cell. The characteristic
function of z_a - z_b is the product of the groups' own, phi_a conj(phi_b), and inverting it at zero
(Gil-Pelaez, Biometrika 1951) gives

    P(z_a > z_b) = 1/2 + 1/pi * integral over w > 0 of Im(phi_a(w) conj(phi_b(w))) / w.

Each cell is visited once, however many pairs and comparisons it takes part in.

So that phi need not be summed cell by cell at each w, cells are first moved to nodes of a grid over
the mean and the logarithm of the standard deviation, each to the 4 x 4 nodes around it with the
weights of cubic interpolation. What is interpolated by that is Phi((mu_a - mu_b) / sd) of a pair,
so that errors stay small relative to p in the tails too.
"""

from collections.abc import Iterator, Sequence
from math import pi, sqrt

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor

MEAN_STEP = sqrt(2) / 8  # between nodes, in units of the smallest standard deviation
LOG_SD_STEP = 0.03
NARROWEST = 1 / 500  # standard deviation, in units of the range of the means; others count as this
CUT_OFF = 5.9  # w times the smallest standard deviation, where |phi_a phi_b| is 1e-15
REACH = 8  # standard deviations of a difference beyond which nothing is expected: 1e-15
AT_A_TIME = 200_000  # numbers in each of the arrays at work, to stay in the caches

Comparison = tuple[np.ndarray, np.ndarray]  # which cells are in each of two groups, boolean


def directly(
    mean_a: np.ndarray, var_a: np.ndarray, mean_b: np.ndarray, var_b: np.ndarray
) -> np.ndarray:
    """The same by going through the pairs: for few cells. Arguments are cells x GMVs."""
    p = np.zeros(mean_a.shape[1])
    block = max(1, 4_000_000 // mean_b.size)  # cells of a at a time, to stay in the caches
    for start in range(0, len(mean_a), block):
        rows = slice(start, start + block)
        distance = mean_a[rows, None] - mean_b[None]
        distance /= np.sqrt(var_a[rows, None] + var_b[None])
        p += ndtr(distance).sum(axis=(0, 1))
    return p / (len(mean_a) * len(mean_b))


def through_mixtures(
    mean: np.ndarray, variance: np.ndarray, comparisons: Sequence[Comparison]
) -> np.ndarray:
    """P(z_a > z_b) of each comparison.

    The error is below 1e-5, and below 1 % of p or 1 - p down to 1e-9.

    Parameters
    ----------
    mean, variance
        Posterior of all cells, cells x GMVs; variances are positive.
    comparisons
        Pairs of groups of them, each with at least one cell.

    Returns
    -------
    Comparisons x GMVs.
    """
    sides = np.array([side for comparison in comparisons for side in comparison])
    # Cells that are on the same side in every comparison are summed once.
    members, kind = np.unique(sides, axis=1, return_inverse=True)
    members = torch.from_numpy(members).double()
    kind = torch.from_numpy(kind.reshape(-1))

    mean_, sd = (torch.from_numpy(np.ascontiguousarray(x.T)) for x in (mean, np.sqrt(variance)))
    p = np.empty((len(comparisons), mean.shape[1]))
    for gmvs, grid in _grids(mean_, sd, members.shape[1]):
        weights = grid.deposit(mean_[gmvs], sd[gmvs], kind, members.shape[1])
        phi = members @ grid.characteristic_functions(weights).flatten(2)
        # The sum of the weights is the number of cells but for rounding, which would add to p.
        phi /= members @ weights.view(len(gmvs), members.shape[1], -1).sum(2, keepdim=True)
        real, imaginary = phi.view(len(gmvs), len(comparisons), 2, 2, -1).unbind(3)
        product = imaginary[:, :, 0] * real[:, :, 1] - real[:, :, 0] * imaginary[:, :, 1]
        p[:, gmvs] = 0.5 + (product / (torch.arange(grid.n_waves) + 0.5)).sum(2).T / pi
    return p.clip(0, 1)


def _grids(mean: Tensor, sd: Tensor, n_kinds: int) -> Iterator[tuple[np.ndarray, "_Grid"]]:
    """GMVs that need grids of about the same size, and their grids; `mean`, `sd`: GMVs x cells."""
    low, high = mean.amin(1).double(), mean.amax(1).double()
    narrow, wide = sd.amin(1).double(), sd.amax(1).double()
    narrow = torch.maximum(narrow, NARROWEST * (high - low))
    wide = torch.maximum(narrow, wide)
    n_means = ((high - low) / (MEAN_STEP * narrow)).ceil().long() + 4
    n_sds = ((wide / narrow).log() / LOG_SD_STEP).ceil().long() + 4
    spacing = pi / (high - low + REACH * sqrt(2) * wide)
    n_waves = (CUT_OFF / narrow / spacing).ceil().long()
    cost = torch.maximum(n_kinds * n_sds, 2 * n_waves) * n_means
    cost = cost.clamp(min=mean.shape[1])

    order = cost.argsort()
    while len(order):
        fitting = torch.arange(1, len(order) + 1) * cost[order] <= AT_A_TIME
        n = max(1, int(fitting.sum()))
        gmvs, order = order[:n], order[n:]
        sizes = (int(size[gmvs].max()) for size in (n_means, n_sds, n_waves))
        yield gmvs.numpy(), _Grid(low[gmvs], narrow[gmvs], spacing[gmvs], *sizes)


class _Grid:
    """Nodes of some GMVs over the mean and log standard deviation, and w where phi is wanted."""

    def __init__(
        self, low: Tensor, narrow: Tensor, spacing: Tensor, n_means: int, n_sds: int, n_waves: int
    ):
        self.low, self.narrow, self.spacing = low[:, None], narrow[:, None], spacing[:, None]
        self.step = MEAN_STEP * self.narrow
        self.n_means, self.n_sds, self.n_waves = n_means, n_sds, n_waves

    def deposit(self, mean: Tensor, sd: Tensor, kind: Tensor, n_kinds: int) -> Tensor:
        """Weights of the nodes, GMVs x (kinds and standard deviations) x means."""
        across = ((mean.double() - self.low) / self.step).float()
        along = (torch.maximum(sd.double(), self.narrow) / self.narrow).log_().float() / LOG_SD_STEP
        column, row = across.floor(), along.floor()
        first = (kind * self.n_sds + row.long()) * self.n_means + column.long()
        weights = torch.zeros(len(mean), n_kinds * self.n_sds * self.n_means, dtype=torch.float64)
        weight = torch.empty_like(across, dtype=torch.float64)
        columns, rows = _cubic(across - column), _cubic(along - row)
        for i, of_row in enumerate(rows):
            for j, of_column in enumerate(columns):
                torch.mul(of_row, of_column, out=weight)
                weights[:, i * self.n_means + j :].scatter_add_(1, first, weight)
        return weights.view(len(mean), -1, self.n_means)

    def characteristic_functions(self, weights: Tensor) -> Tensor:
        """Of each kind of cell: GMVs x kinds x (real, imaginary) x w."""
        means = self.step * (torch.arange(self.n_means) - 1)  # from `low`, which cancels out
        sds = self.narrow * torch.exp(LOG_SD_STEP * (torch.arange(self.n_sds) - 1.0))
        waves = self.spacing * (torch.arange(self.n_waves) + 0.5)
        phase = means[:, :, None] * waves[:, None]
        phi = weights @ torch.cat([phase.cos(), phase.sin()], dim=2)
        phi = phi.view(len(weights), -1, self.n_sds, 2, self.n_waves)
        damping = torch.exp(-0.5 * (sds[:, :, None] * waves[:, None]).square())
        return torch.einsum("gksiw,gsw->gkiw", phi, damping)


def _cubic(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weights with which nodes at -1, 0, 1 and 2 interpolate at `x` between 0 and 1 (Lagrange)."""
    before, after, last = x + 1, x - 1, x - 2
    return (
        x * after * last / -6,
        before * after * last / 2,
        before * x * last / -2,
        before * x * after / 6,
    )
