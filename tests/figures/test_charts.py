"""Charts that several figures share, on their own."""

import numpy as np
import pandas as pd
import pytest
from helpers.drawn import bars, middles, words
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from scripts.figures.charts import barplot, label_groups, regression


@pytest.fixture
def ax():
    return Figure(figsize=(4, 3)).subplots()


def table_of(**heights):
    """A table of bars: a group per position, a colour per name."""
    wide = pd.DataFrame(heights, index=list("xyz")[: len(next(iter(heights.values())))])
    return wide.rename_axis("x").reset_index().melt("x", var_name="hue", value_name="y")


def drawn(ax):
    return [bar for container in bars(ax) for bar in container]


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
    table = table_of(m=heights).assign(sd=errors)
    barplot(table, "x", "y", "hue", sd=errors and "sd", limits=None, ax=ax)
    half = table["sd"].fillna(0) if errors else 0
    ends = np.append([table["y"] - half, table["y"] + half], 0)
    lowest, highest = np.nanmin(ends), np.nanmax(ends)
    low, high = ax.get_ylim()
    # Zero is where the scale ends unless something is beyond it; other ends leave some room.
    assert low < lowest if lowest < 0 else low == 0
    assert high > highest if highest > 0 else high == 0
    assert high - low < 1.5 * (highest - lowest)
    np.testing.assert_allclose([bar.get_height() for bar in drawn(ax)], table["y"].dropna())
    assert {bar.get_y() for bar in drawn(ax)} == {0}
    # A line marks zero where bars go below it.
    assert ax.spines["bottom"].get_visible() == (low == 0)


def test_bars_of_a_group_stand_side_by_side_and_unknown_ones_are_dashes_on_zero(ax):
    table = table_of(a=[-8.0, 40.0], b=[np.nan, 2.0], c=[np.nan, np.nan])
    colours = ["#010203", "#040506", "#070809"]
    barplot(table, "x", "y", "hue", limits=None, colors=colours, ax=ax)
    assert middles(drawn(ax)) == pytest.approx([-0.8 / 3, 1 - 0.8 / 3, 1])
    assert [to_hex(bar.get_facecolor()) for bar in drawn(ax)] == [*colours[:1] * 2, colours[1]]
    dashes = [t.get_position() for t in ax.texts if t.get_text() == "–"]
    assert [x for x, _ in dashes] == pytest.approx([0, 0.8 / 3, 1 + 0.8 / 3])
    low, high = ax.get_ylim()
    assert all(0 < y < 0.02 * (high - low) for _, y in dashes)
    # The legend gives a colour to what has no bar, too.
    legend = ax.legend()
    assert words(legend.get_texts()) == ["a", "b", "c"]
    assert [to_hex(patch.get_facecolor()) for patch in legend.get_patches()] == colours


def test_bars_of_which_none_is_known_are_dashes(ax):
    barplot(table_of(a=[np.nan] * 2, b=[np.nan] * 2), "x", "y", "hue", limits=None, ax=ax)
    assert words(ax.texts) == ["–"] * 4
    assert ax.get_ylim() == (0, 1) and not drawn(ax)


def test_long_names_of_groups_are_on_several_lines(ax):
    label_groups(ax, pd.Series(["a, b", "c (d)", "a, b"]))
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a,\nb", "c\n(d)"]


def test_a_falling_line_has_its_signs_and_equal_values_have_none(ax):
    x = pd.Series(np.arange(5.0))
    regression(x, -2 * x - 1, ax)
    assert ax.get_title() == "R² = 1.00, y = −2.00x − 1.00"
    flat = Figure().subplots()
    regression(0 * x, x, flat)
    assert not flat.lines and "no regression" in flat.get_title()
