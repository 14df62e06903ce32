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

The steps of the grid follow from the smallest standard deviation, and its size from the range of
the means and the largest standard deviation. GMVs whose grid would be large (an outlying cell, or
standard deviations of very different size) are divided into parts, see `_in_parts`: most of them
certain, some with so few pairs that these are summed, and the others with a small grid each.
"""

from collections.abc import Iterator, Sequence
from math import pi, sqrt
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor

MEAN_STEP = sqrt(2) / 8  # between nodes, in units of the smallest standard deviation
LOG_SD_STEP = 0.03
CUT_OFF = 5.9  # w times the smallest standard deviation, where |phi_a phi_b| is 1e-15
REACH = 8  # standard deviations of a difference beyond which nothing is expected: 1e-15
AT_A_TIME = 200_000  # numbers in each array, to stay in the caches

LARGEST = 5_000_000  # nodes of a grid for all comparisons; larger ones are divided into parts
LONGEST = 4_000  # nodes over the means of such a grid, with those that REACH adds
# Limits of a part with a grid of its own. The unit is the smallest standard deviation of a pair's
# difference, divided by sqrt(2).
PART_RANGE = 150  # of the means
PART_WIDTH = 6  # of a standard deviation; pairs within REACH then have half of PART_RANGE
FAINT = 1 / 300  # smaller standard deviations count as this, which changes p by less than 1e-6
PART_PAIRS = 2_000_000  # that are summed, as this is not slower than the grid of a part

Pair = tuple[np.ndarray, np.ndarray]  # one array for each of two groups


def directly(
    mean_a: np.ndarray, var_a: np.ndarray, mean_b: np.ndarray, var_b: np.ndarray
) -> np.ndarray:
    """Return P(z_a > z_b) of each GMV by going through the pairs; arguments are cells x GMVs."""
    mean_a, mean_b = (np.asarray(mean, dtype=float) for mean in (mean_a, mean_b))
    sd_a, sd_b = (np.sqrt(variance, dtype=float) for variance in (var_a, var_b))
    p = np.zeros(mean_a.shape[1])
    block = max(1, 4_000_000 // mean_b.size)  # cells of a, to stay in the caches
    for start in range(0, len(mean_a), block):
        rows = slice(start, start + block)
        p += _of_pairs(mean_a[rows, None], sd_a[rows, None], mean_b[None], sd_b[None]).sum((0, 1))
    return p / (len(mean_a) * len(mean_b))


def _of_pairs(
    mean_a: np.ndarray, sd_a: np.ndarray, mean_b: np.ndarray, sd_b: np.ndarray
) -> np.ndarray:
    """Return P(z_a > z_b) of single pairs; without variance by the order of means, 1/2 if equal."""
    with np.errstate(divide="ignore", over="ignore"):  # an infinite distance is certain
        distance = mean_a - mean_b
        np.divide(distance, np.hypot(sd_a, sd_b), out=distance, where=distance != 0)
    return ndtr(distance, out=distance)


def through_mixtures(
    mean: np.ndarray, variance: np.ndarray, comparisons: Sequence[Pair]
) -> np.ndarray:
    """Return P(z_a > z_b), comparisons x GMVs.

    `mean` and `variance` are cells x GMVs and finite; a comparison says which cells are in each of
    its groups (boolean). The error is below 1e-5, and below 1 % of p or 1 - p down to 1e-9.
    """
    sides = np.array([side for comparison in comparisons for side in comparison])
    # Cells that are on the same side in every comparison are summed once.
    distinct, position = np.unique(sides, axis=1, return_inverse=True)
    members = torch.from_numpy(distinct).double()
    kind = torch.from_numpy(position.reshape(-1))

    mean_, sd = (torch.from_numpy(np.ascontiguousarray(x.T)) for x in (mean, np.sqrt(variance)))
    grids = _grids(mean_, sd, sd.amin(1).double())
    small = grids.n_positions <= LONGEST
    small &= members.shape[1] * grids.n_sds * grids.n_means <= LARGEST
    p = np.empty((len(comparisons), mean.shape[1]))
    for gmvs in _batches(grids, small.nonzero()[:, 0], members.shape[1], mean.shape[0]):
        of_batch = _Grids(*(values[gmvs] for values in grids))
        p[:, gmvs.numpy()] = _on_grids(mean_[gmvs], sd[gmvs], kind, members, of_batch).T
    for gmv in (~small).nonzero()[:, 0].tolist():
        order = mean_[gmv].numpy().argsort()
        cells = np.stack([mean_[gmv].numpy(), sd[gmv].numpy()])[:, order].astype(float)
        for number, (a, b) in enumerate(comparisons):
            p[number, gmv] = _in_parts(cells[:, a[order]], cells[:, b[order]])
    return p.clip(0, 1)


class _Grids(NamedTuple):
    """The grid of each of some GMVs over the mean and log standard deviation: one value each."""

    low: Tensor  # smallest mean
    narrow: Tensor  # the unit of what follows
    least: Tensor  # smallest standard deviation; smaller ones count as this
    n_means: Tensor
    n_sds: Tensor
    n_positions: Tensor  # half a period of the functions of w, in steps between means


def _grids(mean: Tensor, sd: Tensor, narrow: Tensor) -> _Grids:
    """Measure the grids of GMVs x cells; `narrow`: smallest sd of a pair's difference / sqrt(2)."""
    low, high = mean.amin(1).double(), mean.amax(1).double()
    least = torch.maximum(sd.amin(1).double(), FAINT * narrow)
    wide = torch.maximum(sd.amax(1).double(), least)
    n_means = ((high - low) / (MEAN_STEP * narrow)).ceil() + 4
    n_sds = ((wide / least).log() / LOG_SD_STEP).ceil() + 4
    n_positions = n_means + (REACH * sqrt(2) * wide / (MEAN_STEP * narrow)).ceil()
    return _Grids(low, narrow, least, n_means, n_sds, n_positions)


