"""Epochs, losses and silhouettes of the models of a sweep, for all seeds."""

import pandas as pd
import torch
from anndata import AnnData

import vega
from scripts.analyse.silhouettes import Asked, silhouettes
from scripts.analyse.trained_models import Trained, trained
from scripts.common.h5ad import read_cells
from scripts.common.progress import log_progress
from scripts.common.run import run
from scripts.common.tables import write_table


def summary(models: list[Trained], adata: AnnData, asked: Asked) -> pd.DataFrame:
    """Return one row per model of a sweep: epochs, lowest losses per cell and silhouettes.

    Each row names the model and what tells it from the others. `n_cells` is the number of cells
    that it was given; the silhouettes are those of all cells of `adata`.
    """
    rows = []
    for each in log_progress(models, "models", len(models)):
        model = vega.load(each.folder)
        best = model.history.min()
        rows.append(
            {
                "model": each.name,
                "seed": each.seed,
                **each.by,
                "n_cells": model.training["n_cells"],
                "epochs": len(model.history),
                "train_loss": best["train_loss"],
                "validation_loss": best["validation_loss"],
                **(silhouettes(model.latent(adata), asked, each.seed) if asked else {}),
            }
        )
    return pd.DataFrame(rows)


def main(snakemake):
    """Rule `sweep`."""
    torch.set_num_threads(snakemake.threads)
    params = snakemake.params
    models = trained(params.models, params.seeds)
    table = summary(models, read_cells(snakemake.input.data), params.silhouettes)
    write_table(table, snakemake.output.table)


if __name__ == "__main__":
    run(main, snakemake)
