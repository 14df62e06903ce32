"""Rows for the configuration, from what was found in a new study's files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paper.config import File
from paper.config.base import NAME, NO_NAME
from paper.config.figures import OWN
from paper.errors import InputError
from paper.new_study.look import Look

# Columns are told by their names, without case and signs; the first that is there counts.
KINDS = {
    "cell_type": (
        "celltype", "celltypes", "type", "annotation", "celllabel", "label", "labels", "louvain",
        "leiden", "cluster", "clusters", "seuratclusters",
    ),
    "condition": (
        "condition", "treatment", "stim", "stimulation", "perturbation", "drug", "disease",
        "status", "genotype", "timepoint",
    ),
    "batch": ("batch", "library", "lane", "run", "donor", "patient", "replicate"),
}  # fmt: skip
REFERENCES = (
    "control", "ctrl", "untreated", "unstimulated", "unstim", "healthy", "normal", "wt",
    "wildtype", "dmso", "vehicle", "mock", "none", "pbs", "baseline",
)  # fmt: skip
GENES = 7000  # highly variable ones that a model learns from, as in the paper


@dataclass(frozen=True)
class Proposal:
    """Rows of three tables."""

    name: str
    study: dict[str, Any]
    model: dict[str, Any]
    files: list[File]
    notes: list[str]


def plain(name: str) -> str:
    """A name without case and signs.

    >>> plain("Cell_Type"), plain("seurat.clusters")
    ('celltype', 'seuratclusters')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def guessed(columns: Sequence[str]) -> dict[str, str]:
    """Which column is of which kind, as far as their names tell: ours -> theirs."""
    by_name = {plain(column): column for column in reversed(columns)}
    found = {}
    for kind, names in KINDS.items():
        fits = [by_name[name] for name in names if name in by_name]
        if fits:
            found[kind] = fits[0]
    return found


def reference(values: Sequence[str]) -> str | None:
    """The value that the others are compared with, as far as its name tells."""
    by_name = {plain(value): value for value in values}
    return next((by_name[name] for name in REFERENCES if name in by_name), None)


def propose(
    name: str,
    found: Look,
    *,
    title: str,
    gene_sets: str,
    columns: Mapping[str, str],
    values: Mapping[str, Mapping[str, int]],
    annotation: Path | None = None,
    contrast: tuple[str, str] | None = None,
    batch: bool = False,
) -> Proposal:
    """The entries of a new study and of a model of it.

    Parameters
    ----------
    name, title
        Of the study.
    found
        What is in its files.
    gene_sets
        Name of the collection.
    columns
        What is kept of the cells: `cell_type`, `condition`, `batch` -> column of the file.
    values
        The values of each of these columns, see `look.columns_of`.
    annotation
        The table that has these columns, where the file of counts has none.
    contrast
        Condition and reference of the comparison; guessed where there are two conditions.
    batch
        Whether the decoder is given the batch.

    Raises
    ------
    InputError
        If a column or a condition is not there.
    """
    for column in columns.values():
        if column not in values:
            raise InputError(
                f"no column {column} that groups the cells; there are {', '.join(values) or 'none'}"
            )
    kept = {theirs: ours for ours, theirs in columns.items()}
    matrix = dict(found.matrix)
    study: dict[str, Any] = {"title": title, "format": found.format, "matrices": [matrix]}
    if annotation is not None:
        study["annotations"] = [{"file": annotation.name, "columns": kept}]
    elif kept:
        matrix["columns"] = kept
    study["steps"] = _steps(found)
    for ours, entry in (("cell_type", "cell_types"), ("condition", "conditions")):
        if ours in columns:
            study[entry] = list(values[columns[ours]])
    model: dict[str, Any] = {"study": name, "gene_sets": gene_sets}
    notes = []
    if "cell_type" in columns:
        model["one_vs_rest"] = "cell_type"
    if "condition" in columns:
        contrasts, told = _contrasts(list(values[columns["condition"]]), contrast)
        model |= {"contrasts": contrasts} if contrasts else {}
        notes += told
        if contrasts:
            first = next(iter(contrasts.values()))["reference"]
            study["conditions"].sort(key=lambda value: value != first)
    if batch:
        model["batch_key"] = "batch"
    elif "batch" in columns:
        told = columns["batch"]
        notes.append(f"the decoder is not told of batches; --batch {told} tells it of {told}")
    if not found.counts:
        notes.append("values are no counts: taken as log-normalised, no further step is done")
    paths = [*found.files, *([annotation] if annotation else [])]
    return Proposal(name, study, model, [own(name, path) for path in paths], notes)


def own(study: str, path: Path) -> File:
    """The row of a file of one's own.

    Raises
    ------
    InputError
        If its name, or that of the study, cannot be a part of a path.
    """
    for part in (study, path.name):
        if not re.fullmatch(NAME, part):
            raise InputError(f"{part!r:.60} {NO_NAME}; rename the file, or give another --name")
    return File(study=study, file=path.name, url=f"{OWN}{path.resolve()}")


def _steps(found: Look) -> list[dict[str, Any]]:
    if not found.counts:
        return [{"processed": True}]
    steps: list[dict[str, Any]] = [
        {"gene_min_cells": 3}, {"cell_min_genes": 200}, {"normalise": "median"},
    ]  # fmt: skip
    return steps + ([{"highly_variable": GENES}] if len(found.genes) > GENES else [])


def _contrasts(
    values: list[str], asked: tuple[str, str] | None
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The comparisons of conditions, and what to say of those that were left out."""
    if asked is not None:
        for value in asked:
            if value not in values:
                raise InputError(f"no condition {value}; there are {', '.join(values)}")
        pairs = [asked]
    else:
        control = reference(values)
        if control is None and len(values) == 2:
            control = values[0]
        pairs = [(value, control) for value in values if control and value != control]
    if not pairs:
        told = f"conditions {', '.join(values)} are not compared: name two with --contrast A:B"
        return {}, [told]
    return {
        re.sub(r"[^A-Za-z0-9_.-]", "-", group).strip("-.") or f"contrast-{number}": {
            "column": "condition", "group": group, "reference": control, "gsea": True,
        }
        for number, (group, control) in enumerate(pairs, start=1)
    }, []  # fmt: skip
