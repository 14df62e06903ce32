"""Read YAML as plain data, in which every name is unique."""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from vega.errors import InputError
from vega.files import read_errors

RESTORE = "correct it, or restore it from git"
TEMPLATE = "__use_yte__"  # makes Snakemake run code of a file that it reads itself


class _Loader(yaml.SafeLoader):
    """Refuse duplicate names, of which YAML's own loader keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for name in (name for name, n in names.items() if n > 1):
            raise ValueError(f"duplicate {name} in the entry of line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the entries of a file by name."""
    with read_errors(path, "YAML", RESTORE):
        content = _Loader(path.read_bytes()).get_single_data()
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: expected entries by name, found {type(content).__name__}; {RESTORE}"
        )
    if TEMPLATE in content:
        raise InputError(f"{path}: {TEMPLATE}: templates run code; write out what they make")
    return content
