"""What vega needs: `resources.py TASK FOLDER ARGUMENTS...` prints its findings as JSON.

Tasks: `kang` and `aracne` (memory of a training), `scale` (cost per cell of 10^4 to 10^6 cells),
`disk` (speed from a file against memory), `profile` (where the time of a step goes), `gpu` (a whole
training on a GPU, and several side by side).
"""

import json
import resource
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from anndata import read_h5ad
from torch.profiler import ProfilerActivity, profile

import vega
from vega.data import BackedData, InMemoryData
from vega.settings import TrainSettings
from vega.trainer import Trainer

ROUNDS = 6  # of which the first is dropped
TRIED = 10_000  # cells per round where the cost of one cell is measured


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1e6 if sys.platform == "darwin" else 1e3
    )


def model_of(folder, gene_sets, n_hidden, genes):
    sets = vega.read_gmt(f"{folder}/{gene_sets}.gmt")
    return vega.VEGA(genes, sets, n_hidden=int(n_hidden))


def memory(folder, gene_sets, n_hidden, batch_size):
    """A training with checkpoints, and the embedding of all cells; nothing else in the process."""
    adata = read_h5ad(f"{folder}/cells.h5ad")
    del adata.layers["counts"]
    model = model_of(folder, gene_sets, n_hidden, adata.var_names)
    model.fit(
        adata, max_epochs=2, checkpoint=f"{folder}/checkpoint.safetensors", checkpoint_every=1,
        batch_size=int(batch_size), progress=False,
    )  # fmt: skip
    model.embed(adata)
    return {
        "peak_mb": peak_mb(),
        "gmvs": len(model.gmvs),
        "cells": adata.n_obs,
        "genes": adata.n_vars,
        "seconds_per_epoch": model.training["seconds"] / 2,
    }


def epochs_over(model, cells):
    return Trainer(model.module, cells, TrainSettings(), torch.device("cpu"))


def interleaved(competitors, rounds=ROUNDS):
    """Seconds of each competitor in each round, the first dropped."""
    seconds = {name: [] for name in competitors}
    for number in range(rounds):
        for name, run in competitors.items():
            rng = np.random.default_rng(number)
            started = time.perf_counter()
            run(rng)
            seconds[name].append(time.perf_counter() - started)
    return {name: found[1:] for name, found in seconds.items()}


def scale(folder, n_hidden, *sizes):
    """Seconds per cell, of the same number of cells drawn from studies of very different size."""
    adata = read_h5ad(f"{folder}/cells.h5ad")
    rng = np.random.default_rng(0)
    competitors = {}
    for size in map(int, sizes):
        x = adata.X[rng.integers(adata.n_obs, size=size)]
        cells = InMemoryData(x, np.zeros(size, dtype=np.int64))
        epochs = epochs_over(model_of(folder, "sets", n_hidden, adata.var_names), cells)
        n = min(TRIED, *map(int, sizes))
        competitors[str(size)] = lambda rng, epochs=epochs, size=size, n=n: epochs.train(
            rng.choice(size, n, replace=False), rng
        )
    seconds = interleaved(competitors)
    return {
        "seconds_per_cell": {k: [s / n for s in found] for k, found in seconds.items()},
        "peak_mb": peak_mb(),
    }


def disk(folder, n_hidden):
    """One epoch over all cells, from memory and from compressed and plain files."""
    adata = read_h5ad(f"{folder}/cells.h5ad")
    del adata.layers["counts"]
    rows, batch = np.arange(adata.n_obs), np.zeros(adata.n_obs, dtype=np.int64)
    sources = {"memory": InMemoryData(adata.X, batch)}
    for name, compression in (("plain file", None), ("gzip file", "gzip")):
        path = Path(folder, f"{compression}.h5ad")
        adata.write_h5ad(path, compression=compression)
        sources[name] = BackedData(read_h5ad(path, backed="r").X, None, batch, path)
    competitors = {}
    for name, cells in sources.items():
        epochs = epochs_over(model_of(folder, "sets", n_hidden, adata.var_names), cells)
        competitors[name] = lambda rng, epochs=epochs: epochs.train(rows, rng)
    return {"seconds": interleaved(competitors)}


PARTS = {  # of a step, by the kernels of torch that do the work
    "sparse products": ("_embedding_bag_forward_only", "_embedding_bag"),
    "Adam": ("_fused_adam_",),
    "dense products": ("mm", "addmm"),
    "casts and copies": ("copy_", "_to_copy"),
    "draws": ("random_", "normal_"),
    "elementwise": ("mul", "mul_", "add", "add_", "ge", "exp", "div", "sub", "relu", "square",
                    "threshold_backward", "native_batch_norm", "native_batch_norm_backward"),
    "decoder's weight gradient": ("sparse_sampled_addmm",),
    "error": ("linalg_vector_norm",),
    "values by column": ("index",),
}  # fmt: skip


def where_time_goes(folder, n_hidden):
    """Shares of the time of a training step, by the kernels that ran."""
    adata = read_h5ad(f"{folder}/cells.h5ad")
    cells = InMemoryData(adata.X, np.zeros(adata.n_obs, dtype=np.int64))
    epochs = epochs_over(model_of(folder, "sets", n_hidden, adata.var_names), cells)
    rows = np.arange(min(5_000, adata.n_obs))
    epochs.train(rows, np.random.default_rng(0))
    started = time.perf_counter()
    epochs.train(rows, np.random.default_rng(1))
    without = time.perf_counter() - started
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        epochs.train(rows, np.random.default_rng(2))
    seconds = Counter()
    for event in profiler.key_averages():
        name = event.key.removeprefix("aten::")
        part = next(
            (p for p, kernels in PARTS.items() if name in kernels),
            "other kernels" if event.key.startswith("aten::") else None,
        )
        if part:
            seconds[part] += event.self_cpu_time_total / 1e6
    return {"seconds": dict(seconds.most_common()), "seconds_unprofiled": without}


def on_gpu(folder, n_hidden, at_once=4):
    """Seconds of a training until it stops by itself: one alone, and some at once."""
    adata = read_h5ad(f"{folder}/cells.h5ad")

    def train(seed):
        model = vega.VEGA(
            adata.var_names, vega.read_gmt(f"{folder}/sets.gmt"), n_hidden=int(n_hidden), seed=seed
        )
        return model.fit(adata, device="cuda", progress=False)

    train(0)  # starts the GPU
    started = time.perf_counter()
    epochs = len(train(1))
    alone = time.perf_counter() - started
    started = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(train, range(1, at_once + 1)))
    return {
        "device": torch.cuda.get_device_name(),
        "epochs": epochs,
        "seconds_alone": alone,
        "models_at_once": at_once,
        "seconds_at_once": time.perf_counter() - started,
        "peak_gpu_mb": torch.cuda.max_memory_allocated() / 1e6,
    }


TASKS = {
    "kang": memory,
    "aracne": memory,
    "scale": scale,
    "disk": disk,
    "profile": where_time_goes,
    "gpu": on_gpu,
}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:])))
