"""The summary page: all that can be shown of a study, and what cannot is said."""

from dataclasses import replace
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from helpers.drawn import texts
from helpers.legible import assert_legible
from helpers.organoid import TYPES, planted_organoid
from matplotlib.text import Text

from scripts.analyse.differential import differential_tables
from scripts.common.config.load import load
from scripts.common.tables import read_table
from scripts.figures import summary_page
from scripts.figures.comparisons import comparison_title
from scripts.figures.data import FigureData, in_order
from scripts.figures.layout import Layout, page_figure, shortened
from vega.gene_sets import readable

TREATMENT = {
    "within": {}, "column": "condition", "group": "treated", "reference": "control", "by": None,
    "gsea": True,
}  # fmt: skip
EACH_TYPE = {"contrasts": {}, "one_vs_rest": "cell_type"}
ANALYSES = EACH_TYPE | {"contrasts": {"treatment": TREATMENT}}
MANY = [f"Type {i:02d} of the retina" for i in range(18)]


LONG = ["A_TYPE_WITH_A_NAME_THAT_NEVER_ENDS_AND_HAS_NO_BLANKS_IN_IT", "B"]


@pytest.fixture(scope="module")
def results():
    """Cells of three types and two conditions, with GSEA of the contrast between these."""
    results = planted_organoid()["organoid"]
    latent = results.latent
    labels = pd.Series(np.resize(["control", "treated"], latent.n_obs), latent.obs_names)
    latent.obs["condition"] = in_order(labels, ["control"])
    latent.X[labels == "treated", 5] += 9
    gsea = pd.DataFrame({"gmv": latent.var_names, "fdr": np.linspace(1e-5, 1, latent.n_vars)})
    gsea = gsea.assign(contrast="treatment", group="treated", neg_log10_fdr=-np.log10(gsea["fdr"]))
    return replace(results, differential=differential_tables(latent, ANALYSES, seed=1), gsea=gsea)


def cells_with(results, **columns):
    """The same cells, with other columns (None: without this one)."""
    latent = results.latent.copy()
    for column, values in columns.items():
        if values is None:
            del latent.obs[column]
        else:
            latent.obs[column] = pd.Categorical(np.resize(values, latent.n_obs))
    return latent


def of_types(results, types, analyses=EACH_TYPE):
    """The results of cells of other types."""
    latent = cells_with(results, cell_type=types)
    table = differential_tables(latent, analyses, seed=1)
    return replace(results, latent=latent, differential=table, gsea=None)


def page(results):
    """The panels of the page, as subfigures, and all that is written on it."""
    with mock.patch.object(summary_page, "write_panels") as write:
        summary_page.write_summary_page("toy", FigureData({"toy": results}), None)
    _, panels, layout, title, data, _ = write.call_args.args
    contents = {letter: panel.table(data) for letter, panel in panels.items()}
    figure = page_figure(panels, contents, layout, title, data.tag)
    return figure, figure.subfigs[1].subfigs, texts(figure)


def titles(parts):
    return [ax.get_title() or ax.get_title(loc="left") for part in parts for ax in part.axes]


def test_a_study_with_everything_has_everything(results):
    _, parts, words = page(results)
    assert titles(parts) == [
        "300 cells by cell type",
        "300 cells by condition",
        "treatment: treated against control",
        *(f"{kind} against all other cells" for kind in TYPES),
        *("", ""),  # the heatmap, and GSEA
    ]
    assert "treatment: treated against control" in [t.get_text() for t in parts[-1].texts]
    assert "toy: Organoids (Planted et al.)" in words


def test_gsea_is_beside_the_bayes_factors_of_its_own_comparison(results):
    _, parts, _ = page(results)
    (axes,) = parts[-1].axes
    table = results.with_gsea("treatment", "treated")
    drawn = np.concatenate([np.ma.getdata(c.get_offsets()) for c in axes.collections])
    expected = np.c_[table["neg_log10_fdr"], table["log_bf"].abs().clip(upper=10)]
    drawn = drawn[~np.isnan(drawn).any(axis=1)]
    np.testing.assert_allclose(
        sorted(map(tuple, drawn.round(6))), sorted(map(tuple, expected.round(6)))
    )


