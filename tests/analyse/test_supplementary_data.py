"""Rules `supplementary_data_1` and `_2`: the top GMVs of each cell type."""

import pandas as pd

from scripts.analyse.supplementary_data import top_gmvs


def test_the_top_gmvs_are_those_of_the_largest_absolute_bayes_factors():
    columns = ["contrast", "group", "gmv", "log_bf", "md"]
    values = [("g0", 1, 0), ("g1", -4, 1), ("g2", 2, 2)]
    rows = [("one_vs_rest", group, *value) for group in "TB" for value in values]
    table = pd.DataFrame([*rows, ("innate", "T", "g9", 9, 9)], columns=columns)
    top = top_gmvs(table, n=2)
    expected = {"gmv": ["g1", "g2"], "log_bf": [-4, 2], "md": [1, 2]}
    expected = {f"{group}_{name}": values for group in "TB" for name, values in expected.items()}
    assert top.to_dict("list") == expected
    assert list(top) == list(expected) and list(top.index) == [1, 2]
