"""A fuzzer: it damages whole files, the same way for the same seed, and says what it did.

`damage(path, kind, seed)` works on a file that is right and leaves one that may not be. `KINDS`
lists what may befall each kind of file; beside that any of them may be empty, missing, a folder, or
a link to itself.
"""

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml

Change = Callable[[bytes, random.Random], bytes]

# What stands where something else should: other types, numbers without end, names that lead
# elsewhere, texts that other languages take for code.
ODD_VALUES = [
    None, True, -1, 0, 1.5, 10**40, -(10**40), 1e308, float("inf"), float("nan"), "", " ", "\t",
    "nan", "-1", "1e999", "0x10", "a" * 5000, "../../up", "/etc/passwd", "a/b", "a\nb", "\x00",
    "\x1b[31m", "\ufeff", "\u2028", "é☃", "{x}", "{", "(", "$x^$", "<script>alert(1)</script>",
    [], {}, [[]], [1, "a"], {"a": {"b": []}}, "2024-13-45", "!!python/none", "*a", "&a b",
]  # fmt: skip
ODD_FIELDS = [str(value) for value in ODD_VALUES if not isinstance(value, list | dict)]


# ---------------------------------------------------------------- bytes


def _stretch(content: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.choice([1, 2, 8, 100, 5000]))


