"""Figure 4: its bars and violins are the numbers of its tables."""

import io
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import yaml
from anndata import AnnData
from conftest import ROOT
from legible import assert_legible
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from scripts.analyse import out_of_sample as oos
from scripts.common.config.figures import FigureConfig
from scripts.common.config.studies import Study
from scripts.figures import fig4
from scripts.figures import layout as page
from scripts.figures.data import FigureData, Results
from vega import plot

ENTRY = FigureConfig.model_validate(
    yaml.safe_load((ROOT / "config" / "figures.yaml").read_text())["fig4"]
)
TYPES = list(fig4.SHORT)
NAMES = ["NK", "DC", "CD4-T", "B", "F-Mono", "CD14-Mono", "CD8-T"]


def tables(seed=1):
    rng = np.random.default_rng(seed)
    overlap = [
        (seed, experiment, t, rng.uniform(0.5, 0.8), 0.03, 0.07, 99, "")
        for experiment in (oos.HELD_OUT, oos.OTHER_STUDY)
        for t in reversed(TYPES)  # the figure has an order of its own
    ]
    samples = [
        (oos.HELD_OUT, oos.IN_SAMPLE),
        (oos.HELD_OUT, oos.OUT_OF_SAMPLE),
        (oos.OTHER_STUDY, oos.BASELINE),
        (oos.OTHER_STUDY, oos.STUDY_A),
        (oos.OTHER_STUDY, oos.STUDY_B),
    ]
    r2 = [
        (seed, *sample, t, rng.uniform(0.5, 0.9), 0.01, 99, "") for t in TYPES for sample in samples
    ]
    groups = [
        (oos.HELD_OUT, "control"),
        (oos.HELD_OUT, "stimulated, in-sample"),
        (oos.HELD_OUT, "stimulated, out-of-sample"),
        (oos.OTHER_STUDY, "stimulated, study A"),
        (oos.OTHER_STUDY, "control, study B"),
        (oos.OTHER_STUDY, "control, study A"),
    ]
    activity = [
        (seed, *group, "CD4T", x) for i, group in enumerate(groups) for x in rng.normal(i, 1, 40)
    ]
    return {
        "out_of_sample_overlap": pd.DataFrame(overlap, columns=oos.OVERLAP),
        "out_of_sample_r2": pd.DataFrame(r2, columns=oos.R2),
        "out_of_sample_activity": pd.DataFrame(activity, columns=oos.ACTIVITY),
    }


def shown(tables, origin="public"):
    latent = AnnData(np.zeros((140, 2), np.float32))
    results = Results(latent, None, None, Study.model_construct(cell_types=TYPES), origin)
    return FigureData({"kang": results}, tables)


def panel(letter, tables):
    draw = getattr(fig4, letter)
    return page.panel_figure(draw, fig4.LAYOUT.size(letter), shown(tables)).subfigs[1]


def whole_page(tables, origin="public"):
    panels = {letter: getattr(fig4, letter) for letter in ENTRY.panels}
    return page.page_figure(panels, fig4.LAYOUT, ENTRY.title, shown(tables, origin))


def ticks(axes):
    return [t.get_text().replace("-\n", "-").replace("\n", " ") for t in axes.get_xticklabels()]


@pytest.mark.parametrize(
    ("letter", "table", "experiment", "samples"),
    [
        ("b", "overlap", oos.HELD_OUT, [None]),
        ("c", "r2", oos.HELD_OUT, [oos.IN_SAMPLE, oos.OUT_OF_SAMPLE]),
        ("e", "overlap", oos.OTHER_STUDY, [None]),
        ("f", "r2", oos.OTHER_STUDY, [oos.STUDY_A, oos.STUDY_B, oos.BASELINE]),
    ],
)
def test_bars_are_means_with_their_sd_in_the_paper_s_order(letter, table, experiment, samples):
    data = tables()
    (axes,) = panel(letter, data).axes
    assert ticks(axes) == NAMES and axes.get_ylim() == (0, 1)
    found = data[f"out_of_sample_{table}"]
    found = found[found["experiment"] == experiment]
    for i, sample in enumerate(samples):
        rows = found if sample is None else found[found["sample"] == sample]
        rows = rows.set_index("cell_type").loc[TYPES]
        bars = [c for c in axes.containers if isinstance(c, BarContainer)][i]
        np.testing.assert_allclose([b.get_height() for b in bars], rows["mean"])
        places = [b.get_x() + b.get_width() / 2 for b in bars]
        assert [round(x) for x in places] == list(range(7))
        (lines,) = bars.errorbar.lines[2]
        ends = np.array([s[:, 1] for s in lines.get_segments()])
        sd = rows["sd"].to_numpy()
        np.testing.assert_allclose(ends, np.column_stack([rows["mean"] - sd, rows["mean"] + sd]))
    legend = axes.get_legend()
    assert samples == [None] or [t.get_text() for t in legend.get_texts()] == samples


@pytest.mark.parametrize(
    ("letter", "experiment", "samples"),
    [
        ("a", oos.HELD_OUT, ["control", "stimulated, out-of-sample", "stimulated, in-sample"]),
        ("d", oos.OTHER_STUDY, ["control, study A", "stimulated, study A", "control, study B"]),
    ],
)
def test_violins_are_the_samples_in_the_paper_s_order(letter, experiment, samples):
    data = tables()
    (axes,) = panel(letter, data).axes
    assert ticks(axes) == samples
    activity = data["out_of_sample_activity"]
    groups = activity[activity["experiment"] == experiment].groupby("sample")["activity"]
    dots = [c.get_offsets()[0] for c in axes.collections if len(c.get_offsets()) == 1]
    medians = sorted((x, y) for x, y in dots if y)
    np.testing.assert_allclose(medians, list(enumerate(groups.median()[samples])))


