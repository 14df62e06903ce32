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


class Eta:
    """Estimate the remaining time from the time that the finished items took."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic):
        self.total, self.done = total, 0
        self._clock = clock
        self._start = clock()

    def step(self) -> str:
        """Count one item as done; return how many are done and the remaining time.

        >>> clock = iter([0.0, 30.0, 60.0]).__next__
        >>> eta = Eta(2, clock)
        >>> eta.step(), eta.step()
        ('1 of 2, about 00:30 left', '2 of 2')
        """
        self.done += 1
        rest = (self._clock() - self._start) / self.done * (self.total - self.done)
        about = f", about {tqdm.format_interval(rest)} left" if self.done < self.total else ""
        return f"{self.done} of {self.total}{about}"


def log_progress(
    items: Iterable[T], what: str, total: int, throttle: Throttle | None = None
) -> Iterator[T]:
    """Yield the items; log now and then, and after the last of several, how many are done."""
    eta, throttle = Eta(total), throttle or Throttle()
    for item in items:
        yield item
        line = eta.step()
        if total > 1 and (throttle.due() or eta.done == total):
            log.info("%s: %s", what, line)