def test_the_heatmap_holds_the_strongest_of_each_comparison(results):
    table = summary_page.strongest_gmvs(results.differential)
    assert list(table["comparison"].unique()) == ["treatment: treated", *TYPES]
    table = table.pivot(index="gmv", columns="comparison", values="log_bf")
    for (contrast, group), rows in results.differential.groupby(["contrast", "group"]):
        by_gmv = rows.set_index("gmv")["log_bf"]
        column = group if contrast == "one_vs_rest" else f"{contrast}: {group}"
        assert set(by_gmv.abs().nlargest(5).index) <= set(table.index)
        assert table[column].equals(by_gmv[table.index].rename(column))


def genes_of(results):
    """Five genes of each GMV, the first of the largest weight."""
    table = pd.DataFrame({"gmv": np.repeat(results.latent.var_names, 5)})
    table["rank"] = np.resize(range(1, 6), len(table))
    table["gene"] = table["gmv"].str[:6] + "-" + table["rank"].astype(str)
    return table.assign(weight=1 / table["rank"], in_set=True)


def test_the_genes_of_those_that_differ_most_are_shown(results):
    told = replace(results, genes=genes_of(results))
    table = results.differential
    strongest = table.groupby("gmv")["log_bf"].agg(lambda x: x.abs().max())
    strongest = strongest[~strongest.index.str.startswith("UNANNOTATED")]
    _, parts, words = page(told)
    bars = parts[-1].axes
    assert len(bars) == min(8, len(strongest))
    for ax, gmv in zip(bars, strongest.nlargest(8).index, strict=True):
        assert ax.get_title(loc="left").replace("\n", " ") == shortened(readable(gmv), 48)
        names = [label.get_text() for label in ax.get_yticklabels()]
        assert names == [f"{gmv[:6]}-{rank}" for rank in range(1, 6)]
        np.testing.assert_allclose([b.get_width() for b in ax.patches], 1 / np.arange(1, 6))
    assert any("differ most in a comparison" in text for text in words)
    # A decoder that is not linear has none.
    assert len(page(replace(results, genes=genes_of(results).head(0)))[1]) == len(parts) - 1
    _, parts, words = page(replace(told, differential=None))
    assert len(parts[-1].axes) == min(8, len(strongest))
    assert any("from cell to cell" in text for text in words)


def test_without_types_and_conditions_the_cells_are_shown_as_they_are(results):
    latent = cells_with(results, cell_type=None, condition=None)
    _, parts, words = page(replace(results, latent=latent, differential=None, gsea=None))
    assert titles(parts) == ["300 cells"]
    (dots,) = parts[0].axes[0].collections
    assert len(dots.get_offsets()) == 300
    assert "these cells have neither types nor conditions that tell them apart" in words
    assert any("neither a column cell_type nor a column condition" in t for t in words)


def test_a_model_that_is_asked_nothing_says_so(results):
    _, parts, words = page(replace(results, differential=None, gsea=None))
    assert titles(parts) == ["300 cells by cell type", "300 cells by condition"]
    assert any("neither contrasts nor one_vs_rest" in t for t in words)


def test_a_model_without_an_embedding_says_so(results):
    latent = results.latent.copy()
    del latent.obsm["X_umap"]
    _, _, words = page(replace(results, latent=latent))
    assert "the model’s entry asks for no embedding" in words


def test_a_type_of_few_cells_says_so_in_log_and_title(results, caplog):
    types = np.array(["A", "B"] * 150, dtype=object)
    types[:9] = "Rare"
    _, parts, _ = page(of_types(results, types))
    assert "one_vs_rest: Rare has only 9 cells" in caplog.text
    assert "A has only" not in caplog.text
    assert "Rare (only 9 cells) against all other cells" in titles(parts)
    assert "A against all other cells" in titles(parts)


def test_of_many_types_eight_have_a_volcano_and_the_page_says_so(results):
    _, parts, words = page(of_types(results, MANY))
    volcanoes = [t for t in titles(parts) if "against" in t]
    assert volcanoes == [f"{kind} against all other cells" for kind in MANY[:8]]
    assert any("of 18 comparisons 8 have a volcano" in t for t in words)


def test_neither_missing_types_nor_more_values_than_can_be_told_apart_are_coloured(results):
    latent = cells_with(results, batch=[f"b{i}" for i in range(60)], cell_type=None)
    table = results.differential[results.differential["contrast"] == "treatment"]
    _, parts, words = page(replace(results, latent=latent, differential=table, gsea=None))
    assert titles(parts)[:2] == ["300 cells by condition", "treatment: treated against control"]
    assert "not shown: 60 values of batch" in words


