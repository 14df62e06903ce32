"""The result of a baseline, and what all baselines have in common: seed, threads, facts."""

import inspect
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
import torch
from anndata import AnnData
from threadpoolctl import threadpool_limits


class Embedded(NamedTuple):
    """The latent space of a method.

    `facts` are plain data: `settings` (all of them), `seed`, `threads`, `versions` of the packages,
    `device`, `seconds`, and what the method adds.
    """

    activity: np.ndarray  # cells x K, float32
    names: list[str]  # of the K columns
    facts: dict[str, Any]


Columns = tuple[np.ndarray, Iterable[str], dict[str, Any]]  # activity, names, further facts


def method(*packages: str) -> Callable[[Callable[..., Columns]], Callable[..., Embedded]]:
    """Make a function of cells and gene sets a method; record the versions of `packages`.

    The method takes `seed`, `threads` (of the CPU) and its own settings by name.
    """

    def decorate(embed: Callable[..., Columns]) -> Callable[..., Embedded]:
        @wraps(embed)
        def run(
            adata: AnnData,
            gene_sets: Mapping[str, Sequence[str]],
            *,
            seed: int,
            threads: int,
            **settings: Any,
        ) -> Embedded:
            given = inspect.signature(embed).bind(adata, gene_sets, seed=seed, **settings)
            given.apply_defaults()
            started = time.perf_counter()
            with own_surroundings(seed, threads):
                activity, names, facts = embed(*given.args, **given.kwargs)
            common = {
                "settings": {k: v for k, v in given.kwargs.items() if k != "seed"},
                "seed": seed,
                "threads": threads,
                "versions": {package: version(package) for package in packages},
                "device": "cpu",
                "seconds": round(time.perf_counter() - started, 3),
            }
            return Embedded(
                np.ascontiguousarray(activity, dtype=np.float32), list(names), common | facts
            )

        return run

    return decorate


@contextmanager
def own_surroundings(seed: int, threads: int) -> Iterator[None]:
    """Seed the generators that packages share and set the CPU threads; restore both at the end."""
    # Packages still draw from numpy's shared generator.
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    before = torch.get_num_threads()
    gpus = range(torch.cuda.device_count())
    try:
        with torch.random.fork_rng(devices=gpus), threadpool_limits(threads):
            torch.set_num_threads(threads)
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_num_threads(before)