def flipped(content: bytes, rng: random.Random) -> bytes:
    """Single bits turned."""
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 3, 20])):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def truncated(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def cut_out(content: bytes, rng: random.Random) -> bytes:
    start, end = _stretch(content, rng)
    return content[:start] + content[end:]


def repeated(content: bytes, rng: random.Random) -> bytes:
    start, end = _stretch(content, rng)
    return content[:end] + content[start:end] * rng.choice([1, 50]) + content[end:]


def overwritten(content: bytes, rng: random.Random) -> bytes:
    """A stretch as a disk may give it back: nothing, or anything."""
    start, end = _stretch(content, rng)
    new = bytes(end - start) if rng.random() < 0.5 else rng.randbytes(end - start)
    return content[:start] + new + content[end:]


def grown(content: bytes, rng: random.Random) -> bytes:
    return content + rng.choice([b"\x00", b"\n", b"\xff\xfe", rng.randbytes(300)])


def anything(content: bytes, rng: random.Random) -> bytes:
    return rng.choice(
        [b"\x00", b"\x1f\x8b", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"<html>", b""]
    ) + (rng.randbytes(rng.choice([0, 1, 1000])))


BYTES: list[Change] = [flipped, truncated, cut_out, repeated, overwritten, grown, anything]


# ---------------------------------------------------------------- lines and fields


def _on_lines(change: Callable[[list[bytes], int, random.Random], list[bytes]]) -> Change:
    def on_lines(content: bytes, rng: random.Random) -> bytes:
        lines = content.splitlines(keepends=True) or [b""]
        return b"".join(change(lines, rng.randrange(len(lines)), rng))

    on_lines.__name__ = change.__name__
    return on_lines


@_on_lines
def line_lost(lines, i, rng):
    return lines[:i] + lines[i + 1 :]


@_on_lines
def line_twice(lines, i, rng):
    return lines[: i + 1] + lines[i:]


@_on_lines
def lines_swapped(lines, i, rng):
    j = rng.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return lines


def _on_fields(change: Callable[[list[bytes], int, random.Random], list[bytes]]) -> Change:
    def on_fields(lines, i, rng):
        text = lines[i].rstrip(b"\r\n")
        separator = next((s for s in (b"\t", b",", b" ") if s in text), b"\t")
        fields = text.split(separator)
        fields = change(fields, rng.randrange(len(fields)), rng)
        return [*lines[:i], separator.join(fields) + b"\n", *lines[i + 1 :]]

    on_fields.__name__ = change.__name__
    return _on_lines(on_fields)


@_on_fields
def field_lost(fields, i, rng):
    return fields[:i] + fields[i + 1 :]


@_on_fields
def field_twice(fields, i, rng):
    return fields[: i + 1] + fields[i:]


@_on_fields
def field_odd(fields, i, rng):
    return [*fields[:i], rng.choice(ODD_FIELDS).encode(), *fields[i + 1 :]]


@_on_fields
def quote_opened(fields, i, rng):
    return [*fields[:i], b'"' + fields[i], *fields[i + 1 :]]


def encoded(content: bytes, rng: random.Random) -> bytes:
    """The text as other systems write it."""
    text = content.decode(errors="replace")
    encoding = rng.choice(["utf-16", "utf-32", "utf-8-sig", "latin-1", "utf-7", "cp037"])
    return (text + "é").encode(encoding, errors="replace")


def other_ends(content: bytes, rng: random.Random) -> bytes:
    """Lines that end as on other systems."""
    return content.replace(b"\n", rng.choice([b"\r\n", b"\r", b"\n\n", b"\x0b", b"\x85"]))


TEXT: list[Change] = [
    *BYTES, line_lost, line_twice, lines_swapped, field_lost, field_twice, field_odd, quote_opened,
    encoded, other_ends,
]  # fmt: skip


# ---------------------------------------------------------------- entries of YAML and JSON


def _places(node: Any) -> list[tuple[Any, Any]]:
    """Every container of a tree with each of its keys."""
    keys = (
        list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
    )
    return [place for key in keys for place in [(node, key), *_places(node[key])]]


def changed_tree(tree: Any, rng: random.Random) -> None:
    """One entry lost, moved, of another type, or there twice."""
    places = _places(tree)
    if not places:
        return
    node, key = rng.choice(places)
    match rng.randrange(5):
        case 0:
            del node[key]
        case 1 if isinstance(node, dict):
            node[rng.choice(ODD_FIELDS)] = node.pop(key)
        case 2 if isinstance(node, list):
            node.insert(key, node[key])
        case 3:
            other, name = rng.choice(places)
            node[key] = json.loads(json.dumps(other[name], default=str))
        case _:
            node[key] = rng.choice(ODD_VALUES)


def yaml_entry(content: bytes, rng: random.Random) -> bytes:
    tree = yaml.safe_load(content)
    changed_tree(tree, rng)
    return yaml.safe_dump(tree, sort_keys=False).encode()


def json_entry(content: bytes, rng: random.Random) -> bytes:
    tree = json.loads(content)
    changed_tree(tree, rng)
    return json.dumps(tree).encode()


def yaml_deep(content: bytes, rng: random.Random) -> bytes:
    return rng.choice([b"[", b"{a: ", b"- "]) * rng.choice([50, 5000]) + content


def json_deep(content: bytes, rng: random.Random) -> bytes:
    return rng.choice([b"[", b'{"a":']) * rng.choice([50, 100_000]) + content


YAML: list[Change] = [*TEXT, yaml_entry, yaml_entry, yaml_entry, yaml_deep]
JSON: list[Change] = [*TEXT, json_entry, json_entry, json_entry, json_deep]


def header_entry(content: bytes, rng: random.Random) -> bytes:
    """An entry of the header of a safetensors file, which is JSON after its length."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json_entry(content[8 : 8 + length], rng)
    return struct.pack("<Q", len(header)) + header + content[8 + length :]


TENSORS: list[Change] = [*BYTES, header_entry, header_entry, header_entry]

# ---------------------------------------------------------------- objects of HDF5


def _nodes(file: h5py.File) -> list[str]:
    found: list[str] = []
    file.visit(found.append)
    return found


def object_lost(path: Path, rng: random.Random) -> None:
    with h5py.File(path, "r+") as file:
        del file[rng.choice(_nodes(file))]


def object_moved(path: Path, rng: random.Random) -> None:
    with h5py.File(path, "r+") as file:
        old = rng.choice(_nodes(file))
        file.move(old, f"{old}_{rng.randrange(9)}")


def object_replaced(path: Path, rng: random.Random) -> None:
    """By one of another type or shape, of the same attributes."""
    with h5py.File(path, "r+") as file:
        name = rng.choice(_nodes(file))
        attributes = dict(file[name].attrs)
        del file[name]
        file[name] = rng.choice(
            [np.float32(1), np.arange(5), np.zeros((3, 0)), np.array([b"x", b"y"]), "text", np.nan,
             np.array([1 + 2j]), np.full(7, -1), np.array([2**62]), np.void(b"opaque")]
        )  # fmt: skip
        file[name].attrs.update(attributes)


def attribute_changed(path: Path, rng: random.Random) -> None:
    with h5py.File(path, "r+") as file:
        node = rng.choice([file, *(file[name] for name in _nodes(file))])
        if not len(node.attrs):
            return
        name = rng.choice(sorted(node.attrs))
        if rng.random() < 0.4:
            del node.attrs[name]
        else:
            node.attrs[name] = rng.choice(
                ["dict", "csc_matrix", "9.9.9", "", 5, [3, 10**9], [0, 0]]
            )


def values_changed(path: Path, rng: random.Random) -> None:
    """Some values of a dataset odd: not finite, below zero, far out."""
    with h5py.File(path, "r+") as file:
        numbers = [n for n in _nodes(file) if isinstance(file[n], h5py.Dataset) and file[n].size]
        node = file[rng.choice([n for n in numbers if file[n].dtype.kind in "biuf"])]
        odd = rng.choice([-1, 0, 10**6, 2**31 - 1, np.nan, np.inf, -np.inf, 1e30])
        values = np.atleast_1d(node[()])
        with np.errstate(all="ignore"):
            values[rng.randrange(len(values))] = np.array(odd).astype(node.dtype)
        node[...] = values.reshape(node.shape)


def linked(path: Path, rng: random.Random) -> None:
    """An object in another file, or one that holds itself."""
    with h5py.File(path, "r+") as file:
        name = rng.choice(_nodes(file))
        del file[name]
        file[name] = rng.choice([h5py.ExternalLink("/etc/passwd", "/x"), h5py.SoftLink("/")])


OBJECTS = [
    object_lost, object_moved, object_replaced, attribute_changed, values_changed, linked,
]  # fmt: skip

# ---------------------------------------------------------------- what stands in its place


def missing(path: Path) -> None:
    pass


def empty(path: Path) -> None:
    path.touch()


def folder(path: Path) -> None:
    path.mkdir()


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


IN_ITS_PLACE = [missing, empty, folder, link_to_itself]

KINDS: dict[str, list[Change]] = {
    "bytes": BYTES, "text": TEXT, "yaml": YAML, "json": JSON, "tensors": TENSORS, "h5ad": BYTES,
}  # fmt: skip


def damage(path: Path, kind: str, seed: int) -> str:
    """Damage a file that is right; gives what was done, in words.

    The first seeds put something else in its place.
    """
    rng = random.Random(f"{kind} {seed}")
    if seed < len(IN_ITS_PLACE):
        path.unlink()
        IN_ITS_PLACE[seed](path)
        return f"{path.name}: {IN_ITS_PLACE[seed].__name__}"
    if kind == "h5ad" and seed % 2:
        change = rng.choice(OBJECTS)
        change(path, rng)
    else:
        change = rng.choice(KINDS[kind])
        path.write_bytes(change(path.read_bytes(), rng))
    return f"{path.name}: {change.__name__}"
