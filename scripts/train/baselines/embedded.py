"""What every method gives, and what is the same of all."""

import inspect
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
from anndata import AnnData

from scripts.train.baselines.surroundings import own_surroundings


class Embedded(NamedTuple):
    """Cells as a method sees them.

    Attributes
    ----------
    activity
        Cells x K, float32.
    names
        Of the K columns.
    facts
        How it came about, as plain data: `settings` (all of them), `seed`, `threads`, `versions`
        of the packages, `device`, `seconds`, and what the method tells beside that.
    """

    activity: np.ndarray
    names: list[str]
    facts: dict[str, Any]


Columns = tuple[np.ndarray, Iterable[str], dict[str, Any]]  # activity, names, further facts


def method(*packages: str) -> Callable[[Callable[..., Columns]], Callable[..., Embedded]]:
    """Make a function of cells and gene sets a method, whose versions are those of `packages`.

    It is called with `seed` and `threads` (of the CPU), which it leaves to the process as they
    were before, and with its own settings, all by name.
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
