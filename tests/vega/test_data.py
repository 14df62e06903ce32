"""Where cells come from: memory, a file, the memory of a device."""

import h5py
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from anndata import AnnData, read_h5ad
from anndata.io import sparse_dataset
from helpers.cells import fit, toy_cells, toy_model
from helpers.checks import one_line_error

import vega
from vega import data
from vega.cuda import DeviceData
from vega.data import BackedData, InMemoryData

ROWS = np.arange(700)


@pytest.fixture
def x():
    return sp.random(700, 23, 0.3, "csr", np.float32, random_state=0)


def backed(adata, path):
    """The cells in a file that is opened without reading it."""
    adata.write_h5ad(path)
    return read_h5ad(path, backed="r")


@pytest.fixture(params=["csr", "dense"])
def stored(request, x, tmp_path):
    return backed(AnnData(x if request.param == "csr" else x.toarray()), tmp_path / "x.h5ad")


def source_of(kind, x, stored):
    """Cells whose batch label is their number, so that one sees which cell it is."""
    if kind == "disk":
        return BackedData(stored.X, None, ROWS, stored.filename)
    in_memory = InMemoryData(x, ROWS)
    return in_memory if kind == "memory" else DeviceData(in_memory, torch.device("cpu"))


def collected(source, rows, size, rng=None):
    """What the minibatches hold: dense expression, numbers of the cells, sizes."""
    parts = list(source.minibatches(rows, size, rng))
    dense = [m.numpy() if isinstance(m, torch.Tensor) else m.toarray() for m, _ in parts]
    return np.concatenate(dense), np.concatenate([b for _, b in parts]), [len(b) for _, b in parts]


@pytest.mark.parametrize("source", ["memory", "disk", "device"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_every_cell_comes_once_as_it_is(x, stored, monkeypatch, source, shuffled):
    for name, size in {"WINDOW": 90, "CHUNK": 7, "STRETCH": 20}.items():  # cut across each other
        monkeypatch.setattr(data, name, size)
    rows = np.setdiff1d(ROWS, ROWS[::6])
    rng = np.random.default_rng(3) if shuffled else None
    dense, numbers, sizes = collected(source_of(source, x, stored), rows, 32, rng)
    np.testing.assert_array_equal(dense, x.toarray()[numbers])
    assert sizes == [32] * (len(rows) // 32) + [len(rows) % 32]
    assert sorted(numbers) == list(rows)
    assert (list(numbers) == list(rows)) != shuffled


def test_cells_of_a_file_are_well_mixed(x, stored):
    """Each minibatch holds cells from all over the file, in another order each time."""
    source, rng = source_of("disk", x, stored), np.random.default_rng(3)
    orders = [collected(source, ROWS, 50, rng)[1] for _ in range(2)]
    assert not np.array_equal(*orders)
    for order in orders:
        assert order.reshape(-1, 50).std(axis=1).min() > 0.6 * ROWS.std()


def test_cells_are_identified_by_all_that_is_learnt_from(x, stored):
    def identity(source):
        parts = []
        source.identify(lambda b: parts.append(bytes(b)))
        return b"".join(parts)

    other = x.copy()
    other.data[5] += 1
    of_x, of_copy, of_other = (identity(InMemoryData(m, ROWS)) for m in (x, x.copy(), other))
    assert of_x == of_copy != of_other
    genes = np.arange(5000)  # more than numpy writes out in full
    swapped = np.where(genes == 2000, 3000, np.where(genes == 3000, 2000, genes))
    sources = [BackedData(stored.X, g, ROWS, stored.filename) for g in (None, genes, swapped)]
    before = [identity(source) for source in sources]
    assert len(set(before)) == 3
    assert identity(sources[0]) == before[0]
    stored.filename.touch()
    assert identity(sources[0]) != before[0]


def test_a_model_learns_from_a_file_what_it_learns_from_memory(cells_with_programmes, tmp_path):
    """The order of the cells differs, and nothing else does."""
    adata, gene_sets = cells_with_programmes(600, 120, 8, 0.15)
    settings = {"max_epochs": 40, "learning_rate": 3e-3, "patience": 40, "batch_size": 32}
    losses = []
    for cells in (adata, backed(adata, tmp_path / "x.h5ad")):
        model = vega.VEGA(adata.var_names, gene_sets, n_hidden=32, seed=1)
        losses.append(fit(model, cells, **settings)["validation_loss"])
    memory, disk = (loss.iloc[-5:].mean() for loss in losses)
    assert memory < 0.6 * losses[0].iloc[0]
    assert disk == pytest.approx(memory, rel=0.05)


@pytest.mark.parametrize("layer", [None, "csr", "dense"])
def test_expression_on_disk_is_read_some_cells_at_a_time(tmp_path, layer):
    """With all genes or fewer in another order, and with batches."""
    adata, path = toy_cells(), tmp_path / "x.h5ad"
    adata.layers.update({"csr": adata.X, "dense": adata.X.toarray()})
    stored = backed(adata, path)
    with h5py.File(path) as file:
        if layer:
            on_disk = file[f"layers/{layer}"]
            on_disk = sparse_dataset(on_disk) if layer == "csr" else on_disk
            stored = AnnData(obs=adata.obs, var=adata.var, layers={layer: on_disk})
        labels = np.arange(150) % 2
        for genes in (adata.var_names, adata.var_names[::-1][:39]):
            model = vega.VEGA(genes, {"S": genes[:5]}, n_hidden=16, layer=layer, batches=["x", "y"])
            source = model._inputs(stored).to_learn_from(labels)
            assert isinstance(source, BackedData) and source.path == path
            assert np.array_equal(source.batch, labels)
            np.testing.assert_allclose(model.embed(stored), model.embed(adata), atol=1e-5)


def test_part_of_a_file_is_read_as_anndata_reads_it(tmp_path):
    adata, model, some = toy_cells(), toy_model(), np.array([5, 3, 40])
    stored = backed(adata, tmp_path / "x.h5ad")
    np.testing.assert_allclose(model.embed(stored[some]), model.embed(adata)[some], atol=1e-5)


@pytest.mark.parametrize("layer", [None, "logs"])
def test_a_file_stored_gene_by_gene_is_named(tmp_path, layer):
    adata = toy_cells()
    adata.X = adata.layers["logs"] = adata.X.tocsc()
    stored = backed(adata, tmp_path / "x.h5ad")
    stored.layers["logs"] = sparse_dataset(stored.file["layers/logs"])
    with one_line_error(rf"x\.h5ad: {layer or 'X'} is stored gene by gene, .* write it as a CSR"):
        toy_model(layer=layer).fit(stored)


def test_values_that_are_not_finite_are_refused_from_a_file_too(tmp_path):
    adata = toy_cells()
    adata.X.data[3] = np.inf
    with one_line_error("not finite; log-normalise"):
        fit(toy_model(), backed(adata, tmp_path / "x.h5ad"))
