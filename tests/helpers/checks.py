"""Checks and interruptions that many tests share."""

from contextlib import contextmanager

import pytest

from vega.errors import InputError


@contextmanager
def one_line_error(match):
    """Expect an `InputError` whose message is a single line."""
    with pytest.raises(InputError, match=match) as error:
        yield
    assert "\n" not in str(error.value)


class Killed(BaseException):
    """Breaks off a training as a kill would: nothing is tidied up."""


def kill_at(epoch):
    """Return what kills a training when it logs an epoch, to be given as its `log`."""

    def log(line):
        if line.startswith(f"epoch {epoch} "):
            raise Killed

    return log
