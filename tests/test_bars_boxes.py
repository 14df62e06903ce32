"""Bars on scales of their own, and boxes, on their own."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from vega import plot
from vega.plot.colours import COLOURS


@pytest.fixture
def ax():
    return Figure(figsize=(4, 3)).subplots()


# ---------------------------------------------------------------- bars


@pytest.mark.parametrize(
    ("heights", "errors"),
    [
        ([0.03, 0.001, 0.11], None),
        ([-0.02, 0.05, -0.001], None),
        ([-0.02, -0.05, -0.001], None),
        ([0.01, 0.002, 0.03], [0.02, 0.001, 0.005]),  # an error bar that reaches below zero
        ([3.0, np.nan, 170.0], [np.nan, np.nan, 12.0]),
    ],
)
def test_a_scale_of_its_own_holds_zero_and_every_bar_with_its_error_bar(ax, heights, errors):
    heights = pd.DataFrame({"m": heights}, index=["x", "y", "z"])
    errors = None if errors is None else pd.DataFrame({"m": errors}, index=heights.index)
    plot.bars(heights, errors, limits=None, ax=ax)
    half = 0 if errors is None else errors["m"].fillna(0)
    ends = np.append([heights["m"] - half, heights["m"] + half], 0)
    lowest, highest = np.nanmin(ends), np.nanmax(ends)
    low, high = ax.get_ylim()
    # Zero is where the scale ends unless something is beyond it; other ends leave some room.
    assert low < lowest if lowest < 0 else low == 0
    assert high > highest if highest > 0 else high == 0
    assert high - low < 1.5 * (highest - lowest)
    drawn = [bar.get_height() for bar in ax.patches]
    np.testing.assert_allclose(drawn, heights["m"].dropna())
    assert {bar.get_y() for bar in ax.patches} == {0}


def test_a_line_marks_zero_where_bars_go_below_it(ax):
    heights = pd.DataFrame({"m": [0.1, -0.1]}, index=["x", "y"])
    plot.bars(heights, limits=None, ax=ax)
    (zero,) = ax.lines
    assert set(zero.get_ydata()) == {0} and not ax.spines["bottom"].get_visible()
    other = Figure().subplots()
    plot.bars(heights.abs(), limits=None, ax=other)
    assert not other.lines and other.spines["bottom"].get_visible()


def test_bars_of_which_none_is_known_are_dashes(ax):
    heights = pd.DataFrame({"a": [np.nan] * 2, "b": [np.nan] * 2}, index=["x", "y"])
    plot.bars(heights, heights, limits=None, ax=ax)
    assert [t.get_text() for t in ax.texts] == ["–"] * 4
    assert [t.get_position()[0] for t in ax.texts] == pytest.approx([-0.2, 0.8, 0.2, 1.2])
    assert not np.isfinite([bar.get_height() for bar in ax.patches]).any()
    assert ax.get_ylim() == (0, 1)


def test_the_legend_gives_a_column_its_colour_whether_or_not_it_has_bars(ax):
    heights = pd.DataFrame({"a": [np.nan], "b": [0.2], "c": [np.nan]}, index=["x"])
    plot.bars(heights, colors=["#010203", "#040506", "#070809"], ax=ax)
    legend = ax.legend()
    assert [t.get_text() for t in legend.get_texts()] == ["a", "b", "c"]
    colours = [to_hex(patch.get_facecolor()) for patch in legend.get_patches()]
    assert colours == ["#010203", "#040506", "#070809"]


def test_a_dash_stands_on_zero_whatever_the_scale(ax):
    heights = pd.DataFrame({"a": [-8.0, 40.0], "b": [np.nan, 2.0]}, index=["x", "y"])
    plot.bars(heights, limits=None, ax=ax)
    (dash,) = ax.texts
    low, high = ax.get_ylim()
    assert 0 < dash.get_position()[1] < 0.02 * (high - low)
    assert dash.get_position()[0] == pytest.approx(0.2)


def test_bars_have_the_limits_and_colours_they_are_given(ax):
    heights = pd.DataFrame({"a": [1.0], "b": [2.0]}, index=["x"])
    plot.bars(heights, limits=(-1, 3), colors=["#010203", "#040506"], ax=ax)
    assert ax.get_ylim() == (-1, 3)
    assert [to_hex(bar.get_facecolor()) for bar in ax.patches] == ["#010203", "#040506"]
    assert all(c.errorbar is None for c in ax.containers if isinstance(c, BarContainer))


# ---------------------------------------------------------------- boxes


def drawn_boxes(ax):
    """Low end, high end and middle (x) of each box, and its colour."""
    found = []
    for box in (p for p in ax.patches if isinstance(p, PathPatch)):
        x, y = box.get_path().vertices.T
        found.append((y.min(), y.max(), (x.min() + x.max()) / 2, to_hex(box.get_facecolor())))
    return found


def drawn_medians(ax):
    return [line.get_ydata()[0] for line in ax.lines if line.get_linewidth() > 1]


def test_boxes_are_quartiles_with_the_median_and_all_values(ax):
    rng = np.random.default_rng(0)
    values = {"one": rng.normal(150, 3, 10), "two": rng.normal(170, 9, 10), "three": [4.0]}
    plot.boxes(values, ax=ax)
    for place, (group, (low, high, middle, colour)) in enumerate(
        zip(values.values(), drawn_boxes(ax), strict=True)
    ):
        np.testing.assert_allclose((low, high), np.percentile(group, [25, 75]))
        assert middle == pytest.approx(place) and colour == COLOURS[place].lower()
    np.testing.assert_allclose(drawn_medians(ax), [np.median(v) for v in values.values()])
    dots = [c.get_offsets() for c in ax.collections if isinstance(c, PathCollection)]
    for place, (group, found) in enumerate(zip(values.values(), dots, strict=True)):
        np.testing.assert_allclose(found[:, 1], group)
        assert (np.diff(found[:, 0]) > 0).all()  # side by side, in their order
        assert found[:, 0].mean() == pytest.approx(place)
        assert np.abs(found[:, 0] - place).max() < 0.3
    assert [t.get_text() for t in ax.get_xticklabels()] == list(values)


def test_whiskers_end_at_the_last_value_near_the_box_and_the_far_one_is_a_dot_still(ax):
    values = [1.0, 2, 3, 4, 5, 6, 7, 100]
    plot.boxes({"one": values}, ax=ax)
    low, high = np.percentile(values, [25, 75])
    near = [v for v in values if low - 1.5 * (high - low) <= v <= high + 1.5 * (high - low)]
    ends = [y for line in ax.lines for y in line.get_ydata()]
    assert (min(ends), max(ends)) == (min(near), max(near)) == (1, 7)
    (dots,) = ax.collections
    assert dots.get_offsets()[:, 1].max() == 100


def test_missing_values_are_left_out_and_empty_groups_keep_their_places(ax):
    values = {"one": [np.nan, 1.0, 3.0], "none": [], "unknown": [np.nan] * 3, "two": [7.0, 9.0]}
    plot.boxes(values, colors=["red", "blue", "green", "black"], ax=ax)
    assert drawn_medians(ax) == [2, 8]
    assert [(middle, colour) for *_, middle, colour in drawn_boxes(ax)] == [
        (pytest.approx(0), "#ff0000"),
        (pytest.approx(3), "#000000"),
    ]
    assert [(t.get_text(), t.get_position()[0]) for t in ax.texts] == [("–", 1), ("–", 2)]
    assert [t.get_text() for t in ax.get_xticklabels()] == list(values)
