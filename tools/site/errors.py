"""The page of error messages: every message, with the summary of the code that gives it.

Messages are read from the source code (`ast`), so the page has what the program says. A value that
is only known in a run is shown as `<name>`.
"""

import ast
import html
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("scripts", "vega", "tools", "bench")
# Parts of the page, and how the paths of their files begin; the first that fits is taken.
PHASES = {
    "The configuration, at the start of a run": "scripts/common/config/",
    "Download": "scripts/download/",
    "Simulate": "scripts/simulate/",
    "Preprocess": "scripts/preprocess/",
    "Train": "scripts/train/",
    "Analyse": "scripts/analyse/",
    "Figures": "scripts/figures/",
    "Claims and report": ("scripts/claims/", "scripts/report/"),
    "Several phases": "scripts/common/",
    "The package `vega`": "vega/",
    "`make new-study`": "tools/new_study/",
    "Other commands": ("tools/", "bench/"),
}
NOT_RUN = "Reasons why a claim is `not run`"
# Errors that end a command in one line; a ValueError where another error quotes it.
UNAVAILABLE = "NotAvailable"
ERRORS = {"InputError", "DownloadError", "RunnerError", "ValueError", UNAVAILABLE}
Texts = dict[str, list[str | None]]  # that variables may have; None for one that only a run knows
Scope = ast.Module | ast.ClassDef | ast.FunctionDef

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


@cache
def constants(module: str) -> Texts:
    """Return the texts of a module's variables and functions; none if it is not of the project."""
    path = (ROOT / Path(*module.split("."))).with_suffix(".py")
    return known_in(_parsed(path), {}) if path.is_file() else {}


def known_in(scope: Scope, around: Texts) -> Texts:
    """Return the texts of the variables that a scope has, its own and those `around` it.

    What a function `f` returns is there as `f()`.
    """
    own: Texts = {}
    functions = []
    for node in _own(scope):
        pairs = []
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                theirs = constants(module)
                own |= {n.asname or n.name: theirs.get(n.name, [None]) for n in names}
            case ast.FunctionDef():
                functions.insert(0, node)  # those that others call usually come after these
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                pairs = [*zip(targets, values, strict=False)]
            case ast.Assign(targets=targets, value=value):
                pairs = [(target, value) for target in targets]
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                pairs = [(target, value)]
        for target, value in pairs:
            if isinstance(target, ast.Name):
                own.setdefault(target.id, []).extend(texts(value, around | own))
    for function in functions:
        inside = known_in(function, around | own)
        returned = [node.value for node in _own(function) if isinstance(node, ast.Return)]
        found = [text for value in returned if value for text in texts(value, inside)]
        own[f"{function.name}()"] = found
    return around | own


def texts(node: ast.expr, known: Texts) -> list[str | None]:
    """Return the texts that an expression may have, None for one that only a run knows."""
    match node:
        case ast.Constant(value=str() | int() as value):
            return [str(value)]
        case ast.JoinedStr(values=parts):
            return _joined(parts, known)
        case ast.BinOp(left=ast.JoinedStr() | ast.Constant(str()) as left, right=right):
            return _joined([left, right], known)
        case ast.IfExp(body=one, orelse=other) | ast.BoolOp(values=[one, other]):
            return texts(one, known) + texts(other, known)
        case ast.Name(id=name):
            return known.get(name, [None])
        case ast.Call(func=ast.Name(id=name)):
            return known.get(f"{name}()", [None])
    return [None]


def _joined(parts: list[ast.expr], known: Texts) -> list[str]:
    """Return the first text of each part together, then the second of each, and so on.

    So texts that one condition chooses are together. A part that only a run knows is a
    placeholder.
    """
    variants = []
    for part in parts:
        value = part.value if isinstance(part, ast.FormattedValue) else part
        found = texts(value, known)
        variants.append([f"<{_name(value)}>"] if None in found else [*filter(None, found)] or [""])
    number = max(map(len, variants), default=0)
    return ["".join(each[i % len(each)] for each in variants) for i in range(number)]


def _name(node: ast.expr) -> str:
    """Return a name for a value that is known in a run only."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.strip("_")
        case ast.Call(func=ast.Attribute(attr="join"), args=[inner]):
            return f"{_name(inner)}, …"
        case ast.Call(func=ast.Name(id="len"), args=[inner]):
            return f"number of {_name(inner)}"
        case ast.GeneratorExp(generators=[first, *_]) | ast.ListComp(generators=[first, *_]):
            return _name(first.iter)
        case ast.Call(args=[inner, *_]) | ast.BoolOp(values=[inner, *_]) | ast.Subscript(inner):
            return _name(inner)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return f"{_name(left)} + {_name(right)}"
        case ast.Constant(value=int(number)):
            return str(number)
    return "…"


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a scope, without those of scopes in it."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.ClassDef):
            yield from _own(child)


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def messages() -> list[Message]:
    """Return the messages of all code, by phase and file."""
    found = []
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        file = str(path.relative_to(ROOT))
        phase = next(phase for phase, begins in PHASES.items() if file.startswith(begins))
        for error, text, by in _of_scope(_parsed(path), {}, ""):
            found.append(Message(NOT_RUN if error == UNAVAILABLE else phase, file, text, by))
    order = [*PHASES, NOT_RUN]
    unique = {(message.file, message.text): message for message in reversed(found)}
    return sorted(unique.values(), key=lambda message: (order.index(message.phase), message.file))


def _of_scope(scope: Scope, known: Texts, by: str) -> Iterator[tuple[str, str, str]]:
    """Yield class, text and summary of the messages of a scope and of the scopes in it."""
    known, by = known_in(scope, known), (ast.get_docstring(scope) or by).partition("\n")[0]
    for node in _own(scope):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield from _of_scope(node, known, by)
        match node:
            case ast.Call(func=ast.Name(id=error), args=[said, *_]) if error in ERRORS:
                for text in filter(None, texts(said, known)):
                    yield error, " ".join(text.split()), by


def errors_page() -> str:
    """Return the page in Markdown: one table per phase."""
    parts, listed = [HEAD], messages()
    for phase in dict.fromkeys(message.phase for message in listed):
        parts.append(
            f"\n## {phase}\n\n| message | the code that gives it | file |\n|---|---|---|\n"
        )
        for row in (message for message in listed if message.phase == phase):
            by = re.sub("&#96;(.*?)&#96;", r"<code>\1</code>", _cell(row.by))
            parts.append(f"| <code>{_cell(row.text)}</code> | {by} | `{row.file}` |\n")
    return "".join(parts)


def _cell(text: str) -> str:
    """Escape a text for a cell of a table."""
    text = html.escape(text, quote=False)
    return "".join(f"&#{ord(c)};" if c in "|*_`[]\\{}" else c for c in text)
