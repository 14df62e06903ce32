"""Suggest rows of the configuration from what was found in a new study's files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anndata import AnnData

from scripts.preprocess.readers.checks import check_counts
from scripts.preprocess.readers.choices import OURS
from tools.new_study.inspect import Inspection
from tools.new_study.names import contrast_names
from tools.new_study.rehearse import rehearse
from vega.errors import InputError
from vega.scale import COUNTS, LOGS, RAW

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
    """Rows of two tables, and what to tell the user."""

    name: str
    study: dict[str, Any]
    model: dict[str, Any]
    notes: list[str]


def plain(name: str) -> str:
    """Return a name without case and signs: of `Seurat.Clusters` that is `seuratclusters`."""
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
    found: Inspection,
    *,
    title: str,
    gene_sets: str,
    columns: Mapping[str, str],
    contrast: tuple[str, str] | None = None,
    batch: bool = False,
    sets: Mapping[str, Sequence[str]] | None = None,
    series: Mapping[str, str] | None = None,
) -> Suggestion:
    """Suggest the entries of a new study and of a model of it, which were rehearsed.

    `columns` are kept of the cells, as `guessed` gives them. The `contrast` (condition, reference)
    is guessed if it is None. With `batch` the decoder receives the batch. `sets` are those of
    `gene_sets`, if at hand. `series` has accession and organism of a series of GEO.
    """
    for column in columns.values():
        _check_groups(column, found)
    kept = {theirs: ours for ours, theirs in columns.items()}
    if len(kept) < len(columns):
        same = next(c for c in kept if list(columns.values()).count(c) > 1)
        options = " and ".join(f"--{k.replace('_', '-')}" for k, c in columns.items() if c == same)
        raise InputError(f"{options} are both {same}; name another column, or - for none")
    source = _source(found, kept)
    steps, told = _steps(found)
    notes = [*found.notes, *told]
    where = next(iter(found.files.values()))
    if found.scale == COUNTS:
        check_counts(found.adata, where)
    obs = found.adata.obs
    is_kept = obs.columns.isin([*kept, *(["annotated"] if "annotations" in source else [])])
    obs = obs.loc[:, is_kept].rename(columns=kept)
    cells = AnnData(found.adata.X, obs=obs, var=found.adata.var)
    here = cells.obs[cells.obs["annotated"]] if "annotated" in cells.obs else cells.obs
    if len(here) < cells.n_obs:
        notes.append(f"{cells.n_obs - len(here):,} cells are not in the annotation and left out")
    for ours, theirs in columns.items():
        if missing := int(here[ours].isna().sum()):
            notes.append(f"{missing:,} of {len(here):,} cells have no {ours} ({theirs})")
            if ours == "batch" and batch:
                steps.insert(0, {"labelled": ours})
                notes.append("these are left out, as the decoder needs a batch")
    study: dict[str, Any] = {"title": title, **(series or {}), **source, "steps": steps}
    for ours in (kind for kind in ("cell_type", "condition") if kind in columns):
        study[f"{ours}s"] = sorted(here[ours].dropna().unique())
    data: dict[str, Any] = {"study": name, "gene_sets": gene_sets}
    analyses: dict[str, Any] = {}
    if len(study.get("cell_types", ())) > 1:
        analyses["one_vs_rest"] = "cell_type"
    if "conditions" in study:
        contrasts, why = _contrasts(study["conditions"], contrast)
        notes.append(why)
        if contrasts:
            analyses["contrasts"] = contrasts
            first = next(iter(contrasts.values()))["reference"]
            study["conditions"].sort(key=lambda value: value != first)
    if batch:
        data["batch_key"] = "batch"
    elif column := columns.get("batch"):
        notes.append(f"the decoder has no batches; --batch {column} gives it {column}")
    if "mouse" in (series or {}).values():
        notes.append("genes are those of mouse, as those of the gene sets must be")
    model = {"data": data, "analyses": analyses}
    study, more = rehearse(cells, study, model, sets, f"{where} with {gene_sets}")
    return Suggestion(name, study, model, [*notes, *more])


def _check_groups(column: str, found: Inspection) -> None:
    """Refuse a column that does not group the cells."""
    if column in found.columns:
        return
    if column in (*OURS, "annotated"):
        raise InputError(f"{column} is a name that the workflow uses itself; rename the column")
    known, obs = ", ".join(found.columns) or "none", found.adata.obs
    n = obs[column].nunique() if column in obs else 0
    values = f"; {column} has {n:,} value{'s' * (n != 1)} in {len(obs):,} cells" if n else ""
    raise InputError(
        f"no column {column} that groups the cells; there are {known}; such a column has two "
        f"values or more, of two cells each on average{values}"
    )


def _source(found: Inspection, kept: Mapping[str, str]) -> dict[str, Any]:
    """Return the part of a study's entry that says where its cells and their columns come from."""

    def part(entry: Mapping[str, Any]) -> dict[str, Any]:
        columns = {c: kept[c] for c in entry.get("columns", ()) if c in kept}
        obs = {kept.get(c, c): v for c, v in entry.get("obs", {}).items() if c in (*kept, "sample")}
        rest = {key: value for key, value in entry.items() if key not in ("columns", "obs")}
        return rest | ({"columns": columns} if columns else {}) | ({"obs": obs} if obs else {})

    annotations = [entry for entry in map(part, found.annotations) if "columns" in entry]
    source = {"format": found.format, "matrices": [*map(part, found.matrices)]}
    return source | ({"annotations": annotations} if annotations else {})


def _steps(found: Inspection) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the steps for values of this scale, and what to say of them."""
    if found.scale == COUNTS:
        steps = [{"gene_min_cells": 3}, {"cell_min_genes": 200}, {"normalise": "median"}]
        return steps + [{"highly_variable": GENES}] * (found.adata.n_vars > GENES), []
    if found.scale == LOGS:
        words = "values are no counts: taken as log-normalised, no further step is done"
        return [{"processed": True}], [words]
    if found.scale == RAW:
        return [{"processed": "log1p"}], [
            f"values are no counts, up to {found.adata.X.max():,.6g}, such as TPM: log1p is taken"
        ]
    raise InputError(
        f"{next(iter(found.files.values()))}: expected counts or log-normalised values, found "
        f"{found.scale or 'zeros alone'}; give a file of the counts"
    )


def _contrasts(
    values: list[str], asked: tuple[str, str] | None
) -> tuple[dict[str, dict[str, Any]], str]:
    """Return the comparisons of conditions by name, and the reason for their reference."""
    listed, control = ", ".join(values), reference(values)
    if asked is not None:
        for value in asked:
            if value not in values:
                raise InputError(f"no condition {value}; there are {listed}")
        control, why = asked[1], "as --contrast says"
    elif control is not None:
        why = "by its name"
    elif len(values) == 2:
        control = values[0]
        why = f"as the first of two; --contrast {values[0]}:{values[1]} is the other way"
    else:
        return {}, f"conditions {listed} are not compared: name two with --contrast A:B"
    groups = [asked[0]] if asked else [value for value in values if value != control]
    named = contrast_names(groups)
    return {
        named[group]: {
            "column": "condition", "group": group, "reference": control, "gsea": True
        }
        for group in groups
    }, f"{control} is the reference, {why}"  # fmt: skip
