"""Supplementary Figures 1, 2, 3 and 8: bars and boxes are the numbers of their tables."""

import io
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
import yaml
from anndata import AnnData
from conftest import ROOT
from legible import assert_legible
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex, to_rgba
from matplotlib.container import BarContainer
from matplotlib.legend import Legend
from matplotlib.patches import PathPatch

from scripts.common.config.figures import FigureConfig
from scripts.common.config.studies import Study
from scripts.common.gmvs import INTERFERON
from scripts.figures import layout as page
from scripts.figures.data import FigureData, Results, in_order
from scripts.figures.schematic import FREE, SETS
from scripts.figures.sfig1_architectures import ARCHITECTURES, KEY
from vega.plot.colours import COLOURS, palette
from vega.values import values_of

ENTRIES = {
    name: FigureConfig.model_validate(entry)
    for name, entry in yaml.safe_load((ROOT / "config" / "figures.yaml").read_text()).items()
    if name in ("sfig1", "sfig2", "sfig3", "sfig8")
}
PANELS = [(name, letter) for name, entry in ENTRIES.items() for letter in entry.panels]

NAMES = [  # of the architectures, in the paper's order
    "sparse encoder, sparse decoder",
    "deep encoder, sparse decoder (VEGA)",
    "sparse encoder, deep decoder",
    "VAE",
]
VARIANTS = ["sparse-sparse", "vega", "sparse-deep", "vae"]
S1_COLUMNS = ["silhouette_condition", "silhouette_type_control", "silhouette_type_stimulated"]
RETINA = ["retina_pca", "retina_linear_scvi", "retina"]
KANG = ["kang_mask_pca", "kang_binary", "kang"]
S3_COLUMNS = [  # the three published bars, then the true labels
    "silhouette_type",
    "silhouette_type_control",
    "silhouette_type_stimulated",
    "silhouette_condition",
]
TYPES = {
    "retina": [f"BC{i}" for i in range(13)] + ["Mueller glia", "BC8/BC9"],
    "kang": ["NK", "Dendritic", "CD4T", "B", "FCGR3A+Mono", "CD14+Mono", "CD8T"],
}


def latent(types, seed, n=150):
    """Cells of all types in both conditions and batches, at random places."""
    rng = np.random.default_rng(seed)
    obs = pd.DataFrame(
        {
            "cell_type": np.resize(types, n),
            "condition": rng.choice(["control", "stimulated"], n),
            "batch": rng.choice(["0", "1"], n),
        },
        index=[f"c{i}" for i in range(n)],
    )
    orders = {"cell_type": types, "condition": ["control", "stimulated"], "batch": ["0", "1"]}
    for column, order in orders.items():
        obs[column] = in_order(obs[column], order)
    values = rng.normal(size=(n, 3)).astype(np.float32)
    cells = AnnData(values, obs=obs, var=pd.DataFrame(index=["A", INTERFERON, "B"]))
    cells.obsm["X_umap"] = rng.normal(size=(n, 2))
    return cells


@pytest.fixture
def latents():
    models = {model: latent(TYPES["retina"], i) for i, model in enumerate(RETINA)}
    models |= {model: latent(TYPES["kang"], 9 + i) for i, model in enumerate(KANG)}
    return models | {"kang_counts": latent(TYPES["kang"], 20)}


@pytest.fixture
def tables():
    """As the analysis writes them: two seeds each, of which the first draws the figures."""
    rng = np.random.default_rng(0)

    def one_row_per_seed(model, columns):
        rows = [(model, seed, *rng.normal(0.02, 0.03, len(columns))) for seed in (3, 1)]
        return pd.DataFrame(rows, columns=["model", "seed", *columns])

    folds = [
        (f"m_{v}_{fold}", seed, v, fold, *rng.normal(0.03, 0.04, 4), rng.normal(160 - 4 * i, 3))
        for seed in (3, 1)
        for fold in range(10, 0, -1)
        for i, v in enumerate(reversed(VARIANTS))  # the figure has an order of its own
    ]
    columns = [*S1_COLUMNS, "silhouette_condition_mean", "validation_loss"]
    members = pd.DataFrame(folds, columns=["model", "seed", "variant", "fold", *columns])
    return {
        "kang_architectures_members": members,
        **{
            f"{m}_silhouettes": one_row_per_seed(m, ["silhouette_batch", "silhouette_cell_type"])
            for m in RETINA
        },
        **{f"{m}_silhouettes": one_row_per_seed(m, sorted(S3_COLUMNS)) for m in KANG},
    }


def shown(latents, tables, origin="public"):
    study = Study.model_construct(cell_types=TYPES["kang"])
    models = {name: Results(cells, None, None, study, origin) for name, cells in latents.items()}
    return FigureData(models, tables)


def panel(name, letter, latents, tables):
    """A panel of its own, without the strip above it."""
    return whole_panel(name, letter, latents, tables).subfigs[1]


