"""Sparse products and their gradients against dense ones."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from vega.layers import dropout
from vega.module import MaskedDecoder, VEGAModule
from vega.settings import ModelSettings
from vega.sparse import Pattern, SparseMatrix, squared_error


def matrix(n_rows, n_columns, share, seed=0):
    """A sparse matrix with an empty row, an empty column and a full one."""
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(n_rows, n_columns)) * (rng.random((n_rows, n_columns)) < share)
    dense[:, 0] = rng.normal(size=n_rows)
    dense[2], dense[:, 1] = 0, 0
    return sp.csr_matrix(dense.astype(np.float32))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.7])
def test_product_and_its_gradients(share):
    x = matrix(9, 13, share)
    values = torch.from_numpy(x.data.copy()).requires_grad_()
    dense = torch.randn(13, 5, requires_grad=True)
    seen = torch.randn(9, 5)
    (SparseMatrix(values, Pattern(x.indptr, x.indices, x.shape)) @ dense).mul(seen).sum().backward()

    whole = torch.from_numpy(x.toarray()).requires_grad_()
    again = dense.detach().clone().requires_grad_()
    (whole @ again).mul(seen).sum().backward()
    torch.testing.assert_close(dense.grad, again.grad)
    torch.testing.assert_close(values.grad, whole.grad[torch.from_numpy(x.toarray()) != 0])


def test_a_matrix_without_entries():
    product = SparseMatrix.from_scipy(sp.csr_matrix((4, 6), dtype=np.float32)) @ torch.ones(6, 3)
    assert torch.equal(product, torch.zeros(4, 3))


@pytest.mark.parametrize("columns_first", [True, False])
@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_squared_error_and_its_gradient(kind, columns_first):
    x = matrix(9, 13, 0.3)
    target = torch.from_numpy(x.toarray())
    start = torch.randn(9, 13, requires_grad=True)
    expected = (start - target).square().sum() * 3
    expected.backward()
    gradient, start.grad = start.grad, None
    reconstruction = (start.T * 1).T if columns_first else start * 1
    error = squared_error(
        reconstruction, SparseMatrix.from_scipy(x) if kind == "sparse" else target
    )
    (error * 3).backward()
    assert error.item() * 3 == pytest.approx(expected.item(), rel=1e-6)
    torch.testing.assert_close(start.grad, gradient)


@pytest.mark.parametrize("kind", ["sparse", "dense", "dense, columns first"])
@pytest.mark.parametrize(("n_cells", "n_genes"), [(128, 6998), (1024, 30_000), (3, 5)])
def test_squared_error_of_a_whole_minibatch_has_seven_digits(kind, n_cells, n_genes):
    """A float32 sum on a CPU is .1 % too low at the size of Kang's minibatches, 3 % at the next."""
    x = matrix(n_cells, n_genes, 0.07)
    decoded = torch.full((n_genes, n_cells), 0.1).T
    expected = np.square(0.1 - x.toarray().astype(float)).sum()
    cells = SparseMatrix.from_scipy(x) if kind == "sparse" else torch.from_numpy(x.toarray())
    decoded = decoded if "columns" in kind else decoded.contiguous()
    error = squared_error(decoded, cells)
    assert error.dtype == torch.float64
    assert error.item() == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize("n_batches", [1, 3])
def test_a_decoder_gives_the_same_sparse_and_dense(n_batches):
    """Output and gradients of the weights alone against torch's own linear layer."""
    torch.manual_seed(0)
    mask = np.random.default_rng(0).random((30, 200)) < 0.05
    z, labels = torch.randn(8, 30), torch.arange(8) % n_batches
    seen = torch.randn(8, 200)
    decoder = MaskedDecoder(mask, ModelSettings(), n_batches)
    results = []
    for sparse in (True, False):
        decoder.weights.sparse = sparse
        decoder.zero_grad()
        latent = z.clone().requires_grad_()
        output = decoder(latent, labels)
        (output * seen).sum().backward()
        results.append([output, latent.grad, *(p.grad.clone() for p in decoder.parameters())])
    for ours, dense in zip(*results, strict=True):
        torch.testing.assert_close(ours, dense)


def test_gradients_reach_nothing_outside_the_mask():
    mask = np.zeros((2, 5), dtype=bool)
    mask[0, [1, 3]], mask[1, 4] = True, True
    decoder = MaskedDecoder(mask, ModelSettings(nonnegative=False))
    assert decoder.weights.weight.shape == (3,)
    assert np.array_equal(decoder.dense_weight().detach().numpy() != 0, mask.T)
    decoder(torch.ones(1, 2)).sum().backward()
    assert torch.equal(decoder.weights.weight.grad, torch.ones(3))


def test_a_network_takes_sparse_and_dense_cells_alike():
    torch.manual_seed(0)
    annotation = np.random.default_rng(0).random((6, 40)) < 0.3
    module = VEGAModule(annotation, ModelSettings(n_hidden=16)).eval()
    x = matrix(20, 40, 0.2)
    losses = [
        module.loss(cells, None, torch.Generator().manual_seed(1)).item()
        for cells in (SparseMatrix.from_scipy(x), torch.from_numpy(x.toarray()))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


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
