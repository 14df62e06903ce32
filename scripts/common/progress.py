"""Log the progress of long jobs: a line now and then, in the terminal and in the log.

Lines, not bars: jobs run in parallel and on other machines, where bars overwrite each other or
fill the log. A job logs at most one line every `EVERY` seconds, however many models it trains.
"""

import logging
import threading
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import TypeVar

from tqdm import tqdm

EVERY = 20.0  # seconds between two lines of a job

T = TypeVar("T")

log = logging.getLogger("workflow")


class Throttle:
    """Let the first line through, and then one every `EVERY` seconds."""

    def __init__(self):
        self._next = monotonic()
        self._lock = threading.Lock()  # models train in parallel threads

    def due(self) -> bool:
        """Return whether a line may be logged now; if so, the next one has to wait."""
        with self._lock:
            now = monotonic()
            if now < self._next:
                return False
            self._next = now + EVERY
            return True


def log_progress(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """Yield the items; log now and then, and after the last of several, how many are done.

    The remaining time is estimated from the time that the finished items took.
    """
    start, throttle = monotonic(), Throttle()
    for done, item in enumerate(items, 1):
        yield item
        if total > 1 and (throttle.due() or done == total):
            rest = (monotonic() - start) / done * (total - done)
            eta = f", about {tqdm.format_interval(rest)} left" if done < total else ""
            log.info("%s: %d of %d%s", what, done, total, eta)
