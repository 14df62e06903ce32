"""The paper's figures: every panel, on its own and on its page."""

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from anndata import AnnData
from legible import assert_legible
from matplotlib.colors import to_rgba
from matplotlib.text import Text

from scripts.common.config.figures import FigureConfig
from scripts.common.config.studies import Study
from scripts.figures import fig1
from scripts.figures import layout as page
from scripts.figures.comparisons import NAMED
from scripts.figures.data import FigureData, Results, in_order, load, read_figure_data
from scripts.figures.figure import write_figure
from vega.errors import InputError
from vega.plot.colours import RED

ROOT = Path(__file__).resolve().parent.parent
TYPES = ["NK", "Dendritic", "CD4T", "B", "FCGR3A+Mono", "CD14+Mono", "CD8T"]
FIGURES = {
    name: FigureConfig.model_validate(entry)
    for name, entry in yaml.safe_load((ROOT / "config" / "figures.yaml").read_text()).items()
    if entry.get("models") == ["kang"] and "tables" not in entry
}
GMVS = [
    fig1.INTERFERON_AB,
    fig1.INTERFERON,
    fig1.TRYPTOPHAN,
    "REACTOME_ANTIVIRAL_MECHANISM_BY_IFN_STIMULATED_GENES",
    "REACTOME_RIG_I_MDA5_MEDIATED_INDUCTION_OF_IFN_ALPHA_BETA_PATHWAYS",
    "REACTOME_ANTIGEN_ACTIVATES_B_CELL_RECEPTOR_LEADING_TO_GENERATION_OF_SECOND_MESSENGERS",
    "REACTOME_IMMUNOREGULATORY_INTERACTIONS_BETWEEN_A_LYMPHOID_AND_A_NON_LYMPHOID_CELL",
    *(f"REACTOME_SYNTHESIS_SECRETION_AND_DEACYLATION_OF_GHRELIN_{i}" for i in range(73)),
]


@pytest.fixture(scope="module")
def results() -> Results:
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {"cell_type": TYPES * 20, "condition": ["control"] * 70 + ["stimulated"] * 70},
        index=[f"c{i}" for i in range(140)],
    )
    for column, order in (("cell_type", TYPES), ("condition", ["control", "stimulated"])):
        obs[column] = in_order(obs[column], order)
    latent = AnnData(
        rng.normal(size=(140, 80)).astype("float32"), obs=obs, var=pd.DataFrame(index=GMVS)
    )
    latent.obsm["X_umap"] = rng.normal(size=(140, 2))
    tables = []
    for contrast, group in (("innate", "stimulated"), *(("one_vs_rest", t) for t in TYPES)):
        log_bf = np.concatenate([rng.uniform(4, 9, 7), rng.normal(0, 1.5, 73)])
        log_bf[3:5] = 27.6
        tables.append(
            pd.DataFrame(
                {
                    "contrast": contrast,
                    "group": group,
                    "gmv": GMVS,
                    "log_bf": log_bf,
                    "md": np.concatenate([rng.uniform(6, 12, 7), rng.gamma(2, 1, 73)]),
                    "n_genes": rng.integers(9, 900, 80),
                    "n_group": 20,
                    "n_reference": 120,
                }
            )
        )
    fdr = rng.uniform(0, 1, 80).clip(1e-5)
    gsea = pd.DataFrame(
        {"contrast": "innate", "gmv": GMVS, "fdr": fdr, "neg_log10_fdr": -np.log10(fdr)}
    )
    study = Study.model_construct(cell_types=TYPES, conditions=["control", "stimulated"])
    return Results(latent, pd.concat(tables, ignore_index=True), gsea, study, "public")


def whole_page(name: str, results: Results):
    module, table = import_module(f"scripts.figures.{name}"), FIGURES[name]
    panels = {panel: getattr(module, panel) for panel in table.panels}
    return page.page_figure(panels, module.LAYOUT, table.title, FigureData({"kang": results}))


def panel(name: str, letter: str, results: Results):
    module = import_module(f"scripts.figures.{name}")
    data = FigureData({"kang": results})
    return page.panel_figure(getattr(module, letter), module.LAYOUT.size(letter), data)


PANELS = [(name, letter) for name, table in FIGURES.items() for letter in table.panels]


def texts(figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(Text) if t.get_text() and t.get_visible()]


def drawn_red(axes) -> list[tuple[float, float]]:
    xy = [
        tuple(np.round(point, 6))
        for dots in axes.collections
        if len(dots.get_facecolors()) and tuple(dots.get_facecolors()[0][:3]) == to_rgba(RED)[:3]
        for point in np.ma.getdata(dots.get_offsets())
    ]
    return sorted(xy)


# ---------------------------------------------------------------- what panels show


