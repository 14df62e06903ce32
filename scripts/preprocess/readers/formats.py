"""Recognise the format of a file of counts by its content."""

from pathlib import Path

import h5py

from scripts.preprocess.readers.annotated import ZARR, zarr_in_zip
from scripts.preprocess.readers.files import RawFile
from scripts.preprocess.readers.r_files import ASCII, NATIVE, XDR
from vega.errors import InputError

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
R_MAGIC = (XDR, ASCII, NATIVE, b"RDX", b"RDA")
CONVERT = "convert the counts to h5ad and give that as FILE"


def format_of(file: RawFile) -> str:
    """Return the format: one of `READERS`, or `rds` or `soft` (GEO's family file).

    A folder is `mtx` (see `market_in`) or `zarr`.
    """
    if not file.member and file.path.is_dir():
        return "zarr" if any((file.path / name).exists() for name in ZARR) else "mtx"
    if not file.member and zarr_in_zip(file.path) is not None:
        return "zarr"
    with file.opened() as stream:
        start = stream.peek(512)[:512]
    if start.startswith(HDF5_MAGIC):
        return _of_hdf5(file)
    if start.lower().startswith(b"%%matrixmarket"):
        return "mtx"
    if start.startswith(R_MAGIC):
        return "rds"
    if start.startswith(b"^"):
        return "soft"
    if start[257:262] == b"ustar":
        raise InputError(f"{file}: an archive; unpack it and give its file or folder")
    if b"\0" in start:
        raise InputError(f"{file}: expected a text, HDF5 or zarr, found {start[:8]!r}; {CONVERT}")
    return "table"


def _of_hdf5(file: RawFile) -> str:
    with file.on_disk() as path, h5py.File(path) as content:
        names = {*content}
        if {"matrix", "row_attrs", "col_attrs"} <= names:
            return "loom"
        if {"obs", "var"} <= names and "mod" not in names:  # of MuData
            return "h5ad"
        # Before version 3 of Cell Ranger there was a group for each genome.
        if any("barcodes" in group for group in content.values() if isinstance(group, h5py.Group)):
            return "10x_h5"
    raise InputError(f"{file}: HDF5 of another program ({', '.join(sorted(names)[:5])}); {CONVERT}")


def market_in(folder: Path) -> Path:
    """Return the Matrix Market file of a folder of Cell Ranger."""
    found = sorted(p for p in folder.iterdir() if p.name.lower().endswith((".mtx", ".mtx.gz")))
    if len(found) != 1:
        names = ", ".join(p.name for p in found) or "none"
        raise InputError(f"{folder}: expected one .mtx file, found {names}; give the file")
    return found[0]
