"""What a model of a sweep costs per epoch: two after one another with two threads, or at once.

    python -m bench.sweeps results/paper/data/kang.h5ad results/paper/raw/gene_sets/reactomes.gmt

A round is one turn of everybody, and the first of six is dropped.
"""

import argparse
import logging
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from anndata import AnnData, read_h5ad

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


def seconds(adata: AnnData, gmt: Path, folders: list[Path], settings: dict) -> float:
    """Wall time of training one model per folder with all threads, those of a job together."""
    entry = ModelConfig(data={"study": "any", "gene_sets": gmt.name})
    config = entry.training_settings(overrides={**SETTINGS, **settings})
    configs = {folder: {**config, "seed": 1} for folder in folders}
    start = time.perf_counter()
    train_models(
        adata, gmt, configs, threads=THREADS, device="cpu",
        models_per_gpu=1, given_gpu=False, require_gpu=False,
    )  # fmt: skip
    return time.perf_counter() - start


def turn(adata: AnnData, gmt: Path, settings: dict) -> tuple[float, float]:
    """Seconds per epoch of a model: one after the other, and side by side."""
    with TemporaryDirectory() as place:
        folders = [Path(place, f"model{i}", "seed1") for i in range(MODELS)]
        apart = sum(seconds(adata, gmt, [folder], settings) for folder in folders)
    with TemporaryDirectory() as place:
        folders = [Path(place, f"model{i}", "seed1") for i in range(MODELS)]
        together = seconds(adata, gmt, folders, settings)
    return apart / MODELS / EPOCHS, together / MODELS / EPOCHS


def main() -> None:
    """Parse the command line, measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.sweeps", description=__doc__)
    parser.add_argument("data", type=Path, help="a preprocessed study")
    parser.add_argument("gene_sets", type=Path, help="a GMT file")
    parser.add_argument("--rounds", type=int, default=6, help="the first is dropped")
    options = parser.parse_args()
    logging.getLogger("workflow").setLevel(logging.WARNING)
    adata = read_h5ad(options.data)
    rounds = [
        {name: turn(adata, options.gene_sets, s) for name, s in ARCHITECTURES.items()}
        for _ in range(options.rounds)
    ][1:]
    print(f"{'':<32}{'apart':>8}{'at once':>9}{'ratio':>8}{'lowest':>8}{'highest':>9}")
    for name in ARCHITECTURES:
        apart, together = zip(*(each[name] for each in rounds), strict=True)
        ratios = [a / b for a, b in zip(apart, together, strict=True)]
        print(
            f"{name:<32}{median(apart):>8.2f}{median(together):>9.2f}"
            f"{median(ratios):>8.2f}{min(ratios):>8.2f}{max(ratios):>9.2f}"
        )


if __name__ == "__main__":
    main()
