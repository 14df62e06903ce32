"""Files of a new study under the names that they have in a run."""

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scripts.common.config.base import NAME, NO_NAME
from scripts.common.config.figures import OWN, File
from scripts.preprocess.readers.files import RETRY
from vega.errors import InputError

LOOK = "check that this is the file you mean"
# What readers advise of an entry of studies.yaml, which is not yet written.
REMEDIES = {
    re.escape(RETRY): LOOK,
    r"check that it is there, or run again to get it": "check its name",
    r"correct layer in studies\.yaml": "correct --layer, or leave it out",
    r"take raw out in studies\.yaml": "leave out --raw",
    r"correct columns in studies\.yaml": "correct --symbols, or leave it out",
    r"check annotations and obs in studies\.yaml": "name the table of these cells by --annotation",
    r"check the names in studies\.yaml, or .*": "name the lists by --barcodes and --genes",
}


def file_name(path: Path) -> str:
    """Return the name of a file in a run, which has letters, digits and `._-` only.

    >>> file_name(Path("My cells (1).h5ad"))
    'My_cells_1_.h5ad'
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", path.name).lstrip("_.-")


def named(paths: Iterable[Path]) -> dict[str, Path]:
    """Return files by their names in a run."""
    found: dict[str, Path] = {}
    for path in paths:
        other = found.setdefault(file_name(path), path)
        if other.resolve() != path.resolve():
            raise InputError(f"{path}: {other} would have the same name in a run; rename one")
    return found


@contextmanager
def linked(files: Mapping[str, Path]) -> Iterator[Path]:
    """Give a folder with files by these names: their own, or one of links to them.

    Errors of readers name the files, and options of the command.
    """
    folders = {path.parent if path.name == name else None for name, path in files.items()}
    with tempfile.TemporaryDirectory() as links:
        if len(folders) > 1 or None in folders:
            folders = {Path(links)}
            for name, path in files.items():
                Path(links, name).symlink_to(path.resolve())
        try:
            yield folders.pop()
        except InputError as error:
            said = str(error)
            for name, path in files.items():
                said = said.replace(f"{links}/{name}", str(path))
            for advice, option in REMEDIES.items():
                said = re.sub(advice, option, said)
            raise InputError(said) from None


def own(study: str, path: Path) -> File:
    """Return the row of a user's own file."""
    return File(study=study, file=file_name(path), url=f"{OWN}{path.resolve()}")


def check_name(name: str) -> None:
    """Check that a name of a study or a file can be a part of a path."""
    if not re.fullmatch(NAME, name):
        raise InputError(f"{name!r:.60} {NO_NAME}; rename the file, or give another --name")
