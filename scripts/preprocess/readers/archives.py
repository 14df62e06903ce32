"""Members of archives as streams: nothing is extracted, no link is followed."""

import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, NamedTuple

from vega.errors import InputError


class Member(NamedTuple):
    """A file in an archive; links, folders and devices are not members."""

    name: str
    open: Callable[[], BinaryIO]


@contextmanager
def member(archive: BinaryIO, path: str, name: str) -> Iterator[Member]:
    """Give the member of that name, or else the only one of that name in a folder of the archive.

    `archive` is a tar, compressed or not, or a zip; `path` names it in errors. After the block the
    rest is read too, so that damage at its end is found.
    """
    members = members_of(archive)
    passed = []
    for here in members:
        passed.append(here)
        if here.name == name:  # the rest of a tar would have to be unpacked first
            break
    yield _only(passed, path, name)
    _only([*passed, *members], path, name)


def _only(members: list[Member], path: str, name: str) -> Member:
    exact = [here for here in members if here.name == name]
    found = exact or [here for here in members if is_meant(here.name, name)]
    if len(found) != 1:
        names = ", ".join(here.name for here in members[:10]) or "nothing"
        has = "".join(letter if letter.isprintable() else "?" for letter in names[:500])
        raise InputError(
            f"{path}: it has {len(found) or 'no'} members {name}, of which one is needed (it has "
            f"{has}); correct the name in studies.yaml"
        )
    return found[0]


def is_meant(member: str, name: str) -> bool:
    """Return whether a member's name is `name`, or `name` in a folder of the archive."""
    return member == name or (member.endswith(f"/{name}") and not member.startswith("__MACOSX/"))


def members_of(archive: BinaryIO) -> Iterator[Member]:
    """Yield the members in their order."""
    try:
        yield from (_zipped if zipfile.is_zipfile(archive) else _tarred)(archive)
    except (InputError, OSError):
        raise
    except Exception as error:  # whatever zipfile and tarfile raise of a damaged one
        raise tarfile.ReadError(str(error) or type(error).__name__) from None


def _zipped(archive: BinaryIO) -> Iterator[Member]:
    content = zipfile.ZipFile(archive)
    for entry in content.infolist():
        if not entry.is_dir():
            yield Member(entry.filename.removeprefix("./"), partial(content.open, entry))


def _tarred(archive: BinaryIO) -> Iterator[Member]:
    archive.seek(0)
    content = tarfile.open(fileobj=archive)  # noqa: SIM115, members are read when all have passed
    for entry in content:
        if entry.isfile():
            yield Member(entry.name.removeprefix("./"), partial(content.extractfile, entry))
