"""What is known of a model beside its weights: `model.json`, with a checksum of its own."""

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

FORMAT = 5  # of model.json; raised when one package could not read what another has written
CHECKSUM = "sha256"  # of all else in a file
AGAIN = "train the model again"


def write_description(path: Path, description: Mapping[str, Any]) -> None:
    """Write what is known of a model as `model.json`, with a checksum of its own."""
    content = {"format": FORMAT, **description}
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps({**content, CHECKSUM: checksum(content)}, indent=1) + "\n")


def read_description(path: Path) -> dict[str, Any]:
    """What `write_description` wrote.

    Raises
    ------
    ValueError
        If the file is not as it was written.
    """
    with read_errors(path, "JSON", AGAIN):
        content = json.loads(path.read_bytes())
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: not a model of format {FORMAT}; {AGAIN}")
    if content.pop(CHECKSUM, None) != checksum(content):
        raise InputError(f"{path}: not as it was written; {AGAIN}")
    return content


def checksum(content: Mapping[str, Any], tensors: Mapping[str, "Tensor"] | None = None) -> str:
    """Checksum of plain data and tensors."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name, tensor in sorted((tensors or {}).items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)} ".encode())
        digest.update(np.ascontiguousarray(tensor.cpu().numpy()))
    return digest.hexdigest()
