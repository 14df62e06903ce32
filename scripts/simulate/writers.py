"""The raw files of a simulated study: one writer per file format, and the archives around them.

`COUNTS` has a writer for each `format` of `studies.yaml`, which turns one matrix into its files;
`ANNOTATIONS` one for each kind of table of cells, by the end of its name.
"""

import csv
import gzip
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import chain
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.io import mmwrite

from scripts.common.config.simulations import SimulatedTable, Simulation
from scripts.common.config.studies import Annotation, Matrix, Study
from scripts.common.obs_mask import obs_mask
from scripts.common.provenance import record
from scripts.simulate.cells import Simulated
from scripts.simulate.genes import TABLE, lines, named_rng, orthologs
from vega.errors import InputError
from vega.files import atomic_write

SEPARATORS = {"tab": "\t", "comma": ",", "blank": " "}
SPIKE_INS = 92  # of the ERCC mix
PLAIN = SimulatedTable()  # of files that the simulation says nothing of


def raw_files(
    study: Study, simulated: Simulated, simulation: Simulation
) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each raw file of the study; archives are packed.

    One archive and its content are in memory at a time: two of MIX-seq would need 8 GB.
    """
    entries = (*study.matrices, *study.all_annotations)

    def contents(archive: str | None) -> Iterator[tuple[str, bytes]]:
        for number, matrix in enumerate(study.matrices):
            if matrix.archive == archive:
                here = (simulated.cells["matrix"] == number).to_numpy()
                cells, counts = simulated.cells[here], simulated.counts[here]
                part = replace(simulated, cells=cells, counts=counts)
                yield from COUNTS[study.format](matrix, part, simulation).items()
        for annotation in study.all_annotations:
            if annotation.archive == archive:
                table = _annotation(annotation, study, simulated.cells, simulation)
                kind = Path(annotation.file.removesuffix(".gz")).suffix[1:]
                yield annotation.file, ANNOTATIONS.get(kind, _text)(table, study)

    for archive in dict.fromkeys(entry.archive for entry in entries):
        if archive is None:
            yield from contents(None)
        elif archive.endswith(".zip"):
            yield archive, _zip(dict(contents(archive)), Path(archive).stem)
        else:
            yield archive, tar(dict(contents(archive)).items())
    if study.ortholog_table:
        yield study.ortholog_table, orthologs(simulated.genes)
    annotations = [a.file for a in study.all_annotations if a.archive is None]
    if study.family_file and study.family_file not in annotations:
        yield study.family_file, _soft(study, _samples(study))


def write(files: Iterable[tuple[str, bytes]], folder: Path | str, source: str) -> None:
    """Write each file whole, compressed where its name says so, and record where it is from.

    The bytes depend on the content alone: no time of writing is in them.
    """
    for name, content in files:
        path = Path(folder) / name
        with atomic_write(path) as temporary:
            packed = path.suffix in (".gz", ".rds")
            temporary.write_bytes(gzip.compress(content, 6, mtime=0) if packed else content)
        record(path, source, "simulated")


def _matrix_market(matrix: Matrix, part: Simulated, simulation: Simulation) -> dict[str, bytes]:
    """Return genes x cells in coordinates, and the side files without headers."""
    content = BytesIO()
    mmwrite(content, part.counts.T, field="integer", symmetry="general")
    return {
        matrix.matrix: content.getvalue(),
        matrix.barcodes: lines(part.cells["name"]),
        matrix.genes: lines(part.genes["id"] + "\t" + part.genes["name"]),
    }


def _delimited(matrix: Matrix, part: Simulated, simulation: Simulation) -> dict[str, bytes]:
    """Return a table with genes down and cells across, and below them rows that are no genes.

    Those have a part of the cell's counts, so that taking them for genes is seen.
    """
    style = simulation.tables.get(matrix.matrix, PLAIN)
    separator = SEPARATORS[style.separator]
    mark = '"{}"'.format if style.quoted else str
    corner = [] if style.row_names is None else [style.row_names]
    summary = np.repeat(part.counts.sum(axis=1) // 4, len(style.summary_rows), axis=1)
    spike_ins = _spike_ins(style.spike_ins, part.counts, simulation.seed)
    names = [f"ERCC-{i:05d}" for i in range(2, spike_ins.shape[1] + 2)]
    names = [*part.genes["name"], *names, *style.summary_rows]
    counts = sp.hstack([part.counts, spike_ins, summary], format="csc")
    header = separator.join(map(mark, [*corner, *part.cells["name"]]))
    rows = (counts[:, [i]].toarray().ravel().tolist() for i in range(len(names)))
    body = (
        separator.join([mark(name), *map(str, row)]) for name, row in zip(names, rows, strict=True)
    )
    return {matrix.matrix: lines(chain([header], body))}


def _spike_ins(share: float, counts: sp.csr_matrix, seed: int) -> np.ndarray:
    """Return counts, cells x spike-ins; few spike-ins have most of the reads."""
    if not share:
        return np.empty((counts.shape[0], 0), dtype=int)
    rng = named_rng(seed, "spike-ins")
    # From next to none to nearly all of a cell's reads.
    of_reads = rng.beta(share, 1 - share, counts.shape[0]).clip(max=0.998)
    total = np.asarray(counts.sum(axis=1)).ravel() * of_reads / (1 - of_reads)
    level = rng.lognormal(0, 2, SPIKE_INS)
    return rng.poisson(np.outer(total, level / level.sum()))


def _h5ad(matrix: Matrix, part: Simulated, simulation: Simulation) -> dict[str, bytes]:
    """Return an h5ad file of the counts, or of their logarithms, and columns of the cells."""
    style = simulation.tables.get(matrix.matrix, PLAIN)
    values = part.counts
    if style.normalised:
        total = np.asarray(values.sum(axis=1)).ravel()
        values = (sp.diags(style.normalised / total) @ values).log1p()
    values = sp.csr_matrix(values, dtype=np.float32)
    obs = _source_columns(matrix, style, part.cells).astype("category")
    cells = ad.AnnData(obs=obs, var=pd.DataFrame(index=part.genes["name"].to_numpy()))
    if matrix.layer:
        cells.layers[matrix.layer] = values
    else:
        cells.X = values
    return {matrix.matrix: h5(cells)}


COUNTS = {"mtx": _matrix_market, "table": _delimited, "h5ad": _h5ad}


def h5(adata: ad.AnnData) -> bytes:
    content = BytesIO()
    with h5py.File(content, "w") as file:
        ad.io.write_elem(file, "/", adata)
    return content.getvalue()


@dataclass(frozen=True)
class Table:
    """An annotation under the source's own names and values, with the cells' names as index."""

    frame: pd.DataFrame
    style: SimulatedTable
    unnamed: bool  # the row names have no column of their own
    element: str | None = None  # what a list of tables calls it


def _annotation(
    annotation: Annotation, study: Study, cells: pd.DataFrame, simulation: Simulation
) -> Table:
    """Return the table of the cells it describes, or of each value that it is matched by."""
    style = simulation.tables[annotation.file]
    described = annotation.matrix
    if described is not None:
        numbers = [i for i, m in enumerate(study.matrices) if described in (m.archive, m.matrix)]
        cells = cells[cells["matrix"].isin(numbers)]
    if style.missing is None and simulation.type_column in style.columns.values():
        cells = cells[cells[simulation.type_column].notna()]
    if style.without:
        cells = cells[~obs_mask(cells, style.without)]
    frame = _source_columns(annotation, style, cells)
    per_cell = "barcode" in annotation.match
    if not per_cell:
        frame = frame.drop_duplicates()
    if style.further_rows:
        frame = pd.concat([pd.DataFrame(style.further_rows), frame])[[*frame]]
    unnamed = per_cell and "name" not in style.columns.values()
    return Table(frame, style, unnamed, annotation.element)


def _source_columns(
    read_as: Annotation | Matrix, style: SimulatedTable, cells: pd.DataFrame
) -> pd.DataFrame:
    """Return the columns of a file in its own words, which `read_as` translates to ours."""
    columns = {}
    for theirs, column in style.columns.items():
        if column not in cells:
            raise InputError(
                f"{TABLE}: tables: {theirs}: {column} is not simulated; choose from "
                f"{', '.join(cells)}"
            )
        meaning = read_as.values.get(read_as.columns.get(theirs, ""), {})
        back = {ours: said for said, ours in reversed(meaning.items())}
        columns[theirs] = cells[column].replace(back)
    return pd.DataFrame(columns, index=cells.index).set_index(cells["name"].to_numpy())


def _text(table: Table, study: Study) -> bytes:
    """Return a delimited table; as in R, a row name that repeats gets one more "1"."""
    style, frame = table.style, table.frame
    separator = SEPARATORS[style.separator]
    if table.unnamed:
        first = ~frame.index.duplicated()
        frame = frame.set_axis(frame.index.where(first, frame.index + "1"))
    head = [frame.columns, *filter(None, [style.second_header])]
    mark = '"{}"'.format if style.quoted else str
    body = frame.to_csv(
        sep=separator,
        header=False,
        index=table.unnamed,
        na_rep=style.missing or "",
        lineterminator="\n",
        quoting=csv.QUOTE_NONNUMERIC if style.quoted else csv.QUOTE_MINIMAL,
    )
    return lines(separator.join(map(mark, names)) for names in head) + body.encode()


def _obs(table: Table, study: Study) -> bytes:
    return h5(ad.AnnData(obs=table.frame.astype("category")))


def _family(table: Table, study: Study) -> bytes:
    rows = table.frame.to_dict("records")
    return _soft(study, {f"GSM999{i:05d}": row for i, row in enumerate(rows, start=1)})


def _saved_by_r(table: Table, study: Study) -> bytes:
    """Return a list of tables as R's saveRDS writes it or, without an element, a named vector."""
    from rdata.conversion import ConverterFromPythonToR
    from rdata.unparser import unparse_data

    converter, frame = ConverterFromPythonToR(), table.frame
    if table.element:
        typed = frame.apply(_typed).set_axis(pd.RangeIndex(1, len(frame) + 1))
        whole = converter.convert_to_r_data({"another": typed.head(1), table.element: typed})
    else:
        [values], names = frame.to_numpy(dtype=object).T, frame.index.to_numpy(dtype=object)
        whole = converter.convert_to_r_data(values)
        whole.object.attributes = converter.convert_to_r_attributes({"names": names})
        whole.object.info.attributes = True
    return unparse_data(whole)


