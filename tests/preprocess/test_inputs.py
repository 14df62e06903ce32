"""Annotated data of any program, packed or not: recognised by content, and the same cells."""

import gzip
import zipfile

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from helpers.raw_files import cell_ranger, market, pack
from helpers.readers import labels, says, source

from scripts.preprocess.readers import read
from scripts.preprocess.readers.files import RawFile
from scripts.preprocess.readers.formats import format_of, market_in
from vega.errors import InputError

COUNTS = np.array([[0, 3, 0], [2, 0, 1]], dtype=np.float32)  # cells x genes
CELLS, SYMBOLS = ["c1", "c2"], ["CD3D", "LYZ", "LYZ"]
IDS = [f"ENSG{i:011d}" for i in range(3)]


def cells() -> ad.AnnData:
    """Scaled values in X, counts in raw (with a gene more) and in a layer; Ensembl ids."""
    var = pd.DataFrame({"feature_name": [*SYMBOLS[:2], None, "MT-ND1"]}, [*IDS, "ENSG9"])
    more = np.column_stack([COUNTS, [5, 6]]).astype(np.float32)
    whole = ad.AnnData(sp.csr_matrix(more), pd.DataFrame({"kind": ["a", "N/A"]}, CELLS), var)
    part = whole[:, :3].copy()
    part.raw = whole
    part.layers["umis"] = part.X.copy()
    part.X = part.X.toarray() - 1
    return part


def write_loom(path):
    with h5py.File(path, "w") as file:
        file["matrix"], file["layers/double"] = COUNTS.T, 2 * COUNTS.T
        text = h5py.string_dtype()
        for name, values in (
            ("row_attrs/Gene", SYMBOLS), ("row_attrs/Accession", IDS),
            ("col_attrs/CellID", CELLS), ("col_attrs/kind", ["a", "nan"]),
        ):  # fmt: skip
            file.create_dataset(name, data=np.array(values, dtype=object), dtype=text)
        file["col_attrs/umap"] = np.zeros((2, 2))


@pytest.mark.parametrize("name", ["x.h5ad", "x.h5ad.gz", "x.zarr", "x.zarr.zip", "top.zip"])
def test_raw_and_layers_with_symbols_of_a_column(tmp_path, name):
    path = tmp_path / name
    if ".h5ad" in name:
        cells().write_h5ad(tmp_path / "x.h5ad")
        if name.endswith(".gz"):
            path.write_bytes(gzip.compress((tmp_path / "x.h5ad").read_bytes()))
    else:
        cells().write_zarr(tmp_path / "x.zarr")
        top = tmp_path if name == "top.zip" else tmp_path / "x.zarr"
        if name.endswith(".zip"):
            with zipfile.ZipFile(path, "w") as archive:
                for part in (tmp_path / "x.zarr").rglob("*"):
                    archive.write(part, part.relative_to(top))
    format = format_of(RawFile(path))
    assert format == ("h5ad" if ".h5ad" in name else "zarr")
    matrix = {"matrix": name, "symbols": "feature_name", "columns": {"kind": "cell_type"}}
    raw = read(source(format, matrix | {"raw": True}), tmp_path)
    np.testing.assert_array_equal(raw.X.toarray(), np.column_stack([COUNTS, [5, 6]]))
    assert raw.var_names.tolist() == ["CD3D", "LYZ", IDS[2], "MT-ND1"]  # one has no symbol
    assert raw.var["gene_id"].tolist() == [*IDS, "ENSG9"]
    assert labels(raw, "cell_type") == ["a", None]
    layer = read(source(format, matrix | {"layer": "umis"}), tmp_path)
    np.testing.assert_array_equal(layer.X.toarray(), COUNTS)
    says(source(format, matrix), tmp_path, "-1 is no count")
    says(source(format, matrix | {"symbols": "name"}), tmp_path, "no column name (it has feature")


