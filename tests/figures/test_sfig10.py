"""Supplementary Figure 10: the largest weights, in their order and colours."""

import numpy as np
import pytest
from helpers.drawn import page, panel, words
from helpers.legible import assert_legible
from helpers.variants import IN_SET, OTHERS, planted_variants
from matplotlib.colors import to_hex

from scripts.common.gmvs import INTERFERON_AB, REMOVED
from scripts.figures import sfig10
from vega.plot.colours import RED

TITLES = ["λ = 0.1", "λ = 1", "λ = 10", "λ = 100", "λ = 1000"]


@pytest.fixture
def data():
    return planted_variants()


def rows_of(data, letter, penalty):
    table = data.tables["kang_soft_weights"]
    return table[
        (table["seed"] == 1)
        & (table["l1_update"] == list(sfig10.STEPS)[letter == "b"])
        & (table["l1_lambda"] == penalty)
    ]


@pytest.mark.parametrize("letter", ["a", "b"])
def test_bars_are_the_largest_weights_in_the_order_of_penalties(data, letter):
    part = panel("sfig10", letter, data)
    assert [ax.get_title() for ax in part.axes] == TITLES
    lefts = [ax.get_position().x0 for ax in part.axes]
    assert lefts == sorted(lefts)
    for ax, penalty in zip(part.axes, sfig10.PENALTIES, strict=True):
        rows = rows_of(data, letter, penalty)
        top = rows[rows["weight"] > 0].nlargest(20, "weight")
        names = words(ax.get_yticklabels())
        assert [name.removeprefix("★ ") for name in names] == list(top["gene"])
        np.testing.assert_allclose([bar.get_width() for bar in ax.patches], top["weight"])
        places = [bar.get_y() + bar.get_height() / 2 for bar in ax.patches]
        np.testing.assert_allclose(places, top["rank"])
        low, high = ax.get_ylim()
        assert low > 20 and high < 1  # the largest on top
        for gene, label, bar in zip(top["gene"], ax.get_yticklabels(), ax.patches, strict=True):
            colour = to_hex("black") if gene in IN_SET else RED.lower()
            assert to_hex(label.get_color()) == to_hex(bar.get_facecolor()) == colour
            assert label.get_text().startswith("★") == (gene in REMOVED)


def test_removed_genes_are_on_top_as_published(data):
    names = words(panel("sfig10", "a", data).axes[2].get_yticklabels())
    assert names[:6] == ["IFIT3", "IFIT1", "IFI6", "★ ISG15", "★ IFIT2", "★ ISG20"]


def test_those_further_down_are_listed_with_their_rank_below_their_axes(data):
    a, b = panel("sfig10", "a", data), panel("sfig10", "b", data)
    rank = rows_of(data, "a", 0.1).set_index("gene")["rank"]
    lines = [t for t in a.texts if "rank" in t.get_text() or "weight" in t.get_text()]
    assert words(lines[:3]) == [f"★ {g}: rank {rank[g]}" for g in REMOVED]
    assert rank["ISG20"] > 200
    zero = [f"★ {gene}: weight 0" for gene in REMOVED]
    assert words(lines[6:]) == zero * 2  # at 10 all three are on top
    assert [t for t in words(b.texts) if "weight 0" in t] == zero * 3
    # Below the axes of its own penalty.
    for ax, line in zip((a.axes[0], a.axes[1], a.axes[3], a.axes[4]), lines[::3], strict=True):
        x = line.get_position()[0]
        assert abs(x - ax.get_position().x0) < 0.2 / len(TITLES) * 4
        assert x < ax.get_position().x1 and line.get_position()[1] < ax.get_position().y0


def test_a_weight_of_zero_is_not_on_top_wherever_ties_put_it(data):
    table = data.tables["kang_soft_weights"]
    chosen = (table["l1_lambda"] == 1000) & (table["gene"] == "ISG15")
    table.loc[chosen, "rank"] = 3
    part = panel("sfig10", "b", data)
    names = words(part.axes[4].get_yticklabels())
    assert "★ ISG15" not in names and "★ ISG15: weight 0" in words(part.texts)


def test_what_is_missing_is_said(data):
    table = data.tables["kang_soft_weights"]
    kept = (table["l1_lambda"] != 10) & (table["gene"] != "IFIT2")
    data.tables["kang_soft_weights"] = table[kept]
    part = panel("sfig10", "a", data)
    assert [ax.get_title() for ax in part.axes] == [*TITLES[:2], *TITLES[3:]]
    assert "no model with λ = 10" in words(part.texts)
    assert words(part.texts).count("★ IFIT2: no such gene") == 4
    data.tables["kang_soft_weights"] = table[table["gmv"] != INTERFERON_AB]
    part = panel("sfig10", "b", data)
    assert not part.axes and "INTERFERON ALPHA BETA" in words(part.texts)[0]


def test_long_names_are_cut(data):
    table = data.tables["kang_soft_weights"]
    table["gene"] = table["gene"].replace(OTHERS[0], "XXbac-BPG299F13.17")
    names = words(panel("sfig10", "a", data).axes[0].get_yticklabels())
    assert names[0] == "XXbac-BPG299…"


@pytest.mark.parametrize("oddity", ["long names", "no model"])
def test_no_text_of_the_page_covers_another_or_leaves_it(data, oddity, monkeypatch):
    table = data.tables["kang_soft_weights"]
    if oddity == "long names":
        table["gene"] = table["gene"].replace(OTHERS[3], "RP11-1094M14.11")
    else:
        data.tables["kang_soft_weights"] = table[table["l1_lambda"] != 1]
    assert_legible(page("sfig10", data), monkeypatch)
