"""Long jobs say how far they are, and not too often."""

import logging

import pytest

from scripts.common.progress import Left, Pace, told
from scripts.download.transfer import _Bounded


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def __call__(self):
        return self.now


def test_lines_keep_their_distance_however_many_ask():
    clock = Clock()
    pace = Pace(20, clock)
    said = []
    for _ in range(1000):
        if pace.due():
            said.append(clock.now)
        clock.now += 0.5
    assert said == [100 + 20 * n for n in range(25)]


def test_the_rest_is_reckoned_from_what_is_done():
    clock = Clock()
    left = Left(4, clock)
    clock.now += 30
    assert left.one_more() == "1 of 4, about 01:30 left"
    clock.now += 90
    assert left.one_more() == "2 of 4, about 02:00 left"
    left.one_more()
    assert left.one_more() == "4 of 4"


def test_items_pass_and_the_last_one_is_always_said(caplog):
    clock = Clock()
    with caplog.at_level(logging.INFO, "workflow"):
        passed = []
        for item in told("abcde", "letters", 5, Pace(20, clock)):
            passed.append(item)
            clock.now += 9
    assert passed == [*"abcde"]
    words = [record.getMessage().split(", about")[0] for record in caplog.records]
    assert words == ["letters: 1 of 5", "letters: 4 of 5", "letters: 5 of 5"]


@pytest.mark.parametrize("items", ["", "a"])
def test_of_one_item_nothing_is_counted(items, caplog):
    with caplog.at_level(logging.INFO, "workflow"):
        assert list(told(items, "letters", len(items))) == [*items]
    assert not caplog.records


def test_a_download_says_how_much_is_there(caplog, tmp_path):
    with (
        caplog.at_level(logging.INFO, "workflow"),
        _Bounded(tmp_path / "file", 10**8, "https://x.org/file") as file,
    ):
        file.write(b"x" * 2_000_000)
        assert not caplog.records  # it has just begun
        file.pace = Pace(0)
        file.write(b"x" * 3_000_000)
    (record,) = caplog.records
    assert record.getMessage() == "https://x.org/file: 5 MB so far"
