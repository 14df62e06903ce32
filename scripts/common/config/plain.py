"""YAML as plain data: nothing that runs, every entry once, no alias without end."""

import math
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from vega.errors import InputError
from vega.files import reading

RESTORE = "correct it, or restore it from git"
TEMPLATE = "__use_yte__"  # has Snakemake run the Python code of a file that it reads itself
MOST_ENTRIES = 10**5  # of a file with its aliases written out; the largest of ours has a thousand


def read_yaml(path: Path) -> dict[str, Any]:
    """The entries of a file, by name.

    Raises
    ------
    InputError
        If it is not that.
    """
    with reading(path, "YAML", RESTORE):
        loader = yaml.SafeLoader(path.read_bytes())
        node = loader.get_single_node()
        if node and _size(node, {}) > MOST_ENTRIES:
            raise ValueError(f"aliases make more than {MOST_ENTRIES:,} entries of it")
        content = loader.construct_document(node) if node else None
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: must hold entries by name, got {type(content).__name__}; {RESTORE}"
        )
    if TEMPLATE in content:
        raise InputError(f"{path}: {TEMPLATE}: templates run code; write out what they make")
    return content


def _size(node: yaml.Node, sizes: dict[int, float]) -> float:
    """Entries in a node, each alias counted as what it stands for; within itself without end."""
    if id(node) not in sizes:
        sizes[id(node)] = math.inf
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        names = Counter(key.value for key, _ in pairs if isinstance(key, yaml.ScalarNode))
        for name in (name for name, n in names.items() if n > 1):
            raise ValueError(f"{name} stands twice in the entry of line {node.start_mark.line + 1}")
        parts = node.value if isinstance(node, yaml.SequenceNode) else chain.from_iterable(pairs)
        sizes[id(node)] = 1 + sum(_size(part, sizes) for part in parts)
    return sizes[id(node)]
