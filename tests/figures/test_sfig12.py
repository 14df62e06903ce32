"""Supplementary Figure 12: lines, R2 and r are those of the cells and genes."""

import numpy as np
import pytest
from helpers.drawn import panel
from helpers.variants import IN_SET, planted_variants, results_of

from scripts.common.gmvs import INTERFERON, INTERFERON_AB
from scripts.figures import sfig12
from scripts.figures.data import FigureData
from vega.values import values_of

DROPOUT = {"a": 0.0, "b": 0.5, "c": 0.0, "d": 0.5}


@pytest.fixture
def data():
    return planted_variants()


def number(value):
    return value.replace("−", "-")


@pytest.mark.parametrize("letter", ["a", "b"])
def test_activities_of_each_cell_with_their_line(data, letter):
    (ax,) = panel("sfig12", letter, data).axes
    latent = data[sfig12.MODELS[DROPOUT[letter]]].latent
    x, y = (values_of(latent, gmv) for gmv in (INTERFERON, INTERFERON_AB))
    np.testing.assert_allclose(ax.collections[0].get_offsets(), np.c_[x, y])
    slope, intercept = np.polyfit(x, y, 1)
    ends, line = ax.lines[0].get_data()
    np.testing.assert_allclose(line, intercept + slope * np.asarray(ends), rtol=1e-4)
    first, second = ax.get_title().split("\n")
    assert first == f"Latent dropout {DROPOUT[letter]:g}"
    assert second.startswith(f"R² = {np.corrcoef(x, y)[0, 1] ** 2:.2f}, y = ")
    assert f"y = {slope:.2f}x" in number(second)
    assert ax.get_xlabel() == "INTERFERON SIGNALING, activity"
    assert ax.get_ylabel().replace("\n", " ") == "INTERFERON ALPHA BETA SIGNALING, activity"


@pytest.mark.parametrize("letter", ["c", "d"])
def test_weights_of_the_genes_of_both_sets_with_their_r(data, letter):
    (ax,) = panel("sfig12", letter, data).axes
    table = data.tables["kang_latent_dropout_weights"]
    rows = table[(table["seed"] == 1) & (table["latent_dropout"] == DROPOUT[letter])]
    weight = rows.set_index(["gmv", "gene"])["weight"]
    x, y = (np.array([weight[gmv, gene] for gene in IN_SET]) for gmv in (INTERFERON, INTERFERON_AB))
    drawn = ax.collections[0].get_offsets()
    np.testing.assert_allclose(sorted(map(tuple, drawn)), sorted(zip(x, y, strict=True)))
    r = np.corrcoef(x, y)[0, 1]
    expected = f"Latent dropout {DROPOUT[letter]:g}\nr = {r:.3f}, {len(IN_SET)} genes"
    assert number(ax.get_title()) == expected
    named = {t.get_text() for t in ax.texts}
    assert named == {IN_SET[i] for i in np.argsort(-(x + y))[: sfig12.NAMED]}


@pytest.mark.parametrize("gmv", [INTERFERON, INTERFERON_AB])
def test_a_missing_set_is_said(data, gmv):
    latents = {name: results.latent for name, results in data.models.items()}
    models = {n: results_of(z[:, z.var_names != gmv].copy()) for n, z in latents.items()}
    table = data.tables["kang_latent_dropout_weights"]
    tables = {"kang_latent_dropout_weights": table[table["gmv"] != gmv]}
    said = {"ab": "no GMV", "cd": "no gene is in both sets"}
    for letters, start in said.items():
        for letter in letters:
            part = panel("sfig12", letter, FigureData(models, tables))
            assert not part.axes and part.texts[0].get_text().startswith(start)


def test_without_a_correlation_the_title_says_so(data):
    table = data.tables["kang_latent_dropout_weights"]
    data.tables["kang_latent_dropout_weights"] = table.assign(weight=1.0)
    (ax,) = panel("sfig12", "c", data).axes
    assert ax.get_title().endswith("no correlation: all values are the same, 15 genes")
