"""Rule `gsea`: gene set enrichment of the contrasts that ask for it."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from helpers.latent import ANALYSES, latent_cells
from scipy.stats import ranksums

from scripts.analyse.gsea import (
    gsea_tables,
    prerank,
    shuffled_gsea,
    shuffled_scores,
    wilcoxon_scores,
)
from scripts.common.shuffles import shuffle_labels

GENES = [f"g{i}" for i in range(100)]
SETS = {"SIX": GENES[:6], "FLAT": GENES[40:60], "SMALL": GENES[:2]}


@pytest.fixture(scope="module")
def data():
    """The first 10 genes are higher in stimulated cells."""
    obs = latent_cells().obs
    x = np.random.default_rng(3).normal(size=(120, 100)).astype(np.float32)
    x[(obs["condition"] == "stim").to_numpy(), :10] += 2
    return AnnData(x, obs=obs, var=pd.DataFrame(index=GENES))


@pytest.fixture(scope="module")
def scores(data):
    """Of the innate contrast."""
    innate = data[data.obs["cell_type"] != "T"]
    return wilcoxon_scores(innate, (innate.obs["condition"] == "stim").to_numpy())


def test_wilcoxon_scores_are_those_of_scipy(data, scores):
    assert scores.is_monotonic_decreasing
    innate = data[data.obs["cell_type"] != "T"]
    sides = (innate[innate.obs["condition"] == c].to_df() for c in ("stim", "ctrl"))
    expected = pd.Series(ranksums(*sides).statistic, index=GENES)
    np.testing.assert_allclose(scores, expected[scores.index], rtol=1e-3, atol=1e-5)


def test_prerank_finds_the_shifted_set_and_passes_over_small_ones(scores):
    table = prerank(scores, SETS)
    assert list(table.index) == list(SETS)
    assert table.loc["SIX", "nes"] > 1.5
    assert table.loc["SIX", "fdr"] < 0.05 < table.loc["FLAT", "fdr"]
    assert np.isnan(table.loc["SMALL", "fdr"])
    assert table.loc["SMALL", "neg_log10_fdr"] == 0
    assert -np.log10(0.05) < table.loc["SIX", "neg_log10_fdr"] <= 5


def test_gsea_ranks_all_filtered_genes_and_the_models_own(data, scores, monkeypatch):
    """A set with 6 filtered genes, of which 3 vary most, is tested: erratum 11."""
    monkeypatch.setattr("scripts.analyse.gsea.PUBLISHED_RANKING", 70)
    table = gsea_tables(data, GENES[3:], SETS, ANALYSES)
    assert set(table["contrast"]) == {"innate"}  # one_vs_rest does not ask for it
    table = table.set_index("gmv")
    for column, ranking in (("fdr", scores), ("fdr_first", scores.head(70))):
        expected = prerank(ranking, SETS)["fdr"]
        pd.testing.assert_series_equal(table[column], expected, check_names=False)
    assert not table["fdr"].equals(table["fdr_first"])
    assert np.isnan(table.loc["SIX", "fdr_variable"])  # fewer than 5 genes
    assert table.loc["SIX", "neg_log10_fdr_variable"] == 0
    assert gsea_tables(data, GENES, SETS, {**ANALYSES, "contrasts": {}}).empty


def test_the_control_of_gsea_is_that_of_shuffled_labels(data):
    table = shuffled_gsea(data, SETS, ANALYSES, shuffles=2)
    innate = data[data.obs["cell_type"] != "T"]
    shuffled = shuffle_labels(innate.obs, "condition", 2)["condition"]
    scores = wilcoxon_scores(innate, (shuffled == "stim").to_numpy())
    found = shuffled_scores(innate, (shuffled == "stim").to_numpy()[None])[1]
    np.testing.assert_allclose(found[scores.index], scores, rtol=1e-4, atol=1e-5)
    rows = table[table["shuffle"] == 2].set_index("gmv")
    np.testing.assert_allclose(rows["es"], prerank(scores, SETS)["es"], rtol=1e-4)
    assert shuffled_gsea(data, SETS, ANALYSES, shuffles=0).empty


def test_a_comparison_that_gsea_cannot_make_is_left_out_with_the_reason(data):
    """The others are made."""
    contrast = ANALYSES["contrasts"]["innate"]
    data = data.copy()
    data.obs["condition"] = data.obs["condition"].astype(str)
    innate = data.obs_names[data.obs["cell_type"] != "T"]
    data.obs.loc[innate[0], "condition"] = "one"
    analyses = {**ANALYSES, "contrasts": {"few": {**contrast, "group": "one"}, "innate": contrast}}
    table = gsea_tables(data, GENES, SETS, analyses)
    left_out = table.dropna(subset="left_out").set_index("contrast")
    assert list(left_out.index) == ["few"] and left_out["gmv"].isna().all()
    assert left_out.loc["few", "left_out"] == (
        "the group has 1 and the reference 39 cells; expected at least 2 each"
    )
    made = table[table["contrast"] == "innate"].set_index("gmv")
    assert made.loc["SIX", "fdr"] < 0.05 and list(made.index) == list(SETS)


def test_without_a_set_of_the_right_size_there_is_no_gsea(data):
    small = {"SMALL": GENES[:2], "ALL": GENES}  # which gseapy does not test either
    (row,) = gsea_tables(data, GENES, small, ANALYSES).itertuples()
    assert row.left_out == (
        "of 2 gene sets none has 5 to 1,000 of the 100 ranked genes; the largest has 100"
    )
    assert shuffled_gsea(data, small, ANALYSES, shuffles=2).empty
    # Sets that only the variable genes make too small are tested in the other rankings.
    table = gsea_tables(data, GENES[6:], {"SIX": GENES[:6]}, ANALYSES).set_index("gmv")
    assert table.loc["SIX", "fdr"] < 0.05
    assert np.isnan(table.loc["SIX", "fdr_variable"])
    assert table.loc["SIX", "neg_log10_fdr_variable"] == 0
