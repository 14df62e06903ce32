"""Published methods that the paper compares with VEGA, and two that score gene sets untrained.

Each is run as its authors publish it, on the same preprocessed cells: a function
`name(adata, gene_sets, *, seed, **settings)` with the decorator `method`, in any file of this
folder. It leaves the cells and the process as they were, and imports its package when called.
"""

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple


class Method(NamedTuple):
    """Where a method is, and the names of its settings."""

    module: str
    settings: list[str]

    @property
    def is_trained(self) -> bool:
        """Return whether it is a network, which a GPU trains faster."""
        return "device" in self.settings


def _methods() -> dict[str, Method]:
    """Find the methods by reading the files: the configuration checks names without importing."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            decorators = [ast.unparse(each) for each in getattr(node, "decorator_list", [])]
            if any(decorator.startswith("method(") for decorator in decorators):
                settings = [each.arg for each in node.args.kwonlyargs if each.arg != "seed"]
                found[node.name] = Method(f"{__name__}.{path.stem}", settings)
    return found


METHODS = _methods()


def load_method(name: str) -> Callable:
    """Import a method."""
    return getattr(import_module(METHODS[name].module), name)
