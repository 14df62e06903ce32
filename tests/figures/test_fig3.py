"""Figure 3, Supplementary Figure 7 and their claims show the effects of the data alone."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from helpers.claim_runs import change_table, claims_of, write_organoid, write_study
from helpers.drawn import panel, texts, words
from helpers.organoid import GMVS, TYPES, planted_organoid

from scripts.common.gmvs import CELL_CYCLE, MARKER_SETS
from scripts.common.tables import write_table
from scripts.figures.data import FigureData
from vega.values import values_of


@pytest.fixture(scope="module")
def data():
    return planted_organoid()


def changed(data: FigureData, **changes) -> FigureData:
    """The same data with other results of the model."""
    return replace(data, models={"organoid": replace(data["organoid"], **changes)})


def axes_of(name, letter, data):
    (ax,) = panel(name, letter, data).axes
    return ax


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


def test_what_is_beyond_three_is_significant(data):
    table = data["organoid"].differential.set_index(["group", "gmv"])
    table.loc[("Radial Glia", "Radial Glia Cells"), "log_bf"] = 3.0
    table.loc[("Radial Glia", "Neuroepithelium"), "log_bf"] = 3.01
    ax = axes_of("fig3", "e", changed(data, differential=table.reset_index()))
    table = table["log_bf"]
    assert [kind.replace("- ", "-") for kind in words(ax.get_yticklabels())] == TYPES
    assert words(ax.get_xticklabels()) == list(MARKER_SETS.values())
    cells = {t.get_position(): t.get_text() for t in ax.texts}
    values = [[table[kind, gmv] for gmv in MARKER_SETS.values()] for kind in TYPES]
    for (row, column), value in np.ndenumerate(values):
        expected = f"{value:.2f}" if value > 3 else "n.s."
        assert cells[column + 0.5, row + 0.5] == expected
    assert [cells[x, 2.5] for x in (0.5, 1.5, 2.5)] == ["n.s.", "3.01", "n.s."]
    (mesh,) = ax.collections
    np.testing.assert_array_equal(mesh.get_array(), values)


def test_a_type_that_is_not_there_has_no_row(data):
    table = data["organoid"].differential
    some = changed(data, differential=table[table["group"] != "Cajal-Retzius"])
    assert len(axes_of("fig3", "e", some).get_yticklabels()) == 2
    none = changed(data, differential=table.iloc[:0])
    assert "none of these cell types\nin these data" in texts(panel("fig3", "e", none))


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


def test_panels_say_what_is_missing(data):
    latent = data["organoid"].latent
    for gmv, letters in (("Neuroepithelium", "bef"), (CELL_CYCLE, "fg")):
        without = changed(data, latent=latent[:, latent.var_names != gmv])
        for letter in letters:
            figure = panel("fig3", letter, without)
            assert any("in this collection" in t for t in texts(figure)), letter
            assert not figure.axes
    cells = data.expression["field"]
    without = replace(data, expression={"field": cells[:, cells.var_names != "MKI67"]})
    assert any("MKI67 is not among" in t for t in texts(panel("fig3", "g", without)))


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
        ("Radial Glia Cells", 2.0, ("direction only", "direction only")),
        ("Radial Glia Cells", -1.0, ("differs", "differs")),
        ("Neuroepithelium", 3.5, ("reproduced", "direction only")),
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
