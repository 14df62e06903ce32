"""Sparse products, squared errors and dropout against dense computations."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from vega.layers import dropout
from vega.sparse import Pattern, SparseMatrix, squared_error


def matrix(n_rows, n_columns, share, seed=0):
    """A sparse matrix with an empty row, an empty column and a full one."""
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(n_rows, n_columns)) * (rng.random((n_rows, n_columns)) < share)
    dense[:, 0] = rng.normal(size=n_rows)
    dense[2], dense[:, 1] = 0, 0
    return sp.csr_matrix(dense.astype(np.float32))


@pytest.mark.parametrize("share", [None, 0.0, 0.1, 0.7])
def test_the_sparse_product_and_its_gradients_are_those_of_dense_matrices(share):
    x = sp.csr_matrix((9, 13), dtype=np.float32) if share is None else matrix(9, 13, share)
    values = torch.from_numpy(x.data.copy()).requires_grad_()
    dense = torch.randn(13, 5, requires_grad=True)
    seen = torch.randn(9, 5)
    (SparseMatrix(values, Pattern(x.indptr, x.indices, x.shape)) @ dense).mul(seen).sum().backward()

    whole = torch.from_numpy(x.toarray()).requires_grad_()
    again = dense.detach().clone().requires_grad_()
    (whole @ again).mul(seen).sum().backward()
    torch.testing.assert_close(dense.grad, again.grad)
    torch.testing.assert_close(values.grad, whole.grad[torch.from_numpy(x.toarray()) != 0])


def test_the_squared_error_of_a_large_minibatch_has_seven_digits():
    """A float32 sum on a CPU is 3 % too low at this size."""
    x = matrix(1024, 30_000, 0.07)
    dense = torch.from_numpy(x.toarray())
    expected = np.square(0.1 - dense.numpy().astype(float)).sum()
    for cells in (SparseMatrix.from_scipy(x), dense):
        for decoded in (torch.full(x.shape, 0.1), torch.full(x.shape[::-1], 0.1).T):
            error = squared_error(decoded, cells)
            assert error.dtype == torch.float64
            assert error.item() == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize("p", [0.1, 0.2, 0.5])
def test_dropout_drops_its_share_and_keeps_the_mean(p):
    generator = torch.Generator().manual_seed(1)
    x = torch.ones(1000, 1003)
    dropped = dropout(x, p, generator)
    kept = dropped != 0
    n = x.numel()
    assert kept.float().mean().item() == pytest.approx(1 - p, abs=5 * np.sqrt(p * (1 - p) / n))
    assert torch.equal(dropped[kept], torch.full((int(kept.sum()),), 1 / (1 - p)))
    # Draws that share one number of the generator are independent of each other.
    together = (kept.view(-1)[: n // 4 * 4].view(-1, 4)).double()
    correlation = np.corrcoef(together.numpy().T)[np.triu_indices(4, 1)]
    assert np.abs(correlation).max() < 5 / np.sqrt(n / 4)
    assert not torch.equal(dropout(x, p, generator), dropped)
    assert torch.equal(dropout(x, p, torch.Generator().manual_seed(1)), dropped)


def test_dropout_of_nothing_is_nothing():
    x = torch.randn(3, 4)
    assert dropout(x, 0, None) is x
    assert dropout(x[:0], 0.5, None).shape == (0, 4)
