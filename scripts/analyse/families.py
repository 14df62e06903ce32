"""What the models of a family come to beside each other: losses, silhouettes, weights."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData

import vega
from scripts.analyse.analyse import encoded
from scripts.common.obs_mask import having
from scripts.common.progress import told
from vega.differential import Posterior
from vega.errors import InputError
from vega.gene_sets import EXTRA_NODE
from vega.metrics import silhouette

Asked = dict[str, dict[str, Any]]  # silhouettes by name, as config.Silhouette has them

LARGEST = 100  # weights of a GMV that are listed, beside those of its own genes


class Trained(NamedTuple):
    """A trained model of a family.

    Attributes
    ----------
    name, seed
        Which.
    by
        What tells it from the others: value by setting.
    folder
        Where it is saved.
    removed
        Genes taken out of its gene sets, by set.
    """

    name: str
    seed: int
    by: dict[str, Any]
    folder: Path
    removed: dict[str, list[str]]


def trained(models: dict[str, dict[str, Any]], seeds: list[int]) -> Iterator[Trained]:
    """The models of a family with all seeds; of each model `by`, its `folder` and `removed`."""
    for seed in seeds:
        for name, about in models.items():
            folder = Path(about["folder"], f"seed{seed}")
            yield Trained(name, seed, about["by"], folder, about["removed"])


def silhouettes(latent: AnnData, asked: Asked, seed: int) -> dict[str, float]:
    """Silhouettes of labels in a latent space, as the columns `silhouette_<name>`.

    Parameters
    ----------
    latent
        Cells x latent variables: `X` the posterior mean and `layers["variance"]` its variance.
    asked
        Which labels, of which cells, where in the space.
    seed
        Of posterior samples.

    Returns
    -------
    NaN where the cells have fewer than two labels.

    Raises
    ------
    InputError
        If the cells lack a column.
    """
    spaces = {"mean": np.asarray(latent.X)}
    if any(how["of"] == "sample" for how in asked.values()):
        posterior = Posterior(spaces["mean"], np.asarray(latent.layers["variance"]))
        spaces["sample"] = posterior.sample(np.random.default_rng(seed))
    found = {}
    for name, how in asked.items():
        for column in (how["column"], *how["within"]):
            if column not in latent.obs:
                raise InputError(
                    f"config: silhouettes.{name}: the study has no column {column}; "
                    f"it has {', '.join(latent.obs)}"
                )
        chosen = latent.obs[how["column"]].notna().to_numpy() & having(latent.obs, how["within"])
        space = spaces[how["of"]]
        if not how["extra_nodes"]:
            space = space[:, ~latent.var_names.str.startswith(EXTRA_NODE)]
        labels = latent.obs.loc[chosen, how["column"]].astype(str)
        several = 1 < labels.nunique() < len(labels)
        found[f"silhouette_{name}"] = silhouette(space[chosen], labels) if several else np.nan
    return found


def summary(models: Iterable[Trained], adata: AnnData, asked: Asked) -> pd.DataFrame:
    """Epochs, lowest losses per cell and silhouettes of each model of a family.

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
    for trained in told(models, "models", len(models)):
        model = vega.load(trained.folder)
        best = model.history.min()
        rows.append(
            {
                "model": trained.name,
                "seed": trained.seed,
                **trained.by,
                "n_cells": model.training["n_cells"],
                "epochs": len(model.history),
                "train_loss": best["train_loss"],
                "validation_loss": best["validation_loss"],
                **(silhouettes(encoded(model, adata), asked, trained.seed) if asked else {}),
            }
        )
    return pd.DataFrame(rows)


def weights(models: Iterable[Trained], gmvs: list[str]) -> pd.DataFrame:
    """Decoder weights of some GMVs in each model of a family.

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
    for trained in models:
        model = vega.load(trained.folder)
        table = model.weights()
        for gmv in gmvs:
            if gmv not in model.gmvs:
                raise InputError(f"config/models.yaml: weights_of: {trained.name} has no GMV {gmv}")
            weight = table[gmv].sort_values(ascending=False, kind="stable")
            rows = weight.rename_axis("gene").reset_index(name="weight")
            rows["rank"] = np.arange(1, len(rows) + 1)
            members = np.asarray(model.genes)[model.annotation[model.gmvs.index(gmv)]]
            rows["in_set"] = rows["gene"].isin(members)
            rows["removed"] = rows["gene"].isin(trained.removed.get(gmv, []))
            rows = rows[rows["in_set"] | rows["removed"] | (rows["rank"] <= LARGEST)]
            known = {"model": trained.name, "seed": trained.seed, **trained.by, "gmv": gmv}
            yield pd.DataFrame(known, index=rows.index).join(rows)
