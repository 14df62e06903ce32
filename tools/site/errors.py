"""The page of error messages: every message, with the summary of the code that gives it.

Messages are read from the source code (`ast`), so the page has what the program says. A value that
is only known in a run is shown as `<name>`.
"""

import ast
import html
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

# Parts of the page, and the files of each; the first that has a file is taken.
PHASES = {
    "The configuration, at the start of a run": ["scripts/common/config"],
    "Download": ["scripts/download"],
    "Simulate": ["scripts/simulate"],
    "Preprocess": ["scripts/preprocess"],
    "Train": ["scripts/train"],
    "Analyse": ["scripts/analyse"],
    "Figures": ["scripts/figures"],
    "Claims and report": ["scripts/claims", "scripts/report"],
    "Several phases": ["scripts/common"],
    "The package `vega`": ["vega"],
    "`make new-study`": ["tools/new_study"],
    "Other commands": ["tools", "bench"],
}
NOT_RUN = "Reasons why a claim is `not run`"
# Errors that end a command in one line; a ValueError where another error quotes it.
ERRORS = {"InputError", "DownloadError", "RunnerError"}
QUOTED = {"ValueError"}
UNAVAILABLE = {"NotAvailable"}
Local = dict[str, list[ast.expr]]  # the values that a function assigns to its variables

MOST_VARIANTS = 6  # of one message, by the texts that its parts may have
HEAD = """---
hide: [toc]
---

# Error messages

Every message with which the workflow, its commands or the package stop, read from the code. A
message is one line: what is wrong, where, what was expected and found, and what to do. `<name>`
stands for a value of your run; messages about the configuration begin with the file and the
entry. Not listed are errors of libraries, which the log of a job (`logs/<run>/`) shows in full,
and of the disk, which name the file.
"""


class Message(NamedTuple):
    """A message that the code may give."""

    phase: str
    file: str
    text: str
    by: str  # the summary of the function that gives it


class Module:
    """A file of the project: its syntax tree and the texts that are constants of it."""

    def __init__(self, root: Path, path: Path):
        self.root, self.path = root, path
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.functions = {n.name: n for n in self.tree.body if isinstance(n, ast.FunctionDef)}

    def constant(self, name: str) -> list[str | None]:
        """Return the text of a constant, also of one imported from the project."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and name in _targets(node):
                return self.texts(node.value, {}) if node.value else [None]
            if isinstance(node, ast.ImportFrom) and node.module:
                place = self.root / Path(*node.module.split(".")).with_suffix(".py")
                for imported in node.names:
                    if (imported.asname or imported.name) == name and place.is_file():
                        return Module(self.root, place).constant(imported.name)
        return [None]

    def texts(self, node: ast.expr, local: Local) -> list[str | None]:
        """Return the texts that an expression may have, None for one that only a run knows.

        `local` has the values of the local variables.
        """
        match node:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.Constant(value=int(number)):
                return [str(number)]
            case ast.JoinedStr(values=parts):
                together = _assigned_together(parts, local)
                if together:
                    return [text for one in together for text in self.texts(node, local | one)]
                variants = [self._part(part, local) for part in parts]
                if len(list(product(*variants))) > MOST_VARIANTS:
                    variants = [self._part(part, {}) for part in parts]
                return ["".join(parts) for parts in product(*variants)]
            case ast.IfExp(body=one, orelse=other) | ast.BoolOp(values=[one, other]):
                return self.texts(one, local) + self.texts(other, local)
            case ast.Name(id=name) if name in local:
                rest = {key: value for key, value in local.items() if key != name}
                return [text for value in local[name] for text in self.texts(value, rest)]
            case ast.Name(id=name):
                return self.constant(name)
            case ast.Call(func=ast.Name(id=name)) if name in self.functions:
                function = self.functions[name]
                returned = [n.value for n in _own(function) if isinstance(n, ast.Return)]
                inside = _assigned(function)
                return [text for value in returned if value for text in self.texts(value, inside)]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                both = product(self._part(left, local), self._part(right, local))
                return ["".join(parts) for parts in both]
        return [None]

    def _part(self, part: ast.expr, local: Local) -> list[str]:
        """Return the texts of a part of a text: a placeholder if a run alone knows it."""
        value = part.value if isinstance(part, ast.FormattedValue) else part
        found = self.texts(value, local)
        return [_named(value)] if None in found else [text for text in found if text] or [""]


def _targets(node: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _assigned_together(parts: list[ast.expr], local: Local) -> list[Local]:
    """Return the values of variables that each branch of one `if` assigns; [] if there are none.

    `parts` are of a text. Each entry of the result has one value per variable.
    """
    values = [part.value for part in parts if isinstance(part, ast.FormattedValue)]
    names = {value.id for value in values if isinstance(value, ast.Name)}
    several = {name: local[name] for name in names if len(local.get(name, [])) > 1}
    if len(several) < 2 or len({len(values) for values in several.values()}) > 1:
        return []
    branches = zip(*several.values(), strict=True)
    return [{n: [value] for n, value in zip(several, one, strict=True)} for one in branches]


def _assigned(function: ast.FunctionDef) -> Local:
    """Return the values that a function assigns to each of its variables."""
    values: Local = {}
    for node in _own(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            if isinstance(node.value, ast.Tuple):
                pairs = zip(node.targets[0].elts, node.value.elts, strict=False)
                for target, value in pairs:
                    if isinstance(target, ast.Name):
                        values.setdefault(target.id, []).append(value)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            for name in _targets(node):
                values.setdefault(name, []).append(node.value)
        elif isinstance(node, ast.NamedExpr):
            values.setdefault(node.target.id, []).append(node.value)
    return values


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function, without those of functions in it."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.ClassDef):
            yield from _own(child)


def _named(node: ast.expr) -> str:
    """Return a placeholder for a value that is known in a run only."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return f"<{name.strip('_')}>"
        case ast.Call(func=ast.Attribute(attr="join"), args=[inner]):
            return f"<{_inner(inner)}, …>"
        case ast.Call(func=ast.Name(id="len"), args=[inner]):
            return f"<number of {_inner(inner)}>"
        case ast.Call(args=[inner, *_]):
            return _named(inner)
        case ast.Subscript(value=value):
            return _named(value)
        case ast.BoolOp(values=[first, *_]):
            return _named(first)
    return "<…>"


