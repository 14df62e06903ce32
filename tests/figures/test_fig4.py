"""Figure 4: its bars and violins are the numbers of its tables."""

import numpy as np
import pandas as pd
import pytest
from helpers.claim_runs import out_of_sample_tables
from helpers.drawn import bars, error_bars, legend, middles, module, page, panel, words
from helpers.figure_runs import TYPES, planted
from helpers.legible import assert_legible
from matplotlib.colors import to_hex

from scripts.analyse import out_of_sample as oos
from scripts.figures.data import FigureData

NAMES = ["NK", "DC", "CD4-T", "B", "F-Mono", "CD14-Mono", "CD8-T"]


@pytest.fixture
def tables():
    return out_of_sample_tables()


def shown(tables):
    return FigureData(planted("fig4").models, tables)


def ticks(axes):
    return [name.replace("- ", "-") for name in words(axes.get_xticklabels())]


@pytest.mark.parametrize(
    ("letter", "table", "experiment", "samples"),
    [
        ("b", "overlap", oos.HELD_OUT, [None]),
        ("c", "r2", oos.HELD_OUT, [oos.IN_SAMPLE, oos.OUT_OF_SAMPLE]),
        ("e", "overlap", oos.OTHER_STUDY, [None]),
        ("f", "r2", oos.OTHER_STUDY, [oos.STUDY_A, oos.STUDY_B, oos.BASELINE]),
    ],
)
def test_bars_are_means_with_their_sd_in_the_paper_s_order(
    tables, letter, table, experiment, samples
):
    (axes,) = panel("fig4", letter, shown(tables)).axes
    assert ticks(axes) == NAMES and axes.get_ylim() == (0, 1)
    found = tables[f"out_of_sample_{table}"]
    found = found[found["experiment"] == experiment]
    ends = error_bars(axes)
    for sample, container in zip(samples, bars(axes), strict=True):
        rows = found if sample is None else found[found["sample"] == sample]
        mean, sd = rows.set_index("cell_type").loc[TYPES, ["mean", "sd"]].to_numpy().T
        np.testing.assert_allclose([b.get_height() for b in container], mean)
        places = middles(container)
        assert [round(x) for x in places] == list(range(7))
        drawn = [ends[round(x, 6)] for x in places]
        np.testing.assert_allclose(drawn, np.column_stack([mean - sd, mean + sd]))
    assert samples == [None] or legend(axes) == samples


@pytest.mark.parametrize(
    ("letter", "experiment", "samples"),
    [
        ("a", oos.HELD_OUT, ["control", "stimulated, out-of-sample", "stimulated, in-sample"]),
        ("d", oos.OTHER_STUDY, ["control, study A", "stimulated, study A", "control, study B"]),
    ],
)
def test_violins_are_the_samples_in_the_paper_s_order(tables, letter, experiment, samples):
    (axes,) = panel("fig4", letter, shown(tables)).axes
    assert ticks(axes) == samples
    activity = tables["out_of_sample_activity"]
    groups = activity[activity["experiment"] == experiment].groupby("sample")["activity"]
    medians = [line.get_xydata()[0] for line in axes.lines if len(line.get_xydata()) == 1]
    np.testing.assert_allclose(medians, list(enumerate(groups.median()[samples])), rtol=1e-6)
    boxes = [line.get_ydata() for line in axes.lines if line.get_linewidth() == 3]
    quartiles = groups.quantile([0.25, 0.75]).unstack().loc[samples]
    np.testing.assert_allclose(boxes, quartiles, rtol=1e-6)
    for body, sample in zip(axes.collections, samples, strict=True):
        assert to_hex(body.get_facecolor()[0]) == "#d43f3a"
        assert to_hex(body.get_edgecolor()[0]) == "#000000"
        heights = body.get_paths()[0].vertices[:, 1]  # no tail beyond the values
        values = groups.get_group(sample)
        np.testing.assert_allclose((heights.min(), heights.max()), (values.min(), values.max()))


@pytest.mark.parametrize(("letter", "experiment"), [("b", oos.HELD_OUT), ("e", oos.OTHER_STUDY)])
def test_overlaps_have_a_guide_at_chance_and_marks_at_the_noise_floor_if_there_is_one(
    tables, letter, experiment
):
    overlap = tables["out_of_sample_overlap"]
    (axes,) = panel("fig4", letter, shown(tables)).axes
    (guide,) = [line for line in axes.lines if len(set(line.get_ydata())) == 1]
    assert guide.get_ydata()[0] == pytest.approx(0.07)
    assert legend(axes) == ["two seeds"]
    (marks,) = [line for line in axes.lines if line.get_label() == "two seeds"]
    floor = overlap[overlap["experiment"] == experiment].set_index("cell_type")["noise_floor"]
    np.testing.assert_allclose(marks.get_xydata(), [*enumerate(floor[TYPES])])
    overlap["noise_floor"] = np.nan
    (axes,) = panel("fig4", letter, shown(tables)).axes
    assert axes.get_legend() is None


def test_the_first_seed_draws_the_figure():
    one, two = out_of_sample_tables(1), out_of_sample_tables(2)
    both = {name: pd.concat([table, two[name]]) for name, table in one.items()}
    for found in module("fig4").PANELS.values():
        pd.testing.assert_frame_equal(found.table(shown(one)), found.table(shown(both)))


def test_a_type_left_out_keeps_its_place_with_a_dash(tables):
    for name in ("out_of_sample_overlap", "out_of_sample_r2"):
        tables[name].loc[tables[name]["cell_type"] == "B", ["mean", "sd"]] = np.nan
    for letter, dashes in zip("bcef", (1, 2, 1, 3), strict=True):
        (axes,) = panel("fig4", letter, shown(tables)).axes
        assert ticks(axes) == NAMES
        found = [t for t in axes.texts if t.get_text() == "–"]
        assert len(found) == dashes
        assert all(round(t.get_position()[0]) == NAMES.index("B") for t in found)
        assert sum(map(len, bars(axes))) == 6 * dashes


def test_a_value_without_repeats_has_no_error_bar(tables):
    r2 = tables["out_of_sample_r2"]
    r2.loc[r2["sample"] == oos.BASELINE, "sd"] = np.nan
    (axes,) = panel("fig4", "f", shown(tables)).axes
    drawn = [s for lines in axes.collections for s in lines.get_segments() if len(s)]
    assert len(drawn) == 14


def test_a_sample_without_cells_keeps_its_place(tables):
    activity = tables["out_of_sample_activity"]
    tables["out_of_sample_activity"] = activity[activity["sample"] != "control, study B"]
    (axes,) = panel("fig4", "d", shown(tables)).axes
    assert ticks(axes)[2] == "control, study B"
    assert [(t.get_text(), t.get_position()[0]) for t in axes.texts] == [("no cells", 2)]


def test_panels_without_any_rows_say_so(tables):
    empty = {name: table.iloc[:0] for name, table in tables.items()}
    empty["out_of_sample_overlap"] = tables["out_of_sample_overlap"].assign(experiment="none")
    for letter in "abcdef":
        part = panel("fig4", letter, shown(empty))
        assert not part.axes
        (said,) = words(part.texts)
        assert said.startswith(("too few CD4-T cells", "no cell type"))


def test_no_text_covers_another_where_types_are_left_out(tables, monkeypatch):
    for name in ("out_of_sample_r2", "out_of_sample_overlap"):
        tables[name].loc[::2, ["mean", "sd"]] = np.nan
    assert_legible(page("fig4", shown(tables)), monkeypatch)
