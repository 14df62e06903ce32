"""What is wrong with an HDF5 file, printed; of one that is sound nothing is.

    python hdf5_check.py <file> <seconds> <most bytes> [<what is left on disk>]

The library that reads these files is not made for damaged ones: some make it loop for ever or
crash. So this is a program of its own, with a bound on the processor's time, which `h5ad.py`
runs before it reads the file itself. It touches all that can do so: every name, attribute and text,
and where each piece of the numbers is.

The file must also be plain: numbers and texts alone, no link leads elsewhere, no part is in another
file or there twice, which could unfold without end, and all of it unpacks to no more bytes than are
allowed.
"""

import resource
import sys
from math import prod

import h5py
import numpy as np
from h5py import h5a, h5d, h5o, h5z

FILTERS = {
    h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32, h5z.FILTER_LZF,
}  # fmt: skip
DEEPEST = 32  # groups in groups
LARGEST_ATTRIBUTE = 2**20  # values
PIECE = 2**16  # texts that are read at a time


class Unsound(Exception):
    """What is wrong."""


def check(path: str, most_bytes: int, left_on_disk: str = "") -> None:
    """Go through all of a file; `left_on_disk` names what will not be read at once."""
    with h5py.File(path, "r") as file:
        room = _check_group(file, most_bytes, left_on_disk, 0)
    if room < 0:
        raise Unsound(f"unpacks to {most_bytes - room:,} bytes, and memory has {most_bytes:,}")


def _check_group(group: h5py.Group, room: int, left_on_disk: str, depth: int) -> int:
    """Check what is in a group; gives how much of `room` it leaves."""
    _check_object(group)
    if depth > DEEPEST:
        raise Unsound(f"{group.name}: groups in groups without end")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise Unsound(f"{group.name}: {name} is a link to elsewhere")
        item = group[name]
        if isinstance(item, h5py.Group):
            room = _check_group(item, room, left_on_disk, depth + 1)
        elif isinstance(item, h5py.Dataset):
            _check_object(item)
            size = _check_dataset(item)
            if item.name.split("/")[1] != left_on_disk:
                room -= size
            if room >= 0 and item.dtype.hasobject:
                _read_texts(item)
    return room


def _check_object(item: h5py.Group | h5py.Dataset) -> None:
    """It is there once, and its attributes can be read."""
    if item.name != "/" and h5o.get_info(item.id).rc != 1:
        raise Unsound(f"{item.name}: it is there under several names")
    for number in range(h5a.get_num_attrs(item.id)):
        attribute = h5a.open(item.id, index=number)
        if prod(attribute.shape) > LARGEST_ATTRIBUTE:
            raise Unsound(f"{item.name}: an attribute of {prod(attribute.shape):,} values")
        item.attrs[attribute.name.decode()]


def _check_dataset(item: h5py.Dataset) -> int:
    """Check what its values are, and where; gives their size in bytes."""
    if not _plain(item.dtype):
        raise Unsound(f"{item.name} is neither number nor text")
    layout = item.id.get_create_plist()
    if layout.get_layout() == h5d.VIRTUAL or layout.get_external_count():
        raise Unsound(f"{item.name}: its values are in another file")
    filters = {layout.get_filter(i)[0] for i in range(layout.get_nfilters())}
    if filters - FILTERS:
        raise Unsound(f"{item.name}: it is packed in a way that is not known; pack it with gzip")
    values = prod(item.shape or ())
    if item.chunks:
        item.id.chunk_iter(lambda _: None)
        values = max(values, prod(item.chunks))
    return values * item.dtype.itemsize


def _plain(dtype: np.dtype) -> bool:
    """Whether values are numbers or texts, or named fields of these."""
    if dtype.names:
        return all(_plain(dtype[field]) for field in dtype.names)
    return dtype.kind in "biufc" or h5py.check_string_dtype(dtype) is not None


def _read_texts(item: h5py.Dataset) -> None:
    if not item.shape:
        item[()]
        return
    width = max(1, PIECE // max(1, prod(item.shape[1:])))
    for start in range(0, item.shape[0], width):
        item[start : start + width]


if __name__ == "__main__":
    path, seconds, most, *left = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        check(path, int(most), *left)
    except Exception as error:  # whatever h5py raises of a damaged file
        print(" ".join(str(error).split()) or type(error).__name__)
