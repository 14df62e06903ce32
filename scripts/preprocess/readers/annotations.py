"""Read annotations, tables of what the cells are, and join them with the cells."""

import io
import logging
from pathlib import Path
from string import Formatter

import anndata as ad
import numpy as np
import pandas as pd

from scripts.common.config.studies import Annotation
from scripts.common.obs_mask import obs_mask
from scripts.common.provenance import absence, retry_hint
from scripts.preprocess.readers.annotated import ANNDATA
from scripts.preprocess.readers.checks import check_unique
from scripts.preprocess.readers.files import RETRY, RawFile
from scripts.preprocess.readers.formats import format_of
from scripts.preprocess.readers.r_files import read_r
from scripts.preprocess.readers.tables import (
    EMPTY,
    MISSING,
    as_texts,
    meant,
    past_comments,
    renamed,
    separator_of,
)
from vega.errors import InputError
from vega.files import read_errors

log = logging.getLogger("workflow")

LEAST_KNOWN_CELLS = 0.5  # of a matrix; fewer mean that the names do not fit


def annotate(adata: ad.AnnData, annotations: list[Annotation], folder: Path) -> None:
    """Add the annotations' columns to `adata.obs`; a later annotation overrides an earlier one.

    `annotated` is true of cells in all annotations that are matched by barcode; it is left out if
    there are none. The columns of an optional annotation without its file are empty.
    """
    known, by_barcode = np.ones(adata.n_obs, dtype=bool), False
    for asked in annotations:
        annotation = _available(asked, folder)
        if annotation is None:
            for column in asked.columns.values():
                if column not in adata.obs:
                    adata.obs[column] = pd.Series(index=adata.obs_names, dtype=object)
            continue
        file = RawFile.of(folder, annotation.archive, annotation.file)
        mine = annotation.matrix is None or adata.obs["matrix"].eq(annotation.matrix)
        cells = np.flatnonzero(np.broadcast_to(mine, adata.n_obs))
        obs = adata.obs.iloc[cells]
        table = _annotation_table(annotation, file, pd.Index(obs["barcode"].unique()))
        rows = _rows(table, obs, annotation.match, file)
        _check_known(rows >= 0, obs, table, annotation.match, file)
        if "barcode" in annotation.match:
            known[cells] &= rows >= 0
            by_barcode = True
        for column in table.columns.difference(annotation.match, sort=False):
            whole = adata.obs.get(column, pd.Series(index=adata.obs_names, dtype=object)).copy()
            whole.iloc[cells[rows >= 0]] = table[column].iloc[rows[rows >= 0]]
            adata.obs[column] = whole
    if by_barcode:
        adata.obs["annotated"] = known


def _available(asked: Annotation, folder: Path) -> Annotation | None:
    """Return the first of the annotation's sources whose file is there, or None if optional."""
    reasons = []
    for source in asked.sources:
        if not (asked.optional or asked.otherwise):
            return source  # the reader says what is wrong
        [file] = source.files
        reason = absence(folder / file)
        if not (reason or source.archive is None or RawFile(folder / file).has(source.file)):
            reason = f"no member {source.file}"
        if not reason:
            if reasons:
                log.info("%s instead of %s", file, "; ".join(reasons))
            return source
        reasons.append(f"{folder / file}: {reason}")
    if not asked.optional:
        raise InputError(
            f"no file of annotations is available: {'; '.join(reasons)}; "
            "put one of them into a mirror and run again with it"
        )
    columns = ", ".join(asked.columns.values())
    log.warning("%s; %s stay empty: %s", "; ".join(reasons), columns, retry_hint(folder / file))
    return None