def _batches(grids: _Grids, gmvs: Tensor, n_kinds: int, n_cells: int) -> Iterator[Tensor]:
    """Divide GMVs into batches that need grids of about the same size."""
    cost = grids.n_means * torch.maximum(n_kinds * grids.n_sds, 2 * _n_waves(grids.n_positions))
    cost = cost.clamp(min=n_cells)[gmvs]
    order = cost.argsort()
    while len(order):
        fitting = torch.arange(1, len(order) + 1) * cost[order] <= AT_A_TIME
        n = max(1, int(fitting.sum()))
        yield gmvs[order[:n]]
        order = order[n:]


def _n_waves(n_positions: Tensor) -> Tensor:
    return (CUT_OFF * MEAN_STEP / pi * n_positions).ceil()


def _on_grids(mean: Tensor, sd: Tensor, kind: Tensor, members: Tensor, grids: _Grids) -> np.ndarray:
    """Return P(z_a > z_b), GMVs x comparisons.

    `mean` and `sd` are GMVs x cells, `kind` is the number of each cell's kind. The rows of
    `members` say which kinds are in the groups a and b of the first comparison, of the next, and so
    on. `grids` all have the same `least / narrow`.
    """
    n_means, n_sds, n_positions = (int(size.max()) for size in grids[3:])
    n_kinds = members.shape[1]
    weights = _deposit(mean, sd, kind, n_kinds, grids, n_means, n_sds)

    # What follows is in units of `narrow` and from `low`, which cancel out.
    n_waves = int(_n_waves(torch.tensor(n_positions)))
    waves = (torch.arange(n_waves, dtype=torch.float64) + 0.5) * (pi / (n_positions * MEAN_STEP))
    means = MEAN_STEP * torch.arange(n_means, dtype=torch.float64)
    sds = torch.exp(LOG_SD_STEP * (torch.arange(n_sds, dtype=torch.float64) - 1))
    sds *= grids.least[0] / grids.narrow[0]
    phase = means[:, None] * waves
    damping = torch.exp(-0.5 * (sds[:, None] * waves).square())
    phi = weights.view(-1, n_means) @ torch.cat([phase.cos(), phase.sin()], dim=1)
    phi = phi.view(len(weights), n_kinds, n_sds, 2, n_waves)
    phi = members @ torch.einsum("gksiw,sw->gkiw", phi, damping).flatten(2)
    # The sum of the weights is the number of cells, with a rounding error that would add to p.
    phi /= members @ weights.view(len(weights), n_kinds, -1).sum(2, keepdim=True)
    real, imaginary = phi.view(len(phi), -1, 2, 2, n_waves).unbind(3)
    product = imaginary[:, :, 0] * real[:, :, 1] - real[:, :, 0] * imaginary[:, :, 1]
    return (0.5 + (product / (torch.arange(n_waves) + 0.5)).sum(2) / pi).numpy()


