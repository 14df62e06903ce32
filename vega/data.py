"""Minibatches of cells, from memory or from a file that need not fit into it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.random import Generator

from vega.errors import InputError

CHUNK = 64  # neighbouring cells of a file that are shuffled as one
WINDOW = 8192  # cells of a file in memory at a time: 30 MB, and as much for the next window
STRETCH = 512  # cells per read at most, with those between them that are not needed

Minibatches = Iterator[tuple[sp.csr_matrix, np.ndarray]]
Transform = Callable[[sp.csr_matrix], sp.csr_matrix]  # of the expression of cells, cells x genes


def as_csr(x) -> sp.csr_matrix:
    """Return expression as float32, sparse by rows; refuse values that are not finite."""
    x = sp.csr_matrix(x, dtype=np.float32)
    if not np.isfinite(x.data).all():
        raise InputError("X holds values that are not finite; log-normalise the counts first")
    return x


def take_genes(x: sp.csr_matrix, genes: np.ndarray | None) -> sp.csr_matrix:
    """Return the columns `genes` of `x`, in that order; -1 gives zeros, None all columns."""
    if genes is None:
        return x
    # One more column, without values, is the one that -1 takes.
    wider = sp.csr_matrix((x.data, x.indices, x.indptr), (x.shape[0], x.shape[1] + 1))
    return wider[:, genes]


class InMemoryData:
    """Cells as a sparse matrix (cells x genes), each with its covariates.

    These are an integer batch label, or a row of numbers.
    """

    def __init__(self, x: sp.csr_matrix, batch: np.ndarray):
        self.x = as_csr(x)
        self.batch = batch

    def __len__(self) -> int:
        """Return the number of cells."""
        return self.x.shape[0]

    def minibatches(self, rows: np.ndarray, size: int, rng: Generator | None = None) -> Minibatches:
        """Yield expression (cells x genes) and batch labels of `size` cells at a time.

        Each of `rows` comes once: in their order, or shuffled if `rng` is given.
        """
        order = rows if rng is None else rng.permutation(rows)
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            yield self.x[chosen], self.batch[chosen]

    def identify(self, digest: Callable[[bytes | memoryview], None]) -> None:
        """Pass all that distinguishes these cells from others to `digest`, for checkpoints."""
        for array in (self.x.indptr, self.x.indices, self.x.data, self.batch):
            digest(np.ascontiguousarray(array).data)


@dataclass(eq=False)
class BackedData:
    """Cells of a file, of which only a window is in memory.

    A file is read fast in long stretches only. Shuffled, chunks of neighbouring cells are drawn in
    random order and mixed with the others of their window; the next window is read meanwhile.

    `stored` gives a matrix (cells x genes) for a slice of rows, such as the `X` of an AnnData
    opened with `backed="r"`. `genes` are the columns to take, see `take_genes`. `transform` is
    applied to what is read, before genes are taken.
    """

    stored: Any
    genes: np.ndarray | None
    batch: np.ndarray
    path: Path
    transform: Transform | None = None

    def __len__(self) -> int:
        """Return the number of cells."""
        return self.stored.shape[0]

    def minibatches(self, rows: np.ndarray, size: int, rng: Generator | None = None) -> Minibatches:
        """See `InMemoryData.minibatches`."""
        chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
        if rng is not None:
            chunks = [chunks[i] for i in rng.permutation(len(chunks))]
        # Windows hold whole minibatches: only the last minibatch may be smaller than `size`.
        order = np.concatenate(chunks) if chunks else rows
        width = max(1, WINDOW // size) * size
        windows = [order[start : start + width] for start in range(0, len(order), width)]
        with ThreadPoolExecutor(1) as reader:
            coming = [reader.submit(self._read, window) for window in windows[:1]]
            for number, window in enumerate(windows):
                x = coming.pop().result()
                coming += [reader.submit(self._read, w) for w in windows[number + 1 : number + 2]]
                within = np.arange(len(window)) if rng is None else rng.permutation(len(window))
                for start in range(0, len(within), size):
                    chosen = within[start : start + size]
                    yield x[chosen], self.batch[window[chosen]]

    def identify(self, digest: Callable[[bytes | memoryview], None]) -> None:
        """Pass the name, size and date of the file, genes and batches to `digest`."""
        state = self.path.stat()
        digest(repr((self.path.resolve(), state.st_size, state.st_mtime_ns)).encode())
        for array in (self.genes, self.batch):
            digest(b"all" if array is None else np.ascontiguousarray(array).data)

    def _read(self, rows: np.ndarray) -> sp.csr_matrix:
        """Return the expression of some cells, in the order of `rows`."""
        order = np.argsort(rows)
        ascending = rows[order]
        gaps = np.flatnonzero(np.diff(ascending) > CHUNK) + 1
        limits = np.union1d(gaps, np.arange(STRETCH, len(rows), STRETCH))
        parts = [
            as_csr(self.stored[part[0] : part[-1] + 1])[part - part[0]]
            for part in np.split(ascending, limits)
        ]
        x = sp.vstack(parts, format="csr")[np.argsort(order)]
        return take_genes(self.transform(x) if self.transform else x, self.genes)


Data = InMemoryData | BackedData