def _typed(column: pd.Series) -> pd.Series:
    """Return a column of texts as R has it: logical or numeric, if all known values are."""
    if set(column.dropna()) <= {"TRUE", "FALSE"}:
        return column.map({"TRUE": True, "FALSE": False}).astype("boolean")
    numbers = pd.to_numeric(column, errors="coerce")
    known = numbers.notna().equals(column.notna())
    return numbers.astype("Float64") if known else column.astype(object)


ANNOTATIONS = {"h5ad": _obs, "rds": _saved_by_r, "soft": _family}  # all others are delimited

ORGANISMS = {"human": "Homo sapiens", "mouse": "Mus musculus"}


def _samples(study: Study) -> dict[str, dict[str, str]]:
    """Return what is known of each matrix as a sample of the series, by accession."""
    samples = {}
    for number, matrix in enumerate(study.matrices, start=1):
        known = dict(matrix.obs)
        samples[known.pop("sample", f"GSM999{number:05d}")] = known
    return samples


def _soft(study: Study, samples: Mapping[str, Mapping[str, str]]) -> bytes:
    text = [
        "^DATABASE = GeoMiame",
        "!Database_name = Gene Expression Omnibus (GEO)",
        f"^SERIES = {study.series}",
        f"!Series_title = Simulated: {study.title}",
        f"!Series_geo_accession = {study.series}",
    ]
    text += [f"!Series_sample_id = {accession}" for accession in samples]
    for accession, known in samples.items():
        text += [
            f"^SAMPLE = {accession}",
            f"!Sample_title = Simulated: {accession}",
            f"!Sample_geo_accession = {accession}",
            f"!Sample_organism_ch1 = {ORGANISMS[study.organism]}",
            *(f"!Sample_characteristics_ch1 = {key}: {value}" for key, value in known.items()),
            f"!Sample_series_id = {study.series}",
        ]
    return lines(text)


def tar(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Return an archive of the files, dated 1970 and without an owner."""
    content = BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, BytesIO(data))
    return content.getvalue()


def _zip(members: Mapping[str, bytes], folder: str) -> bytes:
    """Return an archive of a folder of the files, dated 1980."""
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo(f"{folder}/"), b"")
        for name, data in members.items():
            entry = zipfile.ZipInfo(f"{folder}/{name}")  # of 1980, unlike writestr(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return content.getvalue()
