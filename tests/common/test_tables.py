"""Tables as they are written and read."""

import numpy as np
import pandas as pd

from scripts.common.tables import read_table, write_table


def test_tables_keep_names_that_look_like_missing_values(tmp_path):
    table = pd.DataFrame({"gmv": ["NA", "None", "a b"], "x": [1 / 3, np.nan, 2]})
    table["group"] = ["0", "1.0", "True"]  # clusters
    write_table(table, tmp_path / "t.tsv")
    again = read_table(tmp_path / "t.tsv")
    assert list(again["gmv"]) == list(table["gmv"])
    assert list(again["group"]) == ["0", "1.0", "True"]
    np.testing.assert_allclose(again["x"], table["x"], rtol=1e-7)
