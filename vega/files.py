"""Write files atomically; turn errors of reading into one line."""

import errno
import glob
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from vega.errors import InputError, one_line

PART = ".part-"  # begins the names of temporary files
# Errors of a disk that is full, over quota, read-only, broken or protected.
UNWRITABLE = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM,
}  # fmt: skip


@contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Give a temporary path in the folder of `path`; rename it to `path` if the block succeeds.

    A failed block leaves nothing; the file of a killed one is removed when `path` is next written
    on that machine. The temporary name keeps the suffixes of `path`, by which some writers choose
    their format. If the disk cannot be written, an `OSError` gives the reason and `path`, whatever
    the writer raised.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: a folder is where a file is to be written; move it away")
    try:
        with _temporary(path) as temporary:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    except Exception as error:
        reason = _disk_error(error)
        if reason is None or reason.errno is None:
            raise
        raise OSError(reason.errno, os.strerror(reason.errno), str(path)) from None


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Make an empty file in the folder of `path`, and remove it at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    here = f"@{socket.gethostname()}-"
    _remove_abandoned(path, here)
    temporary = path.with_name(f"{PART}{os.getpid()}{here}{uuid4().hex[:8]}-{path.name}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _disk_error(error: BaseException | None) -> OSError | None:
    """Return the error of the disk that led to `error`, unless it is about another file."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in UNWRITABLE:
            name = Path(error.filename or PART).name
            return error if name.startswith(PART) else None
        error = error.__cause__ or error.__context__
    return None


def _remove_abandoned(path: Path, here: str) -> None:
    """Remove temporary files of `path` whose process on this machine is gone."""
    for part in path.parent.glob(f"{PART}*{glob.escape(here)}*-{glob.escape(path.name)}"):
        process = part.name.removeprefix(PART).partition("@")[0]
        try:
            os.kill(int(process), 0)  # sends nothing
        except ProcessLookupError:
            part.unlink(missing_ok=True)
        except PermissionError:  # a running process of another user
            continue


@contextmanager
def read_errors(path: Path | str, kind: str, remedy: str) -> Iterator[None]:
    """Turn whatever the block raises into an `InputError`: not `kind` (such as `a table`).

    The block holds the call of the library alone, so that our own mistakes are not hidden.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        match error:
            case UnicodeDecodeError():
                wrong = f"not {kind} (not a text file in UTF-8)"
            case OSError(errno=int(number)):
                wrong = f"cannot be read ({os.strerror(number)})"
            case _:
                wrong = f"not {kind} ({one_line(error)[:200]})"
        raise InputError(f"{path}: {wrong}; {remedy}") from None