def test_the_cells_of_a_loom_file(tmp_path):
    write_loom(tmp_path / "x.loom")
    assert format_of(RawFile(tmp_path / "x.loom")) == "loom"
    matrix = {"matrix": "x.loom", "columns": {"kind": "cell_type"}}
    adata = read(source("loom", matrix), tmp_path)
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS)
    assert adata.obs_names.tolist() == CELLS and labels(adata, "cell_type") == ["a", None]
    assert adata.var_names.tolist() == ["CD3D", "LYZ", "LYZ-1"]
    assert adata.var["gene_id"].tolist() == IDS
    double = read(source("loom", matrix | {"layer": "double"}), tmp_path)
    np.testing.assert_array_equal(double.X.toarray(), 2 * COUNTS)
    says(source("loom", matrix | {"raw": True}), tmp_path, "x.loom: no raw")
    with h5py.File(tmp_path / "x.loom", "a") as file:
        file.move("col_attrs/CellID", "col_attrs/other")
    says(source("loom", matrix), tmp_path, "none of CellID, obs_names, cell_names in /col_attrs")


def test_a_table_alone_in_a_zip(tmp_path):
    table = ",c1,c2\nCD3D,0,2\nLYZ,3,0\n"
    pack(tmp_path / "t.csv.zip", {"t.csv": table.encode(), "__MACOSX/t.csv": b"x"})
    assert format_of(RawFile(tmp_path / "t.csv.zip")) == "table"
    adata = read(source("table", {"matrix": "t.csv.zip"}), tmp_path)
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS[:, :2])
    pack(tmp_path / "t.csv.zip", {"t.csv": b"x", "u.csv": b"x"})
    says(source("table", {"matrix": "t.csv.zip"}), tmp_path, "a zip of 2 files, expected one")
    pack(tmp_path / "t.csv.zip", {"[Content_Types].xml": b"x", "xl/workbook.xml": b"x"})
    says(source("table", {"matrix": "t.csv.zip"}), tmp_path, "an Excel workbook; save the sheet")


def test_the_format_follows_from_the_content_and_not_from_the_name(tmp_path):
    def format(content):
        (tmp_path / "x").write_bytes(content)
        return format_of(RawFile(tmp_path / "x"))

    assert format(cell_ranger(COUNTS, CELLS, SYMBOLS)) == "10x_h5"
    assert format(gzip.compress(market(COUNTS))) == "mtx"
    assert format(b"gene c1\nCD3D 1\n") == "table"
    assert format(gzip.compress(b"X\n\0\0\0\3")) == "rds"
    with pytest.raises(InputError, match=r"expected a text, HDF5 or zarr, found b'PAR1.*; convert"):
        format(b"PAR1\0\1")
    with h5py.File(tmp_path / "x", "w") as file:
        file["assays"] = 1
    with pytest.raises(InputError, match=r"HDF5 of another program \(assays\); convert"):
        format_of(RawFile(tmp_path / "x"))


def test_the_matrix_of_a_folder_of_cell_ranger(tmp_path):
    (tmp_path / "matrix.mtx.gz").write_bytes(gzip.compress(market(COUNTS)))
    assert format_of(RawFile(tmp_path)) == "mtx"
    assert market_in(tmp_path) == tmp_path / "matrix.mtx.gz"
    (tmp_path / "other.mtx").write_bytes(market(COUNTS))
    with pytest.raises(InputError, match=r"one \.mtx file, found matrix\.mtx\.gz, other\.mtx"):
        market_in(tmp_path)


def test_raw_may_have_repeated_names_and_symbols_only_of_some_genes(tmp_path):
    whole = ad.AnnData(sp.csr_matrix(np.column_stack([COUNTS, [5, 6]]).astype(np.float32)))
    whole.var_names, whole.obs_names = ["A", "A", "B", "C"], CELLS
    whole.raw = whole.copy()
    whole.var["symbol"] = ["CD3D", "CD3D", "LYZ", "x"]
    whole[:, :3].copy().write_h5ad(tmp_path / "x.h5ad")
    matrix = {"matrix": "x.h5ad", "raw": True, "symbols": "symbol"}
    adata = read(source("h5ad", matrix), tmp_path)
    np.testing.assert_array_equal(adata.X.toarray(), np.column_stack([COUNTS, [5, 6]]))
    assert adata.var_names.tolist() == ["CD3D", "CD3D-1", "LYZ", "C"]
