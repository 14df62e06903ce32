"""`model.json`: everything about a model but its weights, with a checksum."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vega.errors import InputError
from vega.files import atomic_write, read_errors

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 5  # of model.json; raised when an older package could not read it
CHECKSUM = "sha256"  # of all else in a file
AGAIN = "train the model again"


def write_description(path: Path, description: Mapping[str, Any]) -> None:
    """Write `model.json`, with its format and checksum."""
    content = {"format": FORMAT, **description}
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps({**content, CHECKSUM: checksum(content)}, indent=1) + "\n")


def read_description(path: Path) -> dict[str, Any]:
    """Return what `write_description` wrote; refuse a changed file."""
    with read_errors(path, "JSON", AGAIN):
        content = json.loads(path.read_bytes())
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: not a model of format {FORMAT}; {AGAIN}")
    if content.pop(CHECKSUM, None) != checksum(content):
        raise InputError(f"{path}: not as it was written; {AGAIN}")
    return content


def checksum(content: Mapping[str, Any], tensors: Mapping[str, "Tensor"] | None = None) -> str:
    """Return the checksum of plain data and tensors."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name, tensor in sorted((tensors or {}).items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)} ".encode())
        digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
    return digest.hexdigest()
