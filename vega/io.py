"""Models on disk: safetensors and JSON, so that opening one cannot run code."""

import hashlib
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vega.description import AGAIN, FORMAT, read_description, write_description
from vega.errors import InputError
from vega.files import atomic_write, read_errors

FITTING = "one model, as weights and model.json do not fit"
ANNOTATION = "annotation."  # begins the names of the tensors with the genes of each set


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write named tensors atomically."""
    with atomic_write(path) as temporary:
        try:
            save_file({n: t.contiguous() for n, t in tensors.items()}, temporary, dict(metadata))
        except SafetensorError as error:  # whose text has the number of the system's error
            if number := re.search(r"\(os error (\d+)\)", str(error)):
                raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from None
            raise


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return tensors by name, on the CPU, and their metadata."""
    with (
        read_errors(path, "a whole safetensors file", AGAIN),
        safe_open(path, framework="pt") as file,
    ):
        return {n: file.get_tensor(n) for n in file.keys()}, file.metadata() or {}  # noqa: SIM118


def write_model(
    folder: Path,
    tensors: Mapping[str, Tensor],
    annotation: np.ndarray,
    history: pd.DataFrame,
    description: Mapping[str, Any],
) -> None:
    """Write a model as `weights.safetensors`, `history.tsv` and, last, `model.json`.

    `model.json` holds the description and the checksums of the other files and of itself.
    """
    weights, losses = folder / "weights.safetensors", folder / "history.tsv"
    gmvs, genes = (torch.from_numpy(i.astype(np.int32)) for i in np.nonzero(annotation))
    stored = {f"{ANNOTATION}gmvs": gmvs, f"{ANNOTATION}genes": genes}
    write_tensors(weights, {**tensors, **stored}, {"format": str(FORMAT)})
    with atomic_write(losses) as temporary:
        history.to_csv(temporary, sep="\t", index_label="epoch", float_format="%.6g")
    checksums = {"weights_sha256": _sha256(weights), "history_sha256": _sha256(losses)}
    write_description(folder / "model.json", {**description, **checksums})


def read_model(folder: Path) -> tuple[dict[str, Tensor], np.ndarray, pd.DataFrame, dict[str, Any]]:
    """Return what `write_model` wrote: tensors, annotation, history and description."""
    weights, losses = folder / "weights.safetensors", folder / "history.tsv"
    description = read_description(folder / "model.json")
    for file, name in ((weights, "weights"), (losses, "history")):
        with read_errors(file, "a file", AGAIN):
            found = _sha256(file)
        if found != description.get(f"{name}_sha256"):
            raise InputError(f"{file}: not the {name} that model.json describes; {AGAIN}")
    tensors, _ = read_tensors(weights)
    with read_errors(folder, FITTING, AGAIN):
        gmvs, genes = (tensors.pop(ANNOTATION + name).numpy() for name in ("gmvs", "genes"))
        annotation = np.zeros((len(description["gmvs"]), len(description["genes"])), dtype=bool)
        annotation[gmvs, genes] = True
    history = pd.read_csv(losses, sep="\t", index_col="epoch")
    return tensors, annotation, history, description


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    import vega

    return {
        "vega": vega.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }
