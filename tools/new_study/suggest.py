"""Suggest rows of the configuration from what was found in a new study's files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.common.config.figures import File
from tools.new_study.inputs import Inputs
from tools.new_study.inspect import Inspection
from vega.errors import InputError

# Columns are recognised by their names, without case and signs; the first that exists counts.
KINDS = {
    "cell_type": (
        "celltype", "celltypes", "type", "annotation", "celllabel", "label", "labels", "louvain",
        "leiden", "cluster", "clusters", "seuratclusters",
    ),
    "condition": (
        "condition", "treatment", "stim", "stimulation", "perturbation", "drug", "disease",
        "status", "diseasestate", "stimulus", "agent", "genotype", "timepoint", "group",
    ),
    "batch": (
        "batch", "library", "lane", "run", "donor", "patient", "donorid", "patientid",
        "individual", "subject", "replicate",
    ),
}  # fmt: skip
REFERENCES = (
    "control", "ctrl", "untreated", "unstimulated", "unstim", "healthy", "normal", "wt",
    "wildtype", "dmso", "vehicle", "mock", "none", "pbs", "baseline",
)  # fmt: skip
GENES = 7000  # highly variable ones that a model learns from, as in the paper


@dataclass(frozen=True)
class Suggestion:
    """Rows of three tables, and what to tell the user."""

    name: str
    study: dict[str, Any]
    model: dict[str, Any]
    files: list[File]
    notes: list[str]


def plain(name: str) -> str:
    """Return a name without case and signs.

    >>> plain("Cell_Type"), plain("seurat.clusters")
    ('celltype', 'seuratclusters')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def guessed(columns: Sequence[str]) -> dict[str, str]:
    """Guess from their names which column is of which kind: ours -> theirs."""
    found = {kind: _first_named(names, columns) for kind, names in KINDS.items()}
    return {kind: column for kind, column in found.items() if column}


def reference(values: Sequence[str]) -> str | None:
    """Guess from their names the value that the others are compared with."""
    return _first_named(REFERENCES, values)


def _first_named(names: Sequence[str], candidates: Sequence[str]) -> str | None:
    by_name = {plain(candidate): candidate for candidate in reversed(candidates)}
    return next((by_name[name] for name in names if name in by_name), None)


def suggest(
    name: str,
    inputs: Inputs,
    *,
    title: str,
    gene_sets: str,
    columns: Mapping[str, str],
    contrast: tuple[str, str] | None = None,
    batch: bool = False,
) -> Suggestion:
    """Suggest the entries of a new study and of a model of it.

    `columns` are kept of the cells: `cell_type`, `condition`, `batch` -> column of the files. The
    `contrast` (condition, reference) is guessed if it is None. With `batch` the decoder receives
    the batch.
    """
    found, table, values = inputs.inspection, inputs.table, inputs.columns
    for column in columns.values():
        if column not in values:
            raise InputError(
                f"no column {column} that groups the cells; there are {', '.join(values) or 'none'}"
            )
    kept = {theirs: ours for ours, theirs in columns.items()}
    of_table = {theirs: ours for theirs, ours in kept.items() if table and theirs in table.columns}
    of_matrix = {theirs: ours for theirs, ours in kept.items() if theirs not in of_table}
    study: dict[str, Any] = {"title": title, **inputs.series, "format": found.format}
    study["matrices"] = [_with_columns(matrix, of_matrix) for matrix in found.matrices]
    if of_table:
        named = {"barcode": table.barcode} if table.barcode else {}
        study["annotations"] = [{"file": table.file, **named, "columns": of_table}]
    study["steps"] = _steps(found)
    for ours, entry in (("cell_type", "cell_types"), ("condition", "conditions")):
        if ours in columns:
            study[entry] = list(values[columns[ours]])
    data: dict[str, Any] = {"study": name, "gene_sets": gene_sets}
    analyses: dict[str, Any] = {}
    notes = []
    if "cell_type" in columns:
        analyses["one_vs_rest"] = "cell_type"
    if "condition" in columns:
        contrasts, told = _contrasts(list(values[columns["condition"]]), contrast)
        analyses |= {"contrasts": contrasts} if contrasts else {}
        notes += told
        if contrasts:
            first = next(iter(contrasts.values()))["reference"]
            study["conditions"].sort(key=lambda value: value != first)
    if batch:
        data["batch_key"] = "batch"
    elif "batch" in columns:
        told = columns["batch"]
        notes.append(f"the decoder is not told of batches; --batch {told} tells it of {told}")
    if inputs.series.get("organism") == "mouse":
        notes.append("genes are those of mouse, as those of the gene sets must be")
    if not found.counts:
        notes.append("values are no counts: taken as log-normalised, no further step is done")
    model = {"data": data, "analyses": analyses}
    return Suggestion(name, study, model, [*inputs.files], notes)


def _with_columns(matrix: Mapping[str, Any], kept: Mapping[str, str]) -> dict[str, Any]:
    """Return a matrix with the columns that are kept of its cells, under our names."""
    if "obs" not in matrix:
        return {**matrix, **({"columns": dict(kept)} if kept else {})}
    said = matrix["obs"]
    return {**matrix, "obs": {"sample": said["sample"]} | {kept[c]: said[c] for c in kept}}


def _steps(found: Inspection) -> list[dict[str, Any]]:
    if not found.counts:
        return [{"processed": True}]
    steps: list[dict[str, Any]] = [
        {"gene_min_cells": 3}, {"cell_min_genes": 200}, {"normalise": "median"},
    ]  # fmt: skip
    return steps + ([{"highly_variable": GENES}] if len(found.genes) > GENES else [])


def _contrasts(
    values: list[str], asked: tuple[str, str] | None
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return the comparisons of conditions, and a note if there are none."""
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
