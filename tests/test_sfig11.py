"""Supplementary Figure 11: means, deviations and dots are those of the runs."""

import numpy as np
import pandas as pd
import pytest
from legible import assert_legible
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from planted_variants import LOSSES, planted_variants

from scripts.figures import layout as page
from scripts.figures import sfig11
from vega import plot
from vega.plot.colours import COLOURS

SERIES = {"a": sfig11.LOSSES, "b": sfig11.SILHOUETTES}


@pytest.fixture
def data():
    data = planted_variants()
    data.models.clear()  # it shows a table only
    return data


def panel(letter, data):
    draw = getattr(sfig11, letter)
    return page.panel_figure(draw, sfig11.LAYOUT.size(letter), data).subfigs[1]


@pytest.mark.parametrize("letter", SERIES)
def test_lines_are_means_with_their_sd_and_every_run_is_a_dot(data, letter):
    (ax,) = panel(letter, data).axes
    table = data.tables["kang_extra_nodes_members"]
    table = table[table["seed"] == 1]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == list(SERIES[letter].values())
    dots = [c for c in ax.collections if len(c.get_offsets()) == len(table)]
    for column, line, drawn, colour in zip(
        SERIES[letter], ax.containers, dots, COLOURS, strict=False
    ):
        groups = table.groupby("extra_nodes")[column]
        mean, sd = groups.mean(), groups.std()
        middle, _, (bars,) = line
        np.testing.assert_allclose(middle.get_ydata(orig=False), mean)
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        np.testing.assert_allclose(ends, np.column_stack([mean - sd, mean + sd]))
        np.testing.assert_allclose(sorted(drawn.get_offsets()[:, 1]), sorted(table[column]))
        assert to_hex(middle.get_color()) == to_hex(drawn.get_facecolors()[0]) == colour.lower()
        # Close to the number of nodes, so that it is clear which it is.
        assert np.abs(np.log2(middle.get_xdata(orig=False) / mean.index)).max() < 0.2
    assert len(dots) == len(SERIES[letter])


def test_the_axis_is_logarithmic_with_a_tick_for_each_number_of_nodes(data):
    (ax,) = panel("a", data).axes
    assert ax.get_xscale() == "log"
    assert [t.get_text() for t in ax.get_xticklabels()] == [str(n) for n in LOSSES]
    assert list(ax.get_xticks()) == list(LOSSES) and not len(ax.get_xticks(minor=True))


def test_missing_values_and_single_runs_are_left_out_of_what_they_lack():
    ax = Figure().subplots()
    setting = [1, 1, 1, 4]
    plot.sweep(setting, {"x": [1.0, 3.0, np.nan, 7.0]}, ax=ax)
    (line,) = ax.containers
    middle, _, (bars,) = line
    np.testing.assert_allclose(middle.get_ydata(orig=False), [2, 7])
    first = bars.get_segments()[0][:, 1]
    np.testing.assert_allclose(first, [2 - np.sqrt(2), 2 + np.sqrt(2)])
    drawn = [len(c.get_offsets()) for c in ax.collections if c is not bars]
    assert drawn == [3]


def test_settings_may_come_in_any_order():
    table = pd.DataFrame({"n": [8, 1, 8, 1], "y": [4.0, 1.0, 6.0, 3.0]})
    ax = plot.sweep(table["n"], {"y": table["y"]}, ax=Figure().subplots())
    (line,) = ax.containers
    np.testing.assert_allclose(line[0].get_ydata(orig=False), [2, 5])
    assert np.all(np.diff(line[0].get_xdata(orig=False)) > 0)


def test_no_text_of_the_page_covers_another_or_leaves_it(data, monkeypatch):
    panels = {letter: getattr(sfig11, letter) for letter in "ab"}
    assert_legible(page.page_figure(panels, sfig11.LAYOUT, "A title", data), monkeypatch)
