"""Epochs, losses and silhouettes of the models of a sweep, for all seeds."""

from collections.abc import Iterable

import pandas as pd
import torch
from anndata import AnnData

import vega
from scripts.analyse.encoded import encoded
from scripts.analyse.silhouettes import Asked, silhouettes
from scripts.analyse.trained_models import Trained, trained
from scripts.common.h5ad import read_cells
from scripts.common.progress import log_progress
from scripts.common.run import run
from scripts.common.tables import write_table


def summary(models: Iterable[Trained], adata: AnnData, asked: Asked) -> pd.DataFrame:
    """Epochs, lowest losses per cell and silhouettes of each model of a sweep.

    Parameters
    ----------
    models
        The trained models.
    adata
        The preprocessed study, all cells of which are encoded.
    asked
        See `silhouettes`.

    Returns
    -------
    One row per model: `model`, `seed`, what tells it from the others, `n_cells` (it was given),
    `epochs`, `train_loss` and `validation_loss` (each the lowest of all epochs), `silhouette_...`.
    """
    rows = []
    models = list(models)
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
                **(silhouettes(encoded(model, adata), asked, each.seed) if asked else {}),
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
