"""Figure 3, Supplementary Figure 7 and their claims show what is planted, and nothing else."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
import yaml
from anndata import AnnData
from conftest import ROOT
from helpers.claim_runs import change_table, claims_of, write_organoid, write_study
from legible import assert_legible
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from planted_organoid import GMVS, TYPES, planted_organoid

from scripts.common.config.figures import FigureConfig
from scripts.common.gmvs import CELL_CYCLE, MARKER_SETS
from scripts.common.tables import write_table
from scripts.figures import layout as page
from scripts.figures.data import FigureData
from vega import plot
from vega.plot.colours import COLOURS, RED, palette
from vega.values import values_of

FIGURES = {
    name: FigureConfig.model_validate(entry)
    for name, entry in yaml.safe_load((ROOT / "config" / "figures.yaml").read_text()).items()
    if name in ("fig3", "sfig7")
}
PANELS = [(name, letter) for name, entry in FIGURES.items() for letter in entry.panels]


@pytest.fixture(scope="module")
def data():
    return planted_organoid()


def changed(data: FigureData, **changes) -> FigureData:
    """The same data with other results of the model."""
    return replace(data, models={"organoid": replace(data["organoid"], **changes)})


def whole(name, letter, data):
    module = import_module(f"scripts.figures.{name}")
    return page.panel_figure(getattr(module, letter), module.LAYOUT.size(letter), data)


def axes_of(name, letter, data):
    (ax,) = whole(name, letter, data).subfigs[1].axes
    return ax


def texts(figure):
    return [t.get_text() for t in figure.findobj(Text) if t.get_text() and t.get_visible()]


# ---------------------------------------------------------------- panels


def test_marker_sets_are_shown_on_one_scale_with_one_bar(data):
    shown = {"b": "Neuroepithelium", "c": "Radial Glia Cells", "d": "Cajal-Retzius Neurons"}
    for letter, gmv in shown.items():
        ax = axes_of("fig3", letter, data)
        (dots,) = ax.collections
        activity = values_of(data["organoid"].latent, gmv)
        np.testing.assert_array_equal(dots.get_array(), activity)
        assert dots.get_clim() == (0, 10)
        assert ax.get_title(loc="left") == gmv
        assert [child.get_ylabel() for child in ax.child_axes] == ["Activity"] * (letter == "d")


def test_a_colour_bar_says_what_lies_beyond_it(data):
    latent = data["organoid"].latent
    for limits, extend in (((0, 5), "both"), ((-9, 99), "neither"), ((-9, 5), "max")):
        ax = plot.embedding(latent, "Neuroepithelium", limits=limits, ax=Figure().subplots())
        assert ax.child_axes[0]._colorbar.extend == extend


def test_every_type_is_significant_in_its_own_marker_set_and_in_no_other(data):
    table = data["organoid"].differential.set_index(["group", "gmv"])["log_bf"]
    ax = axes_of("fig3", "e", data)
    assert [t.get_text().replace("\n", " ").replace("- ", "-") for t in ax.get_yticklabels()] == (
        TYPES
    )
    assert [t.get_text().replace("\n", " ") for t in ax.get_xticklabels()] == list(
        MARKER_SETS.values()
    )
    cells = {t.get_position(): t.get_text() for t in ax.texts}
    for row, kind in enumerate(TYPES):
        for column, gmv in enumerate(MARKER_SETS.values()):
            expected = f"{table[kind, gmv]:.2f}" if row == column else "n.s."
            assert cells[column + 0.5, row + 0.5] == expected
    (mesh,) = ax.collections
    values = [[table[kind, gmv] for gmv in MARKER_SETS.values()] for kind in TYPES]
    np.testing.assert_array_equal(mesh.get_array(), values)


def test_what_is_not_beyond_three_is_not_significant(data):
    table = data["organoid"].differential.copy()
    own = (table["group"] == "Radial Glia") & (table["gmv"] == "Radial Glia Cells")
    other = (table["group"] == "Radial Glia") & (table["gmv"] == "Neuroepithelium")
    table.loc[own, "log_bf"], table.loc[other, "log_bf"] = 3.0, 3.01
    ax = axes_of("fig3", "e", changed(data, differential=table))
    row = [t.get_text() for t in ax.texts if t.get_position()[1] == 2.5]
    assert row == ["n.s.", "3.01", "n.s."]


def test_a_type_that_is_not_there_has_no_row(data):
    table = data["organoid"].differential
    some = changed(data, differential=table[table["group"] != "Cajal-Retzius"])
    assert len(axes_of("fig3", "e", some).get_yticklabels()) == 2
    none = changed(data, differential=table.iloc[:0])
    assert "none of these cell types\nin these data" in texts(whole("fig3", "e", none))


def test_3f_and_3g_draw_each_cell_where_it_belongs(data):
    latent = data["organoid"].latent
    cycle = values_of(latent, CELL_CYCLE)
    f, g = (axes_of("fig3", letter, data) for letter in "fg")
    neuroepithelium = values_of(latent, "Neuroepithelium")
    np.testing.assert_allclose(f.collections[0].get_offsets(), np.c_[neuroepithelium, cycle])
    mki67 = data.expression["field"].to_df()["MKI67"].loc[latent.obs_names].to_numpy()
    np.testing.assert_allclose(g.collections[0].get_offsets(), np.c_[mki67, cycle])
    slope, intercept = np.polyfit(mki67, cycle, 1)
    x, y = g.lines[0].get_data()
    np.testing.assert_allclose(y, intercept + slope * x, rtol=1e-4)
    r2 = np.corrcoef(mki67, cycle)[0, 1] ** 2
    assert g.get_title() == f"R² = {r2:.2f}, y = {slope:.2f}x + {intercept:.2f}"


def test_a_falling_line_has_its_signs():
    x = np.arange(5.0)
    ax = plot.regression(x, -2 * x - 1, ax=Figure().subplots())
    assert ax.get_title() == "R² = 1.00, y = −2.00x − 1.00"
    flat = plot.regression(np.zeros(5), x, ax=Figure().subplots())
    assert not flat.lines and "no regression" in flat.get_title()


def test_panels_say_what_is_missing(data):
    latent = data["organoid"].latent
    for gmv, letters in (("Neuroepithelium", "bef"), (CELL_CYCLE, "fg")):
        without = changed(data, latent=latent[:, latent.var_names != gmv])
        for letter in letters:
            figure = whole("fig3", letter, without)
            assert any("in this collection" in t for t in texts(figure)), letter
            assert not figure.subfigs[1].axes
    cells = data.expression["field"]
    without = replace(data, expression={"field": cells[:, cells.var_names != "MKI67"]})
    assert any("MKI67 is not among" in t for t in texts(whole("fig3", "g", without)))


@pytest.mark.parametrize(("letter", "kind"), zip("abc", TYPES, strict=True))
def test_s7_draws_each_type_against_the_others(data, letter, kind):
    ax = axes_of("sfig7", letter, data)
    assert ax.get_title(loc="left") == f"{kind} against all other cells"
    table = data["organoid"].differential
    rows = table[table["group"] == kind]
    red = rows[(rows["log_bf"].abs() > 3) & (rows["md"] > 5)]
    drawn = [
        tuple(point)
        for dots in ax.collections
        if len(dots.get_facecolors()) and tuple(dots.get_facecolors()[0][:3]) == to_rgb(RED)
        for point in np.ma.getdata(dots.get_offsets())
    ]
    np.testing.assert_allclose(
        sorted(drawn), sorted(zip(red["log_bf"].clip(-10, 10), red["md"], strict=True))
    )
    top = rows.set_index("gmv")["log_bf"].nlargest(5).index
    named = {t.get_text().replace("\n", " ") for t in ax.texts}
    assert named == {g.removeprefix("REACTOME_").replace("_", " ") for g in top}


@pytest.mark.parametrize(("name", "letter"), PANELS)
def test_every_panel_of_simulated_cells_says_so(data, name, letter):
    assert "SIMULATED DATA" in texts(whole(name, letter, changed(data, origin="simulated")))
    assert "SIMULATED DATA" not in texts(whole(name, letter, data))
    assert (ROOT / "report" / f"{name}.rst").exists()


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_of_a_page_covers_another_or_leaves_it(data, name, monkeypatch):
    module = import_module(f"scripts.figures.{name}")
    panels = {letter: getattr(module, letter) for letter in FIGURES[name].panels}
    simulated = changed(data, origin="simulated")
    figure = page.page_figure(panels, module.LAYOUT, FIGURES[name].title, simulated)
    assert_legible(figure, monkeypatch)


def test_colours_do_not_repeat():
    for n in (1, 7, 10, 15, 40):
        assert len(set(palette(n))) == n
    assert tuple(palette(10)) == COLOURS


# ---------------------------------------------------------------- claims


@pytest.fixture
def run(data, tmp_path):
    """A run that holds the planted results."""
    write_organoid(tmp_path, data)
    return tmp_path


def test_claims_on_organoids_come_out_as_planted(run, data):
    table = claims_of(run, "O|D08")
    assert list(table["verdict"]) == ["differs", "reproduced", "reproduced", "direction only"]
    latent = data["organoid"].latent
    mki67 = data.expression["field"].to_df()["MKI67"].loc[latent.obs_names]
    cycle = values_of(latent, CELL_CYCLE)
    r2 = np.corrcoef(mki67, cycle)[0, 1] ** 2
    slope = np.polyfit(mki67, cycle, 1)[0]
    assert table.loc["O03", "reproduced"] == f"R2 {r2:#.3g}; slope {slope:#.3g}"
    assert table.loc["D08", "reproduced"] == "cells 300; genes 2"


@pytest.mark.parametrize(
    ("gmv", "log_bf", "verdicts"),
    [
        ("Radial Glia Cells", 2.0, ("direction only", "reproduced")),
        ("Radial Glia Cells", -1.0, ("differs", "reproduced")),
        ("Neuroepithelium", 3.5, ("reproduced", "differs")),
    ],
)
def test_a_miss_is_reported_as_one(run, gmv, log_bf, verdicts):
    def fault(table):
        table.loc[(table["group"] == "Radial Glia") & (table["gmv"] == gmv), "log_bf"] = log_bf

    change_table(run, "organoid_seed1_differential", fault)
    assert tuple(claims_of(run, "O0[12]")["verdict"]) == verdicts


def test_without_mki67_the_claim_is_not_run(run, data):
    cells = data.expression["field"]
    write_study(run, "field", cells[:, cells.var_names != "MKI67"].copy())
    row = claims_of(run, "O03").loc["O03"]
    assert (row["verdict"], row["note"]) == ("not run", "MKI67 is not among the genes of field")


def test_dimensions_of_zheng_and_of_the_retina(run):
    kinds = {"batch": np.arange(26439) % 2, "cell_type": [f"T{i % 15}" for i in range(26439)]}
    obs = pd.DataFrame({k: pd.Categorical(v) for k, v in kinds.items()})
    obs.index = obs.index.astype(str)
    write_study(run, "zheng", (2623, 6998))
    write_study(run, "shekhar", AnnData(np.zeros((26439, 40), np.float32), obs=obs))
    qc = pd.DataFrame({"step": ["cell_min_genes", "drop", "normalise"]})
    qc["cells_before"], qc["cells_after"] = [44994, 27499, 26439], [27499, 26439, 26439]
    write_table(qc, run / "tables" / "shekhar_qc.tsv")
    table = claims_of(run, "D03|D09|D10")
    assert list(table["verdict"]) == ["reproduced", "reproduced", "differs"]
    assert table.loc["D09", "reproduced"] == "in the text 27499; analysed 26439"
    assert table.loc["D10", "reproduced"] == "genes 40; batches 2; types 15"
    write_table(qc[qc["step"] != "drop"], run / "tables" / "shekhar_qc.tsv")
    assert claims_of(run, "D09").loc["D09", "verdict"] == "not run"


def test_every_gmv_that_the_figure_shows_is_in_the_real_file(mirror):
    from vega import read_gmt

    sets = read_gmt(mirror / "gene_sets" / "reactomes_organoid_ct.gmt")
    assert set(GMVS[:4]) <= set(sets)
