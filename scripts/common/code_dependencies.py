"""The code that a script depends on, found by reading its imports.

Snakemake itself only notices an edit of a rule's own script. Every rule therefore names what
`code_of` returns as an input, so that an edit of any module below runs the rule again.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from vega import _PUBLIC

LOCAL = ("scripts", "vega")


def code_of(script: str, *modules: str) -> list[str]:
    """Return the files of this repository that a script below `scripts/` needs, itself included.

    `modules` are dotted names of what the script imports by name when it runs. Imports inside
    functions count, but not those inside methods in `vega/`: training a model does not depend on
    the analyses that its methods offer. A script that uses such an analysis imports its module.
    """
    found: set[str] = set()
    waiting = [f"scripts/{script}", *(file for name in modules for file in _files(name))]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += _imported(file)
    return sorted(found)


@cache
def _imported(file: str) -> list[str]:
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    nodes = _nodes(tree, methods=not file.startswith("vega/"))
    return [path for node in nodes for name in _names(node) for path in _files(name)]


def _nodes(node: ast.AST, methods: bool) -> Iterator[ast.AST]:
    """Yield all nodes below a node, but for what only type checkers see and, if asked, methods."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(node, ast.ClassDef) and isinstance(child, ast.FunctionDef) and not methods:
            continue
        yield child
        yield from _nodes(child, methods)


def _names(node: ast.AST) -> list[str]:
    """Return the dotted names that a node may import."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return [f"{node.value.id}.{node.attr}"]  # vega.load
    return []


def _files(name: str) -> list[str]:
    """Return the file of a module, or of the module that has a name, and of the packages around."""
    package, *rest = name.split(".")
    if package not in LOCAL:
        return []
    if package == "vega" and rest and rest[0] in _PUBLIC:
        return _files(_PUBLIC[rest[0]])
    parts = [package, *rest]
    files = []
    for n in range(1, len(parts) + 1):
        path = Path(*parts[:n])
        files += [p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()]
    return list(map(str, files))
