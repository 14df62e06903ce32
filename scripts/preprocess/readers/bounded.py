"""Streams that end in one line before what they unpack to fills the memory or the disk."""

import io
from typing import BinaryIO

from vega.errors import InputError

MOST_BYTES = 2**36  # that a raw file may unpack to; the paper's largest table has about 2**31
MOST_AT_ONCE = 2**30  # of them, where all are held in memory: names, annotations
BUFFER = 2**17


def bounded(stream: BinaryIO, what: str, at_once: bool = False, size: int = 0) -> io.BufferedReader:
    """A stream of what is unpacked, bounded.

    Parameters
    ----------
    stream
        What is unpacked.
    what
        Its name in the error.
    at_once
        Whether all of it is held in memory.
    size
        Its size, as far as an archive says, found as `.raw.size`.
    """
    return io.BufferedReader(Bounded(stream, what, at_once, size), BUFFER)


class Bounded(io.RawIOBase):
    """What `bounded` gives, without a buffer."""

    def __init__(self, stream: BinaryIO, what: str, at_once: bool = False, size: int = 0):
        self.stream, self.what, self.size = stream, what, size
        self.most = MOST_AT_ONCE if at_once else MOST_BYTES
        self._check(size, self.most)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """Whether the stream below can be sought in."""
        return self.stream.seekable()

    def tell(self) -> int:
        """How many bytes are unpacked."""
        return self.stream.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to another byte, which may take unpacking all before it."""
        self._check(offset, self.most)
        return self.stream.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes: archives claim sizes, and memory is taken by them."""
        self._check(size, MOST_AT_ONCE)
        return super().read(size)

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`, or a part of it; gives how much."""
        count = self.stream.readinto(buffer)
        self._check(self.stream.tell(), self.most)
        return count

    def _check(self, size: int, most: int) -> None:
        if not 0 <= size <= most:
            raise InputError(
                f"{self.what}: it unpacks to more than {most:,} bytes, as no data should; delete "
                "it and run again to get it anew or, if it is meant, raise the bounds in "
                "scripts/preprocess/readers/bounded.py"
            )
