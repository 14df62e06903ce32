"""Members of archives as streams: nothing is written under its own name, no link is followed."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, NamedTuple

from scripts.preprocess.readers.bounded import Bounded
from vega.errors import InputError

PACKED_TARS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
ZIPPED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others are unpacked at one go, however long
MOST_MEMBERS = 10**5  # of a tar, since their list is held in memory


class Member(NamedTuple):
    """A file in an archive; links, folders and devices are none."""

    name: str
    size: int  # as the archive says
    open: Callable[[], BinaryIO]


@contextmanager
def member(archive: BinaryIO, path: str, name: str) -> Iterator[Member]:
    """The member of that name, or else the only one of that name in a folder of the archive.

    Parameters
    ----------
    archive
        A tar, compressed or not, or a zip.
    path
        Its name in errors.
    name
        The member's name.
    """
    members = members_of(archive, path)
    passed = []
    for here in members:
        passed.append(here)
        if here.name == name:  # the rest of a tar would have to be unpacked first
            break
    yield _only(passed, path, name)
    _only([*passed, *members], path, name)


def _only(members: list[Member], path: str, name: str) -> Member:
    """The one that is meant."""
    found = [here for here in members if here.name == name] or [
        here for here in members if is_meant(here.name, name)
    ]
    if len(found) != 1:
        names = ", ".join(here.name for here in members[:10]) or "nothing"
        has = "".join(letter if letter.isprintable() else "?" for letter in names[:500])
        raise InputError(
            f"{path}: it has {len(found) or 'no'} members {name}, of which one is needed (it has "
            f"{has}); correct the name in studies.yaml"
        )
    return found[0]


def is_meant(member: str, name: str) -> bool:
    """Whether a member's name is `name`, or `name` in a folder of the archive."""
    return member == name or (member.endswith(f"/{name}") and not member.startswith("__MACOSX/"))


def members_of(archive: BinaryIO, path: str) -> Iterator[Member]:
    """All members, in their order; `path` is the name of the archive in errors."""
    kind = _zipped if zipfile.is_zipfile(archive) else partial(_tarred, path=path)
    try:
        for name, *rest in kind(archive):
            yield Member(name.removeprefix("./"), *rest)
    except (InputError, OSError):
        raise
    except Exception as error:  # whatever zipfile and tarfile raise of a damaged one
        raise tarfile.ReadError(str(error) or type(error).__name__) from None


def _zipped(archive: BinaryIO) -> Iterator[Member]:
    content = zipfile.ZipFile(archive)
    for entry in content.infolist():
        if not entry.is_dir():
            yield Member(entry.filename, entry.file_size, partial(_unzip, content, entry))


def _unzip(content: zipfile.ZipFile, entry: zipfile.ZipInfo) -> BinaryIO:
    if entry.compress_type not in ZIPPED:
        raise NotImplementedError("neither stored nor deflated; pack it anew")
    return content.open(entry)


def _tarred(archive: BinaryIO, path: str) -> Iterator[Member]:
    archive.seek(0)
    start = archive.peek(8)
    unpack = next((f for magic, f in PACKED_TARS.items() if start.startswith(magic)), None)
    content = tarfile.TarFile(fileobj=Bounded(unpack(archive) if unpack else archive, path))
    for number, entry in enumerate(content, start=1):
        # A size below zero leads back to an earlier member, for ever.
        if entry.size < 0 or number > MOST_MEMBERS:
            raise tarfile.ReadError("a size below zero, or members without end")
        if entry.isfile():
            yield Member(entry.name, entry.size, partial(content.extractfile, entry))
