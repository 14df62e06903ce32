"""Rule `differential`: which cells are compared, and the table of Bayes factors."""

import numpy as np
import pandas as pd
import pytest
from helpers.checks import one_line_error
from helpers.latent import ANALYSES, latent_cells

from scripts.analyse.differential import differential_tables
from scripts.common.contrasts import groups


@pytest.fixture(scope="module")
def latent():
    return latent_cells()


@pytest.fixture(scope="module")
def table(latent):
    return differential_tables(latent, ANALYSES, seed=1)


@pytest.mark.parametrize("kind", [int, bool, str])
@pytest.mark.parametrize("dtype", [object, "category"])
def test_labels_may_be_numbers_and_missing(kind, dtype):
    """A cell without a label is on no side; labels are those that the configuration writes."""
    values = [*map(kind, [1, 0, 1, 0]), None]
    obs = pd.DataFrame({"label": pd.Series(values, dtype=object), "in": list("xxyyx")})
    obs["label"] = obs["label"].astype(dtype)
    zero, one = str(kind(0)), str(kind(1))
    contrast = {"column": "label", "group": one, "reference": zero, "by": None, "within": {}}
    contrasts = {
        "c": contrast | {"within": {"in": ["x"]}},
        "d": contrast,
        "e": contrast | {"by": "in", "within": {"label": [one, zero]}},
    }
    asked = {"contrasts": contrasts, "one_vs_rest": "label"}
    found = [(*names, list(side)) for *names, side in groups(obs, asked)]
    assert found == [
        ("c", one, zero, [1, -1, 0, 0, 0]),
        ("d", one, zero, [1, -1, 1, -1, 0]),
        ("e", "x", zero, [1, -1, 0, 0, 0]),
        ("e", "y", zero, [0, 0, 1, -1, 0]),
        ("one_vs_rest", zero, "rest", [-1, 1, -1, 1, 0]),
        ("one_vs_rest", one, "rest", [1, -1, 1, -1, 0]),
    ]
    with one_line_error(f"all cells have the same label, {zero}"):
        list(groups(obs.iloc[[1, 3, 4]], asked | {"contrasts": {}}))


def test_a_model_without_contrasts_is_named(latent):
    with one_line_error("needs contrasts or one_vs_rest"):
        differential_tables(latent, {"contrasts": {}, "one_vs_rest": None}, 1)


def test_the_table_finds_what_was_planted(table):
    assert len(table) == 4 * 4
    best = table.loc[table.groupby(["contrast", "group"])["log_bf"].idxmax()]
    best = best.set_index(["contrast", "group"])
    assert best.loc[("one_vs_rest", "T"), "gmv"] == "B"
    planted = best.loc[("innate", "stim")]
    assert planted["gmv"] == "A"
    assert planted[["md", "md_exact"]].tolist() == pytest.approx([6, 6], abs=0.5)
    assert planted["log_bf_exact"] > 5
    sizes = planted[["n_genes", "n_genes_in_data", "n_group", "n_reference"]]
    assert sizes.tolist() == [5, 4, 40, 40]


def test_corrected_md_is_that_of_the_text(latent, table):
    corrected = differential_tables(latent, ANALYSES, seed=1, fidelity="corrected")
    assert table["md_text"].equals(corrected["md"])
    assert table["log_bf"].equals(corrected["log_bf"])
    assert (table["md_text"] >= table["md"] - 0.2).all()
    assert not np.allclose(table["md_text"], table["md"], atol=0.2)
