"""Write the files that follow from other files: `python -m tools.reference`.

- `config/README.md` and `config/schemas/*.json` from the classes of `scripts.common.config`
- `envs/vega.yaml` from `requirements.lock`

A test compares what is in the repository with what this module would write.
"""

import json
import re
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from scripts.common.config.figures import FigureConfig, File
from scripts.common.config.models import Baseline, ModelConfig
from scripts.common.config.robustness import Choice
from scripts.common.config.settings import Settings
from scripts.common.config.simulations import Simulations
from scripts.common.config.studies import Study
from vega.files import atomic_write

ROOT = Path(__file__).resolve().parent.parent

# Each file of config/ with the class of its content, or of each of its entries.
TABLES: dict[str, tuple[type[BaseModel], str]] = {
    "config.yaml": (Settings, "The switches of a run."),
    "studies.yaml": (Study, "One entry per study, by name."),
    "models.yaml": (ModelConfig, "One entry per model, by name."),
    "baselines.yaml": (Baseline, "One entry per baseline, by name."),
    "figures.yaml": (FigureConfig, "One entry per figure, by name."),
    "robustness.yaml": (Choice, "One entry per choice of the robustness page, by name."),
    "files.tsv": (File, "One row per raw file."),
    "simulations.yaml": (Simulations, "What simulated studies are made of."),
}
HEAD = """# Configuration

Written by `make config` from the classes of `scripts/common/config/`; edit those, not this page.

A wrong entry stops a run before it starts, with one line that names the file and the entry.
Settings can also be given on the command line: `snakemake --config studies=kang seeds="[1, 2, 3]"`.
Editors that know JSON schemas find them in `schemas/`.

`files.lock.tsv` holds the checksums of files that had none in `files.tsv` and were pinned when they
were first downloaded; commit it.

## claims.tsv

What the paper claims, one row per claim. Its functions are in `scripts/claims/`; they hold no
published numbers.

- `id`: name of the claim, such as `K04`.
- `panel`: panel of the paper, or another part of it: `1e`, `S4`, `data`.
- `study`: study that the run must have, several separated by `+`; `-` for none.
- `statement`, `published`, `source`: the claim, what the paper has for it and where, as text.
- `criterion`: when the claim is reproduced, as text.
- `values`: published numbers, by the names under which the function returns ours:
  `cells=18868; genes=6998`. Empty if the paper has none.
- `within`: largest difference from the published number: `0.1` for all of them, or by name,
  `training=9`. Empty if the criterion is no tolerance.
- `share`: the same as a share of the published number; `within` and `share` add up.
- `also`: what this project asks beyond `criterion`, so that the claim can fail.
"""
ENVIRONMENT = """# Written by `make config` from requirements.lock, which `make lock` resolves.
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def config_page() -> str:
    """Return `config/README.md`: every entry of every file, with type, default and meaning."""
    parts = [HEAD]
    for file, (kind, title) in TABLES.items():
        parts.append(f"\n## {file}\n\n{title}\n")
        for part in _reachable(kind):
            if part is not kind:
                first_line = part.__doc__.strip().splitlines()[0]
                parts.append(f"\n### {part.__name__}\n\n{first_line}\n")
            parts.append(_rows(part))
    return "".join(parts)


def _rows(kind: type[BaseModel]) -> str:
    lines = ["\n| entry | type | default | meaning |\n|---|---|---|---|\n"]
    for name, field in kind.model_fields.items():
        default = "required"
        if not field.is_required():
            value = field.get_default(call_default_factory=True)
            plain = not (value is PydanticUndefined or isinstance(value, BaseModel))
            default = f"`{json.dumps(value)}`" if plain else ""
        cells = (f"`{name}`", _type_name(field.annotation), default, field.description or "")
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |\n")
    return "".join(lines)


def _type_name(annotation: Any) -> str:
    """Return the name of a type in plain words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " or ".join(_type_name(a) for a in arguments if a is not type(None))
    if origin is Literal:
        return " or ".join(f"`{a}`" for a in arguments)
    if origin is list:
        return f"list of {_type_name(arguments[0])}"
    if origin is dict:
        return f"{_type_name(arguments[1])} by name"
    if hasattr(annotation, "__metadata__"):
        return _type_name(annotation.__origin__)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    words = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
    return words.get(getattr(annotation, "__name__", ""), "any")


def _reachable(kind: type[BaseModel]) -> list[type[BaseModel]]:
    """Return `kind` and the classes of its fields, each once, outermost first."""
    found, waiting = [], [kind]
    while waiting:
        part = waiting.pop(0)
        if part not in found:
            found.append(part)
            for field in part.model_fields.values():
                waiting.extend(_models_in(field.annotation))
    return found


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def schemas() -> dict[str, str]:
    """Return the JSON schema of each YAML file, by the name of the schema's own file."""
    texts = {}
    for file, (kind, _) in TABLES.items():
        if file.endswith(".yaml"):
            schema = kind.model_json_schema()
            if kind not in (Settings, Simulations):
                definitions = schema.pop("$defs", {})
                schema = {"type": "object", "additionalProperties": schema, "$defs": definitions}
            schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
            texts[file.replace(".yaml", ".schema.json")] = json.dumps(schema, indent=1) + "\n"
    return texts


def environment(lock: str) -> str:
    """Return `envs/vega.yaml`: the lock as a conda environment."""
    pins = re.findall(r"^[A-Za-z0-9_.-]+==.+", lock, flags=re.MULTILINE)
    return ENVIRONMENT + "".join(f"      - {pin}\n" for pin in pins)


def derived_files() -> dict[Path, str]:
    """Return the content of every file that this module writes, by path."""
    return {
        ROOT / "config" / "README.md": config_page(),
        ROOT / "envs" / "vega.yaml": environment((ROOT / "requirements.lock").read_text()),
        **{ROOT / "config" / "schemas" / name: text for name, text in schemas().items()},
    }


if __name__ == "__main__":
    for path, text in derived_files().items():
        with atomic_write(path) as temporary:
            temporary.write_text(text)