@pytest.mark.parametrize("types", [TYPES, MANY, LONG])
def test_no_text_covers_another_or_leaves_the_page(results, types, monkeypatch):
    study = results.study.model_copy(update={"title": "A very long title " * 9})
    found = replace(
        of_types(results, types, ANALYSES), gsea=results.gsea, study=study, origin="simulated",
        genes=genes_of(results),
    )  # fmt: skip
    found.latent.obs["batch"] = pd.Categorical(np.resize(["1", "2"], found.latent.n_obs))
    figure, *_ = page(found)
    assert_legible(figure, monkeypatch)


def test_panels_stand_two_in_a_row_unless_they_are_wide():
    half, low = (summary_page.Part(None, "", height) for height in (2.5, 1.0))
    wide = summary_page.Part(None, "", 2.0, wide=True)
    assert summary_page.layout([half, half, half, wide, half, low, low]) == Layout(
        ("ab", "c.", "dd", "e.", "fg"), (3.6, 3.6), (2.5, 2.5, 2.0, 2.5, 1.0)
    )


def test_files_are_the_page_and_its_panels_with_tables_they_are_drawn_from(results, tmp_path):
    results = replace(results, genes=genes_of(results))
    summary_page.write_summary_page("toy", FigureData({"toy": results}), tmp_path)
    found = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*")}
    panels = [f"toy/{letter}" for letter in "abcdefghi"]
    assert found == {f"{stem}.{s}" for stem in ("toy", *panels) for s in ("png", "pdf")} | {
        *(f"{panel}.tsv" for panel in panels), "toy/columns.tsv",
    }  # fmt: skip
    log_bf = results.contrast("treatment", "treated")["log_bf"]
    np.testing.assert_allclose(read_table(tmp_path / "toy/c.tsv")["log_bf"], log_bf, rtol=1e-7)


def test_models_that_no_figure_names_have_a_summary_page(tmp_path):
    config = load({"run": "t"}, ROOT / "config")
    named = {model for figure in config.figures.values() for model in figure.models}
    assert not named & set(config.summary_models)
    alone = config.model_copy(update={"figures": {"fig3": config.figures["fig3"]}})
    assert "kang" in alone.summary_models and "organoid" not in alone.summary_models
    # Nothing could be shown of a model without an embedding of which nothing is asked.
    assert "kang_control" not in alone.summary_models


def test_gsea_that_was_left_out_says_why(results):
    row = {"contrast": "treatment", "group": "treated", "gmv": None, "left_out": "few"}
    _, parts, words = page(replace(results, gsea=pd.DataFrame([row])))
    assert "No GSEA of treatment: treated: few." in words
    assert len(parts) == len(page(results)[1])


def test_names_are_shown_as_they_are_and_what_the_font_lacks_is_logged_once(
    results, tmp_path, caplog
):
    names = ["$x$ and $y$", r"\frac{a}", "細胞"]
    found = of_types(results, np.resize(names, results.latent.n_obs))
    summary_page.write_summary_page("toy", FigureData({"toy": found}), tmp_path)
    lacks = [r.getMessage() for r in caplog.records if "the font lacks" in r.getMessage()]
    assert sorted(line[0] for line in lacks) == ["細", "胞"]
    _, parts, _ = page(found)
    assert {f"{name} against all other cells" for name in names} <= set(titles(parts))
    drawn = [text for part in parts for text in part.findobj(Text)]
    for name in names:
        shown = [text for text in drawn if name in text.get_text()]
        assert shown and not any(text.get_parse_math() for text in shown)


@pytest.mark.parametrize(
    ("contrast", "group", "title"),
    [
        ("drug", "DMSO", "drug: DMSO (only 9 cells) against none"),
        ("IFN", "IFN", "IFN (only 9 cells) against none"),
        ("one_vs_rest", "NK", "NK (only 9 cells) against all other cells"),
    ],
)
def test_a_title_says_what_is_compared_once(contrast, group, title):
    row = {"contrast": contrast, "group": group, "reference": "none", "n_group": 9}
    assert comparison_title(pd.Series(row)) == title
