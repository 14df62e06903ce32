"""Cells in h5ad files, which are read only where they are sound, and written whole."""

import json
import os
import subprocess
import sys
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import scipy.sparse as sp
from anndata.io import write_elem

from scripts.common import hdf5_check
from vega.errors import InputError
from vega.files import reading, written_whole
from vega.values import layers_of

AGAIN = "remove it and run again"
SECONDS = 120  # of the processor, to look through a file; a million cells take two


def read_cells(path: Path | str, backed: bool = False) -> ad.AnnData:
    """The expression of a run's cells; with `backed` the values stay in the file, unchecked.

    Raises
    ------
    InputError
        If the file is damaged or no such cells: names stand twice, a value is not finite or below
        zero, or nothing says where they are from.
    """
    return _checked(path, backed, least=0)


def read_latent(path: Path | str) -> ad.AnnData:
    """A run's cells in a latent space, of which values may be negative; see `read_cells`."""
    return _checked(path, backed=False, least=-np.inf)


def write_cells(cells: ad.AnnData, path: Path | str) -> None:
    """Write cells, to the same bytes each time.

    The file is put together in memory: where a disk fills under it, HDF5 crashes. It is packed
    with gzip, since LZF, as HDF5 has it, packs the same values now and then into other bytes.
    """
    cells.strings_to_categoricals()
    with h5py.File("in memory", "w", driver="core", backing_store=False) as file:
        write_elem(file, "/", cells, dataset_kwargs={"compression": "gzip"})
        if cells.raw is None:  # written all the same, which a backed reader takes for one
            del file["raw"]
        file.flush()
        image = file.id.get_file_image()
    with written_whole(path) as part:
        part.write_bytes(image)


def _checked(path: Path | str, backed: bool, least: float) -> ad.AnnData:
    with reading(path, "an h5ad file of cells", AGAIN):
        cells = sound(path, backed)
        known = json.loads(cells.uns.get("provenance", "{}"))
    if "origin" not in known:
        raise InputError(f"{path}: uns has no provenance; {AGAIN}")
    for names, what in ((cells.obs_names, "cell"), (cells.var_names, "name")):
        if not names.is_unique:
            twice = names[names.duplicated()][0]
            raise InputError(f"{path}: the {what} {twice} stands twice; {AGAIN}")
    for name, matrix in {} if backed else {"X": cells.X, **layers_of(cells)}.items():
        values = matrix.data if sp.issparse(matrix) else np.asarray(matrix)
        if values.dtype.kind not in "iuf" or not (np.isfinite(values) & (values >= least)).all():
            few = " from 0 up" if least == 0 else ""
            raise InputError(f"{path}: {name} holds more than finite numbers{few}; {AGAIN}")
    return cells


def sound(path: Path | str, backed: bool = False) -> ad.AnnData:
    """Any h5ad file that holds nothing but numbers and texts of its own.

    Whatever else there is, or the libraries stumble over, is raised as they do.
    """
    check_sound(path, backed)
    cells = ad.read_h5ad(path, backed="r" if backed else None)
    for matrix in () if backed else (cells.X, *layers_of(cells).values()):
        if sp.issparse(matrix):
            matrix.check_format()  # an index that is too large would lead elsewhere in memory
    return cells


def check_sound(path: Path | str, backed: bool = False) -> None:
    """Have a process of its own look at an HDF5 file first.

    A damaged file can make the library that reads it loop for ever, crash, or fill the memory.

    Raises
    ------
    ValueError
        If there is something wrong with it.
    """
    with Path(path).open("rb"):
        pass  # what the system has against it is said best by itself
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    looked = subprocess.run(
        [
            *(sys.executable, "-I", hdf5_check.__file__, str(path), str(SECONDS), str(memory)),
            *(["X"] if backed else []),
        ],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    wrong = looked.stdout.strip() if looked.returncode == 0 else "damaged, reading it does not end"
    if wrong:
        raise ValueError(wrong)
