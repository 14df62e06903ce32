"""Which cells are compared with which."""

import numpy as np
import pandas as pd
import pytest
from helpers.checks import one_line_error

from vega.comparisons import comparisons

OBS = pd.DataFrame(
    {
        "kind": pd.Categorical(["b", "a", "c", None] * 6, ["c", "b", "a"]),
        "dose": [0.0, 1.0, np.nan, 10.0] * 6,
        "lane": np.repeat(["x", "y", None], 8),
        "one": "same",
    }
)


def found(*arguments, **options):
    """Comparisons by names, each with the number of cells on its two sides."""
    return [
        (c.group, c.reference, c.part, int((c.side == 1).sum()), int((c.side == -1).sum()))
        for c in comparisons(OBS, *arguments, **options)
    ]


def test_all_groups_come_in_the_order_of_the_categories_against_the_rest():
    assert found("kind") == [(group, "rest", None, 6, 12) for group in "cba"]
    sides = {c.group: c.side for c in comparisons(OBS, "kind")}
    for group, side in sides.items():
        for cell, value in enumerate(OBS["kind"]):
            known = 0 if pd.isna(value) else -1
            assert side[cell] == (1 if value == group else known)


def test_groups_are_compared_with_a_reference_within_cells_and_by_a_column():
    assert found("kind", reference="a") == [(g, "a", None, 6, 6) for g in "cb"]
    assert found("kind", ["a"], "c", within={"lane": ["x", "none"]}) == [("a", "c", None, 2, 2)]
    assert found("kind", ["a"], within={"lane": "x", "kind": ["a", "b"]}) == [
        ("a", "rest", None, 2, 2)
    ]
    assert found("kind", ["a"], "b", by="lane") == [("a", "b", lane, 2, 2) for lane in "xy"]
    assert found("kind", ["a"], "b", by="kind") == []


def test_whole_numbers_are_named_without_a_point():
    assert found("dose", [1, "10"], 0.0) == [("1", "0", None, 6, 6), ("10", "0", None, 6, 6)]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("type",), {}, "no column type; it has kind, dose, lane, one$"),
        (("kind",), {"by": "type"}, "no column type"),
        (("kind",), {"within": {"type": "a"}}, "no column type"),
        (("kind", ["d"]), {}, "no cell has kind d; there are c, b, a$"),
        (("kind", ["a"], "d"), {}, "no cell has kind d; there are c, b, a$"),
        (("kind", ["a"], "a"), {}, "kind a is a group and the reference"),
        (("kind", ["a"]), {"within": {"kind": "b"}}, "no cell has kind a; there are b$"),
        (("one",), {}, "all cells have the same one, same; there is no rest"),
        (("one", None, "same"), {}, "all cells have the same one, same"),
    ],
)
def test_what_cannot_be_compared_is_one_line(arguments, options, message):
    with one_line_error(message):
        found(*arguments, **options)
