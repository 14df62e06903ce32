"""Epochs, losses and silhouettes of the models of a sweep, for all seeds."""

import pandas as pd
import torch
from anndata import AnnData

import vega
from scripts.analyse.silhouettes import Asked, shuffled_silhouettes, silhouettes
from scripts.analyse.trained_models import Trained, trained
from scripts.common.h5ad import read_cells
from scripts.common.progress import log_progress
from scripts.common.run import run
from scripts.common.tables import write_table


def summary(
    models: list[Trained], adata: AnnData, asked: Asked, shuffles: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return one row per model of a sweep: epochs, lowest losses per cell and silhouettes.

    Each row names the model and what tells it from the others. `n_cells` is the number of cells
    that it was given; the silhouettes are those of all cells of `adata`. The second table has the
    silhouettes of shuffled labels, one row per model and `shuffle`.
    """
    rows, controls = [], []
    for each in log_progress(models, "models", len(models)):
        model = vega.load(each.folder)
        best = model.history.min()
        about = {"model": each.name, "seed": each.seed, **each.by}
        row = about | {
            "n_cells": model.training["n_cells"],
            "epochs": len(model.history),
            "train_loss": best["train_loss"],
            "validation_loss": best["validation_loss"],
        }
        if asked:
            latent = model.latent(adata)
            row |= silhouettes(latent, asked, each.seed)
            shuffled = shuffled_silhouettes(latent, asked, each.seed, shuffles)
            controls += [about | values for values in shuffled]
        rows.append(row)
    return pd.DataFrame(rows), pd.DataFrame(controls, columns=None if controls else ["shuffle"])


def main(snakemake):
    """Rule `sweep`."""
    torch.set_num_threads(snakemake.threads)
    params, output = snakemake.params, snakemake.output
    models = trained(params.models, params.seeds)
    adata = read_cells(snakemake.input.data)
    tables = summary(models, adata, params.silhouettes, params.shuffles)
    for table, path in zip(tables, (output.table, output.control), strict=True):
        write_table(table, path)


if __name__ == "__main__":
    run(main, snakemake)
