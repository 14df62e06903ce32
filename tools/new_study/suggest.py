"""Suggest rows of the configuration from what was found in a new study's files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.common.config.figures import File
from tools.new_study.inputs import Inputs
from tools.new_study.names import contrast_names
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
            known = ", ".join(values) or "none"
            raise InputError(f"no column {column} that groups the cells; there are {known}")
    kept = {theirs: ours for ours, theirs in columns.items()}
    of_table = {theirs: ours for theirs, ours in kept.items() if table and theirs in table.columns}
    of_matrix = {theirs: ours for theirs, ours in kept.items() if theirs not in of_table}
    study: dict[str, Any] = {"title": title, **inputs.series, "format": found.format}
    study["matrices"] = [_with_columns(matrix, of_matrix) for matrix in found.matrices]
    if of_table:
        named = {"barcode": table.barcode} if table.barcode else {}
        study["annotations"] = [{"file": table.file, **named, "columns": of_table}]
    study["steps"] = [{"processed": True}]
    if found.counts:
        study["steps"] = [{"gene_min_cells": 3}, {"cell_min_genes": 200}, {"normalise": "median"}]
        if found.adata.n_vars > GENES:
            study["steps"].append({"highly_variable": GENES})
    for ours, entry in (("cell_type", "cell_types"), ("condition", "conditions")):
        if ours in columns:
            study[entry] = list(values[columns[ours]])
    data: dict[str, Any] = {"study": name, "gene_sets": gene_sets}
    analyses: dict[str, Any] = {}
    notes = []
    if "cell_type" in columns:
        analyses["one_vs_rest"] = "cell_type"
    if "condition" in columns:
        conditions = study["conditions"]
        if contrasts := _contrasts(conditions, contrast):
            analyses["contrasts"] = contrasts
            first = next(iter(contrasts.values()))["reference"]
            conditions.sort(key=lambda value: value != first)
        else:
            listed = ", ".join(conditions)
            notes.append(f"conditions {listed} are not compared: name two with --contrast A:B")
    if batch:
        data["batch_key"] = "batch"
    elif column := columns.get("batch"):
        notes.append(f"the decoder is not told of batches; --batch {column} tells it of {column}")
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
    obs = matrix["obs"]
    kept_obs = {ours: obs[theirs] for theirs, ours in kept.items()}
    return {**matrix, "obs": {"sample": obs["sample"], **kept_obs}}


def _contrasts(values: list[str], asked: tuple[str, str] | None) -> dict[str, dict[str, Any]]:
    """Return the comparisons of conditions by name; without `asked`, all with the reference."""
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
    named = contrast_names(group for group, _ in pairs)
    return {
        named[group]: {
            "column": "condition", "group": group, "reference": control, "gsea": True
        }
        for group, control in pairs
    }  # fmt: skip