def _deposit(
    mean: Tensor, sd: Tensor, kind: Tensor, n_kinds: int, grids: _Grids, n_means: int, n_sds: int
) -> Tensor:
    """Return weights of the nodes, GMVs x (kinds and standard deviations) x means."""
    low, step, least = grids.low[:, None], MEAN_STEP * grids.narrow[:, None], grids.least[:, None]
    across = (mean.double() - low) / step
    along = torch.maximum(sd.double(), least).div_(least).log_().div_(LOG_SD_STEP)
    column, row = across.floor(), along.floor()
    first = (kind * n_sds + row.long()) * n_means + column.long()
    weights = torch.zeros(len(mean), n_kinds * n_sds * n_means, dtype=torch.float64)
    weight = torch.empty_like(across)
    columns, rows = (_cubic(x.float()) for x in (across.sub_(column), along.sub_(row)))
    for i, of_row in enumerate(rows):
        for j, of_column in enumerate(columns):
            torch.mul(of_row, of_column, out=weight)
            weights[:, i * n_means + j :].scatter_add_(1, first, weight)
    return weights.view(len(mean), -1, n_means)


def _cubic(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the weights of nodes at -1, 0, 1 and 2 for `x` between 0 and 1 (Lagrange)."""
    before, after, last = x + 1, x - 1, x - 2
    return (
        x * after * last / -6,
        before * after * last / 2,
        before * x * last / -2,
        before * x * after / 6,
    )


def _in_parts(a: np.ndarray, b: np.ndarray) -> float:
    """Return P(z_a > z_b) of one GMV of any range; `a`, `b`: (mean, sd) x cells, sorted by mean.

    Pairs whose difference is beyond `REACH` are counted. The cells of the others are divided, by
    their standard deviation and then in the middle of their range, until they fit on a small grid
    or few pairs are left. The unit of that grid follows from the pairs: a cell may have any
    standard deviation, however small, if those on the other side have a large one.
    """
    n_pairs = a.shape[1] * b.shape[1]
    wins, parts = 0.0, [(a, b)]
    while parts:
        a, b = parts.pop()
        with np.errstate(over="ignore"):
            reach = REACH * np.hypot(a[1], b[1].max())
            first = b[0].searchsorted(a[0] - reach, "left")
            near = b[0].searchsorted(a[0] + reach, "right") - first
        if near.sum() <= PART_PAIRS:
            wins += first.sum() + _of_near_pairs(a, b, first, near)
            continue

        some = near > 0
        begin, end = first[some].min(), (first + near)[some].max()
        wins += first[~some].sum() + some.sum() * begin
        a, b = a[:, some], b[:, begin:end]
        low, high = min(a[0, 0], b[0, 0]), max(a[0, -1], b[0, -1])
        narrow = np.hypot(a[1].min(), b[1].min()) / sqrt(2)
        wide = max(a[1].max(), b[1].max())
        with np.errstate(over="ignore"):
            too_long = high - low > PART_RANGE * narrow
        if low == high:
            wins += 0.5 * a.shape[1] * b.shape[1]
        elif wide > PART_WIDTH * narrow:
            # With a cell above the limit, the smallest and largest of a part are near enough.
            limit = wide * sqrt(2) / PART_WIDTH
            parts += _pairs_of_parts(*((x[:, x[1] >= limit], x[:, x[1] < limit]) for x in (a, b)))
        elif too_long:
            middle = np.clip(low / 2 + high / 2, low, np.nextafter(high, low))
            halves = (np.hsplit(x, [x[0].searchsorted(middle, "right")]) for x in (a, b))
            parts += _pairs_of_parts(*halves)
        else:
            wins += a.shape[1] * b.shape[1] * _on_grid(a, b, narrow)
    return wins / n_pairs


def _pairs_of_parts(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> list[Pair]:
    return [(x, y) for x in a for y in b if x.size and y.size]


def _of_near_pairs(a: np.ndarray, b: np.ndarray, first: np.ndarray, near: np.ndarray) -> float:
    """Return the sum over the pairs of each cell of `a` and `near` of `b`, from `first`."""
    total = 0.0
    full = np.flatnonzero(np.diff(near.cumsum() // AT_A_TIME)) + 1
    for rows in np.split(np.arange(len(near)), full):
        n = near[rows]
        i = rows.repeat(n)
        j = np.arange(n.sum()) + (first[rows] - n.cumsum() + n).repeat(n)
        total += _of_pairs(*a[:, i], *b[:, j]).sum()
    return total


def _on_grid(a: np.ndarray, b: np.ndarray, narrow: float) -> float:
    """Return P(z_a > z_b) of one part."""
    mean, sd = torch.from_numpy(np.concatenate([a, b], axis=1))[:, None]
    kind = torch.cat([torch.zeros(a.shape[1]), torch.ones(b.shape[1])]).long()
    grids = _grids(mean, sd, torch.tensor([narrow], dtype=torch.float64))
    return float(_on_grids(mean, sd, kind, torch.eye(2, dtype=torch.float64), grids)[0, 0])
