"""Silhouettes of labels in a latent space, for all seeds."""

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
from vega.posterior import Posterior

Asked = dict[str, dict[str, Any]]  # silhouettes by name, as config.Silhouette has them


def silhouettes(
    latent: AnnData, asked: Asked, seed: int, shuffles: int = 0
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Return silhouettes of labels in a latent space (cells x K), as `silhouette_<name>`.

    Then the same for each `shuffle` of the labels, from 1: the negative control.
    `layers["variance"]` is only needed where a posterior sample is asked for, drawn with `seed`.
    NaN where the cells have fewer than two labels, or one for each cell. A missing column is an
    error.
    """
    check_columns(latent.obs, asked)
    spaces = {"mean": np.asarray(latent.X)}
    if any(how["of"] == "sample" for how in asked.values()):
        posterior = Posterior(spaces["mean"], np.asarray(latent.layers["variance"]))
        spaces["sample"] = posterior.sample(np.random.default_rng(seed))
    true: dict[str, float] = {}
    shuffled: list[dict[str, float]] = [{"shuffle": n + 1} for n in range(shuffles)]
    for name, how in asked.items():
        column, space = how["column"], spaces[how["of"]]
        if not how["extra_nodes"]:
            space = space[:, ~latent.var_names.str.startswith(EXTRA_NODE)]
        chosen = latent.obs[column].notna().to_numpy() & obs_mask(latent.obs, how["within"])
        space, obs = space[chosen], latent.obs[chosen]
        values = [np.nan] * (1 + shuffles)
        if 1 < obs[column].nunique() < len(obs):
            tables = [obs, *(shuffle_labels(obs, column, n + 1) for n in range(shuffles))]
            labels = [table[column].astype(str).to_numpy() for table in tables]
            values = [metrics.silhouette(space, labels[0])]
            values += metrics.silhouettes(space, labels[1:]) if shuffles else []
        for row, value in zip([true, *shuffled], values, strict=True):
            row[f"silhouette_{name}"] = value
    return true, shuffled


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
        row, shuffled = silhouettes(latent, params.silhouettes, seed, params.shuffles)
        rows.append(about | row)
        controls += [about | values for values in shuffled]
    write_table(pd.DataFrame(rows), snakemake.output.table)
    write_table(pd.DataFrame(controls, columns=["shuffle", *rows[0]]), snakemake.output.control)


if __name__ == "__main__":
    run(main, snakemake)
