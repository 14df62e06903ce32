"""Silhouettes of labels in a latent space, for all seeds."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from scripts.common.h5ad import read_latent
from scripts.common.obs_mask import obs_mask
from scripts.common.run import run
from scripts.common.shuffles import shuffle_labels
from scripts.common.tables import write_table
from vega import metrics
from vega.errors import InputError
from vega.gene_sets import EXTRA_NODE
from vega.metrics import silhouette
from vega.posterior import Posterior

Asked = dict[str, dict[str, Any]]  # silhouettes by name, as config.Silhouette has them


def silhouettes(latent: AnnData, asked: Asked, seed: int) -> dict[str, float]:
    """Return silhouettes of labels in a latent space (cells x K), as `silhouette_<name>`.

    `layers["variance"]` is only needed where a posterior sample is asked for, drawn with `seed`.
    NaN where the cells have fewer than two labels. A missing column is an error.
    """
    return {
        name: silhouette(space, labels[0]) if len(labels) else np.nan
        for name, space, labels in _spaces(latent, asked, seed)
    }


def shuffled_silhouettes(
    latent: AnnData, asked: Asked, seed: int, shuffles: int
) -> Iterator[dict[str, float]]:
    """Yield the same silhouettes for each shuffle of the labels: the negative control."""
    if not shuffles:
        return
    found = {
        name: metrics.silhouettes(space, labels[1:]) if len(labels) else [np.nan] * shuffles
        for name, space, labels in _spaces(latent, asked, seed, shuffles)
    }
    for number in range(shuffles):
        yield {"shuffle": number + 1} | {name: values[number] for name, values in found.items()}


def _spaces(
    latent: AnnData, asked: Asked, seed: int, shuffles: int = 0
) -> Iterator[tuple[str, np.ndarray, list[np.ndarray]]]:
    """Yield name, cells x K and labels of each silhouette: the true ones, then each shuffle's.

    Without labels where there are fewer than two, or one for each cell.
    """
    check_columns(latent.obs, asked)
    spaces = {"mean": np.asarray(latent.X)}
    if any(how["of"] == "sample" for how in asked.values()):
        posterior = Posterior(spaces["mean"], np.asarray(latent.layers["variance"]))
        spaces["sample"] = posterior.sample(np.random.default_rng(seed))
    for name, how in asked.items():
        column = how["column"]
        chosen = latent.obs[column].notna().to_numpy() & obs_mask(latent.obs, how["within"])
        space = spaces[how["of"]]
        if not how["extra_nodes"]:
            space = space[:, ~latent.var_names.str.startswith(EXTRA_NODE)]
        obs = latent.obs[chosen]
        several = 1 < obs[column].nunique() < len(obs)
        tables = [obs, *(shuffle_labels(obs, column, n + 1) for n in range(shuffles))]
        labels = [table[column].astype(str).to_numpy() for table in tables] if several else []
        yield f"silhouette_{name}", space[chosen], labels


def check_columns(obs: pd.DataFrame, asked: Asked, where: str = "") -> None:
    """Refuse a silhouette of a column that the cells do not have."""
    for name, how in asked.items():
        for column in (how["column"], *how["within"]):
            if column not in obs:
                raise InputError(
                    f"config: {where}silhouettes.{name}: the study has no column {column}; it has "
                    f"{', '.join(obs)}"
                )


def main(snakemake):
    """Rule `silhouettes`."""
    params, name = snakemake.params, snakemake.wildcards.name
    rows, controls = [], []
    for seed, path in zip(params.seeds, snakemake.input.latents, strict=True):
        latent, about = read_latent(path), {"model": name, "seed": seed}
        rows.append(about | silhouettes(latent, params.silhouettes, seed))
        shuffled = shuffled_silhouettes(latent, params.silhouettes, seed, params.shuffles)
        controls += [about | values for values in shuffled]
    write_table(pd.DataFrame(rows), snakemake.output.table)
    write_table(pd.DataFrame(controls, columns=["shuffle", *rows[0]]), snakemake.output.control)


if __name__ == "__main__":
    run(main, snakemake)
