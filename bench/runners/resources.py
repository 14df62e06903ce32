"""What vega needs: `resources.py TASK FOLDER ARGUMENTS...` prints its findings as JSON."""

import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from anndata import read_h5ad
from protocol import peak_mb
from torch.profiler import ProfilerActivity, profile

import vega
from vega.data import BackedData, InMemoryData
from vega.settings import TrainSettings
from vega.trainer import Trainer

ROUNDS = 6  # of which the first is dropped
TRIED = 10_000  # cells per round where the cost of one cell is measured


def model_of(folder, adata, n_hidden, gene_sets="sets", seed=1):
    sets = vega.read_gmt(f"{folder}/{gene_sets}.gmt")
    return vega.VEGA(adata.var_names, sets, n_hidden=int(n_hidden), seed=seed)


def trainer_of(folder, adata, n_hidden, cells):
    module = model_of(folder, adata, n_hidden).module
    return Trainer(module, cells, TrainSettings(), torch.device("cpu"))


def in_memory(x):
    return InMemoryData(x, np.zeros(x.shape[0], dtype=np.int64))


def memory(folder, gene_sets, n_hidden, batch_size):
    """A training with checkpoints, and the embedding of all cells; nothing else in the process."""
    adata = read_h5ad(f"{folder}/cells.h5ad")
    del adata.layers["counts"]
    model = model_of(folder, adata, n_hidden, gene_sets)
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


def interleaved(trainers, n_cells):
    """Seconds of each trainer in each round, to train on `n_cells` drawn cells of its own."""
    seconds = {name: [] for name in trainers}
    for number in range(ROUNDS):
        for name, (trainer, total) in trainers.items():
            rng = np.random.default_rng(number)
            rows = np.sort(rng.choice(total, n_cells, replace=False))
            started = time.perf_counter()
            trainer.train(rows, rng)
            seconds[name].append(time.perf_counter() - started)
    return {name: found[1:] for name, found in seconds.items()}


def scale(folder, n_hidden, *sizes):
    """Seconds per cell, of the same number of cells drawn from studies of very different size."""
    adata = read_h5ad(f"{folder}/cells.h5ad")
    rng = np.random.default_rng(0)
    sizes = [int(size) for size in sizes]
    trainers = {}
    for size in sizes:
        cells = in_memory(adata.X[rng.integers(adata.n_obs, size=size)])
        trainers[size] = trainer_of(folder, adata, n_hidden, cells), size
    n_cells = min(TRIED, *sizes)
    seconds = interleaved(trainers, n_cells)
    return {
        "seconds_per_cell": {k: [s / n_cells for s in found] for k, found in seconds.items()},
        "peak_mb": peak_mb(),
    }


def disk(folder, n_hidden):
    """One epoch over all cells, from memory and from compressed and plain files."""
    adata = read_h5ad(f"{folder}/cells.h5ad")
    del adata.layers["counts"]
    sources = {"memory": in_memory(adata.X)}
    for name, compression in (("plain file", None), ("gzip file", "gzip")):
        path = Path(folder, f"{compression}.h5ad")
        adata.write_h5ad(path, compression=compression)
        x, batch = read_h5ad(path, backed="r").X, np.zeros(adata.n_obs, dtype=np.int64)
        sources[name] = BackedData(x, None, batch, path)
    trainers = {
        name: (trainer_of(folder, adata, n_hidden, cells), adata.n_obs)
        for name, cells in sources.items()
    }
    return {"seconds": interleaved(trainers, adata.n_obs)}


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
    """Seconds of a training step, by the kernels that ran."""
    adata = read_h5ad(f"{folder}/cells.h5ad")
    trainer = trainer_of(folder, adata, n_hidden, in_memory(adata.X))
    rows, rng = np.arange(min(5_000, adata.n_obs)), np.random.default_rng(0)
    trainer.train(rows, rng)
    started = time.perf_counter()
    trainer.train(rows, rng)
    without = time.perf_counter() - started
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        trainer.train(rows, rng)
    parts = {f"aten::{kernel}": part for part, kernels in PARTS.items() for kernel in kernels}
    seconds = Counter()
    for event in profiler.key_averages():
        if event.key.startswith("aten::"):
            seconds[parts.get(event.key, "other kernels")] += event.self_cpu_time_total / 1e6
    return {"seconds": dict(seconds.most_common()), "seconds_unprofiled": without}


def on_gpu(folder, n_hidden, at_once=4):
    """Seconds of a training until it stops by itself: one alone, and some at once."""
    adata = read_h5ad(f"{folder}/cells.h5ad")

    def train(seed):
        model = model_of(folder, adata, n_hidden, seed=seed)
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
    "kang": memory, "aracne": memory, "scale": scale, "disk": disk, "profile": where_time_goes,
    "gpu": on_gpu,
}  # fmt: skip

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:])))