def _check_known(
    known: np.ndarray, obs: pd.DataFrame, table: pd.DataFrame, match: list[str], file: RawFile
) -> None:
    """Check that half of each matrix is matched by barcode, or one cell by other columns."""
    if "barcode" not in match:
        log.info("%s: of %d of %d cells it says something", file.name, known.sum(), len(known))
        if not known.any():
            raise InputError(
                f"{file}: it has none of the cells' {', '.join(match)}; check match and columns of "
                "the annotation in studies.yaml"
            )
        return
    for matrix, here in pd.Series(known, obs.index).groupby(obs["matrix"], sort=False):
        log.info("%s: %d of %d cells are in %s", matrix, here.sum(), len(here), file.name)
        if here.mean() < LEAST_KNOWN_CELLS:
            raise InputError(
                f"{file}: only {here.sum()} of the {len(here)} barcodes of {matrix} are in it "
                f"(such as {obs.loc[here.index[0], 'barcode']}; its own: "
                f"{next(iter(table.index), 'none')}); check annotations and obs in studies.yaml"
            )


def _annotation_table(annotation: Annotation, file: RawFile, barcodes: pd.Index) -> pd.DataFrame:
    """Return the kept rows and columns in our names and values, the cells' names as index."""
    table = _with_rows(table_of(file, annotation), annotation.rows, file)
    if annotation.barcode:
        table = table.set_axis(_filled(annotation.barcode, table, file))
    if "barcode" in annotation.match:
        table = table.set_axis(_barcodes(table, barcodes, file, bool(annotation.barcode)))
        table = table[table.index != ""]
    table = renamed(table, annotation.columns, file)
    table = table.apply(meant, values=annotation.values, file=file)
    table = table.dropna(subset=[c for c in annotation.match if c in table])
    again = table.assign(**{"row name": table.index}).duplicated().to_numpy()
    if again.any():
        log.warning("%s: %d rows repeat others: left out", file.name, again.sum())
    return table[~again]


def table_of(file: RawFile, annotation: Annotation | None = None) -> pd.DataFrame:
    """Return a table of cells as it is in a file of any format."""
    match format_of(file):
        case "rds":
            return read_r(file, annotation and annotation.element)
        case "soft":
            from scripts.download.sample_annotations import read_series

            with file.on_disk() as path:
                return read_series(path).samples.set_index("accession", drop=False)
        case "table":
            return read_table(file, annotation.skip_rows if annotation else 0)
        case format if format in ANNDATA:
            return ANNDATA[format](file).obs
        case format:
            raise InputError(f"{file}: expected a table of cells, found {format}; give another")


# What programs make of a barcode: R of its sign, others of the sample's name or number around it.
FORMS = {
    "": lambda names: names,
    ", with - for .": lambda names: names.str.replace(".", "-"),
    ", without the number at the end": lambda names: names.str.replace(r"[.-]\d+$", "", regex=True),
    ", by their bases alone": lambda names: names.str.replace(
        r".*?([ACGTN]{10,}).*", r"\1", regex=True
    ),
}


def _barcodes(table: pd.DataFrame, cells: pd.Index, file: RawFile, named: bool) -> pd.Index:
    """Return each row's barcode as the cells have it; other names where they have none.

    Unless the rows are `named`, another column than the first may have the barcodes.
    """
    rows = table.index.astype(str)
    if cells.isin(rows).mean() >= LEAST_KNOWN_CELLS:
        return rows
    names = {"its row names": rows}
    if not named:
        names |= {f"its column {c}": pd.Index(as_texts(table[c]).fillna("")) for c in table}
    for form, changed in FORMS.items():
        wanted = changed(cells)
        for where, theirs in names.items():
            found = changed(theirs)
            if wanted.isin(found).mean() < LEAST_KNOWN_CELLS:
                continue
            told = f"the cells' barcodes are {where}{form}"
            known = theirs[found.isin(wanted)]
            for all_names in (cells, known.unique()):
                same = changed(all_names)
                if not same.is_unique:
                    first = all_names[same == same[same.duplicated()][0]][:2]
                    raise InputError(
                        f"{file}: {told}, but {' and '.join(first)} would be the same; write "
                        "them as in the matrix"
                    )
            log.warning("%s: %s", file.name, told)
            ours = pd.Series(cells, wanted).reindex(found).to_numpy()
            return pd.Index(np.where(pd.isna(ours), theirs, ours))
    return rows


