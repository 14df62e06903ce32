"""What is known of a model beside its weights: `model.json`, sealed with a checksum."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vega.errors import InputError, one_line
from vega.files import reading, written_whole

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 4  # of model.json; raised when one package could not read what another has written
SEAL = "sha256"  # of all else in a file
AGAIN = "train the model again"


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as JSON keeps them: scalars of numpy become those of Python.

    Raises
    ------
    ValueError
        If a value is no number, text, truth value or None: naming it.
    """
    found = {}
    for name, value in settings.items():
        found[name] = value.item() if isinstance(value, np.generic) else value
        if not isinstance(found[name], bool | int | float | str | None):
            raise InputError(
                f"{name}: expected a number, a text, True, False or None, found "
                f"{one_line(repr(value))[:60]} ({type(value).__name__})"
            )
    return found


def write_description(path: Path, description: Mapping[str, Any]) -> None:
    """Write what is known of a model as `model.json`, sealed with a checksum."""
    content = {"format": FORMAT, **description}
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps({**content, SEAL: seal(content)}, indent=1) + "\n")


def read_description(path: Path) -> dict[str, Any]:
    """What `write_description` wrote.

    Raises
    ------
    ValueError
        If the file is not as it was written.
    """
    with reading(path, "JSON", AGAIN):
        content = json.loads(path.read_bytes())
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: not a model of format {FORMAT}; {AGAIN}")
    if content.pop(SEAL, None) != seal(content):
        raise InputError(f"{path}: not as it was written; {AGAIN}")
    return content


def seal(content: Mapping[str, Any], tensors: Mapping[str, "Tensor"] | None = None) -> str:
    """Checksum of plain data and tensors."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name, tensor in sorted((tensors or {}).items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)} ".encode())
        digest.update(np.ascontiguousarray(tensor.cpu().numpy()))
    return digest.hexdigest()
