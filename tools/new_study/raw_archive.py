"""The archive that GEO makes of all files of a series' samples: one matrix of each."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from scripts.preprocess.readers.annotated import ANNDATA
from scripts.preprocess.readers.choices import OURS, chosen, orientation
from scripts.preprocess.readers.files import RawFile
from scripts.preprocess.readers.formats import CONVERT
from scripts.preprocess.readers.names import Counts, counts_among, without_unfiltered
from scripts.preprocess.readers.tables import as_texts
from tools.new_study.inspect import Inspection
from tools.new_study.names import some
from vega.errors import InputError

RAW_ARCHIVE = "_RAW.tar"  # ends its name
FORMATS = ("mtx", "10x_h5", "h5ad", "loom", "table")  # tables go last: they may be anything
SAMPLE = re.compile(r"(GSM\d+)\D.*")  # begins the names of a sample's files


def inspect_archive(path: Path, samples: pd.DataFrame, known: Collection[str]) -> Inspection:
    """Inspect the matrices of an archive, with the annotation of each sample; see `inspect_file`.

    `samples` are those of the series (see `Series`). Their accession annotates the cells as
    `sample`, and so does each column that all of them have.
    """
    said = samples.set_index("accession").drop(columns=[*OURS], errors="ignore").apply(as_texts)
    format, matrices, notes = _matrices(path, said.index)
    for matrix in matrices.values():
        file = RawFile(path, matrix["matrix"])
        if format == "table":
            matrix |= orientation(file, known)
        elif format in ANNDATA:
            taken, more = chosen(ANNDATA[format](file), known)
            matrix |= taken
            notes += [note for note in more if note not in notes]
    said = said.loc[list(matrices)]
    said = said.loc[:, said.notna().all()]
    of_all = set.intersection(*(set(matrix.get("columns", ())) for matrix in matrices.values()))
    for sample, matrix in matrices.items():
        matrix["obs"] = {**said.loc[sample], "sample": sample}
        if "columns" in matrix:
            matrix["columns"] = {column: column for column in sorted(of_all.difference(said))}
    return Inspection(format, [*matrices.values()], {path.name: path}, notes)


def bundled(names: Collection[str]) -> list[Counts]:
    """Return the counts among the files of samples, by their names, in one format."""
    found = [counts for counts in without_unfiltered(counts_among(names)) if counts.likely]
    by_format = ([counts for counts in found if counts.format == each] for each in FORMATS)
    return next(filter(None, by_format), [])


def _matrices(
    path: Path, accessions: Collection[str]
) -> tuple[str, dict[str, dict[str, Any]], list[str]]:
    """Return the format of an archive's matrices, the entry of each by its sample, and notes."""
    members = list(RawFile(path).members())
    found = bundled(members)
    if not found:
        names = ", ".join(members[:10])
        raise InputError(f"{path}: no counts that can be read ({names}); {CONVERT}")
    matrices: dict[str, dict[str, Any]] = {}
    for counts in found:
        sample = SAMPLE.fullmatch(counts.name)
        if sample is None or sample[1] not in accessions:
            raise InputError(f"{path}: {counts.name} is of no sample of the series; {CONVERT}")
        if other := matrices.get(sample[1]):
            raise InputError(
                f"{path}: two matrices of {sample[1]} ({other['matrix']}, {counts.name}); {CONVERT}"
            )
        matrices[sample[1]] = {"archive": path.name, **counts.entry}
    left = {c.name for c in counts_among(members)} - {c.name for c in found}
    left = [name for name in members if name in left]
    notes = [f"not taken of {path.name}: {some(left)}"] if left else []
    return found[0].format, matrices, notes
