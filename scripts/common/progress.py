"""Log the progress of long jobs: a line now and then, in the terminal and in the log.

Lines, not bars: jobs run in parallel and on other machines, where bars overwrite each other or
fill the log. A job logs at most one line every `EVERY` seconds, however many models it trains.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

EVERY = 20.0  # seconds between two lines of a job

T = TypeVar("T")

log = logging.getLogger("workflow")


class Throttle:
    """Let the first line through, and then one every `every` seconds."""

    def __init__(self, every: float = EVERY, clock: Callable[[], float] = time.monotonic):
        self._every, self._clock = every, clock
        self._next = clock()
        self._lock = threading.Lock()  # models train in parallel threads

    def due(self) -> bool:
        """Return whether a line may be logged now; if so, the next one has to wait."""
        with self._lock:
            now = self._clock()
            if now < self._next:
                return False
            self._next = now + self._every
            return True


def log_progress(
    items: Iterable[T],
    what: str,
    total: int,
    throttle: Throttle | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[T]:
    """Yield the items; log now and then, and after the last of several, how many are done.

    The remaining time is estimated from the time that the finished items took.
    """
    start, throttle = clock(), throttle or Throttle()
    for done, item in enumerate(items, 1):
        yield item
        if total > 1 and (throttle.due() or done == total):
            rest = (clock() - start) / done * (total - done)
            eta = f", about {tqdm.format_interval(rest)} left" if done < total else ""
            log.info("%s: %d of %d%s", what, done, total, eta)
