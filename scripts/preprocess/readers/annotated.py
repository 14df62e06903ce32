"""Open files of annotated data: h5ad, loom, zarr."""

import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anndata as ad
import h5py
import pandas as pd
import scipy.sparse as sp

from scripts.common.h5ad import read_h5ad, validated
from scripts.preprocess.readers.files import RETRY, RawFile
from vega.errors import InputError
from vega.files import read_errors

# Attributes of a loom file that hold names, by program: loompy, anndata, Human Cell Atlas.
CELLS, GENES = ("CellID", "obs_names", "cell_names"), ("Gene", "var_names", "gene_names")
ROWS = 1000  # of a dense matrix in memory
ZARR = ("zarr.json", ".zgroup")  # marks a folder of zarr


@contextmanager
def repeated_names_allowed() -> Iterator[None]:
    """Silence warnings of names that repeat, which the readers number."""
    with warnings.catch_warnings():
        for words in ("(Observation|Variable) names are not unique", "Suffix used"):
            warnings.filterwarnings("ignore", words, UserWarning)
        yield


def h5ad(file: RawFile) -> ad.AnnData:
    with (
        file.on_disk() as path,
        read_errors(file, "an h5ad file", RETRY),
        repeated_names_allowed(),
    ):
        return read_h5ad(path)


def raw_of(whole: ad.AnnData) -> ad.AnnData:
    """Return `.raw` of some cells; X's columns of genes are added that it does not have."""
    part = whole.raw.to_adata()
    more = whole.var[whole.var.columns.difference(part.var.columns)]
    more = more[~more.index.duplicated()].reindex(part.var_names)
    part.var = pd.concat([part.var, more], axis=1)
    return part


def loom(file: RawFile) -> ad.AnnData:
    """Read a loom file; anndata's reader needs loompy, which few have."""
    with (
        file.on_disk() as path,
        read_errors(file, "a loom file", RETRY),
        h5py.File(path) as content,
        repeated_names_allowed(),
    ):
        return ad.AnnData(
            _cells_of(content["matrix"]),
            obs=_attributes(content["col_attrs"], CELLS),
            var=_attributes(content["row_attrs"], GENES),
            layers={name: _cells_of(layer) for name, layer in content.get("layers", {}).items()},
        )


def _cells_of(matrix: h5py.Dataset) -> sp.csr_matrix:
    """Return a dense matrix, genes down, as cells x genes."""
    rows = (sp.csr_matrix(matrix[i : i + ROWS]) for i in range(0, matrix.shape[0], ROWS))
    return sp.vstack([*rows], format="csr").T.tocsr()


def _attributes(group: h5py.Group, names: tuple[str, ...]) -> pd.DataFrame:
    flat = {name: values for name, values in group.items() if values.ndim == 1}
    table = pd.DataFrame(
        {n: v.asstr()[:] if h5py.check_string_dtype(v.dtype) else v[:] for n, v in flat.items()}
    )
    index = next((name for name in names if name in table), None)
    if index is None:
        raise ValueError(f"none of {', '.join(names)} in {group.name}")
    return table.set_index(table.pop(index).astype(str).rename(None))


def zarr(file: RawFile) -> ad.AnnData:
    """Read a folder of zarr, or a zip of one."""
    import zarr

    if file.member:
        raise InputError(f"{file}: zarr within an archive; give the folder, or a zip of it alone")
    with read_errors(file, "annotated data in zarr", RETRY), repeated_names_allowed():
        if file.path.is_dir():
            return validated(ad.io.read_zarr(file.path))
        with zarr.storage.ZipStore(file.path, mode="r") as store:
            group = zarr.open_group(store, path=zarr_in_zip(file.path), mode="r")
            return validated(ad.io.read_zarr(group))


def zarr_in_zip(path: Path) -> str | None:
    """Return the folder of zarr within a zip, None if there is none."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as content:
        marks = [name for name in content.namelist() if Path(name).name in ZARR]
    folders = [name.rpartition("/")[0] for name in marks]
    return min(folders, key=len, default=None)


ANNDATA: dict[str, Callable[[RawFile], ad.AnnData]] = {"h5ad": h5ad, "loom": loom, "zarr": zarr}
