"""Where cells come from: memory, a file, the memory of a device."""

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from anndata import AnnData, read_h5ad
from anndata.io import sparse_dataset

import vega
from vega import cells as cells_module
from vega.cuda import DeviceData
from vega.data import BackedData, InMemoryData


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    return sp.csr_matrix((rng.random((700, 23)) * (rng.random((700, 23)) < 0.3)).astype(np.float32))


@pytest.fixture(params=["csr", "dense", "csr gzip"])
def stored(request, x, tmp_path):
    """An h5ad on disk, opened without reading it."""
    adata = AnnData(x if "csr" in request.param else x.toarray())
    adata.write_h5ad(tmp_path / "x.h5ad", compression="gzip" if "gzip" in request.param else None)
    return read_h5ad(tmp_path / "x.h5ad", backed="r")


def sources(x, stored, path):
    batch = np.arange(700)  # a cell's number, so that one sees which cell it is
    in_memory = InMemoryData(x, batch)
    return {
        "memory": in_memory,
        "disk": BackedData(stored.X, None, batch, path),
        "device": DeviceData(in_memory, torch.device("cpu")),
    }


def collected(source, rows, size, rng=None):
    """What the minibatches hold: dense expression, numbers of the cells, sizes."""
    parts = list(source.minibatches(rows, size, rng))
    dense = [m.numpy() if isinstance(m, torch.Tensor) else m.toarray() for m, _ in parts]
    return np.concatenate(dense), np.concatenate([b for _, b in parts]), [len(b) for _, b in parts]


