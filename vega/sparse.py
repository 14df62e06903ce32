"""Products with sparse matrices, which make training fast on a CPU.

7 % of the values of a cell are not zero, and less than 1 % of the weights of a decoder. Of torch's
two ways to use that, the kernel that sums rows of an embedding table is faster than its sparse
tensors: row i of the product is the weighted sum of the rows of the dense matrix that row i of the
sparse one names. The gradient is such a product with the transposed matrix, so both orders are
kept.
"""

import warnings
from functools import cached_property
from typing import Self

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

NORM_BLOCK = 1024  # values whose squares are summed in float32

# What is used below is tested; the user can do nothing about the warning.
warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")


class Pattern:
    """The entries of a sparse matrix by row and by column.

    `offsets` and `columns` are `indptr` and `indices` of scipy's CSR, `column_offsets` and `rows`
    those of CSC.
    """

    def __init__(self, offsets: np.ndarray, columns: np.ndarray, shape: tuple[int, int]):
        numbers = np.arange(len(columns), dtype=np.int32)
        transposed = sp.csr_matrix((numbers, columns, offsets), shape).tocsc()
        self.shape = shape
        self.offsets, self.columns = torch.from_numpy(offsets), torch.from_numpy(columns)
        self.column_offsets = torch.from_numpy(transposed.indptr)
        self.rows = torch.from_numpy(transposed.indices)
        self.order = torch.from_numpy(transposed.data)  # from the order of rows to that of columns


class SparseMatrix:
    """Values at the entries of a pattern, row by row; `@` is differentiable."""

    def __init__(self, values: Tensor, pattern: Pattern):
        self.values = values
        self.pattern = pattern
        self.shape = pattern.shape

    @cached_property
    def values_by_column(self) -> Tensor:
        """The values column by column."""
        return self.values.detach()[self.pattern.order]

    @classmethod
    def from_scipy(cls, matrix: sp.csr_matrix) -> Self:
        """Return the same matrix, sharing its memory."""
        pattern = Pattern(matrix.indptr, matrix.indices, matrix.shape)
        return cls(torch.from_numpy(matrix.data), pattern)

    def entries(self) -> tuple[Tensor, Tensor]:
        """Return row and column of each entry."""
        lengths = self.pattern.offsets.diff().long()
        rows = torch.repeat_interleave(lengths, output_size=len(self.values))
        return rows, self.pattern.columns.long()

    def by_column(self) -> Tensor:
        """Return the transposed matrix as a sparse tensor of torch."""
        pattern = self.pattern
        return torch.sparse_csr_tensor(
            pattern.column_offsets,
            pattern.rows,
            self.values_by_column,
            self.shape[::-1],
            check_invariants=False,
        )

    def __matmul__(self, dense: Tensor) -> Tensor:
        """Return the product with a dense matrix."""
        return _Product.apply(self.values, dense, self)


Expression = Tensor | SparseMatrix  # of cells x genes


class _Product(torch.autograd.Function):
    """Sparse @ dense, with the gradients of the entries and of the dense matrix."""

    @staticmethod
    def forward(ctx, values: Tensor, dense: Tensor, matrix: SparseMatrix) -> Tensor:
        ctx.matrix = matrix
        ctx.save_for_backward(values, dense)
        return _sums_of_rows(dense, matrix.pattern.columns, matrix.pattern.offsets, values)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        values, dense = ctx.saved_tensors
        pattern, gradient = ctx.matrix.pattern, gradient.contiguous()
        of_values = of_dense = None
        if ctx.needs_input_grad[0]:
            entries = torch.sparse_csr_tensor(
                pattern.offsets, pattern.columns, values, pattern.shape, check_invariants=False
            )
            of_values = torch.sparse.sampled_addmm(entries, gradient, dense.T, beta=0).values()
        if ctx.needs_input_grad[1]:
            of_dense = _sums_of_rows(
                gradient, pattern.rows, pattern.column_offsets, ctx.matrix.values_by_column
            )
        return of_values, of_dense, None


def squared_error(reconstruction: Tensor, x: Expression) -> Tensor:
    """Return the sum of (reconstruction - x)^2 as a float64 scalar; overwrite `reconstruction`."""
    return _SquaredError.apply(reconstruction, x)


class _SquaredError(torch.autograd.Function):
    """Passes over cells x genes as few times as possible: memory is slower than arithmetic."""

    @staticmethod
    def forward(ctx, reconstruction: Tensor, x: Expression) -> Tensor:
        residual = reconstruction.detach()
        if isinstance(x, SparseMatrix):
            # Copies nothing where columns come first in memory, as in the product of a decoder.
            residual = residual.T.contiguous().add_(x.by_column(), alpha=-1).T
        else:
            residual.sub_(x)
        ctx.residual = residual
        return _sum_of_squares(residual)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return ctx.residual.mul_(2 * gradient), None


def _sum_of_squares(x: Tensor) -> Tensor:
    """Return the sum of all squared values of a matrix, to about seven digits, as float64.

    A float32 sum over a whole minibatch loses up to some per cent on a CPU; norms of short blocks,
    added up in float64, are as fast.
    """
    values = (x.T if x.T.is_contiguous() else x.contiguous()).view(-1)
    n_whole = len(values) // NORM_BLOCK * NORM_BLOCK
    wide = torch.float32 if x.device.type == "mps" else torch.float64  # which has no float64
    blocks = (values[:n_whole].view(-1, NORM_BLOCK), values[n_whole:].view(1, -1))
    norms = (torch.linalg.vector_norm(block, dim=1).to(wide) for block in blocks)
    return sum(norm.square().sum() for norm in norms)


def _sums_of_rows(table: Tensor, rows: Tensor, offsets: Tensor, weights: Tensor) -> Tensor:
    """Return weighted sums of rows of `table`, one for the `rows` between any two `offsets`."""
    return torch.nn.functional.embedding_bag(
        rows,
        table.detach().contiguous(),  # torch takes a slower way for what wants a gradient
        offsets,
        mode="sum",
        per_sample_weights=weights.detach(),
        include_last_offset=True,
    )