def whole_panel(name, letter, latents, tables, origin="public"):
    module = import_module(f"scripts.figures.{name}")
    data = shown(latents, tables, origin)
    return page.panel_figure(getattr(module, letter), module.LAYOUT.size(letter), data)


def whole_page(name, latents, tables, origin="public"):
    module, entry = import_module(f"scripts.figures.{name}"), ENTRIES[name]
    panels = {letter: getattr(module, letter) for letter in entry.panels}
    return page.page_figure(panels, module.LAYOUT, entry.title, shown(latents, tables, origin))


def containers(ax):
    return [c for c in ax.containers if isinstance(c, BarContainer)]


def ticks(ax):
    return [t.get_text().replace("\n", " ") for t in ax.get_xticklabels()]


def texts(part):
    return [t.get_text() for t in part.texts]


# ---------------------------------------------------------------- Supplementary Figure 1


def test_s1_bars_are_means_of_the_first_seed_s_folds_with_their_sd(latents, tables):
    (ax,) = panel("sfig1", "b", latents, tables).axes
    assert ticks(ax) == ["condition", "cell type, control cells", "cell type, stimulated cells"]
    found = tables["kang_architectures_members"]
    found = found[found["seed"] == 3]
    for bars, variant in zip(containers(ax), VARIANTS, strict=True):
        values = found.loc[found["variant"] == variant, S1_COLUMNS].to_numpy()
        assert values.shape == (10, 3)
        mean = values.sum(axis=0) / 10
        sd = np.sqrt(((values - mean) ** 2).sum(axis=0) / 9)
        np.testing.assert_allclose([b.get_height() for b in bars], mean)
        (lines,) = bars.errorbar.lines[2]
        ends = np.array([s[:, 1] for s in lines.get_segments()])
        np.testing.assert_allclose(ends, np.column_stack([mean - sd, mean + sd]))
    legend = ax.get_legend()
    assert [t.get_text() for t in legend.get_texts()] == NAMES
    assert not ax.texts  # numbers would stand in the error bars


def test_s1_boxes_are_the_losses_of_the_first_seed_s_folds(latents, tables):
    (ax,) = panel("sfig1", "c", latents, tables).axes
    assert ticks(ax) == NAMES
    found = tables["kang_architectures_members"]
    found = found[found["seed"] == 3].sort_values("fold")
    losses = [found.loc[found["variant"] == v, "validation_loss"] for v in VARIANTS]
    medians = [line.get_ydata()[0] for line in ax.lines if line.get_linewidth() > 1]
    np.testing.assert_allclose(medians, [np.median(x) for x in losses])
    ends = [
        (p.get_path().vertices[:, 1].min(), p.get_path().vertices[:, 1].max())
        for p in ax.patches
        if isinstance(p, PathPatch)
    ]
    np.testing.assert_allclose(ends, [np.percentile(x, [25, 75]) for x in losses])
    dots = [c.get_offsets()[:, 1] for c in ax.collections if isinstance(c, PathCollection)]
    np.testing.assert_allclose(dots, losses)  # ten each, in the order of the folds


def test_s1_gives_each_architecture_one_colour_in_all_panels(latents, tables):
    a, b, c = (panel("sfig1", letter, latents, tables).axes[0] for letter in "abc")
    assert [architecture.name for architecture in ARCHITECTURES.values()] == NAMES
    colours = [architecture.colour for architecture in ARCHITECTURES.values()]
    assert len(set(colours)) == 4 and set(colours) <= set(COLOURS)
    assert not set(colours) & set(SETS)  # which are colours of gene sets in panel a
    drawn = [to_hex(bars[0].get_facecolor()) for bars in containers(b)]
    boxes = [to_hex(p.get_facecolor()) for p in c.patches if isinstance(p, PathPatch)]
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
    part = panel("sfig1", "a", latents, tables)
    ax = part.axes[0]
    width, height = page.inches(part)
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
    batch, types = panel("sfig2", "g", latents, tables).axes
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
    (ax,) = panel("sfig3", "d", latents, tables).axes
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
        part = panel(name, letter, latents, tables)
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
        width, height = page.inches(part)
        box = ax.get_position()
        sizes.append((box.width * width, box.height * height))
    np.testing.assert_allclose(sizes, [sizes[0]] * 3)  # inches: comparable shapes


def test_s3_markers_are_the_conditions(latents, tables):
    (ax,) = panel("sfig3", "c", latents, tables).axes
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
    (ax,) = panel("sfig8", "a", latents, tables).axes
    (dots,) = ax.collections
    stimulated = cells.obs["condition"].cat.codes
    np.testing.assert_allclose(
        dots.get_facecolors()[:, :3], [to_rgba(COLOURS[code])[:3] for code in stimulated]
    )
    ax = panel("sfig8", "b", latents, tables).axes[0]
    (dots,) = ax.collections
    np.testing.assert_allclose(dots.get_array(), values_of(cells, INTERFERON))
    assert ax.get_title() == "INTERFERON SIGNALING"


