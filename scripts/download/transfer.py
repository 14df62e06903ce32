"""Download a URL with pooch, retry temporary failures, and name each failure in one line."""

import ftplib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pooch
import requests
import tenacity
from urllib3.exceptions import InvalidHeader, MaxRetryError, ReadTimeoutError
from urllib3.util import Retry

from scripts.common.progress import Throttle
from vega.errors import one_line
from vega.files import UNWRITABLE

log = logging.getLogger("workflow.transfer")

T = TypeVar("T")
sleep = time.sleep  # between two attempts; tests replace it

ATTEMPTS = 4  # after failures that may be temporary
CONNECT_TIMEOUT, STALL_TIMEOUT = 10, 60  # seconds; the second between two pieces of a file
LONGEST_WAIT = 120  # seconds, whatever Retry-After asks for
AGENT = f"pooch/{pooch.__version__}"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
REFUSED = (401, 403, 406)  # answers to programs from servers that serve browsers only
BUSY = (202, 408, 425, 429)  # 202: the server is preparing the file
ABSENT = (403, 404, 410)  # object stores answer 403 for missing files


class DownloadError(Exception):
    """A failed download: the reason, how often to try, the seconds that the server asks to wait.

    `kind` is `absent` or `unreachable` where the remedy depends on it.
    """

    def __init__(self, reason: str, attempts: int = 1, wait: float = 0, kind: str = ""):
        super().__init__(reason)
        self.reason, self.attempts, self.wait, self.kind = reason, attempts, wait, kind


def retry(attempt: Callable[[], T], name: str) -> T:
    """Return `attempt()`, repeated with growing pauses as often as its `DownloadError` allows."""
    backoff = tenacity.wait_exponential_jitter()
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(DownloadError),
        stop=lambda state: state.attempt_number >= state.outcome.exception().attempts,
        wait=lambda state: max(state.outcome.exception().wait, backoff(state)),
        before_sleep=lambda state: log.warning(
            "%s: %s; retry in %.0f s", name, state.outcome.exception(), state.next_action.sleep
        ),
        sleep=sleep,
        reraise=True,
    )(attempt)


def download(url: str, path: Path) -> None:
    """Download `url` (http, https, ftp or `doi:<doi>/<file>`) to `path` in one attempt.

    A server that refuses programs is asked a second time with the User-Agent of a browser.
    A failure is a `DownloadError`, or an `OSError` if `path` cannot be written.
    """
    with download_errors():
        try:
            _downloader(url, AGENT)(url, str(path), None)
        except requests.HTTPError as error:
            if error.response.status_code not in REFUSED:
                raise
            _downloader(url, BROWSER)(url, str(path), None)


def request_options(agent: str = AGENT) -> dict[str, Any]:
    """Return the timeouts and headers of a request; compression would change the checksum."""
    headers = {"Accept-Encoding": "identity", "User-Agent": agent}
    return {"timeout": (CONNECT_TIMEOUT, STALL_TIMEOUT), "headers": headers}


def _downloader(url: str, agent: str) -> Callable[[str, str, None], None]:
    kind = type(pooch.downloaders.choose_downloader(url))
    if kind is pooch.FTPDownloader:
        return kind(timeout=STALL_TIMEOUT, chunk_size=2**16)
    options = request_options(agent) | {"hooks": {"response": _require_200}}
    return kind(progressbar=Progress(url), chunk_size=2**16, **options)


def _require_200(response: requests.Response, **sent: Any) -> None:
    """Refuse other successes, which pooch would save: 202 (in preparation), 204, 206 (a part)."""
    is_file = sent["stream"]  # unlike the page that a DOI leads to
    if is_file and response.status_code != 200 and not response.is_redirect:
        raise requests.HTTPError(response=response)


class Progress:
    """Log now and then how much of a file has arrived; pooch uses it as a progress bar."""

    def __init__(self, url: str):
        self.url, self.total, self.done = url, 0, 0
        self.throttle = Throttle()
        self.throttle.due()  # nothing is logged of short downloads

    def update(self, size: int) -> None:
        """Count `size` more bytes."""
        self.done += size
        if self.done and self.throttle.due():
            total = f" of {self.total / 1e6:.0f}" if self.total else ""
            log.info("%s: %.0f%s MB", self.url, self.done / 1e6, total)

    def reset(self) -> None:
        """Count from 0, as pooch does before it adds the total at the end."""
        self.done = 0

    def close(self) -> None:
        """Do nothing."""


@contextmanager
def download_errors() -> Iterator[None]:
    """Raise a `DownloadError` for what a downloader raises, unless the disk is at fault."""
    try:
        yield
    except (OSError, ftplib.Error, EOFError, ValueError) as error:  # OSError: those of requests too
        raise classify_error(error) from None


def classify_error(error: Exception) -> Exception:
    """Return the `DownloadError` that an error means, or the error itself if it is of the disk."""
    reason, cause = one_line(error), next(iter(error.args), None)
    match error:
        case requests.HTTPError(response=response):
            code = response.status_code
            reason = f"the server answers {code} {response.reason}"
            if code not in BUSY and code < 500:
                return DownloadError(reason, kind="absent" if code in ABSENT else "")
            try:
                wait = Retry().get_retry_after(response.raw) or 0
            except InvalidHeader:
                wait = 0
            return DownloadError(reason, ATTEMPTS, min(wait, LONGEST_WAIT))
        case requests.exceptions.SSLError():
            return DownloadError(f"its certificate is not accepted: {one_line(cause)}")
        case requests.ConnectionError() if isinstance(cause, MaxRetryError):
            reason = one_line(cause.reason).rsplit(": ", 1)[-1]
            return DownloadError(reason, ATTEMPTS, kind="unreachable")
        case requests.Timeout() | requests.ConnectionError(args=[ReadTimeoutError()]):
            return DownloadError(f"no data for {STALL_TIMEOUT} s", ATTEMPTS)
        case requests.ConnectionError() | requests.exceptions.ChunkedEncodingError():
            reason = f"the connection broke before the end of the file ({one_line(cause)})"
            return DownloadError(reason, ATTEMPTS)
        case requests.RequestException() | ValueError():  # a DOI that has no such file
            return DownloadError(reason)
        case ftplib.error_perm():
            return DownloadError(reason, kind="absent" if "550" in reason else "")
        case OSError() if error.filename or error.errno in UNWRITABLE:
            return error
        case OSError():  # of a socket
            return DownloadError(reason, ATTEMPTS, kind="unreachable")
    return DownloadError(f"the connection broke: {reason}", ATTEMPTS)
