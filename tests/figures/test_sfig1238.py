"""Supplementary Figures 1, 2, 3 and 8: bars and boxes are the numbers of their tables."""

import numpy as np
import pytest
from helpers.drawn import module, page, panel
from helpers.figure_runs import (
    KANG,
    RETINA,
    S1_COLUMNS,
    S3_COLUMNS,
    VARIANTS,
    results_of,
    silhouette_tables,
)
from helpers.figure_runs import (
    latents as planted_latents,
)
from helpers.legible import assert_legible
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex, to_rgba
from matplotlib.container import BarContainer
from matplotlib.legend import Legend
from matplotlib.patches import PathPatch

from scripts.common.gmvs import INTERFERON
from scripts.figures import layout
from scripts.figures.data import FigureData
from scripts.figures.schematic import FREE, SETS
from scripts.figures.sfig1_architectures import ARCHITECTURES, KEY
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
def latents():
    return planted_latents()


@pytest.fixture
def tables():
    return silhouette_tables()


def shown(latents, tables):
    return FigureData({name: results_of(cells) for name, cells in latents.items()}, tables)


def containers(ax):
    return [c for c in ax.containers if isinstance(c, BarContainer)]


def ticks(ax):
    return [t.get_text().replace("\n", " ") for t in ax.get_xticklabels()]


def texts(part):
    return [t.get_text() for t in part.texts]


# ---------------------------------------------------------------- Supplementary Figure 1


def test_s1_bars_are_means_of_the_first_seed_s_folds_with_their_sd(latents, tables):
    (ax,) = panel("sfig1", "b", shown(latents, tables)).axes
    assert ticks(ax) == ["condition", "cell type, control cells", "cell type, stimulated cells"]
    found = tables["kang_architectures_sweep"]
    found = found[found["seed"] == 3]
    (segments,) = (c.get_segments() for c in ax.collections)
    bar_ends = {round(x[0], 6): y for x, y in (np.transpose(s) for s in segments)}
    for bars, variant in zip(containers(ax), VARIANTS, strict=True):
        values = found.loc[found["variant"] == variant, S1_COLUMNS].to_numpy()
        assert values.shape == (10, 3)
        mean = values.sum(axis=0) / 10
        sd = np.sqrt(((values - mean) ** 2).sum(axis=0) / 9)
        np.testing.assert_allclose([b.get_height() for b in bars], mean)
        ends = [bar_ends[round(b.get_x() + b.get_width() / 2, 6)] for b in bars]
        np.testing.assert_allclose(ends, np.column_stack([mean - sd, mean + sd]))
    legend = ax.get_legend()
    assert [t.get_text() for t in legend.get_texts()] == NAMES
    assert not ax.texts  # numbers would stand in the error bars


def test_s1_boxes_are_the_losses_of_the_first_seed_s_folds(latents, tables):
    (ax,) = panel("sfig1", "c", shown(latents, tables)).axes
    assert ticks(ax) == NAMES
    found = tables["kang_architectures_sweep"]
    found = found[found["seed"] == 3].sort_values("fold")
    losses = [found.loc[found["variant"] == v, "validation_loss"] for v in VARIANTS]
    ends = [
        (p.get_path().vertices[:, 1].min(), p.get_path().vertices[:, 1].max())
        for p in ax.patches
        if isinstance(p, PathPatch)
    ]
    np.testing.assert_allclose(ends, [np.percentile(x, [25, 75]) for x in losses])
    flat = [line for line in ax.lines if len(set(line.get_ydata())) == 1 and len(line.get_xdata())]
    medians = [np.median(x) for x in losses]
    assert set(np.round(medians, 6)) <= {round(line.get_ydata()[0], 6) for line in flat}
    dots = [c.get_offsets() for c in ax.collections if isinstance(c, PathCollection)]
    for place, (found, values) in enumerate(zip(dots, losses, strict=True)):
        np.testing.assert_allclose(sorted(found[:, 1]), sorted(values))  # ten each
        assert np.abs(found[:, 0] - place).max() < 0.3


