"""What a model of a sweep costs per epoch: two after one another with two threads, or at once.

    python -m bench.sweeps results/paper/data/kang.h5ad results/paper/raw/gene_sets/reactomes.gmt

Each round measures every architecture; the first is dropped.
"""

import argparse
import logging
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from anndata import AnnData, read_h5ad

from bench.interleave import ratios
from scripts.common.config.models import ModelConfig
from scripts.train.train import train_models

EPOCHS, MODELS, THREADS = 6, 2, 2
# As in config/models.yaml: the four architectures of Fig. S1, and the soft mask of Fig. S10.
SETTINGS = {"max_genes": 1000, "batch_size": 64, "drop_last": True, "max_epochs": EPOCHS}
ARCHITECTURES = {
    "sparse encoder, sparse decoder": {"encoder": "masked"},
    "VEGA": {},
    "sparse encoder, deep decoder": {"encoder": "masked_linear", "decoder": "deep"},
    "VAE": {"decoder": "deep"},
    "soft mask (dense decoder)": {"decoder": "soft"},
}


def seconds_per_epoch(adata: AnnData, gmt: Path, settings: dict, jobs: list[int]) -> float:
    """Train the models of each job side by side, one job after the other; return wall time."""
    entry = ModelConfig(data={"study": "any", "gene_sets": gmt.name})
    blocks = entry.training_settings(overrides={**SETTINGS, **settings})
    config = {**blocks, "seed": 1, "precision": "auto"}
    start = time.perf_counter()
    for n_models in jobs:
        with TemporaryDirectory() as place:
            train_models(
                {"any": adata}, gmt.parent,
                {Path(place, f"model{i}", "seed1"): config for i in range(n_models)},
                threads=THREADS, device="cpu", models_per_gpu=1, given_gpu=False,
                require_gpu=False,
            )  # fmt: skip
    return (time.perf_counter() - start) / sum(jobs) / EPOCHS


def main() -> None:
    """Parse the command line, measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.sweeps", description=__doc__)
    parser.add_argument("data", type=Path, help="a preprocessed study")
    parser.add_argument("gene_sets", type=Path, help="a GMT file")
    parser.add_argument("--rounds", type=int, default=6, help="the first is dropped")
    options = parser.parse_args()
    logging.getLogger("workflow").setLevel(logging.WARNING)
    adata = read_h5ad(options.data)
    found = {name: ([], []) for name in ARCHITECTURES}
    for number in range(options.rounds):
        for name, settings in ARCHITECTURES.items():
            for seconds, jobs in zip(found[name], ([1] * MODELS, [MODELS]), strict=True):
                turn = seconds_per_epoch(adata, options.gene_sets, settings, jobs)
                if number > 0:
                    seconds.append(turn)
    print(f"{'':<32}{'apart':>8}{'at once':>9}{'ratio':>8}{'lowest':>8}{'highest':>9}")
    for name, (apart, together) in found.items():
        ratio = ratios(apart, together)
        print(
            f"{name:<32}{median(apart):>8.2f}{median(together):>9.2f}"
            f"{median(ratio):>8.2f}{min(ratio):>8.2f}{max(ratio):>9.2f}"
        )


if __name__ == "__main__":
    main()
