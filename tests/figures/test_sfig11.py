"""Supplementary Figure 11: means, deviations and dots are those of the runs."""

import numpy as np
import pytest
from helpers.drawn import legend, panel, words
from helpers.variants import LOSSES, planted_variants
from matplotlib.colors import to_hex

from scripts.figures import sfig11
from vega.plot.colours import COLOURS

SERIES = {"a": sfig11.LOSSES, "b": sfig11.SILHOUETTES}


@pytest.fixture
def data():
    return planted_variants()


@pytest.mark.parametrize("letter", SERIES)
def test_lines_are_means_with_their_sd_and_every_run_is_a_dot(data, letter):
    table = data.tables["kang_extra_nodes_sweep"].sample(frac=1, random_state=1)
    table = table.sort_values("seed", kind="stable")
    table.iloc[0, table.columns.get_indexer(SERIES[letter])] = np.nan  # a run that is left out
    data.tables["kang_extra_nodes_sweep"] = table
    (ax,) = panel("sfig11", letter, data).axes
    table = table[table["seed"] == 1]
    assert legend(ax) == list(SERIES[letter].values())
    dots, *bars = ax.collections
    values = table[list(SERIES[letter])].to_numpy()
    np.testing.assert_allclose(
        np.sort(np.ma.getdata(dots.get_offsets())[:, 1]), np.sort(values[np.isfinite(values)])
    )
    lines = [
        line for line in ax.lines if len(line.get_xdata()) == len(LOSSES) and line.get_ls() == "-"
    ]
    for column, line, bar, colour in zip(SERIES[letter], lines, bars, COLOURS, strict=False):
        groups = table.groupby("extra_nodes")[column]
        mean, sd = groups.mean(), groups.std()
        np.testing.assert_allclose(line.get_ydata(), mean)
        ends = np.array([segment[:, 1] for segment in bar.get_segments()])
        np.testing.assert_allclose(ends, np.column_stack([mean - sd, mean + sd]))
        assert to_hex(line.get_color()) == colour.lower()
        # Close to the number of nodes, so that it is clear which it is.
        assert np.abs(np.log2(line.get_xdata() / mean.index)).max() < 0.2
    assert len(lines) == len(bars) == len(SERIES[letter])


def test_the_axis_is_logarithmic_with_a_tick_for_each_number_of_nodes(data):
    (ax,) = panel("sfig11", "a", data).axes
    assert ax.get_xscale() == "log"
    assert words(ax.get_xticklabels()) == [str(n) for n in LOSSES]
    assert list(ax.get_xticks()) == list(LOSSES) and not len(ax.get_xticks(minor=True))
