"""Packages that print: their lines go to our log instead, one now and then."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from scripts.common.progress import Throttle

log = logging.getLogger("workflow")


class Printed(io.TextIOBase):
    """Stands in for a stream: each line goes into `lines`, and now and then one to our log."""

    def __init__(self):
        self.lines: list[str] = []
        self._begun = ""
        self._throttle = Throttle()

    def write(self, text: str) -> int:
        """Take some text."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if line.strip() and self._throttle.due():
                log.info("%s", line)
        self.lines += lines
        return len(text)


@contextmanager
def printed(*loggers: str) -> Iterator[list[str]]:
    """Catch what is printed to standard output, line by line; `loggers` only warn meanwhile."""
    quiet = [logging.getLogger(name) for name in loggers]
    levels = [logger.level for logger in quiet]
    caught = Printed()
    try:
        for logger in quiet:
            logger.setLevel(logging.WARNING)
        with redirect_stdout(caught):
            yield caught.lines
    finally:
        for logger, level in zip(quiet, levels, strict=True):
            logger.setLevel(level)
