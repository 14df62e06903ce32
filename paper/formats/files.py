"""Raw files as streams of bytes: plain, gzipped, or members of an archive."""

import gzip
import io
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from paper.errors import InputError

ANEW = "delete it and run again to get it anew"
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class RawFile:
    """A raw file, or a member of an archive (tar, compressed or not, or zip).

    Nothing of an archive is unpacked below its own name: members are read as streams.
    """

    path: Path
    member: str | None = None

    @classmethod
    def of(cls, folder: Path, archive: str | None, name: str) -> "RawFile":
        """`name` in a folder, or in an archive there."""
        return cls(folder / archive, name) if archive else cls(folder / name)

    def __str__(self) -> str:
        """Its path, and which member of it."""
        return f"{self.path}: {self.member}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        """Its last name."""
        return Path(self.member or self.path).name

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Its bytes, unpacked where they are gzipped; what it cannot be ends in `InputError`."""
        try:
            with self._raw() as raw:
                packed = raw.peek(2)[:2] == GZIP_MAGIC
                with io.BufferedReader(gzip.GzipFile(fileobj=raw)) if packed else raw as stream:
                    _check_start(stream, self)
                    if self.name.endswith(".gz") and not packed:
                        raise InputError(f"{self}: not a gzip file in spite of its name; {ANEW}")
                    yield stream
        except EOFError:
            raise InputError(f"{self}: the gzip file breaks off before its end; {ANEW}") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"{self}: damaged gzip file ({error}); {ANEW}") from None
        except (tarfile.TarError, zipfile.BadZipFile) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{self.path}: damaged archive ({reason}); {ANEW}") from None
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be read ({error.strerror or error}); check that it is there, "
                "or run again to get it"
            ) from None

    @contextmanager
    def on_disk(self) -> Iterator[Path]:
        """Its path, for readers that take nothing else; a member is there only meanwhile."""
        with self.opened() as stream:
            if self.member is None:
                yield self.path
                return
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "member"
                with path.open("wb") as copy:
                    shutil.copyfileobj(stream, copy, 2**20)
                yield path

    def lines(self) -> list[str]:
        """Lines of a text, without empty ones at its end."""
        with self.opened() as stream:
            try:
                return stream.read().decode().rstrip().splitlines()
            except UnicodeDecodeError:
                raise InputError(f"{self}: not a text file; {ANEW}") from None

    @contextmanager
    def _raw(self) -> Iterator[BinaryIO]:
        """Its bytes as they are stored."""
        with self.path.open("rb") as file:
            if self.member is None:
                yield file
                return
            _check_start(file, self)
            if zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as archive:
                    entry = self._find(archive.infolist(), lambda entry: entry.filename)
                    try:
                        stream = archive.open(entry)
                    except (NotImplementedError, RuntimeError) as error:  # packing, password
                        raise InputError(f"{self}: cannot be unpacked ({error})") from None
                    with io.BufferedReader(stream) as buffered:
                        yield buffered
            else:
                file.seek(0)
                with tarfile.open(fileobj=file) as archive:
                    entries = (entry for entry in archive if entry.isfile())
                    with archive.extractfile(self._find(entries, lambda e: e.name)) as stream:
                        yield stream

    def _find(self, entries: Iterable[Any], name: Callable[[Any], str]) -> Any:
        """The member of that name, or else the only one of that name in a folder of the archive."""
        found = {}
        for entry in entries:
            here = name(entry).removeprefix("./")
            if here == self.member:
                return entry
            if not here.endswith("/") and not here.startswith("__MACOSX/"):
                found[here] = entry
        ends = [here for here in found if here.endswith(f"/{self.member}")]
        if len(ends) != 1:
            has = ", ".join(list(found)[:10]) or "nothing"
            raise InputError(
                f"{self.path}: it has {len(ends) or 'no'} members {self.member}, of which one is "
                f"needed (it has {has}); correct the name in studies.yaml"
            )
        return found[ends[0]]


def _check_start(stream: BinaryIO, file: RawFile) -> None:
    """A file that is there but is none of ours: empty, or the page of a server's error."""
    start = stream.peek(512)[:512].lstrip().lower()
    if not start:
        raise InputError(f"{file}: empty file; {ANEW}")
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise InputError(f"{file}: a web page instead of data, as servers send for errors; {ANEW}")
