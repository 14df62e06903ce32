"""Silhouettes of labels in a latent space, for all seeds."""

from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from scripts.common.h5ad import read_latent
from scripts.common.obs_mask import obs_mask
from scripts.common.run import run
from scripts.common.tables import write_table
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
        chosen = latent.obs[how["column"]].notna().to_numpy() & obs_mask(latent.obs, how["within"])
        space = spaces[how["of"]]
        if not how["extra_nodes"]:
            space = space[:, ~latent.var_names.str.startswith(EXTRA_NODE)]
        labels = latent.obs.loc[chosen, how["column"]].astype(str)
        several = 1 < labels.nunique() < len(labels)
        found[f"silhouette_{name}"] = silhouette(space[chosen], labels) if several else np.nan
    return found


def main(snakemake):
    """Rule `silhouettes`."""
    params, name = snakemake.params, snakemake.wildcards.name
    rows = [
        {"model": name, "seed": seed} | silhouettes(read_latent(latent), params.silhouettes, seed)
        for seed, latent in zip(params.seeds, snakemake.input.latents, strict=True)
    ]
    write_table(pd.DataFrame(rows), snakemake.output.table)


if __name__ == "__main__":
    run(main, snakemake)
