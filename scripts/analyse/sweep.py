"""Epochs, losses and silhouettes of the models of a sweep, for all seeds."""

from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from anndata import AnnData

import vega
from scripts.analyse.silhouettes import Asked, silhouettes
from scripts.common.h5ad import read_cells
from scripts.common.progress import log_progress
from scripts.common.run import run
from scripts.common.tables import write_table


def summary(
    models: dict[str, dict[str, Any]],
    seeds: list[int],
    adata: AnnData,
    asked: Asked,
    shuffles: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return one row per model and seed of a sweep: epochs, lowest losses per cell and silhouettes.

    `models` have what tells each from the others (`by`), which its rows name, and its `folder`.
    `n_cells` is the number of cells that it was given; the silhouettes are those of all cells of
    `adata`. The second table has the silhouettes of shuffled labels, one row per `shuffle`.
    """
    rows, controls = [], []
    runs = list(product(seeds, models.items()))
    for seed, (name, each) in log_progress(runs, "models", len(runs)):
        model = vega.load(Path(each["folder"], f"seed{seed}"))
        best = model.history.min()
        about = {"model": name, "seed": seed, **each["by"]}
        row = about | {
            "n_cells": model.training["n_cells"],
            "epochs": len(model.history),
            "train_loss": best["train_loss"],
            "validation_loss": best["validation_loss"],
        }
        if asked:
            latent = model.latent(adata)
            found, shuffled = silhouettes(latent, asked, seed, shuffles)
            row |= found
            controls += [about | values for values in shuffled]
        rows.append(row)
    return pd.DataFrame(rows), pd.DataFrame(controls, columns=None if controls else ["shuffle"])


def main(snakemake):
    """Rule `sweep`."""
    torch.set_num_threads(snakemake.threads)
    params, output = snakemake.params, snakemake.output
    adata = read_cells(snakemake.input.data)
    tables = summary(params.models, params.seeds, adata, params.silhouettes, params.shuffles)
    for table, path in zip(tables, (output.table, output.control), strict=True):
        write_table(table, path)


if __name__ == "__main__":
    run(main, snakemake)
