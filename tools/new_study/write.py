"""Add suggested rows to the tables of the configuration."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from scripts.common.config.base import RESERVED
from scripts.common.config.figures import File
from scripts.common.config.load import load
from scripts.common.config.plain import read_yaml
from scripts.common.provenance import TABLE, measure
from tools.new_study.suggest import Suggestion
from vega.errors import InputError
from vega.files import atomic_write

COLUMNS = ("study", "file", "url", "bytes", "md5", "sha256", "note")


def additions(suggestion: Suggestion, files: list[File]) -> dict[str, str]:
    """Return what is added to each file of `config/`, as text; the user's own files are hashed."""
    rows = []
    for file in files:
        row = file.model_dump(exclude_none=True) | (measure(file.own) if file.own else {})
        rows.append("\t".join(str(row.get(column, "")) for column in COLUMNS))
    return {
        "files.tsv": "".join(f"{row}\n" for row in rows),
        "studies.yaml": _entry(suggestion.name, suggestion.study),
        "models.yaml": _entry(suggestion.name, suggestion.model),
    }


def _entry(name: str, entry: dict[str, Any]) -> str:
    return "\n" + yaml.safe_dump({name: entry}, sort_keys=False, allow_unicode=True, width=100)


def check_free(name: str, folder: Path) -> None:
    """Check that a study may have this name."""
    if name in RESERVED:
        raise InputError(f"{name} is a reserved name; choose another --name")
    for table in ("studies.yaml", "models.yaml", "baselines.yaml"):
        if name in read_yaml(folder / table):
            raise InputError(
                f"{folder / table}: there is an entry {name}; choose another --name, or remove it"
            )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let no other command change the tables in a folder meanwhile."""
    lock = folder.parent / ".snakemake" / "tables.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def add(name: str, added: dict[str, str], folder: Path) -> None:
    """Add a study's `additions` to the tables, if the whole configuration is valid with them."""
    with locked(folder), tempfile.TemporaryDirectory() as trial:
        check_free(name, folder)
        tried = Path(trial, "config")
        shutil.copytree(folder, tried)
        texts = {}
        for file, text in added.items():
            old = (folder / file).read_text(encoding="utf-8")
            if file == TABLE.name:  # gene sets that another study has added meanwhile
                text = "".join(row for row in text.splitlines(True) if row not in old)
            texts[file] = old + ("" if old.endswith("\n") else "\n") + text
            (tried / file).write_text(texts[file], encoding="utf-8")
        try:
            load({}, tried)
        except InputError as error:
            raise InputError(str(error).replace(f"{tried}", str(folder))) from None
        for file, text in texts.items():
            with atomic_write(folder / file) as part:
                part.write_text(text, encoding="utf-8")