def _inner(node: ast.expr) -> str:
    if isinstance(node, ast.GeneratorExp | ast.ListComp):
        node = node.generators[0].iter
    return _named(node).strip("<>")


def messages(root: Path) -> list[Message]:
    """Return the messages of all code below `root`, by phase and file."""
    found = []
    files = sorted({path for folder in ("scripts", "vega", "tools", "bench")
                    for path in (root / folder).rglob("*.py")})  # fmt: skip
    for path in files:
        file = str(path.relative_to(root))
        phase = next(name for name, folders in PHASES.items()
                     if any(file.startswith(f"{folder}/") for folder in folders))  # fmt: skip
        module = Module(root, path)
        for kind, text, by in _of_scope(module, module.tree, {}, _summary(module.tree)):
            found.append(Message(NOT_RUN if kind in UNAVAILABLE else phase, file, text, by))
    order = [*PHASES, NOT_RUN]
    unique = {(message.file, message.text): message for message in reversed(found)}
    return sorted(unique.values(), key=lambda message: (order.index(message.phase), message.file))


def _summary(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> str:
    return (ast.get_docstring(node) or "").partition("\n")[0]


def _of_scope(
    module: Module, scope: ast.AST, local: Local, by: str
) -> Iterator[tuple[str, str, str]]:
    """Yield class, text and summary of the messages of a scope and of the scopes in it."""
    for node in _own(scope):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            inside = local | _assigned(node) if isinstance(node, ast.FunctionDef) else local
            yield from _of_scope(module, node, inside, _summary(node) or by)
        call = node.exc if isinstance(node, ast.Raise) else node
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.args:
            name = call.func.id
            if name in ERRORS | UNAVAILABLE or (name in QUOTED and isinstance(node, ast.Raise)):
                for text in filter(None, module.texts(call.args[0], local)):
                    yield name, " ".join(text.split()), by


def errors_page(root: Path) -> str:
    """Return the page in Markdown: one table per phase."""
    parts, listed = [HEAD], messages(root)
    for phase in [*PHASES, NOT_RUN]:
        rows = [message for message in listed if message.phase == phase]
        if rows:
            parts.append(
                f"\n## {phase}\n\n| message | the code that gives it | file |\n|---|---|---|\n"
            )
            parts += [
                f"| <code>{_cell(row.text)}</code> | {_with_code(row.by)} | `{row.file}` |\n"
                for row in rows
            ]
    return "".join(parts)


def _with_code(text: str) -> str:
    """Escape a text for a cell of a table, with what is in backquotes as code."""
    parts = (_cell(part) for part in text.split("`"))
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def _cell(text: str) -> str:
    """Escape a text for a cell of a table."""
    text = html.escape(text, quote=False)
    return "".join(f"&#{ord(c)};" if c in "|*_`[]\\{}" else c for c in text)
