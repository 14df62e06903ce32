"""Counts in the HDF5 format of 10x's Cell Ranger, written as it does."""

import io

import h5py
import numpy as np
import scipy.sparse as sp


def cell_ranger(counts, barcodes, symbols, ids=None, kinds=None) -> bytes:
    """The bytes of a file with these counts (cells x genes)."""
    matrix = sp.csc_matrix(np.asarray(counts).T)  # genes down, cell by cell
    ids = ids or [f"ENSG{i:011d}" for i in range(len(symbols))]
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        group = file.create_group("matrix")
        group["barcodes"] = np.array(barcodes, dtype="S")
        for name, values in (
            ("data", matrix.data.astype(np.int32)), ("indices", matrix.indices.astype(np.int64)),
            ("indptr", matrix.indptr.astype(np.int64)), ("shape", np.array(matrix.shape, np.int32)),
        ):  # fmt: skip
            group.create_dataset(name, data=values, compression="gzip")
        features = group.create_group("features")
        features["_all_tag_keys"] = np.array(["genome"], dtype="S")
        features["id"], features["name"] = np.array(ids, dtype="S"), np.array(symbols, dtype="S")
        features["feature_type"] = np.array(kinds or ["Gene Expression"] * len(ids), dtype="S")
        features["genome"] = np.array(["GRCh38"] * len(ids), dtype="S")
    return content.getvalue()
