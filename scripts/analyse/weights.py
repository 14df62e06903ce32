"""Decoder weights of some GMVs in the models of a sweep, for all seeds."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

import vega
from scripts.analyse.trained_models import Trained, trained
from scripts.common.run import run
from scripts.common.tables import write_table
from vega.errors import InputError

LARGEST = 100  # weights of a GMV that are listed, beside those of its own genes


def weights(models: Iterable[Trained], gmvs: list[str]) -> pd.DataFrame:
    """Decoder weights of some GMVs in each model of a sweep.

    Returns
    -------
    One row per model, GMV and gene: `model`, `seed`, what tells the model from the others, `gmv`,
    `gene`, `weight`, `rank` (1 is the largest), `in_set` (whether the gene is in the set that the
    model was given) and `removed` (whether it was taken out of it before). Of each GMV the genes
    of its set, those taken out, and the 100 of the largest weights.

    Raises
    ------
    InputError
        If a model has no such GMV.
    """
    return pd.concat(_weights(models, gmvs), ignore_index=True)


def _weights(models: Iterable[Trained], gmvs: list[str]) -> Iterator[pd.DataFrame]:
    for each in models:
        model = vega.load(each.folder)
        table = model.weights()
        for gmv in gmvs:
            if gmv not in model.gmvs:
                raise InputError(f"config/models.yaml: weights_of: {each.name} has no GMV {gmv}")
            weight = table[gmv].sort_values(ascending=False, kind="stable")
            rows = weight.rename_axis("gene").reset_index(name="weight")
            rows["rank"] = np.arange(1, len(rows) + 1)
            in_set = np.asarray(model.genes)[model.annotation[model.gmvs.index(gmv)]]
            rows["in_set"] = rows["gene"].isin(in_set)
            rows["removed"] = rows["gene"].isin(each.removed.get(gmv, []))
            rows = rows[rows["in_set"] | rows["removed"] | (rows["rank"] <= LARGEST)]
            known = {"model": each.name, "seed": each.seed, **each.by, "gmv": gmv}
            yield pd.DataFrame(known, index=rows.index).join(rows)


def main(snakemake):
    """Rule `weights`."""
    params = snakemake.params
    table = weights(trained(params.models, params.seeds), params.weights_of)
    write_table(table, snakemake.output.table)


if __name__ == "__main__":
    run(main, snakemake)
