"""One attempt to bring a file here from the network: when it ends, and what its failure means."""

import email.utils
import errno
import ftplib
import io
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pooch
import requests
from urllib3.exceptions import MaxRetryError, ReadTimeoutError

from scripts.common.progress import Pace
from vega.errors import one_line

log = logging.getLogger("workflow.transfer")

ATTEMPTS = 4  # at what may pass: no connection, a busy server
TIMEOUT = (10, 60)  # seconds to connect, and between two pieces of a file
WINDOW = 120  # seconds, in each of which a file must grow by
LEAST = 2**16  # bytes
LONGEST_WAIT = 120  # seconds, whatever Retry-After asks for
CHUNK = LEAST  # pieces are written once they are whole
# As stored: a server that compresses, or says of a .gz that it did, would change the checksum.
HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"pooch/{pooch.__version__}"}
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
REFUSED = (401, 403, 406)  # what servers answer to programs that they do not know
NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)


class Failure(Exception):
    """An attempt that failed: why, how many attempts that is worth, what it means."""

    def __init__(
        self,
        reason: str,
        attempts: int = 1,
        wait: float = 0,
        kind: Literal["", "absent", "unreachable"] = "",
    ):
        super().__init__(reason)
        self.reason, self.attempts, self.wait, self.kind = reason, attempts, wait, kind


def download(url: str, path: Path, most: int) -> bool:
    """One attempt to download `url`, whatever its kind, to `path`.

    Gives whether that is all of it: what goes on after `most` bytes is broken off.
    """
    try:
        with watched(path), _Bounded(path, most, url) as file:
            _downloader(url)(url, file, None)
    except _TooLong:
        return False
    except (requests.RequestException, *ftplib.all_errors, ValueError) as error:
        if meant := meaning(error):
            raise meant from None
        raise
    return True


@contextmanager
def watched(path: Path | None = None) -> Iterator[None]:
    """End the block, whatever it waits for, in a window in which `path` hardly grows.

    A timeout counts from one byte to the next, so that a server which sends one now and then, of
    a file or of what goes before it, would never meet it. Without a path, one window is all the
    block gets. As it takes a signal, this is for the main thread.
    """
    size = 0

    def look(*_: Any) -> None:
        nonlocal size
        before, size = size, path.stat().st_size if path else 0
        if size - before < LEAST:
            raise Failure(f"less than {LEAST:,} bytes came in {WINDOW} s", ATTEMPTS)

    outer = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, WINDOW, WINDOW)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, outer)


class _TooLong(Exception):
    """More comes than may."""


class _Bounded(io.BufferedWriter):
    """A file that takes no more than `most` bytes, and says now and then how many it has."""

    def __init__(self, path: Path, most: int, url: str):
        super().__init__(io.FileIO(path, "w"))
        self.most = self.left = most
        self.url = url
        self.pace = Pace()
        self.pace.due()  # nothing is said of what comes at once

    def write(self, piece: bytes) -> int:
        """Write `piece`, or what fits of it."""
        written = super().write(piece[: self.left])
        self.left -= written
        if written < len(piece):
            raise _TooLong
        if self.pace.due():
            log.info("%s: %.0f MB so far", self.url, (self.most - self.left) / 1e6)
        return written


def _downloader(url: str) -> Callable[[str, BinaryIO, None], None]:
    """Pooch's downloader for http(s), ftp or `doi:<doi>/<file>` (figshare, Zenodo, Dataverse)."""
    kind = type(pooch.downloaders.choose_downloader(url))
    if kind is pooch.FTPDownloader:
        return kind(timeout=TIMEOUT[1], chunk_size=CHUNK)
    return kind(timeout=TIMEOUT, headers=HEADERS, hooks=HOOKS, chunk_size=CHUNK)


def _whole(response: requests.Response, **sent: Any) -> requests.Response:
    """Let nothing pass as a file but a whole answer; ask a second time, as a browser, if refused.

    Pooch takes any success for the file: 202 while a server prepares it, a part of it, nothing.
    """
    request = response.request
    if response.status_code in REFUSED and request.headers["User-Agent"] != BROWSER:
        log.info(
            "%s: the server answers %s; asking as a browser", request.url, response.status_code
        )
        response.close()
        request = request.copy()
        request.headers["User-Agent"] = BROWSER
        response = response.connection.send(request, **sent)
    is_file = sent["stream"]  # unlike the page that a DOI leads to
    if is_file and response.status_code != 200 and not response.is_redirect:
        raise requests.HTTPError(response=response)
    return response


HOOKS = {"response": _whole}  # for `requests`


def meaning(error: Exception) -> Failure | None:
    """What a downloader's error means; None if it is not about the source but about our disk."""
    cause = next(iter(error.args), None)
    match error:
        case requests.HTTPError(response=response):
            code = response.status_code
            reason = f"the server answers {code} {response.reason}"
            if code == 202:
                reason += " (it has not prepared the file)"
            if code in (202, 408, 425, 429) or code >= 500:
                wait = _retry_after(response.headers.get("Retry-After", ""))
                return Failure(reason, ATTEMPTS, wait)
            # Object stores say 403 of what is not there.
            return Failure(reason, kind="absent" if code in (403, 404, 410) else "")
        case requests.exceptions.SSLError():
            return Failure(f"its certificate is not accepted: {one_line(cause)}")
        case requests.ConnectionError() if isinstance(cause, MaxRetryError):
            reason = one_line(cause.reason).rsplit(": ", 1)[-1]
            return Failure(reason, ATTEMPTS, kind="unreachable")
        case requests.Timeout() | requests.ConnectionError(args=[ReadTimeoutError()]):
            return Failure(f"nothing came for {TIMEOUT[1]} s", ATTEMPTS)
        case requests.ConnectionError() | requests.exceptions.ChunkedEncodingError():
            reason = f"the connection broke before the end of the file ({one_line(cause)})"
            return Failure(reason, ATTEMPTS)
        case requests.RequestException():
            return Failure(one_line(error))
        case ftplib.error_perm():
            return Failure(one_line(error), kind="absent" if "550" in str(error) else "")
        case socket.gaierror() | ConnectionRefusedError() | TimeoutError():
            return Failure(one_line(error), ATTEMPTS, kind="unreachable")
        case ftplib.Error() | EOFError() | ConnectionError():
            return Failure(f"the connection broke: {one_line(error)}", ATTEMPTS)
        case OSError(errno=number) if number in NO_ROUTE:
            return Failure(one_line(error), ATTEMPTS, kind="unreachable")
        case ValueError():  # a DOI or a file in its archive that pooch cannot find
            return Failure(one_line(error))
    return None


def _retry_after(value: str) -> float:
    """Seconds that a Retry-After header (seconds, or a date) asks for, within bounds."""
    try:
        if value.isdigit():
            seconds = float(value)
        else:
            then = email.utils.parsedate_to_datetime(value)
            seconds = (then - datetime.now(then.tzinfo)).total_seconds()
    except ValueError:
        return 0
    return min(max(seconds, 0), LONGEST_WAIT)
