"""Decoder weights of some GMVs in the models of a sweep, for all seeds."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import vega
from scripts.common.run import run
from scripts.common.tables import write_table
from vega.errors import InputError

LARGEST = 100  # weights of a GMV that are listed, with those of the genes of its set


def weights(models: dict[str, dict[str, Any]], seeds: list[int], gmvs: list[str]) -> pd.DataFrame:
    """Return decoder weights of some GMVs: one row per model and seed of a sweep, GMV and gene.

    `models` are those of `sweep.summary`, with the genes `removed` from the gene sets of each.
    Of each GMV these are the genes of the set that the model was given (`in_set`), those that were
    taken out of it before (`removed`), and the 100 of the largest weights. `rank` 1 is the largest.
    """
    tables = []
    for seed, (name, each) in product(seeds, models.items()):
        model = vega.load(Path(each["folder"], f"seed{seed}"))
        weight = model.weights()
        for gmv in gmvs:
            if gmv not in model.gmvs:
                raise InputError(
                    f"config/models.yaml: weights_of: {name} has no GMV {gmv}; correct the name"
                )
            rows = weight[gmv].sort_values(ascending=False, kind="stable")
            rows = rows.rename_axis("gene").reset_index(name="weight")
            rows["rank"] = np.arange(1, len(rows) + 1)
            in_set = np.asarray(model.genes)[model.annotation[model.gmvs.index(gmv)]]
            rows["in_set"] = rows["gene"].isin(in_set)
            rows["removed"] = rows["gene"].isin(each["removed"].get(gmv, []))
            rows = rows[rows["in_set"] | rows["removed"] | (rows["rank"] <= LARGEST)]
            known = {"model": name, "seed": seed, **each["by"], "gmv": gmv}
            tables.append(pd.DataFrame(known, index=rows.index).join(rows))
    return pd.concat(tables, ignore_index=True)


def main(snakemake):
    """Rule `weights`."""
    params = snakemake.params
    table = weights(params.models, params.seeds, params.weights_of)
    write_table(table, snakemake.output.table)


if __name__ == "__main__":
    run(main, snakemake)