def test_s1_gives_each_architecture_one_colour_in_all_panels(latents, tables):
    a, b, c = (panel("sfig1", letter, shown(latents, tables)).axes[0] for letter in "abc")
    assert [architecture.name for architecture in ARCHITECTURES.values()] == NAMES
    colours = [architecture.colour for architecture in ARCHITECTURES.values()]
    assert len(set(colours)) == 4 and set(colours) <= set(COLOURS)
    assert not set(colours) & set(SETS)  # which are colours of gene sets in panel a
    drawn = [to_hex(bars[0].get_facecolor()) for bars in containers(b)]
    boxes = [to_hex(p.get_facecolor()[:3]) for p in c.patches if isinstance(p, PathPatch)]
    names = {t.get_text(): t.get_position() for t in a.texts}
    markers = {
        tuple(place): to_hex(scatter.get_facecolors()[0])
        for scatter in a.collections
        if isinstance(scatter, PathCollection)
        for place in scatter.get_offsets()
    }
    squares = []
    for name in NAMES:
        x, y = names[name]
        ((_, colour),) = [
            (place, colour)
            for place, colour in markers.items()
            if 0 < x - place[0] < 0.2 and abs(y - place[1]) < 0.02
        ]
        squares.append(colour)
    assert drawn == boxes == squares == [colour.lower() for colour in colours]


@pytest.mark.parametrize("i", range(4))
def test_s1a_masks_what_is_sparse_and_connects_what_is_deep(latents, tables, i):
    part = panel("sfig1", "a", shown(latents, tables))
    ax = part.axes[0]
    width, height = layout.inches(part)
    # Lines of this architecture's quarter, by half: left or right of its latent variables.
    wide, high = width / 2, (height - KEY) / 2
    left, bottom = i % 2 * wide, KEY + (1 - i // 2) * high
    counts = {"encoder": {}, "decoder": {}}
    for lines in (c for c in ax.collections if isinstance(c, LineCollection)):
        colour = to_hex(lines.get_colors()[0])
        for (x0, y0), (x1, _) in lines.get_segments():
            x = (x0 + x1) / 2 - left
            if 0 < x < wide and bottom < y0 < bottom + high:
                half = counts["encoder" if x < 1.75 else "decoder"]
                half[colour] = half.get(colour, 0) + 1
    sparse = {"encoder": i in (0, 2), "decoder": i in (0, 1)}
    for half, moments in (("encoder", 2), ("decoder", 1)):  # mean and variance: twice the lines
        gene_sets = {colour.lower(): len(genes) for colour, genes in SETS.items()}
        masked = {c: n for c, n in counts[half].items() if c in gene_sets}
        free = counts[half].get(FREE.lower(), 0)
        if sparse[half]:
            assert masked == {c: moments * n for c, n in gene_sets.items()}
            assert free == 8 * moments
        else:
            assert not masked and not free
            assert counts[half]["#cccccc"] == 8 * 6 + 6 * 6 + 6 * 5 * moments


# ---------------------------------------------------------------- Supplementary Figures 2 and 3


def silhouettes(tables, models, columns):
    """Of the first seed, columns x models."""
    return [[tables[f"{m}_silhouettes"].iloc[0][c] for m in models] for c in columns]


def test_s2_bars_are_the_silhouettes_of_the_first_seed(latents, tables):
    for model, value in zip(RETINA, (0.0380, 0.0024, -0.0059), strict=True):
        tables[f"{model}_silhouettes"].loc[0, "silhouette_batch"] = value
    batch, types = panel("sfig2", "g", shown(latents, tables)).axes
    assert (ticks(batch), ticks(types)) == (["batch"], ["cell type"])
    expected = silhouettes(tables, RETINA, ["silhouette_batch", "silhouette_cell_type"])
    for ax, values in zip((batch, types), expected, strict=True):
        np.testing.assert_allclose([c[0].get_height() for c in containers(ax)], values)
        assert all(c.errorbar is None for c in containers(ax))
    assert texts(batch) == ["0.0380", "0.0024", "−0.0059"]
    legend = batch.get_legend()
    assert [t.get_text() for t in legend.get_texts()] == ["PCA", "linear scVI", "VEGA"]
    colours = [[to_hex(c[0].get_facecolor()) for c in containers(ax)] for ax in (batch, types)]
    assert colours[0] == colours[1] and len(set(colours[0])) == 3
    assert not {c.upper() for c in colours[0]} & set(palette(2))  # which are the batches'


def test_s3_names_what_the_published_bars_are_and_adds_the_true_condition(latents, tables):
    (ax,) = panel("sfig3", "d", shown(latents, tables)).axes
    assert ticks(ax) == [
        "cell type, all cells (published as “Condition”)",
        "cell type, control cells",
        "cell type, stimulated cells",
        "condition (not in the paper)",
    ]
    heights = np.array([[bar.get_height() for bar in c] for c in containers(ax)])
    np.testing.assert_allclose(heights.T, silhouettes(tables, KANG, S3_COLUMNS))
    (guide,) = [line for line in ax.lines if len(set(line.get_xdata())) == 1]
    edges = [bar.get_x() + d for c in containers(ax) for bar in c for d in (0, bar.get_width())]
    assert sum(x < guide.get_xdata()[0] for x in edges) == 2 * 3 * 3  # the published ones
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "mask + PCA",
        "binary decoder",
        "trainable decoder (VEGA)",
    ]
    written = sorted(float(t.replace("−", "-")) for t in texts(ax))
    np.testing.assert_allclose(written, np.sort(heights, axis=None), atol=5.1e-4)
    colours = {to_hex(c[0].get_facecolor()).upper() for c in containers(ax)}
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
    latents, tables, name, letters, models, column
):
    sizes = []
    for letter, model in zip(letters, models, strict=True):
        part = panel(name, letter, shown(latents, tables))
        (ax,) = part.axes
        cells = latents[model]
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
            assert [t.get_text() for t in legends[0].get_texts()] == list(labels.categories)
        else:
            assert not legends
        width, height = layout.inches(part)
        box = ax.get_position()
        sizes.append((box.width * width, box.height * height))
    np.testing.assert_allclose(sizes, [sizes[0]] * 3)  # inches: comparable shapes