def test_s8_says_that_the_collection_has_no_interferon_signaling(latents, tables):
    cells = latents["kang_counts"]
    cells.var_names = ["A", "B", "C"]
    part = panel("sfig8", "b", latents, tables)
    assert not part.axes
    assert texts(part) == ["no GMV\nINTERFERON SIGNALING\nin this collection"]


# ---------------------------------------------------------------- what is missing


def test_the_first_seed_draws_the_figures(latents, tables):
    first = {name: table[table["seed"] == 3] for name, table in tables.items()}
    for name, letter in (("sfig1", "b"), ("sfig1", "c"), ("sfig2", "g"), ("sfig3", "d")):
        saved = []
        for found in (first, tables):
            file = io.BytesIO()
            whole_panel(name, letter, latents, found).savefig(
                file, dpi=60, metadata={"Software": None}
            )
            saved.append(file.getvalue())
        assert saved[0] == saved[1]


@pytest.mark.parametrize("fault", ["NaN", "no column"])
def test_an_unknown_silhouette_is_a_dash_in_its_place(latents, tables, fault):
    lost = {
        "kang_architectures_members": "silhouette_type_control",
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
        ax = panel(name, letter, latents, tables).axes[axis]
        found = [t.get_position()[0] for t in ax.texts if t.get_text() == "–"]
        assert [round(x) for x in found] == dashes
        assert not {"nan", "NaN"} & set(texts(ax))


def test_a_single_fold_has_no_error_bar_and_an_architecture_without_any_is_a_dash(latents, tables):
    members = tables["kang_architectures_members"]
    kept = (members["variant"] != "vae") & (members["fold"] == 1)
    tables["kang_architectures_members"] = members[kept]
    (ax,) = panel("sfig1", "b", latents, tables).axes
    assert [t.get_text() for t in ax.texts] == ["–"] * 3
    drawn = [s for lines in ax.collections for s in lines.get_segments() if len(s)]
    assert not drawn
    assert np.isfinite([bar.get_height() for bar in ax.patches]).sum() == 3 * 3
    assert [t.get_text() for t in ax.get_legend().get_texts()] == NAMES
    key = [to_hex(patch.get_facecolor()) for patch in ax.get_legend().get_patches()]
    assert key == [architecture.colour.lower() for architecture in ARCHITECTURES.values()]
    (ax,) = panel("sfig1", "c", latents, tables).axes
    assert ticks(ax) == NAMES
    assert [(t.get_text(), t.get_position()[0]) for t in ax.texts] == [("–", 3)]


def test_panels_without_anything_to_show_say_so(latents, tables):
    empty = {name: table.iloc[:0] for name, table in tables.items()}
    for cells in latents.values():
        cells.obs = cells.obs[[]]
        cells.var_names = ["A", "B", "C"]
    for name, letter in PANELS:
        part = panel(name, letter, latents, empty)
        if (name, letter) != ("sfig1", "a"):  # a schematic
            assert not part.axes and len(part.texts) == 1, (name, letter)


def test_labels_of_which_none_is_known_are_no_labels(latents, tables):
    for cells in latents.values():
        cells.obs = cells.obs.assign(cell_type=np.nan, batch=np.nan, condition=np.nan)
    assert texts(panel("sfig2", "a", latents, tables)) == ["these cells have no batch"]
    assert texts(panel("sfig3", "c", latents, tables)) == ["these cells have no cell type"]
    assert texts(panel("sfig8", "a", latents, tables)) == ["these cells have no condition"]


def test_cells_without_conditions_all_have_one_marker(latents, tables):
    cells = latents["kang"]
    cells.obs = cells.obs[["cell_type"]]
    (ax,) = panel("sfig3", "c", latents, tables).axes
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
        tables["kang_architectures_members"]["validation_loss"] *= 31
    if fault == "empty":
        tables = {name: table.iloc[:0] for name, table in tables.items()}
        for cells in latents.values():
            cells.var_names = ["A", "B", "C"]
    return latents, tables


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize("fault", ["none", "unknown silhouettes", "negative and large", "empty"])
def test_no_text_of_the_page_covers_another_or_leaves_it(name, fault, latents, tables, monkeypatch):
    figure = whole_page(name, *spoilt(fault, latents, tables), "simulated")
    assert_legible(figure, monkeypatch)


@pytest.mark.parametrize(("name", "letter"), PANELS)
def test_no_text_of_a_panel_covers_another_or_leaves_it(name, letter, latents, tables, monkeypatch):
    figure = whole_panel(name, letter, latents, tables, "simulated")
    assert_legible(figure, monkeypatch)


def test_all_panels_of_the_layouts_are_in_the_configuration():
    for name, entry in ENTRIES.items():
        module = import_module(f"scripts.figures.{name}")
        assert set("".join(module.LAYOUT.mosaic)) - {"."} == set(entry.panels)
