"""Raw files as streams of bytes: plain, gzipped, or members of an archive."""

import codecs
import errno
import gzip
import io
import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from scripts.preprocess.readers.archives import is_meant, member, members_of
from vega.errors import InputError

RETRY = "delete it and run again to fetch it again"
GZIP_MAGIC, ZIP_MAGIC = b"\x1f\x8b", b"PK\x03\x04"


@dataclass(frozen=True)
class RawFile:
    """A raw file, or a member of an archive (tar, compressed or not, or zip).

    Nothing of an archive is unpacked below its own name: members are read as streams.
    """

    path: Path
    member: str | None = None

    @classmethod
    def of(cls, folder: Path, archive: str | None, name: str) -> "RawFile":
        """Return the file `name` in a folder, or in an archive there."""
        return cls(folder / archive, name) if archive else cls(folder / name)

    def __str__(self) -> str:
        """Return its path, and which member of it."""
        return f"{self.path}: {self.member}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        """Return its last name."""
        return Path(self.member or self.path).name

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Open its bytes, decompressed if gzipped or alone in a zip, without byte order mark.

        A damaged file raises `InputError`.
        """
        with self._told(), self._raw() as raw, self._unpacked(raw) as stream:
            _check_start(stream, self)
            if self.name.endswith(".gz") and stream is raw:
                raise InputError(f"{self}: not a gzip file in spite of its name; {RETRY}")
            yield _in_utf8(stream)

    @contextmanager
    def on_disk(self) -> Iterator[Path]:
        """Give its path, for readers that take nothing else; what is packed is a temporary file."""
        with self.opened() as stream:
            if self.member is None and isinstance(stream.raw, io.FileIO):
                yield self.path
                return
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "member"
                self._copy(stream, path)
                yield path

    def members(self) -> Iterator[str]:
        """Yield the names of the members of an archive."""
        with self._told(), self.path.open("rb") as file:
            _check_start(file, self)
            for entry in members_of(file):
                yield entry.name

    def has(self, name: str) -> bool:
        """Return whether an archive has the member; what comes after it is not unpacked."""
        return any(is_meant(member, name) for member in self.members())

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn an error of reading into one line."""
        try:
            yield
        except EOFError:
            raise InputError(f"{self}: the gzip file breaks off before its end; {RETRY}") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"{self}: damaged gzip file ({error}); {RETRY}") from None
        except (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{self.path}: damaged archive ({reason}); {RETRY}") from None
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be read ({error.strerror or error}); check that it is there, "
                "or run again to get it"
            ) from None

    @contextmanager
    def _raw(self) -> Iterator[BinaryIO]:
        """Open its bytes as they are stored."""
        with self.path.open("rb") as file:
            if self.member is None:
                yield file
                return
            _check_start(file, self)
            with member(file, str(self.path), self.member) as entry:
                try:
                    stream = entry.open()
                except (NotImplementedError, RuntimeError) as error:  # packing, password
                    raise InputError(f"{self}: cannot be unpacked ({error})") from None
                with _buffered(stream) as unpacked:
                    yield unpacked

    @contextmanager
    def _unpacked(self, raw: BinaryIO) -> Iterator[BinaryIO]:
        """Open the bytes of a gzip file, or of the only member of a zip."""
        start = raw.peek(4)[:4]
        if start.startswith(GZIP_MAGIC):
            with _buffered(gzip.open(raw)) as stream:
                yield stream
        elif start == ZIP_MAGIC and self.member is None:
            names = {entry.name for entry in members_of(raw)}
            if "[Content_Types].xml" in names:
                raise InputError(f"{self}: an Excel workbook; save the sheet as a CSV file")
            names = {name for name in names if not name.startswith("__MACOSX/")}
            if len(names) != 1:
                raise InputError(f"{self}: a zip of {len(names)} files, expected one: unpack it")
            with member(raw, str(self.path), *names) as entry, _buffered(entry.open()) as stream:
                yield stream
        else:
            yield raw

    def _copy(self, stream: BinaryIO, path: Path) -> None:
        try:
            with path.open("wb") as copy:
                shutil.copyfileobj(stream, copy, 2**20)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise InputError(
                f"{self}: cannot be unpacked into {path.parent} ({error.strerror}); make room "
                "there, or name a folder with more room in TMPDIR"
            ) from None


def _buffered(stream: BinaryIO) -> io.BufferedReader:
    """Add a buffer, without which lines are read slowly."""
    return io.BufferedReader(stream, 2**17)


def _in_utf8(stream: BinaryIO) -> BinaryIO:
    """Return a text with a byte order mark in UTF-8 and without the mark; else the stream."""
    start = stream.peek(3)[:3]
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return io.BufferedReader(io.BytesIO(stream.read().decode("utf-16").encode()))
    if start == codecs.BOM_UTF8:
        stream.read(len(start))
    return stream


def _check_start(stream: BinaryIO, file: RawFile) -> None:
    """Refuse an empty file, or a web page in its place."""
    start = stream.peek(512)[:512].lstrip().lower()
    if not start:
        raise InputError(f"{file}: empty file; {RETRY}")
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise InputError(f"{file}: a web page instead of data, as servers send for errors; {RETRY}")
