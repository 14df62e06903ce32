"""All figures: their files, what is said of the cells, legibility. Figures 1, S4 and S5."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from conftest import ROOT
from helpers.drawn import TITLES, contents, module, page, panel, texts, words
from helpers.figure_runs import GMVS, TYPES, kang_results, planted, with_origin
from helpers.legible import assert_legible
from matplotlib.colors import to_rgba

from scripts.common.config.load import load as load_config
from scripts.common.gmvs import MARKER_SETS, TRYPTOPHAN
from scripts.common.tables import write_table
from scripts.figures import layout
from scripts.figures.data import FigureData, in_order, read_figure_data
from scripts.figures.figure import write_figure
from vega.errors import InputError
from vega.gene_sets import readable
from vega.plot.colours import RED

KANG = ["fig1", "sfig4", "sfig5"]


@pytest.fixture(scope="module")
def results():
    return kang_results()


def data(results, **changes) -> FigureData:
    return FigureData({"kang": replace(results, **changes)})


def drawn_red(axes) -> list[tuple[float, float]]:
    return sorted(
        tuple(np.round(point, 6))
        for dots in axes.collections
        if len(dots.get_facecolors()) and tuple(dots.get_facecolors()[0][:3]) == to_rgba(RED)[:3]
        for point in np.ma.getdata(dots.get_offsets())
    )


# ---------------------------------------------------------------- all figures


def test_every_panel_has_a_place_and_every_figure_a_caption():
    for name in TITLES:
        assert set("".join(module(name).LAYOUT.mosaic)) - {"."} == set(module(name).PANELS)
        assert list(module(name).PANELS) == sorted(module(name).PANELS)
        assert (ROOT / "report" / f"{name}.rst").exists()


@pytest.mark.parametrize("name", TITLES)
def test_every_panel_and_page_says_whether_its_cells_are_simulated(name):
    found, made = module(name), planted(name)
    for origin in ("simulated", "mirror subset", "public"):
        tag = with_origin(made, origin).tag
        assert tag == {"simulated": "SIMULATED DATA", "public": ""}.get(origin, tag)
        assert tag.startswith("subset of the study: ") == (origin == "mirror subset")
        empty = dict.fromkeys(found.PANELS, "no table")
        figures = [layout.panel_figure(p, "", (2, 2), tag) for p in found.PANELS.values()]
        figures.append(layout.page_figure(found.PANELS, empty, found.LAYOUT, "A title", tag))
        for said in map(texts, figures):
            assert tag in ["", *said]
            assert ("SIMULATED DATA" in said) == (origin == "simulated")


@pytest.mark.parametrize("name", TITLES)
def test_no_text_of_a_page_covers_another_or_leaves_it(name, monkeypatch):
    figure = page(name, with_origin(planted(name), "simulated"))
    assert "SIMULATED DATA" in texts(figure)
    assert_legible(figure, monkeypatch)


@pytest.mark.parametrize("name", TITLES)
def test_every_figure_names_the_models_and_tables_that_it_reads(name):
    config = load_config({"run": "t"}, ROOT / "config")
    entry, made = config.figures[name], planted(name)
    models = {m for model in entry.models for m in config.runs_of(model)}
    named = replace(
        made,
        models={m: results for m, results in made.models.items() if m in models},
        tables={t: table for t, table in made.tables.items() if t in entry.tables},
    )
    assert contents(name, named)  # a KeyError names what is read without being named


@pytest.mark.parametrize("name", ["sfig1", "sfig2", "sfig3", "sfig10", "sfig11", "sfig12"])
def test_the_first_seed_draws_a_figure(name):
    both = planted(name)
    tables = {n: t for n, t in both.tables.items() if "seed" in t}
    assert all(table["seed"].nunique() == 2 for table in tables.values())
    first = {n: t[t["seed"] == t["seed"].iloc[0]] for n, t in tables.items()}
    expected = contents(name, both)
    for letter, table in contents(name, replace(both, tables=both.tables | first)).items():
        pd.testing.assert_frame_equal(table, expected[letter])


def test_a_figure_is_written_as_vectors_with_text_and_tables(results, tmp_path):
    write_figure("fig1", "A title", data(results), tmp_path)
    stems = ["fig1", *(f"fig1/{letter}" for letter in "abcdef")]
    found = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    tables = {f"fig1/{letter}.tsv" for letter in "bcdef"} | {"fig1/columns.tsv"}
    assert found == {f"{stem}.{suffix}" for stem in stems for suffix in ("png", "pdf")} | tables
    for stem in stems:
        pdf = (tmp_path / f"{stem}.pdf").read_bytes()
        assert b"/FontFile2" in pdf  # TrueType
        assert b"/Type3" not in pdf
        assert b"/Subtype /Image" not in pdf


def test_the_same_results_give_the_same_bytes(tmp_path):
    for folder in ("one", "two"):
        write_figure("recovery", "A title", planted("recovery"), tmp_path / folder)
    files = [p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*")]
    assert len(files) == 12
    for file in files:
        one, two = ((tmp_path / folder / file).read_bytes() for folder in ("one", "two"))
        assert one == two
        assert b"CreationDate" not in one and b"Software" not in one


def test_a_panel_file_has_the_size_it_has_on_the_page(results):
    parts = page("fig1", data(results)).subfigs[1].subfigs
    for letter, part in zip("abcdef", parts, strict=True):
        alone = panel("fig1", letter, data(results))
        np.testing.assert_allclose(part.bbox.size, alone.bbox.size, atol=0.1)
        size = module("fig1").LAYOUT.size(letter)
        np.testing.assert_allclose(layout.inches(part), size, atol=1e-3)


# ---------------------------------------------------------------- Figures 1, S4, S5


@pytest.mark.parametrize(
    ("name", "letter", "contrast", "group"),
    [("fig1", "e", "innate", "stimulated")]
    + [("sfig5", letter, "one_vs_rest", t) for letter, t in zip("abcdefg", TYPES, strict=True)]
    + [("sfig7", letter, "one_vs_rest", t) for letter, t in zip("abc", MARKER_SETS, strict=True)],
)
def test_each_volcano_draws_its_own_contrast(name, letter, contrast, group):
    shown = planted(name)
    (axes,) = panel(name, letter, shown).axes
    (results,) = shown.models.values()
    rows = results.contrast(contrast, group)
    red = (rows["log_bf"].abs() > 3) & (rows["md"] > 5)
    places = np.column_stack([rows["log_bf"].clip(-10, 10), rows["md"]]).round(6)
    assert drawn_red(axes) == sorted(map(tuple, places[red]))
    drawn = np.concatenate([np.ma.getdata(dots.get_offsets()) for dots in axes.collections])
    assert sorted(map(tuple, drawn.round(6))) == sorted(map(tuple, places))
    if contrast == "one_vs_rest":
        assert axes.get_title(loc="left") == f"{group} against all other cells"


def test_named_sets(results):
    """In 1e interferon and tryptophan sets, in S5 the five of the highest signed Bayes factor."""
    table = results.differential.copy()
    table.loc[(table["gmv"] == GMVS[0]) & (table["group"] == "B"), "log_bf"] = -27.6
    top = table[table["group"] == "B"].sort_values("log_bf").tail(5)["gmv"]
    for name, letter, named in (("fig1", "e", GMVS[:5]), ("sfig5", "d", top)):
        (axes,) = panel(name, letter, data(results, differential=table)).axes
        assert set(words(axes.texts)) == set(map(readable, named))


@pytest.mark.parametrize("letter", ["a", "b"])
def test_s4_counts_the_sets_above_the_line(results, letter):
    (axes,) = panel("sfig4", letter, data(results)).axes
    table = results.with_gsea("innate")
    values = {"a": table["log_bf"].abs(), "b": table["neg_log10_fdr"]}[letter]
    above = values > {"a": 3, "b": -np.log10(0.05)}[letter]
    y = values.clip(upper=10 if letter == "a" else None).round(6)
    assert drawn_red(axes) == sorted(zip(table["n_genes"][above], y[above], strict=True))
    assert axes.get_title() == f"{above.sum()} of 80 sets above the line"
    assert axes.get_xscale() == "log"


def test_cell_types_keep_their_colours_whatever_types_the_cells_have(results):
    latent = results.latent[results.latent.obs["cell_type"] != "NK"].copy()
    latent.obs["cell_type"] = in_order(latent.obs["cell_type"], TYPES)  # as `load` does
    legends = []
    for cells in (results.latent, latent):
        (axes,) = panel("fig1", "b", data(results, latent=cells)).axes
        (key,) = axes.artists
        colours = [handle.get_color() for handle in key.legend_handles]
        legends.append(list(zip(words(key.get_texts()), colours, strict=True)))
    assert legends[0] == legends[1]
    assert [name for name, _ in legends[0]] == TYPES


def test_panels_say_which_gmv_the_collection_lacks(results):
    lacking = {
        "latent": results.latent[:, results.latent.var_names != TRYPTOPHAN],
        "differential": results.differential[results.differential["gmv"] != TRYPTOPHAN],
        "gsea": results.gsea[results.gsea["gmv"] != TRYPTOPHAN],
    }
    for letter in "cdef":
        said = texts(panel("fig1", letter, data(results, **lacking)))
        assert any("TRYPTOPHAN" in t and "collection" in t for t in said) == (letter != "c")


@pytest.mark.parametrize(
    ("name", "letters"), [("fig1", "ef"), ("sfig4", "ab"), ("sfig5", "abcdefg")]
)
def test_panels_without_their_contrast_say_so(results, name, letters):
    empty = data(results, differential=results.differential.iloc[:0])
    for letter in letters:
        figure = panel(name, letter, empty)
        assert not figure.axes
        assert any(t.startswith(("the model has no", "no such cell type")) for t in texts(figure))


def test_one_vs_rest_of_a_study_with_fewer_types(results):
    study = results.study.model_copy(update={"cell_types": TYPES[:2]})
    figure = panel("sfig5", "c", data(results, study=study))
    assert "no such cell type in these data" in texts(figure)


@pytest.mark.parametrize("name", KANG)
@pytest.mark.parametrize(("log_bf", "md"), [(27.6, 9.0), (0.0, 0.0)])
def test_names_of_equal_or_no_significance_do_not_overlap(results, name, log_bf, md, monkeypatch):
    table = results.differential.copy()
    rows = table["gmv"].isin(GMVS[:12]) if log_bf else slice(None)
    table.loc[rows, ["log_bf", "md"]] = log_bf, md
    assert_legible(page(name, data(results, differential=table)), monkeypatch)


# ---------------------------------------------------------------- reading results


def test_cells_of_a_study_are_counted_once_however_many_models_show_them(results):
    results = replace(results, origin="mirror subset")
    another = replace(results, study=results.study.model_copy())
    other = replace(results, study=results.study.model_copy(update={"conditions": ["a"]}))
    shown = {"kang": results, "kang_soft": another}
    assert FigureData(shown).tag == "subset of the study: 140 cells"
    assert FigureData({**shown, "other": other}).tag == "subset of the study: 280 cells"


@pytest.mark.parametrize(("origin", "tag"), [("simulated", "SIMULATED DATA"), ("public", "")])
def test_a_figure_of_tables_alone_says_what_cells_these_are_of(origin, tag, tmp_path):
    uns = {"provenance": json.dumps({"origin": origin})}
    AnnData(np.ones((7, 2), dtype=np.float32), uns=uns).write_h5ad(tmp_path / "kang.h5ad")
    assert read_figure_data({}, [], [], cells=[tmp_path / "kang.h5ad"]).tag == tag


@pytest.fixture
def files(results, tmp_path):
    """Latent space of the first seed, and tables, as a run has them."""
    latent = results.latent.copy()
    latent.uns["provenance"] = json.dumps({"study": "kang", "origin": "mirror subset"})
    for column in ("cell_type", "condition"):  # as categories that are sorted by name
        latent.obs[column] = latent.obs[column].astype(str).astype("category")
    (tmp_path / "seed1").mkdir()
    latent.write_h5ad(tmp_path / "seed1" / "latent.h5ad")
    tables = {"kang_seed1_differential": results.differential, "kang_gsea": results.gsea}
    for name, table in {**tables, "other": results.gsea.head(3)}.items():
        write_table(table, tmp_path / f"{name}.tsv")
    return [tmp_path / "seed1" / "latent.h5ad"], sorted(tmp_path.glob("*.tsv"))


def test_results_are_read_with_types_in_the_order_of_the_study(results, files):
    read = read_figure_data({"kang": results.study}, *files)
    assert list(read["kang"].latent.obs["cell_type"].cat.categories) == TYPES
    assert read["kang"].origin == "mirror subset"
    pd.testing.assert_frame_equal(read["kang"].differential, results.differential)
    pd.testing.assert_frame_equal(read["kang"].gsea, results.gsea)
    assert read["kang"].genes is None and list(read.tables) == ["other"]


def test_types_that_the_study_does_not_order_come_last():
    ordered = in_order(pd.Series(["z", "B", "a", np.nan], dtype="object"), ["NK", "B"])
    assert list(ordered.cat.categories) == ["NK", "B", "a", "z"]
    assert ordered.tolist()[:3] == ["z", "B", "a"] and pd.isna(ordered[3])


def test_cells_without_provenance_are_an_error(results, files):
    results.latent.write_h5ad(files[0][0])
    with pytest.raises(InputError, match=r"latent.h5ad: uns has no provenance"):
        read_figure_data({"kang": results.study}, *files)