def _with_rows(table: pd.DataFrame, asked: dict[str, list[str]], file: RawFile) -> pd.DataFrame:
    told = renamed(table, {column: column for column in asked}, file)
    chosen = obs_mask(told, asked)
    if not chosen.any():
        words = []
        for column, values in asked.items():
            some = ", ".join(sorted(told[column].dropna().unique())[:10]) or "nothing"
            words.append(f"{column} {' or '.join(values)} (it has {some})")
        raise InputError(f"{file}: no row with {' and '.join(words)}; correct rows in studies.yaml")
    return table[chosen]


def _filled(template: str, table: pd.DataFrame, file: RawFile) -> pd.Index:
    """Return `template` for each row, with the values of its columns."""
    names = pd.Series("", index=table.index)
    for text, column, _, _ in Formatter().parse(template):
        names += text
        if column is not None:
            names += renamed(table, {column: column}, file)[column].fillna("")
    return pd.Index(names)


def _rows(table: pd.DataFrame, obs: pd.DataFrame, match: list[str], file: RawFile) -> np.ndarray:
    """Return the row of `table` for each cell, -1 where it has none.

    R needs unique row names, so the second of two equal barcodes, which other columns of `match`
    distinguish, may have one more "1": such rows are tried for cells that have no other row.
    """
    absent = [c for c in match if c != "barcode" and (c not in table or c not in obs)]
    if absent:
        raise InputError(
            f"{file}: cells cannot be matched by {', '.join(absent)}; match in studies.yaml takes "
            "columns that both the annotation and the cells have before it"
        )

    def keys(frame: pd.DataFrame, barcodes: pd.Index | pd.Series) -> pd.MultiIndex:
        parts = (barcodes if c == "barcode" else frame[c].astype(str) for c in match)
        return pd.MultiIndex.from_arrays(list(parts))

    index = keys(table, table.index)
    check_unique(index, file, "row of", "keep one of the rows that differ")
    rows = index.get_indexer(keys(obs, obs["barcode"]))
    if len(match) > 1 and "barcode" in match:
        again = index.get_indexer(keys(obs, obs["barcode"] + "1"))
        rows = np.where((rows < 0) & ~np.isin(again, rows), again, rows)
    return rows


def read_table(file: RawFile, skip_rows: int = 0) -> pd.DataFrame:
    """Read a delimited table as texts, row names as index; see `MISSING`.

    The first column holds the row names; it is a column too if the header has a name for it.
    `skip_rows` lines below the header are left out.
    """
    with file.opened() as stream:
        numbered = enumerate(stream.read().splitlines())
    header, *lines = [line for _, line in past_comments(numbered)] or [b""]
    lines = [line for line in lines[skip_rows:] if line.strip(EMPTY)]
    if not lines:
        raise InputError(f"{file}: no row below the header; {RETRY}")
    separator = separator_of(header.decode(errors="replace"), lines[0].decode(errors="replace"))
    if all(line.endswith(separator.encode()) for line in lines):  # of an empty column
        header, *lines = (line.removesuffix(separator.encode()) for line in (header, *lines))
    with read_errors(file, "a delimited table", RETRY):
        table = pd.read_csv(
            io.BytesIO(b"\n".join([header, *lines])),
            sep=r"\s+" if separator == " " else separator,
            dtype=str,
            keep_default_na=False,
            na_values=MISSING,
        )
    if table.index.nlevels > 1:
        raise InputError(
            f"{file}: rows have {table.index.nlevels} fields more than the header; {RETRY}"
        )
    if isinstance(table.index, pd.RangeIndex):
        first = table.columns[0]
        table = table.set_index(first, drop=first.startswith("Unnamed:"))
    return table.set_axis(table.index.astype(str))
