"""Seconds per epoch of VEGA and of the regularised autoencoder, turn by turn (claim S08)."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from anndata import AnnData

from scripts.common.h5ad import read_cells
from scripts.common.run import log, run
from scripts.common.tables import write_table
from scripts.train.baselines.embedded import own_surroundings
from scripts.train.baselines.inputs import on_gpu
from scripts.train.baselines.printed import printed
from scripts.train.baselines.regularised import EXTRA_NODES, LAMBDA0, LAMBDA1, LAMBDA3, untrained
from scripts.train.train import choose_device
from vega import VEGA, read_gmt
from vega.data import InMemoryData
from vega.settings import TrainSettings
from vega.trainer import Trainer, own_stream

ROUNDS = 5
Epoch = Callable[[int], object]  # trains an epoch, given its number


def time_per_epoch(
    adata: AnnData,
    gene_sets: Mapping[str, Sequence[str]],
    *,
    rounds: int,
    threads: int,
    seed: int,
    n_hidden: int = 800,
    device: str = "auto",
    **training: Any,
) -> pd.DataFrame:
    """Time single epochs over all cells, in one process and on one device.

    An epoch of VEGA is one pass of updates as `vega.train` makes it, without validation. One of the
    regularised autoencoder is one of its package's own training, which evaluates all cells
    afterwards. A round is one epoch of each, since machines get faster and slower while one
    measures; which comes first alternates. One epoch of each before the first round is not counted.

    `n_hidden` is the width of both encoders; of `training` (`vega.settings.TrainSettings`),
    `batch_size` and `learning_rate` hold for both. Returns `method` (`VEGA` or `intercode`),
    `round` from 1 and `seconds` of each epoch.
    """
    settings = TrainSettings(seed=seed, **training)
    target = torch.device("cuda" if on_gpu(device) else "cpu")
    rows = []
    with own_surroundings(seed, threads), own_stream(target), printed():
        given = adata, gene_sets, settings, n_hidden, target
        entrants = {"VEGA": _vega(*given), "intercode": _intercode(*given)}
        for number in range(rounds + 1):
            for name in sorted(entrants, reverse=number % 2 == 1):
                started = time.perf_counter()
                entrants[name](number)
                seconds = time.perf_counter() - started
                log.info("round %d of %d: %s %.2f s", number, rounds, name, seconds)
                rows.append((name, number, seconds))
    table = pd.DataFrame(rows, columns=["method", "round", "seconds"])
    return table[table["round"] > 0].reset_index(drop=True)


def _vega(adata, gene_sets, settings: TrainSettings, n_hidden: int, device: torch.device) -> Epoch:
    model = VEGA(
        adata.var_names, gene_sets, extra_nodes=EXTRA_NODES, n_hidden=n_hidden, seed=settings.seed
    )
    rows = np.arange(adata.n_obs)
    cells = InMemoryData(adata.X, np.zeros(len(rows), dtype=np.int64))
    epochs = Trainer(model.module, cells, settings, device)
    return lambda number: epochs.train(rows, epochs.begin(number))


def _intercode(adata, gene_sets, settings: TrainSettings, n_hidden: int, device) -> Epoch:
    model = untrained(
        adata, gene_sets, n_hidden=n_hidden, batch_size=settings.batch_size, device=device.type
    )
    return lambda _: model.train(
        settings.learning_rate, settings.batch_size, 1,
        l2_reg_lambda0=LAMBDA0, lambda1=LAMBDA1, lambda3=LAMBDA3,
    )  # fmt: skip


def main(snakemake):
    """Rule `time_per_epoch`."""
    params, has_gpu = snakemake.params, snakemake.resources.get("gpu", 0) > 0
    table = time_per_epoch(
        read_cells(snakemake.input.data),
        read_gmt(snakemake.input.gene_sets),
        rounds=ROUNDS,
        threads=snakemake.threads,
        seed=params.seed,
        device=choose_device(params.device, has_gpu, require_gpu=False),
        **params.training,
    )
    write_table(table, snakemake.output.table)


if __name__ == "__main__":
    run(main, snakemake)