@pytest.mark.parametrize("source", ["memory", "disk", "device"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_every_cell_comes_once_as_it_is(x, stored, monkeypatch, source, shuffled):
    monkeypatch.setattr(cells_module, "WINDOW", 90)  # eight windows, and chunks cut across them
    monkeypatch.setattr(cells_module, "CHUNK", 7)
    monkeypatch.setattr(cells_module, "STRETCH", 20)
    rows = np.setdiff1d(np.arange(700), np.arange(0, 700, 6))
    rng = np.random.default_rng(3) if shuffled else None
    dense, numbers, sizes = collected(sources(x, stored, stored.filename)[source], rows, 32, rng)
    np.testing.assert_array_equal(dense, x.toarray()[numbers])
    assert sizes == [32] * (len(rows) // 32) + [len(rows) % 32]
    assert sorted(numbers) == list(rows)
    assert list(numbers) != list(rows) if shuffled else list(numbers) == list(rows)


def test_cells_of_a_file_are_well_mixed(x, stored):
    """Each minibatch holds cells from all over the file, in another order each time."""
    source = sources(x, stored, stored.filename)["disk"]
    rng = np.random.default_rng(3)
    orders = [collected(source, np.arange(700), 50, rng)[1] for _ in range(2)]
    assert not np.array_equal(*orders)
    for order in orders:
        spread = [np.std(order[start : start + 50]) for start in range(0, 700, 50)]
        assert min(spread) > 0.6 * np.std(np.arange(700))


def test_other_genes_in_another_order(x, stored):
    genes = np.array([4, 0, 22])
    source = BackedData(stored.X, genes, np.arange(700), stored.filename)
    dense, numbers, _ = collected(source, np.arange(700), 100, np.random.default_rng(0))
    np.testing.assert_array_equal(dense, x.toarray()[numbers][:, genes])


def test_cells_tell_themselves_from_others(x, stored, tmp_path):
    def identity(source):
        parts = []
        source.identify(lambda b: parts.append(bytes(b)))
        return b"".join(parts)

    batch = np.zeros(700, dtype=np.int64)
    other = x.copy()
    other.data[5] += 1
    same, changed = (identity(InMemoryData(m, batch)) for m in (x.copy(), other))
    assert identity(InMemoryData(x, batch)) == same != changed
    source = BackedData(stored.X, None, batch, tmp_path / "x.h5ad")
    before = identity(source)
    assert identity(source) == before
    genes = np.arange(5000)  # more than numpy writes out in full
    swapped = genes.copy()
    swapped[[2000, 3000]] = swapped[[3000, 2000]]
    orders = [BackedData(stored.X, g, batch, tmp_path / "x.h5ad") for g in (genes, swapped)]
    assert len({before, *map(identity, orders)}) == 3
    (tmp_path / "x.h5ad").touch()
    assert identity(source) != before


# ------------------------------------------------------------------ models


def backed(adata, path):
    adata.write_h5ad(path, compression="gzip")
    return read_h5ad(path, backed="r")


def test_a_model_learns_from_a_file_what_it_learns_from_memory(cells_with_programmes, tmp_path):
    adata, gene_sets = cells_with_programmes(600, 120, 8, 0.15)
    stored = backed(adata, tmp_path / "x.h5ad")
    models = {}
    for name, cells in (("memory", adata), ("disk", stored)):
        models[name] = vega.VEGA(adata.var_names, gene_sets, n_hidden=32, seed=1)
        models[name].fit(
            cells, max_epochs=40, learning_rate=3e-3, patience=40, batch_size=32, progress=False
        )
    # The order of the cells differs, and nothing else does.
    last = {k: m.history["validation_loss"].iloc[-5:].mean() for k, m in models.items()}
    first = models["memory"].history["validation_loss"].iloc[0]
    assert last["memory"] < 0.6 * first
    assert last["disk"] == pytest.approx(last["memory"], rel=0.05)
    np.testing.assert_allclose(
        models["disk"].embed(stored), models["disk"].embed(adata), rtol=1e-4, atol=1e-5
    )


def test_a_file_with_other_genes_first(cells_with_programmes, tmp_path):
    adata, gene_sets = cells_with_programmes(60, 50, 4, 0.2)
    order = np.random.default_rng(0).permutation(50)
    model = vega.VEGA(adata.var_names[order][:40], gene_sets, n_hidden=16)
    stored = backed(adata, tmp_path / "x.h5ad")
    np.testing.assert_allclose(model.embed(stored), model.embed(adata), rtol=1e-4, atol=1e-5)


def test_a_file_that_cannot_be_read_cell_by_cell_is_named(cells_with_programmes, tmp_path):
    adata, gene_sets = cells_with_programmes(60, 50, 4, 0.2)
    adata.X = adata.X.tocsc()
    with pytest.raises(
        ValueError, match=r"x\.h5ad: X is stored gene by gene, .* write it as a CSR"
    ):
        vega.VEGA(adata.var_names, gene_sets).fit(backed(adata, tmp_path / "x.h5ad"))


@pytest.mark.parametrize("kind", ["csr", "dense"])
def test_a_layer_on_disk_is_read_some_cells_at_a_time(cells_with_programmes, tmp_path, kind):
    adata, gene_sets = cells_with_programmes(200, 50, 4, 0.2)
    layer = adata.X if kind == "csr" else adata.X.toarray()
    AnnData(obs=adata.obs, var=adata.var, layers={"logs": layer}).write_h5ad(tmp_path / "x.h5ad")
    options = {"n_hidden": 16, "layer": "logs"}
    models = [vega.VEGA(adata.var_names[::-1][:40], gene_sets, **options) for _ in range(2)]
    with h5py.File(tmp_path / "x.h5ad") as file:
        on_disk = file["layers/logs"]
        stored = AnnData(
            obs=adata.obs,
            var=adata.var,
            layers={"logs": sparse_dataset(on_disk) if kind == "csr" else on_disk},
        )
        source = models[0]._cells(stored)
        assert isinstance(source, BackedData)
        assert source.path == tmp_path / "x.h5ad"
        adata.layers["logs"] = layer
        np.testing.assert_allclose(models[0].embed(stored), models[1].embed(adata), atol=1e-5)
        models[0].fit(stored, max_epochs=2, progress=False)
    assert len(models[0].history) == 2


def test_a_layer_stored_gene_by_gene_is_named(cells_with_programmes, tmp_path):
    adata, gene_sets = cells_with_programmes(60, 50, 4, 0.2)
    adata.layers["logs"] = adata.X.tocsc()
    stored = backed(adata, tmp_path / "x.h5ad")
    stored.layers["logs"] = sparse_dataset(stored.file["layers/logs"])
    with pytest.raises(ValueError, match=r"x\.h5ad: logs is stored gene by gene"):
        vega.VEGA(adata.var_names, gene_sets, layer="logs").embed(stored)


def test_what_is_not_finite_is_named_from_a_file_too(cells_with_programmes, tmp_path):
    adata, gene_sets = cells_with_programmes(60, 50, 4, 0.2)
    adata.X.data[3] = np.inf
    model = vega.VEGA(adata.var_names, gene_sets, n_hidden=16)
    with pytest.raises(ValueError, match="not finite; log-normalise"):
        model.fit(backed(adata, tmp_path / "x.h5ad"), progress=False)


def test_part_of_a_file_is_read_as_anndata_reads_it(cells_with_programmes, tmp_path):
    adata, gene_sets = cells_with_programmes(60, 50, 4, 0.2)
    stored = backed(adata, tmp_path / "x.h5ad")
    model = vega.VEGA(adata.var_names, gene_sets, n_hidden=16)
    some = np.array([5, 3, 40])
    np.testing.assert_allclose(model.embed(stored[some]), model.embed(adata)[some], atol=1e-5)


def test_a_file_brings_its_batches(cells_with_programmes, tmp_path):
    adata, gene_sets = cells_with_programmes(90, 50, 4, 0.2)
    adata.obs["batch"] = pd.Categorical(np.resize(["x", "y", "z"], 90))
    stored = backed(adata, tmp_path / "x.h5ad")
    model = vega.VEGA(adata.var_names, gene_sets, batches=["x", "y", "z"], n_hidden=16)
    model.fit(stored, batch_key="batch", max_epochs=2, progress=False)
    assert len(model.history) == 2
