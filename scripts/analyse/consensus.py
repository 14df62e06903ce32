"""What the models of all seeds agree on, for every comparison that is asked of a model."""

from collections.abc import Sequence

import pandas as pd

from scripts.common.run import run
from scripts.common.tables import read_table, write_table
from vega.consensus import consensus

COMPARISON = ["contrast", "group", "reference"]


def consensus_table(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the consensus of differential tables, one per seed, in each of their comparisons."""
    by_seed = [
        dict(list(table.set_index("gmv").groupby(COMPARISON, sort=False))) for table in tables
    ]
    found = {
        comparison: consensus([of_seed[comparison] for of_seed in by_seed])
        for comparison in by_seed[0]
    }
    return pd.concat(found, names=[*COMPARISON, "gmv"]).reset_index()


def main(snakemake):
    """Rule `consensus`."""
    tables = [read_table(path) for path in snakemake.input.tables]
    write_table(consensus_table(tables), snakemake.output.table)


if __name__ == "__main__":
    run(main, snakemake)