@pytest.mark.parametrize(
    ("name", "letter", "contrast", "group"),
    [("fig1", "e", "innate", None)]
    + [("sfig5", letter, "one_vs_rest", t) for letter, t in zip("abcdefg", TYPES, strict=True)],
)
def test_each_volcano_draws_its_own_contrast(results, name, letter, contrast, group):
    (axes,) = panel(name, letter, results).subfigs[1].axes
    table = results.differential
    rows = table[(table["contrast"] == contrast) & (group is None or table["group"] == group)]
    red = rows[(rows["log_bf"].abs() > 3) & (rows["md"] > 5)]
    assert drawn_red(axes) == sorted(
        zip(red["log_bf"].clip(-10, 10).round(6), red["md"].round(6), strict=True)
    )
    if group:
        assert axes.get_title(loc="left").startswith(f"{group} ")


def test_the_five_of_the_highest_signed_bayes_factor_are_named(results):
    table = results.differential.copy()
    table.loc[table["gmv"] == GMVS[0], "log_bf"] = -27.6
    (axes,) = panel("sfig5", "d", replace(results, differential=table)).subfigs[1].axes
    rows = table[table["group"] == "B"].sort_values("log_bf").tail(5)
    named = {text.get_text().replace("\n", " ") for text in axes.texts}
    assert named == {g.removeprefix("REACTOME_").replace("_", " ") for g in rows["gmv"]}


def test_interferon_and_tryptophan_sets_are_named_in_1e(results):
    (axes,) = panel("fig1", "e", results).subfigs[1].axes
    named = {text.get_text().replace("\n", " ") for text in axes.texts}
    assert named == {g.removeprefix("REACTOME_").replace("_", " ") for g in GMVS[:5]}


def test_cell_types_keep_their_colours_whatever_types_the_cells_have(results):
    latent = results.latent[results.latent.obs["cell_type"] != "NK"].copy()
    latent.obs["cell_type"] = in_order(latent.obs["cell_type"], TYPES)  # as `load` does
    some = replace(results, latent=latent)
    legends = []
    for data in (results, some):
        (axes,) = panel("fig1", "b", data).subfigs[1].axes
        (legend,) = axes.artists
        legends.append(
            [
                (text.get_text(), key.get_color())
                for text, key in zip(legend.get_texts(), legend.legend_handles, strict=True)
            ]
        )
    assert legends[0] == legends[1]
    assert [name for name, _ in legends[0]] == TYPES


# ---------------------------------------------------------------- what is said of the cells


@pytest.mark.parametrize(("name", "letter"), PANELS)
def test_every_panel_of_simulated_cells_says_so(results, name, letter):
    assert "SIMULATED DATA" in texts(panel(name, letter, replace(results, origin="simulated")))
    assert not any("SIMULATED" in t or "subset" in t for t in texts(panel(name, letter, results)))


@pytest.mark.parametrize("name", FIGURES)
def test_every_page_says_what_cells_it_shows(results, name):
    said = {
        origin: " ".join(texts(whole_page(name, replace(results, origin=origin))))
        for origin in ("simulated", "mirror subset", "public")
    }
    assert "SIMULATED DATA" in said["simulated"]
    assert "subset of the study: 140 cells" in said["mirror subset"]
    assert "SIMULATED" not in said["public"] and "subset" not in said["public"]


def test_cells_of_a_study_are_counted_once_however_many_models_show_them(results):
    another = replace(results, study=results.study.model_copy())
    other = replace(results, study=results.study.model_copy(update={"conditions": ["a"]}))
    shown = {"kang": results, "kang_soft": another}
    assert FigureData(shown).n_cells == 140
    assert FigureData({**shown, "other": other}).n_cells == 280


def test_a_figure_of_tables_alone_says_what_cells_these_are_of(tmp_path):
    cells = AnnData(
        np.ones((7, 2), dtype=np.float32), uns={"provenance": '{"origin": "simulated"}'}
    )
    path = tmp_path / "kang.h5ad"
    cells.write_h5ad(path)
    data = read_figure_data({}, [], [], cells=[str(path)])
    assert (data.origin, data.n_cells) == ("simulated", 7)
    cells.uns["provenance"] = '{"origin": "public"}'
    cells.write_h5ad(path)
    assert read_figure_data({}, [], [], cells=[str(path)]).origin == "public"


# ---------------------------------------------------------------- what is missing


def test_panels_say_which_gmv_the_collection_lacks(results):
    without = replace(
        results,
        latent=results.latent[:, results.latent.var_names != fig1.TRYPTOPHAN],
        differential=results.differential[results.differential["gmv"] != fig1.TRYPTOPHAN],
        gsea=results.gsea[results.gsea["gmv"] != fig1.TRYPTOPHAN],
    )
    for letter in "def":
        assert any(
            "TRYPTOPHAN" in t and "collection" in t for t in texts(panel("fig1", letter, without))
        )
    assert not any("collection" in t for t in texts(panel("fig1", "c", without)))


@pytest.mark.parametrize(
    ("name", "letters"), [("fig1", "ef"), ("sfig4", "ab"), ("sfig5", "abcdefg")]
)
def test_panels_without_their_contrast_say_so(results, name, letters):
    empty = replace(results, differential=results.differential.iloc[:0])
    for letter in letters:
        figure = panel(name, letter, empty)
        assert not figure.subfigs[1].axes
        assert any(t.startswith(("the model has no", "no such cell type")) for t in texts(figure))


