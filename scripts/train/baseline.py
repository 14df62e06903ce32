"""A baseline on a study, as its entry in `config/baselines.yaml` says."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from anndata import AnnData

from scripts.common.embedding import embed
from scripts.common.h5ad import read_cells, write_cells
from scripts.common.run import run
from scripts.train.baselines import METHODS, load_method
from scripts.train.train import choose_device
from vega import read_gmt
from vega.description import read_description
from vega.files import atomic_write


def run_baseline(
    adata: AnnData,
    gmt: Path,
    entry: dict[str, Any],
    *,
    epochs_of: Path | None,
    overrides: dict[str, Any],
    device: str,
    seed: int,
    threads: int,
) -> tuple[AnnData, dict[str, Any]]:
    """Return the latent space of a method (as rule `embed`, without variances), and its facts.

    `entry` has the fields of `config.Baseline`. With `epochs_of`, a `model.json`, the method is
    trained for as many epochs as that model. `overrides` apply to the settings that the method has.
    """
    method = METHODS[entry["method"]]
    settings = entry["settings"] | {n: v for n, v in overrides.items() if n in method.settings}
    if epochs_of is not None:
        settings["max_epochs"] = read_description(epochs_of)["losses"]["epochs"]
    if method.is_trained:  # the packages know no other GPU
        settings["device"] = "cuda" if device == "cuda" else "cpu"
    gene_sets = read_gmt(gmt, entry["data"]["min_genes"], entry["data"]["max_genes"])
    found = load_method(entry["method"])(adata, gene_sets, seed=seed, threads=threads, **settings)
    latent = AnnData(
        found.activity,
        obs=adata.obs.copy(),
        var=pd.DataFrame(index=pd.Index(found.names, name="gmv")),
        uns={"provenance": adata.uns["provenance"]},
    )
    analyses = entry["analyses"]
    embed(latent, analyses["embedding"], analyses["tsne_learning_rate"])
    return latent, {"method": entry["method"], **found.facts}


def main(snakemake):
    """Rule `baseline`."""
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    given_gpu = snakemake.resources.get("gpu", 0) > 0
    latent, facts = run_baseline(
        read_cells(inputs.data),
        Path(inputs.gene_sets),
        params.entry,
        epochs_of=next(map(Path, inputs.epochs_of), None),
        overrides=params.overrides,
        device=choose_device(params.device, given_gpu, params.require_gpu),
        seed=int(snakemake.wildcards.seed),
        threads=snakemake.threads,
    )
    write_cells(latent, outputs.latent)
    with atomic_write(outputs.facts) as temporary:
        temporary.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    run(main, snakemake)
