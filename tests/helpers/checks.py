"""Checks and interruptions that many tests share."""

from contextlib import contextmanager

import pytest

from vega.errors import InputError


@contextmanager
def one_line_error(match):
    """Expect an `InputError` whose message is a single line."""
    with pytest.raises(InputError, match=match) as error:
        yield error
    assert "\n" not in str(error.value)


def every_panel_is_there(run, figures):
    """Check the pages and panels of figures in the folder of a run."""
    from helpers.drawn import module  # late, as it loads drawing code

    for figure in figures:
        for suffix in ("png", "pdf"):
            assert (run / "figures" / f"{figure}.{suffix}").stat().st_size > 10_000
            for panel in module(figure).PANELS:
                assert (run / "figures" / figure / f"{panel}.{suffix}").stat().st_size > 2_000


class Killed(BaseException):
    """Breaks off a training as a kill would: nothing is tidied up."""


def kill_at(epoch):
    """Return what kills a training when it logs an epoch, to be given as its `log`."""

    def log(line):
        if line.startswith(f"epoch {epoch} "):
            raise Killed

    return log