# ---------------------------------------------------------------- legibility


def stacked(results: Results) -> Results:
    """Everything that is named at one place, as where no pair contradicts."""
    table = results.differential.copy()
    table.loc[table["gmv"].isin(GMVS[:12]), ["log_bf", "md"]] = 27.6, 9.0
    return replace(results, differential=table)


def insignificant(results: Results) -> Results:
    """Nothing differs."""
    return replace(results, differential=results.differential.assign(log_bf=0.0, md=0.0))


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("change", [lambda r: r, stacked, insignificant])
def test_no_text_of_a_page_covers_another_or_leaves_it(results, name, change, monkeypatch):
    figure = whole_page(name, replace(change(results), origin="simulated"))
    assert_legible(figure, monkeypatch)


# ---------------------------------------------------------------- files


def test_all_files_of_a_figure_are_written_as_vectors_with_text(results, tmp_path):
    table = FIGURES["fig1"]
    write_figure("fig1", table.title, table.panels, FigureData({"kang": results}), tmp_path)
    stems = ["fig1", *(f"fig1/{letter}" for letter in table.panels)]
    found = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert found == {f"{stem}.{suffix}" for stem in stems for suffix in ("png", "pdf")}
    for stem in stems:
        pdf = (tmp_path / f"{stem}.pdf").read_bytes()
        assert b"/FontFile2" in pdf  # TrueType
        assert b"/Type3" not in pdf
        assert b"/Subtype /Image" not in pdf


def test_the_same_results_give_the_same_bytes(results, tmp_path):
    table = FIGURES["sfig4"]
    for folder in ("one", "two"):
        write_figure(
            "sfig4", table.title, table.panels, FigureData({"kang": results}), tmp_path / folder
        )
    files = [p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.p*")]
    assert len(files) == 6
    for file in files:
        one, two = ((tmp_path / folder / file).read_bytes() for folder in ("one", "two"))
        assert one == two
        assert b"CreationDate" not in one and b"Software" not in one


def test_a_panel_file_has_the_size_it_has_on_the_page(results):
    module = import_module("scripts.figures.fig1")
    whole = whole_page("fig1", results)
    for letter, part in zip(FIGURES["fig1"].panels, whole.subfigs[1].subfigs, strict=True):
        alone = panel("fig1", letter, results).subfigs[1]
        np.testing.assert_allclose(part.bbox.size, alone.bbox.size, atol=0.1)
        np.testing.assert_allclose(page.inches(part), module.LAYOUT.size(letter), atol=1e-3)


@pytest.mark.parametrize(("name", "letter"), PANELS)
def test_every_panel_of_the_configuration_has_a_function_and_a_place(name, letter):
    module = import_module(f"scripts.figures.{name}")
    assert callable(getattr(module, letter))
    assert letter in "".join(module.LAYOUT.mosaic)
    assert (ROOT / "report" / f"{name}.rst").exists()


def test_an_unknown_panel_is_an_input_error(results, tmp_path):
    with pytest.raises(InputError, match=r"figures.yaml: fig1.panels: .* no panel z;"):
        write_figure("fig1", "title", ["a", "z"], FigureData({"kang": results}), tmp_path)
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- reading results


@pytest.fixture
def files(results, tmp_path):
    latent = results.latent.copy()
    latent.uns["provenance"] = json.dumps({"study": "kang", "origin": "mirror subset"})
    for column in ("cell_type", "condition"):  # as categories that are sorted by name
        latent.obs[column] = latent.obs[column].astype(str).astype("category")
    latent.write_h5ad(tmp_path / "latent.h5ad")
    results.differential.to_csv(tmp_path / "differential.tsv", sep="\t", index=False)
    results.gsea.to_csv(tmp_path / "gsea.tsv", sep="\t", index=False)
    return [tmp_path / f for f in ("latent.h5ad", "differential.tsv", "gsea.tsv")]


def test_load_gives_types_the_order_of_the_study(results, files):
    loaded = load(*files, None, results.study)
    assert list(loaded.latent.obs["cell_type"].cat.categories) == TYPES
    assert loaded.origin == "mirror subset"
    pd.testing.assert_frame_equal(loaded.differential, results.differential)


def test_types_that_the_study_does_not_order_come_last():
    ordered = in_order(pd.Series(["z", "B", "a", np.nan], dtype="object"), ["NK", "B"])
    assert list(ordered.cat.categories) == ["NK", "B", "a", "z"]
    assert ordered.tolist()[:3] == ["z", "B", "a"] and pd.isna(ordered[3])


def test_load_names_what_the_cells_lack(results, files):
    results.latent.write_h5ad(files[0])
    with pytest.raises(InputError, match=r"latent.h5ad: uns has no provenance"):
        load(*files, None, results.study)


def test_one_vs_rest_of_a_study_with_fewer_types(results):
    study = results.study.model_copy(update={"cell_types": TYPES[:2]})
    figure = panel("sfig5", "c", replace(results, study=study))
    assert "no such cell type in these data" in texts(figure)
    assert NAMED == 5