def test_s3_markers_are_the_conditions(latents, tables):
    (ax,) = panel("sfig3", "c", shown(latents, tables)).axes
    control, stimulated = ax.collections
    cells = latents["kang"]
    for dots, value in ((control, "control"), (stimulated, "stimulated")):
        rows = (cells.obs["condition"] == value).to_numpy()
        np.testing.assert_allclose(dots.get_offsets(), cells.obsm["X_umap"][rows])
    shapes = [len(dots.get_paths()[0].vertices) for dots in (control, stimulated)]
    assert shapes[0] == 4 and shapes[1] > 10  # triangles and circles
    keys = {key.get_title().get_text(): key for key in ax.findobj(Legend)}
    assert list(keys) == ["cell type", "condition"]
    assert [t.get_text() for t in keys["condition"].get_texts()] == ["control", "stimulated"]


# ---------------------------------------------------------------- Supplementary Figure 8


def test_s8_shows_conditions_and_interferon_signaling(latents, tables):
    cells = latents["kang_counts"]
    cells.obs["cell_type"] = np.nan  # the count model takes cells without a type, too
    (ax,) = panel("sfig8", "a", shown(latents, tables)).axes
    (dots,) = ax.collections
    stimulated = cells.obs["condition"].cat.codes
    np.testing.assert_allclose(
        dots.get_facecolors()[:, :3], [to_rgba(COLOURS[code])[:3] for code in stimulated]
    )
    ax = panel("sfig8", "b", shown(latents, tables)).axes[0]
    (dots,) = ax.collections
    np.testing.assert_allclose(dots.get_array(), values_of(cells, INTERFERON))
    assert ax.get_title() == "INTERFERON SIGNALING"


def test_s8_says_that_the_collection_has_no_interferon_signaling(latents, tables):
    cells = latents["kang_counts"]
    cells.var_names = ["A", "B", "C"]
    part = panel("sfig8", "b", shown(latents, tables))
    assert not part.axes
    assert texts(part) == ["no GMV\nINTERFERON SIGNALING\nin this collection"]


# ---------------------------------------------------------------- what is missing


