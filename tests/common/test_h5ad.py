"""Cells in h5ad files: the same after reading, the same bytes each time, and validated."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from helpers.checks import one_line_error

from scripts.common.h5ad import read_cells, read_latent, write_cells


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    counts = sp.random(30, 12, 0.4, "csr", np.float32, random_state=rng)
    obs = pd.DataFrame(
        {
            "cell_type": ["T", "B", None] * 10,
            "donor": pd.Categorical(["d1", "d2"] * 15, categories=["d2", "d1"], ordered=True),
            "n": rng.random(30),
        },
        index=[f"c{i}" for i in range(30)],
    )
    var = pd.DataFrame({"gene_id": [f"E{i}" for i in range(12)]}, [f"G{i}" for i in range(12)])
    uns = {"provenance": json.dumps({"study": "toy", "origin": "public"})}
    return AnnData(counts, obs=obs, var=var, uns=uns, layers={"counts": counts.copy()})


def test_what_is_written_comes_back(cells, tmp_path):
    write_cells(cells, tmp_path / "a.h5ad")
    again = read_cells(tmp_path / "a.h5ad")
    assert (again.X != cells.X).nnz == 0
    assert (again.layers["counts"] != cells.layers["counts"]).nnz == 0
    pd.testing.assert_frame_equal(again.obs, cells.obs)
    pd.testing.assert_frame_equal(again.var, cells.var)
    assert list(again.obs["donor"].cat.categories) == ["d2", "d1"]
    assert again.uns["provenance"] == cells.uns["provenance"]


def test_a_part_is_read_from_the_disk(cells, tmp_path):
    write_cells(cells, tmp_path / "a.h5ad")
    backed = read_cells(tmp_path / "a.h5ad", backed=True)
    assert backed.isbacked
    assert backed.raw is None
    part = backed[:, ["G3", "G1"]].to_memory()
    assert (part.X != cells[:, ["G3", "G1"]].X).nnz == 0


def test_the_same_cells_are_the_same_bytes(cells, tmp_path):
    for name in ("a", "b"):
        write_cells(cells.copy(), tmp_path / f"{name}.h5ad")
    assert (tmp_path / "a.h5ad").read_bytes() == (tmp_path / "b.h5ad").read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.h5ad", "b.h5ad"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.X.data.__setitem__(0, np.nan), "X: expected non-negative finite numbers"),
        (lambda c: c.X.data.__setitem__(0, -1), "X: expected non-negative finite numbers"),
        (lambda c: c.layers["counts"].data.__setitem__(0, np.inf), "counts: expected non-negative"),
        (lambda c: c.uns.clear(), "uns has no provenance"),
        (lambda c: setattr(c, "var_names", ["G"] * 12), "duplicate gene or GMV G"),
        (lambda c: setattr(c, "obs_names", ["c"] * 30), "duplicate cell c"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*names are not unique")
def test_invalid_cells_are_named_with_their_file(cells, tmp_path, change, message):
    change(cells)
    write_cells(cells, tmp_path / "a.h5ad")
    with one_line_error(rf"a\.h5ad: {message}.*; remove it and run again"):
        read_cells(tmp_path / "a.h5ad")


def test_activities_may_be_negative_but_are_finite(cells, tmp_path):
    latent = AnnData(cells.X.toarray() - 1, obs=cells.obs, uns=dict(cells.uns))
    write_cells(latent, tmp_path / "a.h5ad")
    np.testing.assert_array_equal(read_latent(tmp_path / "a.h5ad").X, latent.X)
    latent.X[0, 0] = np.nan
    write_cells(latent, tmp_path / "a.h5ad")
    with one_line_error("X: expected finite numbers"):
        read_latent(tmp_path / "a.h5ad")


@pytest.mark.parametrize("part", ["X", "obs", "layers/counts/indices", "uns/provenance"])
def test_a_file_without_one_of_its_parts_is_named(cells, tmp_path, fault, part):
    path = tmp_path / "a.h5ad"
    write_cells(cells, path)
    with fault("damaged h5ad"):
        with h5py.File(path, "r+") as file:
            del file[part]
        with one_line_error(r"a\.h5ad: .*; remove it and run again"):
            read_cells(path)


def test_an_index_out_of_range_is_never_used(cells, tmp_path):
    path = tmp_path / "a.h5ad"
    write_cells(cells, path)
    with h5py.File(path, "r+") as file:
        file["X/indices"][0] = 10**6
    with one_line_error(r"a\.h5ad: not an h5ad file of cells"):
        read_cells(path)
