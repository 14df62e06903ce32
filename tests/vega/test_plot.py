"""The numbers that plots show are the numbers they were given."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData, concat
from helpers.checks import one_line_error
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle
from scipy.optimize import minimize

from vega import plot
from vega.plot.colours import BLUE, COLOURS, GREY, MISSING, PURPLE, RED, palette
from vega.plot.gsea import dot_area
from vega.plot.labels import spread
from vega.plot.scatter import scatter
from vega.values import values_of


@pytest.fixture
def ax():
    return Figure(figsize=(5, 4)).subplots()


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    n = 60
    types = pd.Categorical(rng.choice(["T", "B", "Mono"], n), categories=["Mono", "T", "B"])
    types[:3] = np.nan
    conditions = rng.choice(["control", "stimulated"], n)
    adata = AnnData(
        rng.normal(size=(n, 3)).astype("float32"),
        obs=pd.DataFrame(
            {"cell_type": types, "condition": conditions}, index=[f"c{i}" for i in range(n)]
        ),
        var=pd.DataFrame(index=["REACTOME_A_B", "C", "D"]),
    )
    adata.obsm["X_umap"] = rng.normal(size=(n, 2))
    return adata


@pytest.fixture
def table():
    rng = np.random.default_rng(1)
    n = 200
    table = pd.DataFrame(
        {
            "log_bf": rng.normal(0, 3, n),
            "md": rng.gamma(2, 2, n),
            "n_genes": rng.integers(5, 900, n),
            "neg_log10_fdr": rng.exponential(1, n),
        },
        index=[f"REACTOME_SET_{i}_OF_MANY_WITH_A_LONG_NAME" for i in range(n)],
    )
    table.iloc[:4, 0] = 27.6  # p = 1
    table.iloc[4, 0] = -27.6
    table.iloc[5, :2] = 3.0, 9.0  # on a threshold is not beyond it
    table.iloc[6, :2] = 4.0, 5.0
    return table


def dots(ax) -> pd.DataFrame:
    """Every dot drawn: position, colour, area and marker."""
    rows = []
    for drawn in ax.collections:
        xy, colours, sizes = drawn.get_offsets(), drawn.get_facecolors(), drawn.get_sizes()
        for i, (x, y) in enumerate(np.ma.getdata(xy)):
            colour = tuple(colours[i % len(colours)][:3])
            shape = drawn.get_paths()[0].vertices.round(3).tolist()
            rows.append((x, y, colour, sizes[i % len(sizes)], str(shape)))
    return pd.DataFrame(rows, columns=["x", "y", "colour", "area", "marker"])


def shape(marker: str) -> str:
    style = MarkerStyle(marker)
    path = style.get_path().transformed(style.get_transform())
    return str(path.vertices.round(3).tolist())


def positions(frame: pd.DataFrame) -> list[tuple[float, float]]:
    return sorted(zip(frame["x"].round(6), frame["y"].round(6), strict=True))


def test_embedding_gives_each_cell_the_colour_and_marker_of_its_categories(ax, cells):
    drawn = dots(plot.embedding(cells, "cell_type", "condition", ax=ax))
    colour_of = dict(zip(["Mono", "T", "B"], COLOURS, strict=False))
    expected = [
        (x, y, to_rgba(colour_of.get(kind, MISSING))[:3], shape("^" if on == "control" else "o"))
        for (x, y), kind, on in zip(cells.obsm["X_umap"], *cells.obs.T.to_numpy(), strict=True)
    ]
    found = drawn[["x", "y", "colour", "marker"]].itertuples(index=False, name=None)
    assert sorted(found) == sorted(expected)


def test_embedding_shows_an_activity_in_viridis_on_one_scale(ax, cells):
    plot.embedding(cells, "C", "condition", ax=ax)
    values = values_of(cells, "C")
    assert sorted(np.concatenate([c.get_array() for c in ax.collections])) == sorted(values)
    for drawn in ax.collections:
        assert drawn.cmap.name == "viridis"
        assert drawn.get_clim() == (values.min(), values.max())


def test_embedding_names_what_is_not_there(ax, cells):
    with pytest.raises(KeyError, match="NO_SUCH_SET"):
        plot.embedding(cells, "NO_SUCH_SET", ax=ax)


def test_many_cells_become_an_image_and_few_do_not(cells):
    for copies, image in ((1, False), (400, True)):
        many = concat([cells] * copies, index_unique="-", merge="same")
        ax = plot.embedding(many, "cell_type", ax=Figure().subplots())
        assert {bool(c.get_rasterized()) for c in ax.collections} == {image}


def test_two_columns_of_a_table_against_each_other(ax):
    table = pd.DataFrame({"x": [1.0, 2, 3], "y": [3.0, 1, 2], "kind": ["b", "a", "b"]})
    drawn = dots(scatter(table, "x", "y", "kind", ax=ax))
    assert positions(drawn) == positions(table)
    by_x = drawn.set_index("x")["colour"]
    assert by_x[2] == to_rgba(COLOURS[0])[:3] and by_x[1] == by_x[3] == to_rgba(COLOURS[1])[:3]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "y")


def test_a_colour_bar_says_what_lies_beyond_it(cells):
    for limits, extend in (((0, 1), "both"), ((-9, 9), "neither"), ((-9, 1), "max")):
        ax = plot.embedding(cells, "C", limits=limits, ax=Figure().subplots())
        assert ax.child_axes[0]._colorbar.extend == extend
    ax = plot.embedding(cells, "C", colorbar=False, ax=Figure().subplots())
    assert not ax.child_axes


def test_colours_do_not_repeat():
    for n in (1, 7, 10, 15, 40):
        assert len(set(palette(n))) == n
    assert tuple(palette(10)) == COLOURS


def test_a_heatmap_writes_what_is_beyond_a_value(ax):
    table = pd.DataFrame([[3.0, 3.01], [-9, 12]], index=["a", "b"], columns=["x", "y"])
    plot.heatmap(table, limit=10, values=3, ax=ax)
    (mesh,) = ax.collections
    np.testing.assert_array_equal(mesh.get_array(), table)
    assert mesh.get_clim() == (-10, 10)
    assert [t.get_text() for t in ax.texts] == ["n.s.", "3.01", "n.s.", "12.00"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"] and ax.yaxis_inverted()


def test_volcano_is_red_where_both_thresholds_are_passed_and_nowhere_else(ax, table):
    drawn = dots(plot.volcano(table, ax=ax))
    red = [abs(b) > 3 and m > 5 for b, m in zip(table["log_bf"], table["md"], strict=True)]
    clipped = pd.DataFrame({"x": table["log_bf"].clip(-10, 10), "y": table["md"]})
    assert 0 < sum(red) < len(table)
    for colour, rows in ((RED, np.array(red)), (GREY, ~np.array(red))):
        assert positions(drawn[drawn["colour"] == to_rgba(colour)[:3]]) == positions(clipped[rows])


def test_volcano_marks_what_it_clips(ax, table):
    drawn = dots(plot.volcano(table, ax=ax))
    assert (drawn["marker"] == shape(">")).sum() == 4
    assert set(drawn.loc[drawn["marker"] == shape(">"), "x"]) == {10}
    assert drawn.loc[drawn["marker"] == shape("<"), "x"].tolist() == [-10]
    ticks = {t.get_text(): x for t, x in zip(ax.get_xticklabels(), ax.get_xticks(), strict=True)}
    assert ticks[">10"] == 10 and ticks["<−10"] == -10
    for label, x in ticks.items():
        if label[0] not in "<>":
            assert float(label.replace("−", "-")) == x


def test_volcano_takes_the_rows_of_one_comparison(ax, table):
    rows = table.reset_index(names="gmv").assign(comparison="a vs rest")
    named = plot.volcano(rows[rows["md"] > 1], rows["gmv"][:2], ax=ax).texts
    assert len(named) == (rows["md"][:2] > 1).sum()
    with one_line_error("has several rows; take those of one comparison"):
        plot.volcano(pd.concat([rows, rows]), ax=ax)


def test_volcano_guides_are_the_thresholds_and_small_values_are_not_marked(ax, table):
    plot.volcano(table[table["log_bf"].abs() < 10], bayes_factor=2, mean_difference=4, ax=ax)
    assert not [t for t in ax.get_xticklabels() if t.get_text()[:1] in (">", "<")]
    guides = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert sorted(line.get_xdata()[0] for line in guides) == [-2, 0, 2]
    assert [line.get_ydata()[0] for line in guides if line.get_xdata()[0] == 0] == [4]


def test_volcano_of_several_models_shows_their_mean_and_its_sd(ax, table):
    consensus = table.rename(columns={"log_bf": "log_bf_mean"})
    consensus["log_bf_sd"] = np.linspace(0.1, 3, len(table))
    plot.volcano(consensus, ax=ax)
    bars, *_ = ax.collections
    inside = consensus[consensus["log_bf_mean"].abs() <= 10]
    mean, sd, md = inside[["log_bf_mean", "log_bf_sd", "md"]].to_numpy().T
    expected = np.stack([np.stack([mean - sd, md], 1), np.stack([mean + sd, md], 1)], 1)
    np.testing.assert_allclose(bars.get_segments(), expected)
    bars.remove()
    one, other = dots(ax), dots(plot.volcano(table, ax=Figure(figsize=(5, 4)).subplots()))
    pd.testing.assert_frame_equal(one, other)


def test_volcano_of_nothing_significant_still_shows_the_thresholds(ax, table):
    plot.volcano(table.assign(log_bf=0.0, md=0.0), ["NO_SUCH_SET"], ax=ax)
    assert ax.get_xlim()[1] > 3 and ax.get_ylim()[1] > 5 and not ax.texts


@pytest.mark.parametrize("stacked", [False, True])
def test_names_do_not_overlap_and_point_at_their_dots(table, stacked):
    if stacked:
        table = table.assign(log_bf=27.6, md=1.0)
    named = table.index[:7]
    ax = Figure(figsize=(5, 3)).add_axes((0.1, 0.1, 0.4, 0.8))
    plot.volcano(table, named, ax=ax)
    notes = {t.get_text().replace("\n", " "): t for t in ax.texts}
    assert set(notes) == {name.removeprefix("REACTOME_").replace("_", " ") for name in named}
    for gmv in named:
        dot = notes[gmv.removeprefix("REACTOME_").replace("_", " ")].xy
        assert dot == (np.clip(table.loc[gmv, "log_bf"], -10, 10), table.loc[gmv, "md"])
    ax.figure.draw_without_rendering()
    boxes = [super(type(t), t).get_window_extent() for t in ax.texts]
    boxes.sort(key=lambda box: box.y0)
    assert all(low.y1 < high.y0 for low, high in pairwise(boxes))
    assert min(box.x0 for box in boxes) > ax.bbox.x1  # right of the axes: no dot is hidden


def test_comparison_colours_each_set_by_who_finds_it(ax, table):
    drawn = dots(plot.gsea_comparison(table, ax=ax)).dropna()
    expected = {BLUE: [], GREY: [], PURPLE: [], RED: []}
    for _, row in table.iterrows():
        vega, gsea = abs(row["log_bf"]) > 3, 10 ** -row["neg_log10_fdr"] < 0.05
        colour = {(1, 1): PURPLE, (1, 0): RED, (0, 1): BLUE, (0, 0): GREY}[vega, gsea]
        expected[colour].append((row["neg_log10_fdr"], min(10, abs(row["log_bf"]))))
    for colour, xy in expected.items():
        of_colour = drawn[drawn["colour"] == to_rgba(colour)[:3]]
        assert xy and positions(of_colour) == positions(pd.DataFrame(xy, columns=["x", "y"]))
    words = [text.get_text() for text in ax.artists[0].get_texts()]
    counts = {"VEGA only": RED, "both": PURPLE, "GSEA only": BLUE}
    assert words == [f"{who} ({len(expected[colour])})" for who, colour in counts.items()]


def test_comparison_zones_meet_at_the_thresholds(ax, table):
    plot.gsea_comparison(table, fdr=0.1, bayes_factor=2, ax=ax)
    zones = {tuple(np.round(p.get_facecolor()[:3], 3)): p.get_bbox() for p in ax.patches}
    red, purple, blue = (zones[tuple(np.round(to_rgba(c)[:3], 3))] for c in (RED, PURPLE, BLUE))
    assert red.x1 == purple.x0 == blue.x0 == pytest.approx(1)
    assert red.y0 == purple.y0 == blue.y1 == 2


def test_comparison_areas_are_the_set_sizes(ax, table):
    drawn = dots(plot.gsea_comparison(table, ax=ax))
    area = {(round(d.x, 6), round(d.y, 6)): d.area for d in drawn.itertuples()}
    for row in table.itertuples():
        key = round(row.neg_log10_fdr, 6), round(min(10, abs(row.log_bf)), 6)
        assert area[key] == pytest.approx(dot_area(row.n_genes))


def test_wrapped_names_lose_nothing():
    name = "REACTOME_NOREPINEPHRINE_NEUROTRANSMITTER_RELEASE_CYCLE_" + "X" * 40
    lines = plot.wrapped(name, 28).split("\n")
    assert " ".join(lines) == name.removeprefix("REACTOME_").replace("_", " ")
    assert max(map(len, lines[:-1])) <= 28


@pytest.mark.parametrize("seed", range(10))
def test_spread_is_the_least_squares_solution(seed):
    rng = np.random.default_rng(seed)
    n = 5
    sizes = rng.uniform(0.05, 0.15, n)
    centres = rng.choice([0.0, 0.2, 0.5, 0.95, 1.0], n) + rng.normal(0, 1e-3, n)
    order = np.argsort(centres)
    gaps = [
        {"type": "ineq", "fun": lambda c, i=i, j=j: c[j] - c[i] - (sizes[i] + sizes[j]) / 2}
        for i, j in pairwise(order)
    ]
    bounds = [(s / 2, 1 - s / 2) for s in sizes]
    best = minimize(
        lambda c: ((c - centres) ** 2).sum(), np.full(n, 0.5), bounds=bounds, constraints=gaps
    )
    np.testing.assert_allclose(spread(centres, sizes), best.x, atol=2e-3)


def test_spread_stands_out_at_both_ends_where_there_is_no_room():
    np.testing.assert_allclose(spread(np.zeros(4), np.full(4, 0.5)), [-0.25, 0.25, 0.75, 1.25])
    assert spread(np.zeros(0), np.zeros(0)).size == 0
