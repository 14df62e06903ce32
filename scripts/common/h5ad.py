"""Read and validate cells in h5ad files, and write them atomically and reproducibly."""

import json
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import scipy.sparse as sp
from anndata.io import write_elem

from vega.errors import InputError
from vega.files import atomic_write, read_errors
from vega.values import layers_of

AGAIN = "remove it and run again"


def read_cells(path: Path | str, backed: bool = False) -> ad.AnnData:
    """Read the expression of a run's cells; with `backed` the values stay in the file, unchecked.

    An InputError names a damaged file, duplicate names, invalid values or missing provenance.
    """
    return _checked(path, backed, least=0)


def read_latent(path: Path | str) -> ad.AnnData:
    """Read a run's cells in a latent space, where values may be negative; see `read_cells`."""
    return _checked(path, backed=False, least=-np.inf)


def write_cells(cells: ad.AnnData, path: Path | str) -> None:
    """Write cells atomically, to the same bytes each time.

    The file is built in memory, since HDF5 crashes when a disk fills. It is compressed with gzip,
    since HDF5's LZF sometimes compresses the same values into other bytes.
    """
    cells.strings_to_categoricals()
    with h5py.File("in memory", "w", driver="core", backing_store=False) as file:
        write_elem(file, "/", cells, dataset_kwargs={"compression": "gzip"})
        if cells.raw is None:  # written as an empty group, which a backed reader takes for data
            del file["raw"]
        file.flush()
        image = file.id.get_file_image()
    with atomic_write(path) as part:
        part.write_bytes(image)


def _checked(path: Path | str, backed: bool, least: float) -> ad.AnnData:
    with read_errors(path, "an h5ad file of cells", AGAIN):
        cells = read_h5ad(path, backed)
        source = json.loads(cells.uns.get("provenance", "{}"))
    if "origin" not in source:
        raise InputError(f"{path}: uns has no provenance; {AGAIN}")
    for names, what in ((cells.obs_names, "cell"), (cells.var_names, "gene or GMV")):
        if not names.is_unique:
            raise InputError(f"{path}: duplicate {what} {names[names.duplicated()][0]}; {AGAIN}")
    for name, matrix in {} if backed else {"X": cells.X, **layers_of(cells)}.items():
        values = matrix.data if sp.issparse(matrix) else np.asarray(matrix)
        if values.dtype.kind not in "iuf" or not (np.isfinite(values) & (values >= least)).all():
            kind = "non-negative finite" if least == 0 else "finite"
            raise InputError(f"{path}: {name}: expected {kind} numbers, found others; {AGAIN}")
    return cells


def read_h5ad(path: Path | str, backed: bool = False) -> ad.AnnData:
    """Read any h5ad file; errors of the libraries are passed on."""
    cells = ad.read_h5ad(path, backed="r" if backed else None)
    return cells if backed else validated(cells)


def validated(cells: ad.AnnData) -> ad.AnnData:
    """Return the cells if their sparse matrices are valid; scipy raises otherwise."""
    raw = [] if cells.raw is None else [cells.raw.X]
    for matrix in (cells.X, *layers_of(cells).values(), *raw):
        if sp.issparse(matrix):
            matrix.check_format()  # an index out of range would read foreign memory
    return cells
