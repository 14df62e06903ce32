"""Rule `consensus`: the comparisons of a model, over its seeds."""

import pandas as pd
from helpers.latent import ANALYSES, latent_cells

from scripts.analyse.consensus import consensus_table
from scripts.analyse.differential import differential_tables
from vega.consensus import consensus


def test_each_comparison_has_the_consensus_of_its_seeds():
    latent = latent_cells()
    weak = latent.copy()
    weak.X /= 4
    tables = [differential_tables(latent, ANALYSES, 1), differential_tables(weak, ANALYSES, 2)]
    found = consensus_table(tables)
    keys = ["contrast", "group", "reference"]
    assert list(found.columns) == [
        *keys, "gmv", "log_bf_mean", "log_bf_sd", "share_significant", "md",
    ]  # fmt: skip
    assert found[keys].drop_duplicates().to_numpy().tolist() == [
        ["innate", "stim", "ctrl"],
        *(["one_vs_rest", cell_type, "rest"] for cell_type in ("T", "DC", "Mono")),
    ]
    for comparison, rows in found.groupby(keys):
        chosen = [t[(t[keys] == comparison).all(axis=1)].set_index("gmv") for t in tables]
        expected = consensus(chosen).reset_index()
        pd.testing.assert_frame_equal(rows.drop(columns=keys).reset_index(drop=True), expected)
