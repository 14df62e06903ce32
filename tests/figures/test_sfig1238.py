"""Supplementary Figures 1, 2, 3 and 8: bars and boxes are the numbers of their tables."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from helpers.drawn import bars, error_bars, legend, middles, module, page, panel, words
from helpers.figure_runs import KANG, RETINA, S1_COLUMNS, S3_COLUMNS, VARIANTS, planted
from helpers.legible import assert_legible
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex, to_rgba
from matplotlib.legend import Legend
from matplotlib.patches import PathPatch

from scripts.common.gmvs import INTERFERON
from scripts.figures import layout
from scripts.figures.schematic import FREE, SETS
from scripts.figures.sfig1 import ARCHITECTURES, KEY
from vega.plot.colours import COLOURS, palette
from vega.values import values_of

FIGURES = ("sfig1", "sfig2", "sfig3", "sfig8")
NAMES = [  # of the architectures, in the paper's order
    "sparse encoder, sparse decoder",
    "deep encoder, sparse decoder (VEGA)",
    "sparse encoder, deep decoder",
    "VAE",
]


@pytest.fixture
def data():
    return planted("sfig1")  # and all of the other three


def first_seed(data):
    """The cross-validation of the architectures with the first of its two seeds."""
    table = data.tables["kang_architectures_sweep"]
    return table[table["seed"] == 1].sort_values("fold")


def colour(artist):
    return to_hex(artist.get_facecolor()[:3])


# ---------------------------------------------------------------- Supplementary Figure 1


def test_s1_bars_are_means_of_the_first_seed_s_folds_with_their_sd(data):
    (ax,) = panel("sfig1", "b", data).axes
    assert words(ax.get_xticklabels()) == [
        "condition", "cell type, control cells", "cell type, stimulated cells"
    ]  # fmt: skip
    found, ends = first_seed(data), error_bars(ax)
    for group, variant in zip(bars(ax), VARIANTS, strict=True):
        values = found.loc[found["variant"] == variant, S1_COLUMNS].to_numpy()
        assert values.shape == (10, 3)
        mean = values.sum(axis=0) / 10
        sd = np.sqrt(((values - mean) ** 2).sum(axis=0) / 9)
        np.testing.assert_allclose([b.get_height() for b in group], mean)
        drawn = [ends[round(x, 6)] for x in middles(group)]
        np.testing.assert_allclose(drawn, np.column_stack([mean - sd, mean + sd]))
    assert legend(ax) == NAMES
    assert not ax.texts  # numbers would overlap the error bars


def test_s1_boxes_are_the_losses_of_the_first_seed_s_folds(data):
    (ax,) = panel("sfig1", "c", data).axes
    assert words(ax.get_xticklabels()) == NAMES
    found = first_seed(data)
    losses = [found.loc[found["variant"] == v, "validation_loss"] for v in VARIANTS]
    boxes = [p.get_path().vertices[:, 1] for p in ax.patches if isinstance(p, PathPatch)]
    ends = [(box.min(), box.max()) for box in boxes]
    np.testing.assert_allclose(ends, [np.percentile(x, [25, 75]) for x in losses])
    flat = [line for line in ax.lines if len(set(line.get_ydata())) == 1 and len(line.get_xdata())]
    medians = [np.median(x) for x in losses]
    assert set(np.round(medians, 6)) <= {round(line.get_ydata()[0], 6) for line in flat}
    dots = [c.get_offsets() for c in ax.collections if isinstance(c, PathCollection)]
    for place, (found, values) in enumerate(zip(dots, losses, strict=True)):
        np.testing.assert_allclose(sorted(found[:, 1]), sorted(values))  # ten each
        assert np.abs(found[:, 0] - place).max() < 0.3


def test_s1_gives_each_architecture_one_colour_in_all_panels(data):
    a, b, c = (panel("sfig1", letter, data).axes[0] for letter in "abc")
    assert [architecture.name for architecture in ARCHITECTURES.values()] == NAMES
    colours = [architecture.colour for architecture in ARCHITECTURES.values()]
    assert len(set(colours)) == 4 and set(colours) <= set(COLOURS)
    assert not set(colours) & set(SETS)  # which are colours of gene sets in panel a
    drawn = [colour(group[0]) for group in bars(b)]
    boxes = [colour(p) for p in c.patches if isinstance(p, PathPatch)]
    markers = [c for c in a.collections if isinstance(c, PathCollection)]
    squares = []
    for name in NAMES:
        (title,) = (t.get_position() for t in a.texts if t.get_text() == name)
        squares += [
            to_hex(nodes.get_facecolors()[0])
            for nodes in markers
            for x, y in title - nodes.get_offsets()
            if 0 < x < 0.2 and abs(y) < 0.02
        ]
    assert drawn == boxes == squares == [c.lower() for c in colours]


@pytest.mark.parametrize("i", range(4))
def test_s1a_masks_what_is_sparse_and_connects_what_is_deep(data, i):
    part = panel("sfig1", "a", data)
    ax = part.axes[0]
    width, height = layout.inches(part)
    # Lines of this architecture's quarter, by half: left or right of its latent variables.
    wide, high = width / 2, (height - KEY) / 2
    left, bottom = i % 2 * wide, KEY + (1 - i // 2) * high
    counts = {"encoder": Counter(), "decoder": Counter()}
    for lines in (c for c in ax.collections if isinstance(c, LineCollection)):
        for (x0, y0), (x1, _) in lines.get_segments():
            x = (x0 + x1) / 2 - left
            if 0 < x < wide and bottom < y0 < bottom + high:
                counts["encoder" if x < 1.75 else "decoder"][to_hex(lines.get_colors()[0])] += 1
    sparse = {"encoder": i in (0, 2), "decoder": i in (0, 1)}
    for half, moments in (("encoder", 2), ("decoder", 1)):  # mean and variance: twice the lines
        gene_sets = {colour.lower(): len(genes) for colour, genes in SETS.items()}
        masked = {c: n for c, n in counts[half].items() if c in gene_sets}
        free = counts[half][FREE.lower()]
        if sparse[half]:
            assert masked == {c: moments * n for c, n in gene_sets.items()}
            assert free == 8 * moments
        else:
            assert not masked and not free
            assert counts[half]["#cccccc"] == 8 * 6 + 6 * 6 + 6 * 5 * moments


# ---------------------------------------------------------------- Supplementary Figures 2 and 3


def silhouettes(data, models, columns):
    """Of the first seed, columns x models."""
    return [[data.tables[f"{m}_silhouettes"].iloc[0][c] for m in models] for c in columns]


def test_s2_bars_are_the_silhouettes_of_the_first_seed(data):
    for model, value in zip(RETINA, (0.0380, 0.0024, -0.0059), strict=True):
        data.tables[f"{model}_silhouettes"].loc[0, "silhouette_batch"] = value
    axes = batch, types = panel("sfig2", "g", data).axes
    assert [words(ax.get_xticklabels()) for ax in axes] == [["batch"], ["cell type"]]
    expected = silhouettes(data, RETINA, ["silhouette_batch", "silhouette_cell_type"])
    for ax, values in zip(axes, expected, strict=True):
        np.testing.assert_allclose([c[0].get_height() for c in bars(ax)], values)
        assert all(c.errorbar is None for c in bars(ax))
    assert words(batch.texts) == ["0.0380", "0.0024", "−0.0059"]
    assert legend(batch) == ["PCA", "linear scVI", "VEGA"]
    one, other = ([colour(c[0]) for c in bars(ax)] for ax in (batch, types))
    assert one == other and len(set(one)) == 3
    assert not {c.upper() for c in one} & set(palette(2))  # which are the batches'


def test_s3_names_what_the_published_bars_are_and_adds_the_true_condition(data):
    (ax,) = panel("sfig3", "d", data).axes
    assert words(ax.get_xticklabels()) == [
        "cell type, all cells (published as “Condition”)",
        "cell type, control cells",
        "cell type, stimulated cells",
        "condition (not in the paper)",
    ]
    heights = np.array([[bar.get_height() for bar in c] for c in bars(ax)])
    np.testing.assert_allclose(heights.T, silhouettes(data, KANG, S3_COLUMNS))
    (guide,) = [line for line in ax.lines if len(set(line.get_xdata())) == 1]
    edges = [bar.get_x() + d for c in bars(ax) for bar in c for d in (0, bar.get_width())]
    assert sum(x < guide.get_xdata()[0] for x in edges) == 2 * 3 * 3  # the published ones
    assert legend(ax) == ["mask + PCA", "binary decoder", "trainable decoder (VEGA)"]
    written = sorted(float(t.replace("−", "-")) for t in words(ax.texts))
    np.testing.assert_allclose(written, np.sort(heights, axis=None), atol=5.1e-4)
    colours = {colour(c[0]).upper() for c in bars(ax)}
    assert len(colours) == 3 and not colours & set(palette(7))  # which are the cell types'


@pytest.mark.parametrize(
    ("name", "letters", "models", "column"),
    [
        ("sfig2", "abc", RETINA, "batch"),
        ("sfig2", "def", RETINA, "cell_type"),
        ("sfig3", "abc", KANG, "cell_type"),
    ],
)
def test_embeddings_show_each_method_s_cells_in_the_same_colours(
    data, name, letters, models, column
):
    sizes = []
    for letter, model in zip(letters, models, strict=True):
        part = panel(name, letter, data)
        (ax,) = part.axes
        cells = data[model].latent
        labels = cells.obs[column].cat
        colour_of = palette(len(labels.categories))
        drawn = {
            tuple(place): tuple(colour[:3])
            for dots in ax.collections
            for place, colour in zip(dots.get_offsets(), dots.get_facecolors(), strict=True)
        }
        assert len(drawn) == cells.n_obs
        for place, code in zip(cells.obsm["X_umap"], labels.codes, strict=True):
            np.testing.assert_allclose(drawn[tuple(place)], to_rgba(colour_of[code])[:3])
        legends = ax.findobj(Legend)
        if model == models[-1]:
            assert words(legends[0].get_texts()) == list(labels.categories)
        else:
            assert not legends
        sizes.append(ax.get_position().size * layout.inches(part))
    np.testing.assert_allclose(sizes, [sizes[0]] * 3)  # inches: comparable shapes


def test_s3_markers_are_the_conditions(data):
    (ax,) = panel("sfig3", "c", data).axes
    cells = data["kang"].latent
    for dots, value in zip(ax.collections, ("control", "stimulated"), strict=True):
        rows = (cells.obs["condition"] == value).to_numpy()
        np.testing.assert_allclose(dots.get_offsets(), cells.obsm["X_umap"][rows])
    shapes = [len(dots.get_paths()[0].vertices) for dots in ax.collections]
    assert shapes[0] == 4 and shapes[1] > 10  # triangles and circles
    keys = {key.get_title().get_text(): key for key in ax.findobj(Legend)}
    assert list(keys) == ["cell type", "condition"]
    assert words(keys["condition"].get_texts()) == ["control", "stimulated"]


# ---------------------------------------------------------------- Supplementary Figure 8


def test_s8_shows_conditions_and_interferon_signaling(data):
    cells = data["kang_counts"].latent
    cells.obs["cell_type"] = np.nan  # the count model takes cells without a type, too
    (ax,) = panel("sfig8", "a", data).axes
    (dots,) = ax.collections
    expected = [to_rgba(COLOURS[code])[:3] for code in cells.obs["condition"].cat.codes]
    np.testing.assert_allclose(dots.get_facecolors()[:, :3], expected)
    ax = panel("sfig8", "b", data).axes[0]
    (dots,) = ax.collections
    np.testing.assert_allclose(dots.get_array(), values_of(cells, INTERFERON))
    assert ax.get_title() == "INTERFERON SIGNALING"


# ---------------------------------------------------------------- what is missing


@pytest.mark.parametrize("oddity", ["NaN", "no column"])
def test_an_unknown_silhouette_is_a_dash_in_its_place(data, oddity):
    lost = {
        "kang_architectures_sweep": "silhouette_type_control",
        "retina_linear_scvi_silhouettes": "silhouette_cell_type",
        "kang_binary_silhouettes": "silhouette_condition",
    }
    for name, column in lost.items():
        if oddity == "NaN":
            data.tables[name][column] = np.nan
        else:
            data.tables[name] = data.tables[name].drop(columns=column)
    for name, letter, axis, dashes in (
        ("sfig1", "b", 0, [1, 1, 1, 1]),
        ("sfig2", "g", 1, [0]),
        ("sfig3", "d", 0, [3]),
    ):
        ax = panel(name, letter, data).axes[axis]
        found = [t.get_position()[0] for t in ax.texts if t.get_text() == "–"]
        assert [round(x) for x in found] == dashes
        assert not {"nan", "NaN"} & set(words(ax.texts))


def test_a_single_fold_has_no_error_bar_and_an_architecture_without_any_is_a_dash(data):
    folds = data.tables["kang_architectures_sweep"]
    kept = (folds["variant"] != "vae") & (folds["fold"] == 1)
    data.tables["kang_architectures_sweep"] = folds[kept]
    (ax,) = panel("sfig1", "b", data).axes
    assert words(ax.texts) == ["–"] * 3
    assert not [s for c in ax.collections for s in c.get_segments() if len(s)]
    assert sum(map(len, bars(ax))) == 3 * 3
    assert legend(ax) == NAMES
    key = [colour(patch) for patch in ax.get_legend().get_patches()]
    assert key == [architecture.colour.lower() for architecture in ARCHITECTURES.values()]
    (ax,) = panel("sfig1", "c", data).axes
    assert words(ax.get_xticklabels()) == NAMES
    assert [(t.get_text(), t.get_position()[0]) for t in ax.texts] == [("–", 3)]


def test_labels_of_which_none_is_known_are_no_labels(data):
    for results in data.models.values():
        obs = results.latent.obs
        results.latent.obs = obs.assign(cell_type=np.nan, batch=np.nan, condition=np.nan)
    for name, letter, label in (
        ("sfig2", "a", "batch"), ("sfig3", "c", "cell type"), ("sfig8", "a", "condition")
    ):  # fmt: skip
        assert words(panel(name, letter, data).texts) == [f"these cells have no {label}"]


def test_cells_without_conditions_all_have_one_marker(data):
    cells = data["kang"].latent
    cells.obs = cells.obs[["cell_type"]]
    (ax,) = panel("sfig3", "c", data).axes
    (dots,) = ax.collections
    assert len(dots.get_offsets()) == cells.n_obs
    assert [key.get_title().get_text() for key in ax.findobj(Legend)] == ["cell type"]


def emptied(data):
    """Without rows of tables and without the GMVs that are shown."""
    for results in data.models.values():
        results.latent.var_names = ["A", "B", "C"]
    return replace(data, tables={name: table.iloc[:0] for name, table in data.tables.items()})


def test_panels_without_anything_to_show_say_so(data):
    empty = emptied(data)
    for results in data.models.values():
        results.latent.obs = results.latent.obs[[]]
    for name in FIGURES:
        for letter, found in module(name).PANELS.items():
            part = panel(name, letter, empty)
            assert not found.table or (not part.axes and len(part.texts) == 1), (name, letter)
    assert words(part.texts) == ["no GMV INTERFERON SIGNALING in this collection"]


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("oddity", ["unknown silhouettes", "negative and large", "empty"])
def test_no_text_of_the_page_covers_another_or_leaves_it(name, oddity, data, monkeypatch):
    for table in data.tables.values():
        columns = table.columns[table.columns.str.startswith("silhouette")]
        if oddity == "unknown silhouettes":
            table.loc[::2, columns] = np.nan
        if oddity == "negative and large":
            table[columns] = table[columns] * 8 - 0.3
    if oddity == "negative and large":
        data.tables["kang_architectures_sweep"]["validation_loss"] *= 31
    assert_legible(page(name, emptied(data) if oddity == "empty" else data), monkeypatch)
