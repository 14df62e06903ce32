"""Files that are whole or not there, when written as when read."""

import errno
import glob
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vega.errors import InputError, one_line

PART = ".part-"  # begins the names of temporary files
# What a disk says that cannot be written: it is full, so is one's share of it, it is read-only or
# broken, or its owner does not want it.
UNWRITABLE = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM,
}  # fmt: skip


@contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `path`, and rename it to `path` once the block has succeeded.

    A reader sees the old file or the whole new one, never a part; a failed block leaves nothing,
    and what a killed one left is removed when `path` is next written on that machine. The
    temporary name keeps the suffixes of `path`, which some writers choose their format by.

    Raises
    ------
    OSError
        If the disk cannot be written: with the reason and `path`, whatever the writer made of it.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: a folder is where a file is to be written; move it away")
    try:
        with _temporary(path) as temporary:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            # mkstemp makes files that only their owner reads; the result has the usual permissions.
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(path)
    except Exception as error:
        reason = _of_disk(error)
        if reason is None or _names_another(reason):
            raise
        raise OSError(reason.errno, os.strerror(reason.errno), str(path)) from None


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Make an empty file beside `path`, which is gone afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    here = f"@{socket.gethostname()}-"
    _remove_abandoned(path, here)
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f"{PART}{os.getpid()}{here}", suffix=f"-{path.name}"
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _of_disk(error: BaseException | None) -> OSError | None:
    """The disk's own error, after which a writer may have failed once more."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in UNWRITABLE:
            return error
        error = error.__cause__ or error.__context__
    return None


def _names_another(error: OSError) -> bool:
    """Whether it is known to be about a file that is not the temporary one."""
    return bool(error.filename) and not Path(error.filename).name.startswith(PART)


def _remove_abandoned(path: Path, here: str) -> None:
    """Remove temporary files of `path` whose process is gone; of other machines nobody knows."""
    for part in path.parent.glob(f"{PART}*{glob.escape(here)}*-{glob.escape(path.name)}"):
        process = part.name.removeprefix(PART).partition("@")[0]
        try:
            os.kill(int(process), 0)  # sends nothing
        except ProcessLookupError:
            part.unlink(missing_ok=True)
        except PermissionError:  # another user's, at work
            continue


@contextmanager
def read_errors(path: Path | str, kind: str, remedy: str) -> Iterator[None]:
    """Turn whatever a library raises of a file into one line that names it.

    To be put around the call of the library alone, lest a fault of ours be taken for the file's.

    Parameters
    ----------
    path
        The file.
    kind
        What it should be, such as `a table`.
    remedy
        What to do about it.

    Raises
    ------
    InputError
        If the block raises.
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
