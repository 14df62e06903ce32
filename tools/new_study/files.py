"""Files of a new study under the names that they have in a run."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scripts.preprocess.readers.files import RETRY
from vega.errors import InputError

LOOK = "check that this is the file you mean"
# What readers advise of an entry of studies.yaml, which is not yet written.
REMEDIES = {
    re.escape(RETRY): LOOK,
    r"(correct|take out) (layer|raw|symbols) in studies\.yaml": r"\1 --\2",
    r"check annotations and obs in studies\.yaml": "name the table of these cells by --annotation",
    r"check the names in studies\.yaml, or .*": "name the lists by --barcodes and --genes",
}


def file_name(path: Path) -> str:
    """Return the name of a file in a run, which has letters, digits and `._-` only.

    >>> file_name(Path("My cells (1).h5ad"))
    'My_cells_1_.h5ad'
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", path.name).lstrip("_.-")


@contextmanager
def linked(files: Mapping[str, Path]) -> Iterator[Path]:
    """Give a folder with links to files by their names; errors of readers name the files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, path in files.items():
            Path(folder, name).symlink_to(path.resolve())
        try:
            yield Path(folder)
        except InputError as error:
            said = str(error)
            for name, path in files.items():
                said = said.replace(f"{folder}/{name}", str(path))
            for advice, option in REMEDIES.items():
                said = re.sub(advice, option, said)
            raise InputError(said) from None
