"""The trained models of an entry of `models.yaml`, for rules that compare them."""

from pathlib import Path
from typing import Any, NamedTuple


class Trained(NamedTuple):
    """A trained model of a sweep."""

    name: str
    seed: int
    by: dict[str, Any]  # what tells it from the others: value by setting
    folder: Path
    removed: dict[str, list[str]]  # genes taken out of its gene sets, by set


def trained(models: dict[str, dict[str, Any]], seeds: list[int]) -> list[Trained]:
    """Return the models of a sweep with all seeds; `models` has `by`, `folder` and `removed`."""
    return [
        Trained(name, seed, about["by"], Path(about["folder"], f"seed{seed}"), about["removed"])
        for seed in seeds
        for name, about in models.items()
    ]
