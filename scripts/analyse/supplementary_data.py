"""Supplementary Data 1 and 2: the top 100 GMVs of each cell type of a study."""

import numpy as np
import pandas as pd

from scripts.common.contrasts import ONE_VS_REST
from scripts.common.run import run
from scripts.common.tables import read_table, write_table


def top_gmvs(differential: pd.DataFrame, n: int = 100) -> pd.DataFrame:
    """Return the `n` GMVs of the largest |log Bayes factor| of each group, one row per rank.

    Each group has three columns: GMV, log Bayes factor and mean difference.
    """
    one_vs_rest = differential[differential["contrast"] == ONE_VS_REST]
    parts = {}
    for group, rows in one_vs_rest.groupby("group", sort=False):
        best = rows.sort_values("log_bf", key=np.abs, ascending=False, kind="stable").head(n)
        parts[group] = best[["gmv", "log_bf", "md"]].reset_index(drop=True)
    table = pd.concat(parts, axis=1)
    table.columns = [f"{group}_{column}" for group, column in table.columns]
    table.index = pd.RangeIndex(1, len(table) + 1, name="rank")
    return table


def main(snakemake):
    """Rule `supplementary_data_<number>`."""
    write_table(top_gmvs(read_table(snakemake.input.table)), snakemake.output.table, index=True)


if __name__ == "__main__":
    run(main, snakemake)