def test_the_guide_is_where_random_choices_are():
    (axes,) = panel("b", tables()).axes
    (guide,) = [line for line in axes.lines if len(set(line.get_ydata())) == 1]
    assert guide.get_ydata()[0] == pytest.approx(0.07)


def test_the_first_seed_draws_the_figure():
    both = {
        name: pd.concat([one, other])
        for (name, one), other in zip(tables(1).items(), tables(2).values(), strict=True)
    }
    for letter in ENTRY.panels:
        saved = []
        for data in (tables(1), both):
            file = io.BytesIO()
            figure = page.panel_figure(getattr(fig4, letter), fig4.LAYOUT.size(letter), shown(data))
            figure.savefig(file, dpi=60, metadata={"Software": None})
            saved.append(file.getvalue())
        assert saved[0] == saved[1]


def test_a_type_left_out_keeps_its_place_with_a_dash():
    data = tables()
    for name in ("out_of_sample_overlap", "out_of_sample_r2"):
        data[name].loc[data[name]["cell_type"] == "B", ["mean", "sd"]] = np.nan
    for letter, dashes in zip("bcef", (1, 2, 1, 3), strict=True):
        (axes,) = panel(letter, data).axes
        assert ticks(axes) == NAMES
        found = [t for t in axes.texts if t.get_text() == "–"]
        assert len(found) == dashes
        assert all(round(t.get_position()[0]) == NAMES.index("B") for t in found)
        heights = [p.get_height() for p in axes.patches]
        assert len(heights) == 6 * dashes and np.isfinite(heights).all()


def test_a_value_without_repeats_has_no_error_bar():
    data = tables()
    r2 = data["out_of_sample_r2"]
    r2.loc[r2["sample"] == oos.BASELINE, "sd"] = np.nan
    (axes,) = panel("f", data).axes
    drawn = [s for lines in axes.collections for s in lines.get_segments() if len(s)]
    assert len(drawn) == 14


def test_a_sample_without_cells_keeps_its_place():
    data = tables()
    activity = data["out_of_sample_activity"]
    data["out_of_sample_activity"] = activity[activity["sample"] != "control, study B"]
    (axes,) = panel("d", data).axes
    assert ticks(axes)[2] == "control, study B"
    assert [(t.get_text(), t.get_position()[0]) for t in axes.texts] == [("no cells", 2)]


def test_panels_without_any_rows_say_so():
    empty = {name: table.iloc[:0] for name, table in tables().items()}
    empty["out_of_sample_overlap"] = tables()["out_of_sample_overlap"].assign(experiment="none")
    for letter in ENTRY.panels:
        part = panel(letter, empty)
        assert not part.axes
        (words,) = part.texts
        assert words.get_text().startswith(("too few CD4-T cells", "no cell type"))


@pytest.mark.parametrize("fault", ["none", "types left out", "empty"])
def test_no_text_of_the_page_covers_another_or_leaves_it(fault, monkeypatch):
    data = tables()
    if fault == "types left out":
        data["out_of_sample_r2"].loc[::2, ["mean", "sd"]] = np.nan
        data["out_of_sample_overlap"].loc[::2, ["mean", "sd"]] = np.nan
    if fault == "empty":
        data["out_of_sample_activity"] = data["out_of_sample_activity"].iloc[:0]
    figure = whole_page(data, "simulated")
    assert_legible(figure, monkeypatch)


# ---------------------------------------------------------------- the plots on their own


def test_violins_show_density_quartiles_and_median():
    ax = Figure().subplots()
    values = np.concatenate([np.zeros(50), np.arange(1, 52)])
    plot.violins({"one": values, "none": [], "two": values + 9}, ax=ax)
    bodies = [c for c in ax.collections if c.get_paths() and len(c.get_paths()[0]) > 50]
    assert {to_hex(b.get_facecolor()[0]) for b in bodies} == {"#d43f3a"}
    assert {to_hex(b.get_edgecolor()[0]) for b in bodies} == {"#000000"}
    assert len(bodies) == 2
    bars = [c.get_segments()[0] for c in ax.collections if hasattr(c, "get_segments")]
    np.testing.assert_allclose([b[:, 1] for b in bars], [[0, 26], [9, 35]])
    np.testing.assert_allclose([b[0, 0] for b in bars], [0, 2])
    heights = bodies[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0, 51)  # no tail beyond the values


def test_bars_of_a_group_stand_side_by_side():
    ax = Figure().subplots()
    heights = pd.DataFrame({"a": [0.1, 0.2], "b": [0.3, 0.4], "c": [0.5, 0.6]}, index=["x", "y"])
    plot.bars(heights, heights / 10, ax=ax)
    patches = sorted(ax.patches, key=lambda p: p.get_x())
    assert [round(p.get_height(), 2) for p in patches] == [0.1, 0.3, 0.5, 0.2, 0.4, 0.6]
    edges = [(p.get_x(), p.get_x() + p.get_width()) for p in patches]
    assert all(right <= left + 1e-9 for (_, right), (left, _) in pairwise(edges))
    assert np.mean(edges[:3]) == pytest.approx(0) and np.mean(edges[3:]) == pytest.approx(1)
    assert len({p.get_facecolor() for p in patches}) == 3
