"""Send what packages print to our log, one line now and then."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from scripts.common.progress import Throttle

log = logging.getLogger("workflow")


class Printed(io.TextIOBase):
    """A stream that keeps each line in `lines` and logs one now and then."""

    def __init__(self):
        self.lines: list[str] = []
        self._begun = ""
        self._throttle = Throttle()

    def write(self, text: str) -> int:
        """Keep the finished lines of `text`."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if line.strip() and self._throttle.due():
                log.info("%s", line)
        self.lines += lines
        return len(text)


@contextmanager
def printed(*loggers: str) -> Iterator[list[str]]:
    """Catch the lines printed to standard output; set `loggers` to warnings meanwhile."""
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
