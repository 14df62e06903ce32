"""How many cells each comparison has, counted before any model of the study is trained."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from scripts.analyse.silhouettes import check_columns
from scripts.common.contrasts import groups
from scripts.common.h5ad import read_cells
from scripts.common.run import run
from scripts.common.tables import write_table

COLUMNS = ["model", "contrast", "group", "reference", "n_group", "n_reference"]


def group_sizes(obs: pd.DataFrame, analyses: Mapping[str, dict[str, Any]]) -> pd.DataFrame:
    """Return the numbers of cells of each comparison, by model.

    `analyses` are those of each model and baseline, as config.Analyses has them. A column that the
    cells lack, and a group or a reference without cells, are errors.
    """
    rows = []
    for model, asked in analyses.items():
        check_columns(obs, asked["silhouettes"], f"{model}.")
        for contrast, group, reference, side in groups(obs, asked, f"{model}."):
            sizes = (side == 1).sum(), (side == -1).sum()
            rows.append((model, contrast, group, reference, *sizes))
    return pd.DataFrame(rows, columns=COLUMNS)


def main(snakemake):
    """Rule `group_sizes`."""
    cells = read_cells(snakemake.input.data, backed=True)
    write_table(group_sizes(cells.obs, snakemake.params.analyses), snakemake.output.table)


if __name__ == "__main__":
    run(main, snakemake)
