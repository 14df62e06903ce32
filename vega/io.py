"""Models on disk: safetensors and JSON, so that opening one cannot run code."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vega.files import written_whole

if TYPE_CHECKING:
    from vega.model import VEGA

FORMAT = 3  # of model.json; raised when an older package could not read it
ANNOTATION = "annotation."  # before the names of what is no weight: which genes are in which set


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write named tensors, whole or not at all."""
    with written_whole(path) as temporary:
        try:
            save_file({n: t.contiguous() for n, t in tensors.items()}, temporary, dict(metadata))
        except SafetensorError as error:  # which keeps the number of the system's error as text
            if number := re.search(r"\(os error (\d+)\)", str(error)):
                raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from None
            raise


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name, on the CPU, and the metadata they were written with.

    Raises
    ------
    ValueError
        If the file is not whole.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {n: file.get_tensor(n) for n in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: not a whole safetensors file ({error})") from None


def save(model: "VEGA", folder: Path | str) -> None:
    """Write a model as `weights.safetensors`, `history.tsv` and, last, `model.json`.

    `model.json` holds the architecture, names of genes and GMVs, settings, device, versions and
    losses, and the checksum of the weights that it describes.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "weights.safetensors"
    gmvs, genes = (torch.from_numpy(i.astype(np.int32)) for i in np.nonzero(model.annotation))
    annotation = {f"{ANNOTATION}gmvs": gmvs, f"{ANNOTATION}genes": genes}
    write_tensors(weights, model.module.state_dict() | annotation, {"format": str(FORMAT)})
    with written_whole(folder / "history.tsv") as temporary:
        model.history.to_csv(temporary, sep="\t", index_label="epoch", float_format="%.6g")
    description = {"format": FORMAT, **model.describe(), "weights_sha256": _sha256(weights)}
    with written_whole(folder / "model.json") as temporary:
        temporary.write_text(json.dumps(description, indent=1) + "\n")


def load(folder: Path | str) -> "VEGA":
    """Read a model written by `save`; it computes on the CPU until it is moved.

    Raises
    ------
    ValueError
        If the folder does not hold one whole model, saying which file is at fault.
    """
    from vega.model import VEGA

    folder = Path(folder)
    description = _read_json(folder / "model.json")
    weights = folder / "weights.safetensors"
    if not weights.exists() or _sha256(weights) != description["weights_sha256"]:
        raise ValueError(
            f"{weights}: not the weights that model.json describes; train the model again"
        )
    tensors, _ = read_tensors(weights)
    try:
        model = VEGA.from_description(description, _annotation(description, tensors))
        model.module.load_state_dict(tensors)
    except (KeyError, TypeError, IndexError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{folder}: weights and model.json do not fit: {reason}") from None
    history = folder / "history.tsv"
    if history.exists():
        model.history = pd.read_csv(history, sep="\t", index_col="epoch")
    return model


def _annotation(description: Mapping[str, Any], tensors: dict[str, Tensor]) -> np.ndarray:
    """Take which genes are in which set out of the tensors: boolean, GMVs x genes."""
    annotation = np.zeros((len(description["gmvs"]), len(description["genes"])), dtype=bool)
    gmvs, genes = (tensors.pop(ANNOTATION + name).numpy() for name in ("gmvs", "genes"))
    annotation[gmvs, genes] = True
    return annotation


def _read_json(path: Path) -> dict[str, Any]:
    try:
        description = json.loads(path.read_text())
    except FileNotFoundError:
        raise ValueError(f"{path}: not there; is {path.parent} the folder of a model?") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not JSON ({error}); train the model again") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise ValueError(f"{path}: not a model of format {FORMAT}; train the model again")
    if "weights_sha256" not in description:
        raise ValueError(f"{path}: lacks weights_sha256; train the model again")
    return description


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """Versions that a result depends on."""
    import platform

    import scipy

    import vega

    return {
        "vega": vega.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }
