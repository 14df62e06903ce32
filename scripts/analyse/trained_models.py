"""The trained models of an entry of `models.yaml`, for rules that compare them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple


class Trained(NamedTuple):
    """A trained model of a sweep.

    Attributes
    ----------
    name, seed
        Which.
    by
        What tells it from the others: value by setting.
    folder
        Where it is saved.
    removed
        Genes taken out of its gene sets, by set.
    """

    name: str
    seed: int
    by: dict[str, Any]
    folder: Path
    removed: dict[str, list[str]]


def trained(models: dict[str, dict[str, Any]], seeds: list[int]) -> Iterator[Trained]:
    """The models of a sweep with all seeds; of each model `by`, its `folder` and `removed`."""
    for seed in seeds:
        for name, about in models.items():
            folder = Path(about["folder"], f"seed{seed}")
            yield Trained(name, seed, about["by"], folder, about["removed"])