@pytest.mark.parametrize("fault", ["NaN", "no column"])
def test_an_unknown_silhouette_is_a_dash_in_its_place(latents, tables, fault):
    lost = {
        "kang_architectures_sweep": "silhouette_type_control",
        "retina_linear_scvi_silhouettes": "silhouette_cell_type",
        "kang_binary_silhouettes": "silhouette_condition",
    }
    for name, column in lost.items():
        if fault == "NaN":
            tables[name][column] = np.nan
        else:
            tables[name] = tables[name].drop(columns=column)
    for name, letter, axis, dashes in (
        ("sfig1", "b", 0, [1, 1, 1, 1]),
        ("sfig2", "g", 1, [0]),
        ("sfig3", "d", 0, [3]),
    ):
        ax = panel(name, letter, shown(latents, tables)).axes[axis]
        found = [t.get_position()[0] for t in ax.texts if t.get_text() == "–"]
        assert [round(x) for x in found] == dashes
        assert not {"nan", "NaN"} & set(texts(ax))


def test_a_single_fold_has_no_error_bar_and_an_architecture_without_any_is_a_dash(latents, tables):
    members = tables["kang_architectures_sweep"]
    kept = (members["variant"] != "vae") & (members["fold"] == 1)
    tables["kang_architectures_sweep"] = members[kept]
    (ax,) = panel("sfig1", "b", shown(latents, tables)).axes
    assert [t.get_text() for t in ax.texts] == ["–"] * 3
    assert not [s for c in ax.collections for s in c.get_segments() if len(s)]
    assert sum(map(len, containers(ax))) == 3 * 3
    assert [t.get_text() for t in ax.get_legend().get_texts()] == NAMES
    key = [to_hex(patch.get_facecolor()) for patch in ax.get_legend().get_patches()]
    assert key == [architecture.colour.lower() for architecture in ARCHITECTURES.values()]
    (ax,) = panel("sfig1", "c", shown(latents, tables)).axes
    assert ticks(ax) == NAMES
    assert [(t.get_text(), t.get_position()[0]) for t in ax.texts] == [("–", 3)]


def test_panels_without_anything_to_show_say_so(latents, tables):
    empty = {name: table.iloc[:0] for name, table in tables.items()}
    for cells in latents.values():
        cells.obs = cells.obs[[]]
        cells.var_names = ["A", "B", "C"]
    for name in FIGURES:
        for letter, found in module(name).PANELS.items():
            part = panel(name, letter, shown(latents, empty))
            assert not found.table or (not part.axes and len(part.texts) == 1), (name, letter)


def test_labels_of_which_none_is_known_are_no_labels(latents, tables):
    for cells in latents.values():
        cells.obs = cells.obs.assign(cell_type=np.nan, batch=np.nan, condition=np.nan)
    assert texts(panel("sfig2", "a", shown(latents, tables))) == ["these cells have no batch"]
    assert texts(panel("sfig3", "c", shown(latents, tables))) == ["these cells have no cell type"]
    assert texts(panel("sfig8", "a", shown(latents, tables))) == ["these cells have no condition"]


def test_cells_without_conditions_all_have_one_marker(latents, tables):
    cells = latents["kang"]
    cells.obs = cells.obs[["cell_type"]]
    (ax,) = panel("sfig3", "c", shown(latents, tables)).axes
    (dots,) = ax.collections
    assert len(dots.get_offsets()) == cells.n_obs
    assert [key.get_title().get_text() for key in ax.findobj(Legend)] == ["cell type"]


# ---------------------------------------------------------------- the pages


def spoilt(fault, latents, tables):
    """Latent spaces and tables with a fault."""
    if fault == "unknown silhouettes":
        for table in tables.values():
            for column in table.columns[table.columns.str.startswith("silhouette")]:
                table.loc[::2, column] = np.nan
    if fault == "negative and large":
        for table in tables.values():
            columns = table.columns[table.columns.str.startswith("silhouette")]
            table[columns] = table[columns] * 8 - 0.3
        tables["kang_architectures_sweep"]["validation_loss"] *= 31
    if fault == "empty":
        tables = {name: table.iloc[:0] for name, table in tables.items()}
        for cells in latents.values():
            cells.var_names = ["A", "B", "C"]
    return latents, tables


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("fault", ["unknown silhouettes", "negative and large", "empty"])
def test_no_text_of_the_page_covers_another_or_leaves_it(name, fault, latents, tables, monkeypatch):
    assert_legible(page(name, shown(*spoilt(fault, latents, tables))), monkeypatch)
