"""What long jobs say of how far they are: a line now and then, in the terminal and in the log.

Lines, and no bars: jobs run side by side and on other machines, where bars overwrite each other or
fill the log. And few of them: at most one every `EVERY` seconds, however many models are at work.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

EVERY = 20.0  # seconds from one line of a job to its next

T = TypeVar("T")

log = logging.getLogger("workflow")


class Pace:
    """Lets the first line through, and then one every `every` seconds."""

    def __init__(self, every: float = EVERY, clock: Callable[[], float] = time.monotonic):
        self._every, self._clock = every, clock
        self._next = clock()
        self._lock = threading.Lock()  # models train side by side, in threads

    def due(self) -> bool:
        """Whether a line may be said now; if so, the next one has to wait."""
        with self._lock:
            now = self._clock()
            if now < self._next:
                return False
            self._next = now + self._every
            return True


class Left:
    """How long the rest will take, if it goes on as it went so far."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic):
        self.total, self.done = total, 0
        self._clock = clock
        self._start = clock()

    def one_more(self) -> str:
        """Count one as done, and say how many are and how long the rest will take.

        >>> clock = iter([0.0, 30.0, 60.0]).__next__
        >>> left = Left(2, clock)
        >>> left.one_more(), left.one_more()
        ('1 of 2, about 00:30 left', '2 of 2')
        """
        self.done += 1
        rest = (self._clock() - self._start) / self.done * (self.total - self.done)
        about = f", about {tqdm.format_interval(rest)} left" if self.done < self.total else ""
        return f"{self.done} of {self.total}{about}"


def told(items: Iterable[T], what: str, total: int, pace: Pace | None = None) -> Iterator[T]:
    """The items one by one; now and then, and after the last of several, how many are done."""
    left, pace = Left(total), pace or Pace()
    for item in items:
        yield item
        words = left.one_more()
        if total > 1 and (pace.due() or left.done == total):
            log.info("%s: %s", what, words)
