"""Figure 2 and Supplementary Figure 6 show the effects that the data have, and no others."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from helpers.drawn import contents, legend, panel, texts, words
from helpers.drugs import HALLMARKS, planted_results
from helpers.legible import assert_legible
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver
from scipy.cluster.hierarchy import leaves_list
from scipy.spatial.distance import correlation

from scripts.common.clustering import clustered, column_linkage, tree_in_order
from scripts.common.mixseq import DRUGS, cell_lines, few_cells, line_bayes_factors
from scripts.figures.clustered_heatmap import clustered_heatmap
from scripts.figures.data import FigureData
from scripts.figures.fig2 import DRUG_COLOURS
from scripts.figures.layout import save
from scripts.figures.mixseq import median_shifts
from vega.gene_sets import readable
from vega.plot.colours import COLOURS, MISSING
from vega.values import values_of

TRAMETINIB = DRUGS["Trametinib"]


@pytest.fixture(scope="module")
def models():
    return planted_results()


def meshes(figure):
    """Heatmaps of a panel, each with its axes."""
    found = [(ax, m) for ax in figure.axes for m in ax.collections if isinstance(m, QuadMesh)]
    return [(ax, mesh) for ax, mesh in found if mesh.get_array().shape[:1] == (50,)]


def strip_colours(axes):
    """Colours of a strip, one per column of its heatmap."""
    return axes.collections[0].get_array().reshape(-1, 3)


def without(results, *columns):
    """Results of a model without its comparisons, or without these GMVs."""
    if not columns:
        return replace(results, differential=results.differential.iloc[:0])
    latent = results.latent
    return replace(results, latent=latent[:, ~latent.var_names.isin(columns)])


# ---------------------------------------------------------------- arrows


def test_arrows_go_from_the_median_before_to_the_median_after(models):
    latent = models[TRAMETINIB].latent
    table = contents("fig2", FigureData(models))["a"]
    shifts = median_shifts(table, "Trametinib")
    assert set(shifts.index) == set(latent.obs["cell_line"])
    for line, row in shifts.iterrows():
        for end, condition in (("0", "DMSO"), ("1", "Trametinib")):
            cells = (latent.obs["cell_line"] == line) & (latent.obs["condition"] == condition)
            expected = np.median(latent.obsm["X_tsne"][cells.to_numpy()], axis=0)
            np.testing.assert_allclose(row[[f"x{end}", f"y{end}"]], expected)
    without = table[(table["condition"] == "DMSO") | (table["cell_line"] != "L0_SKIN")]
    assert set(shifts.index) - set(median_shifts(without, "Trametinib").index) == {"L0_SKIN"}
    assert median_shifts(table[table["condition"] == "DMSO"], "Trametinib").empty

    enough = panel("fig2", "a", FigureData(models)).axes[0].collections[-1]
    shifts = shifts.drop(few_cells(latent.obs, "Trametinib"))
    np.testing.assert_allclose(enough.XY, shifts[["x0", "y0"]])
    ends = enough.XY + np.column_stack([enough.U, enough.V])
    np.testing.assert_allclose(ends, shifts[["x1", "y1"]])
    assert (enough.angles, enough.scale_units, enough.scale) == ("xy", "xy", 1)


@pytest.mark.parametrize(
    ("name", "letter", "drug"),
    [("fig2", "a", "Trametinib"), *zip(["sfig6"] * 3, "abc", list(DRUGS)[1:], strict=True)],
)
def test_each_drug_is_orange_dmso_blue_and_every_line_has_an_arrow(models, name, letter, drug):
    figure = panel(name, letter, FigureData(models))
    (ax,) = figure.axes
    latent = models[DRUGS[drug]].latent
    (dots,) = (c for c in ax.collections if not isinstance(c, Quiver))
    few, enough = (c for c in ax.collections if isinstance(c, Quiver))
    treated = (latent.obs["condition"] == drug).to_numpy()
    np.testing.assert_allclose(dots.get_offsets(), latent.obsm["X_tsne"])
    for cells, colour in ((treated, COLOURS[1]), (~treated, COLOURS[0])):
        np.testing.assert_allclose(dots.get_facecolors()[cells, :3], [to_rgb(colour)] * sum(cells))
    assert len(enough.XY) == latent.obs["cell_line"].nunique() - 1
    assert len(few.XY) == 1
    np.testing.assert_allclose(few.get_facecolor()[0, :3], to_rgb("0.55"))
    assert "grey arrows, fewer than 10 cells: 1 line" in texts(figure)
    assert legend(ax) == ["DMSO", drug]


# ---------------------------------------------------------------- heatmaps


def test_columns_cluster_by_correlation_and_complete_linkage():
    rng = np.random.default_rng(0)
    values = pd.DataFrame(rng.normal(size=(9, 6)), columns=list("abcdef"))
    tree = column_linkage(values)
    # Brute force: join the two clusters whose furthest columns correlate best, and again.
    clusters = {i: [i] for i in range(6)}
    for step, (one, other, height, size) in enumerate(tree):
        distance = {
            (i, j): max(
                correlation(values.iloc[:, x], values.iloc[:, y])
                for x in clusters[i]
                for y in clusters[j]
            )
            for i, j in combinations(sorted(clusters), 2)
        }
        best = min(distance, key=distance.get)
        assert best == tuple(sorted((int(one), int(other))))
        assert height == pytest.approx(distance[best])
        clusters[6 + step] = clusters.pop(best[0]) + clusters.pop(best[1])
        assert size == len(clusters[6 + step])
    order = clustered(values)
    drawn = leaves_list(tree_in_order(values[order]))
    assert list(drawn) == list(range(6)) and order != list(values)


def test_columns_without_variation_correlate_with_nothing():
    values = pd.DataFrame({"flat": [2.0, 2, 2], "zero": [0.0, 0, 0], "a": [1.0, 2, 3]})
    values.index = ["A", "B", "C"]
    values["b"] = -values["a"]
    tree = column_linkage(values)
    assert np.isfinite(tree).all()
    assert sorted(tree[:, 2]) == pytest.approx([1, 1, 2])
    assert sorted(clustered(values)) == sorted(values)
    assert clustered(values[["a"]]) == ["a"]
    ax = Figure(figsize=(4, 4)).subplots()
    clustered_heatmap(values[["a"]], limit=1, ax=ax)
    clustered_heatmap(values * 0, limit=1, ax=ax)
    ax.figure.draw_without_rendering()


def test_2c_shows_every_drug_and_line_and_the_trametinib_block(models):
    figure = panel("fig2", "c", FigureData(models))
    ((ax, mesh),) = meshes(figure)
    values = mesh.get_array().reshape(50, -1)
    rows = words(ax.get_yticklabels())
    assert values.shape[1] == 4 * 28
    assert sorted(rows) == sorted(map(readable, HALLMARKS))
    # Each column is the one of its drug and line; the drugs' colours say which drug it is.
    strips = {s.get_yticklabels()[0].get_text(): s for s in ax.child_axes if s.get_yticklabels()}
    colours = strip_colours(strips["drug"])
    trametinib = np.isclose(colours, to_rgb(DRUG_COLOURS["Trametinib"])).all(axis=1)
    assert trametinib.sum() == 28
    block = np.flatnonzero(trametinib)
    assert np.ptp(block) == 27  # without another drug between
    interferon = values[rows.index("INTERFERON ALPHA RESPONSE")]
    assert interferon[trametinib].mean() > 1 > 0 > interferon[~trametinib].mean()
    for drug, colour in DRUG_COLOURS.items():
        table = line_bayes_factors(models[DRUGS[drug]].differential)
        here = np.isclose(colours, to_rgb(colour)).all(axis=1)
        by_name = table.set_axis([readable(g) for g in table.index]).loc[rows]
        sums = np.sort(values[:, here].sum(axis=0))
        np.testing.assert_allclose(sums, np.sort(by_name.sum(axis=0)), rtol=1e-5)
    assert mesh.get_clim() == (-4, 4)
    (marks,) = (line for line in ax.lines if line.get_marker() == "^")
    assert len(marks.get_xdata()) == 4 * 8
    skin = strip_colours(strips["tissue"])[[int(x) for x in marks.get_xdata()]]
    assert len(np.unique(skin, axis=0)) == 1
    assert (strip_colours(strips["< 10 cells"]) == 0).all(axis=1).sum() == len(DRUGS)


def test_s6_has_a_heatmap_per_drug_with_one_order_of_the_hallmarks(models):
    figure = panel("sfig6", "d", FigureData(models))
    found = meshes(figure)
    assert [ax.get_title() for ax, _ in found] == [f"{drug}, 28 lines" for drug in DRUGS]
    rows = words(found[0][0].get_yticklabels())
    ((ax2c, _),) = meshes(panel("fig2", "c", FigureData(models)))
    assert rows == words(ax2c.get_yticklabels())
    for (ax, mesh), model in zip(found, DRUGS.values(), strict=True):
        assert mesh.get_clim() == (-3, 3)
        assert ax.get_ylim() == (50, 0)  # first row on top
        assert min(mesh.cmap(mesh.norm(0.0))[:3]) > 0.95  # white
        low, high = (mesh.cmap(mesh.norm(v)) for v in (-27.6, 27.6))
        assert low[2] > low[0] and high[0] > high[2]  # blue and red
        tree = ax.child_axes[-1]
        assert len(tree.lines) == 27 and tree.get_xlim() == (0, 28)
        table = line_bayes_factors(models[model].differential)
        table = table.set_axis([readable(g) for g in table.index]).loc[rows]
        order = clustered(table)
        np.testing.assert_allclose(mesh.get_array().reshape(50, 28), table[order])
        lines = cell_lines(models[model].latent.obs).loc[order]
        for strip, column in zip(ax.child_axes[2:0:-1], ("braf", "kras"), strict=True):
            colours = {"mutant": to_rgb("saddlebrown"), "wild type": to_rgb("tan")}
            assert (lines[column] == "mutant").sum() in (5, 8)
            np.testing.assert_allclose(strip_colours(strip), [colours[c] for c in lines[column]])


# ---------------------------------------------------------------- cell lines


def test_lines_with_few_cells_are_kept(models):
    result = models[TRAMETINIB]
    (few,) = few_cells(result.latent.obs, "Trametinib")
    assert few.startswith("L27_")
    assert few in set(result.differential["group"])
    table = line_bayes_factors(result.differential)
    assert table.shape == (50, 28) and few in table
    rows = result.differential.set_index(["group", "gmv"])["log_bf"]
    for gmv in HALLMARKS[:3]:
        assert table.loc[gmv, "L3_SKIN"] == rows["L3_SKIN", gmv]
    only_drug = result.latent.obs[result.latent.obs["condition"] != "DMSO"]
    assert len(few_cells(only_drug, "Trametinib")) == 28  # none has any DMSO


def test_tissue_and_mutations_of_lines():
    obs = pd.DataFrame(
        {
            "cell_line": ["A375_SKIN", "A375_SKIN", "HCC1_CENTRAL_NERVOUS_SYSTEM", "X_SKIN", None],
            "braf_mutant": ["mutant", "mutant", "mutant", None, None],
            "condition": "DMSO",
        }
    )
    lines = cell_lines(obs)
    assert list(lines.index) == ["A375_SKIN", "HCC1_CENTRAL_NERVOUS_SYSTEM", "X_SKIN"]
    assert list(lines["tissue"]) == ["skin", "central nervous system", "skin"]
    assert list(lines["melanoma"]) == [True, False, False]
    assert lines["kras"].isna().all()
    assert few_cells(obs, "X") == sorted(lines.index)


# ---------------------------------------------------------------- glioblastoma


def test_2e_gives_each_cell_the_colour_of_its_regulons(models):
    latent = models["gbm"].latent
    ax = panel("fig2", "e", FigureData(models)).axes[0]
    (dots,) = ax.collections
    stat3, olig2 = (np.clip(values_of(latent, g) / 5, 0, 1) for g in ("STAT3", "OLIG2"))
    drawn = dots.get_facecolors()
    np.testing.assert_allclose(drawn[:, 0], stat3, atol=1e-6)
    np.testing.assert_allclose(drawn[:, 2], olig2, atol=1e-6)
    assert set(drawn[:, 1]) == {0}
    (key,) = ax.child_axes
    assert (key.get_xlabel(), key.get_ylabel()) == ("STAT3", "OLIG2")


# ---------------------------------------------------------------- what is missing


def test_panels_say_what_is_missing(models):
    changed = {"gbm": without(models["gbm"], "OLIG2")}
    changed[TRAMETINIB] = without(models[TRAMETINIB], "HALLMARK_G2M_CHECKPOINT")
    none = {name: without(models[name]) for name in DRUGS.values()}
    no_line = "no cell line has cells with a drug and with DMSO"
    data = FigureData(models | changed)
    for letter, gmv in (("e", "OLIG2"), ("b", "G2M CHECKPOINT")):
        assert f"no GMV\n{gmv}\nin this collection" in texts(panel("fig2", letter, data))
    for name, letter in (("fig2", "c"), ("sfig6", "d")):
        assert no_line in texts(panel(name, letter, FigureData(none)))


def test_a_drug_without_comparisons_leaves_the_others(models):
    model = DRUGS["Navitoclax"]
    data = FigureData({**models, model: without(models[model])})
    assert len(meshes(panel("sfig6", "d", data))) == 3
    ((_, mesh),) = meshes(panel("fig2", "c", data))
    assert mesh.get_array().size == 50 * 3 * 28


# ---------------------------------------------------------------- pages


def with_unknown_mutations(models, prefix):
    """Results in which the mutations of lines are not known whose names have a prefix."""
    changed = {}
    for model in DRUGS.values():
        latent = models[model].latent.copy()
        known = ~latent.obs["cell_line"].astype(str).str.startswith(prefix)
        for gene in ("braf_mutant", "kras_mutant"):
            latent.obs[gene] = latent.obs[gene].astype(object).where(known, None)
        changed[model] = replace(models[model], latent=latent)
    return FigureData(changed)


def test_mutations_that_are_not_known(models, monkeypatch):
    known, none = FigureData(models), with_unknown_mutations(models, "L")
    figure = panel("fig2", "c", none)
    assert "BRAF mutations not known" in texts(figure)
    assert not any("▲" in text for text in texts(figure))
    assert not [line for ax in figure.axes for line in ax.lines if line.get_marker() == "^"]
    said = texts(panel("fig2", "c", known))
    assert "▲ melanoma, BRAF mutant" in said and "BRAF mutations not known" not in said

    keys = {"mutant", "wild type", "not known"}
    assert keys & set(texts(panel("sfig6", "d", none))) == {"not known"}
    assert keys & set(texts(panel("sfig6", "d", known))) == {"mutant", "wild type"}
    figure = panel("sfig6", "d", with_unknown_mutations(models, "L9_"))
    assert keys <= set(texts(figure))
    for ax, _ in meshes(figure):
        for strip in ax.child_axes[1:3]:  # KRAS and BRAF
            assert (strip_colours(strip) == to_rgb(MISSING)).all(axis=1).sum() == 1
    assert_legible(figure.figure, monkeypatch)


def test_the_heatmap_is_an_image_and_its_names_are_text(models, tmp_path):
    save(panel("fig2", "c", FigureData(models)).figure, tmp_path / "c.pdf")
    pdf = (tmp_path / "c.pdf").read_bytes()
    assert b"/Subtype /Image" in pdf and b"/FontFile2" in pdf and b"/Type3" not in pdf
    assert len(pdf) < 500_000
