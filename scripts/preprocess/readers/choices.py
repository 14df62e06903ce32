"""Choose what to take of a file of counts, where no entry of a study says it."""

import re
from collections.abc import Collection, Iterable
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from scripts.preprocess.readers.annotated import raw_of
from scripts.preprocess.readers.files import RawFile
from scripts.preprocess.readers.tables import past_comments, separator_of
from vega.errors import InputError
from vega.scale import COUNTS, LOGS, RAW, SCALED, scale_of
from vega.values import layers_of

GENE = re.compile(
    r"((hg|GRC[hm]|mm)\d+_+)?(RP[LS]P?\d+[ALXY]?\d?|MT-\w+|ACTB|GAPDH|B2M|MALAT1|EEF1A1|TMSB4X|FTL|"
    r"FTH1)([_|;:].*)?|ENS[A-Z]*G\d{11}.*",
    re.IGNORECASE,
)  # genes that nearly all cells of all tissues have, and Ensembl ids
# Rows of a table that are listed among its genes: spike-ins, and HTSeq's summary.
NO_GENES = r"ERCC-\d{5}|(__)?(no_feature|ambiguous|too_low_aQual|not_aligned|alignment_not_unique)"
OURS = ("barcode", "matrix")  # columns that the readers use themselves
BEST_FIRST = (COUNTS, LOGS, RAW, SCALED, None)
NO_COUNTS = (
    "not a file of counts; give an h5ad file, loom, zarr, Cell Ranger's .h5 or folder, a Matrix "
    "Market file (.mtx) or a table (.csv, .tsv, .txt), gzipped or not"
)


def all_columns(table: pd.DataFrame) -> dict[str, str]:
    """Return the columns of a table of cells that can be kept, under their own names."""
    return {column: column for column in map(str, table) if column not in OURS}


def chosen(
    whole: ad.AnnData,
    known: Collection[str],
    layer: str | None = None,
    raw: bool = False,
    symbols: str | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Return which matrix, symbols and columns of an AnnData to take, and what to say of it.

    Counts are taken before all else, then the matrix of most genes.
    """
    places = [({}, whole.X, whole.var)]
    raw_cells = whole if whole.raw is None else raw_of(whole)
    places += [({"raw": True}, raw_cells.X, raw_cells.var)] if whole.raw is not None else []
    places += [({"layer": name}, values, whole.var) for name, values in layers_of(whole).items()]
    found = []
    for place, values, var in places:
        values = sp.csr_matrix((0, 0) if values is None else values)
        scale = scale_of(values)
        is_mask = scale == COUNTS and values.max() <= 1
        found.append(((is_mask, BEST_FIRST.index(scale), -len(var)), place, var, scale))
    _, place, var, scale = min(found, key=lambda each: each[0])
    notes = []
    if layer or raw:
        place = {"layer": layer} if layer else {"raw": True}
        var = raw_cells.var if raw else whole.var
    elif place:
        where = f"layer {place['layer']}" if "layer" in place else ".raw"
        what = found[0][3] or "nothing"
        notes.append(f"X holds {what}; taken are the {scale} of {where} ({len(var):,} genes)")
    if symbols is None and (symbols := _symbols(var, known)):
        notes.append(f"gene symbols are those of the column {symbols}")
    return {
        **place,
        **({"symbols": symbols} if symbols else {}),
        "columns": all_columns(whole.obs),
    }, notes


def _symbols(var: pd.DataFrame, known: Collection[str]) -> str | None:
    """Return the column of symbols: that with most known ones, if those are twice as many."""

    def n_symbols(names: pd.Index | pd.Series) -> int:
        names = names.dropna().astype(str)
        return sum(_are_genes(names[[n in known or not n.startswith("ENS") for n in names]], known))

    texts = [c for c in var if not pd.api.types.is_numeric_dtype(var[c])]
    scores = {c: n_symbols(var[c]) for c in texts}
    best = max(scores, key=scores.get, default=None)
    return best if best and scores[best] > 2 * n_symbols(var.index) else None


def orientation(file: RawFile, known: Collection[str]) -> dict[str, Any]:
    """Return `cells_down` for a table in which more of the names across are genes, else `no_genes`.

    The latter only if there are such rows.
    """
    with file.opened() as stream:
        table = past_comments(enumerate(stream))
        header, *lines = [line.decode(errors="replace") for _, line in table] or [""]
    separator = separator_of(header, "".join(lines[:1]))
    _, *across = (name.strip('" \r\n') for name in header.split(separator))
    if lines and not re.search(r"\d", re.sub(r"[^\W\d]\w*", "", lines[0].partition(separator)[2])):
        raise InputError(f"{file}: {NO_COUNTS}")
    down = [line.partition(separator)[0].strip('"') for line in lines]
    if np.mean(_are_genes(across, known) or [0]) > np.mean(_are_genes(down[:500], known) or [0]):
        return {"cells_down": True}
    return {"no_genes": NO_GENES} if any(re.fullmatch(NO_GENES, name) for name in down) else {}


def _are_genes(names: Iterable[str], known: Collection[str]) -> list[bool]:
    """Return which names are certainly those of genes: known ones, and those of all cells."""
    return [name in known or GENE.fullmatch(name) is not None for name in names]
