"""Long jobs log their progress, at most one line every few seconds."""

import logging
from types import SimpleNamespace

import pytest

from scripts.common.progress import Throttle, log_progress
from scripts.download.transfer import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("scripts.common.progress.monotonic", lambda: clock.now)
    return clock


def test_lines_keep_their_distance_however_many_ask(clock):
    throttle = Throttle()
    logged = []
    for _ in range(1000):
        if throttle.due():
            logged.append(clock.now)
        clock.now += 0.5
    assert logged == [100 + 20 * n for n in range(25)]


def test_the_remaining_time_follows_from_the_finished_items(caplog, clock):
    passed = []
    with caplog.at_level(logging.INFO, "workflow"):
        for item in log_progress("abcde", "letters", 5):
            passed.append(item)
            clock.now += 9
    assert passed == [*"abcde"]
    assert [record.getMessage() for record in caplog.records] == [
        "letters: 1 of 5, about 00:36 left", "letters: 4 of 5, about 00:09 left", "letters: 5 of 5",
    ]  # fmt: skip


@pytest.mark.parametrize("items", ["", "a"])
def test_a_single_item_is_not_counted(items, caplog):
    with caplog.at_level(logging.INFO, "workflow"):
        assert list(log_progress(items, "letters", len(items))) == [*items]
    assert not caplog.records


def test_a_long_download_logs_how_much_has_arrived(caplog, clock):
    progress = Progress("https://x.org/file")
    with caplog.at_level(logging.INFO, "workflow"):
        progress.total = 64_000_000
        progress.update(2_000_000)
        assert not caplog.records  # it has just begun
        clock.now += 20
        progress.update(3_000_000)
    (record,) = caplog.records
    assert record.getMessage() == "https://x.org/file: 5 of 64 MB"
