"""The authors' processed data of simulated studies (`data: simulated_authors`).

What is simulated is read and preprocessed as the public files are, and written as the authors'
files are: their columns, words and numbers, and what is odd about them. Who reads these files
therefore finds the cells that the public ones give.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import anndata as ad
import pandas as pd

from scripts.common.config.simulations import Simulations
from scripts.common.config.studies import Annotation, Matrix, Study
from scripts.common.run import run
from scripts.preprocess.preprocess import read_and_preprocess
from scripts.preprocess.readers import read
from scripts.simulate.cells import Simulated
from scripts.simulate.simulate_study import simulate_study
from scripts.simulate.writers import h5, raw_files, tar, write
from vega.errors import InputError
from vega.files import atomic_write

SUFFIX = " 1"  # of words that are known by their beginning only
# Genes named like the gene before them, as orthologs of one gene are, by file.
REPEATED = {"retina_pp_hg.h5ad": 5}


def authors_files(
    studies: Mapping[str, Study],
    sources: Mapping[str, Study],
    drawn: Mapping[str, Simulated],
    simulations: Simulations,
) -> dict[str, bytes]:
    """Return the content of the authors' files by name, archives packed but not compressed.

    `studies` have public sources and include those whose genes others take. `sources` are their
    public sources by group (`Config.raw_source`), `drawn` what was simulated for each.
    """
    contents: dict[tuple[str | None, str], bytes] = {}  # by archive and name
    archives: dict[str, None] = {}
    with TemporaryDirectory() as folder:
        for group, source in sources.items():
            files = raw_files(source, drawn[group], simulations.studies[group])
            write(files, Path(folder, group), "simulated")

        def counts(name: str) -> ad.AnnData:
            return read(studies[name], Path(folder, studies[name].raw or name))

        @cache
        def cells(name: str) -> ad.AnnData:
            study = studies[name]
            genes = cells(study.reindexed_to).var if study.reindexed_to else None
            return read_and_preprocess(study, Path(folder, study.raw or name), genes)[0]

        for name, study in studies.items():
            if study.authors is None:
                continue
            for matrix in study.authors.matrices:
                ready = matrix.layer or study.authors.processed
                published = _published((cells if ready else counts)(name), matrix)
                # Of several archives only the last has it, so that the others are passed over.
                archive = matrix.archives[-1] if matrix.archives else None
                contents[archive, matrix.matrix] = h5(published)
                archives |= dict.fromkeys(matrix.archives)
            for annotation in study.authors.annotations:
                table = _table(annotation, drawn[study.raw or name].cells)
                contents[annotation.archive, annotation.file] = table
    files = {name: content for (archive, name), content in contents.items() if archive is None}
    for archive in archives:
        top = archive.partition(".")[0]
        members = {f"{top}/{name}": c for (a, name), c in contents.items() if a == archive}
        files[archive] = tar(members)
    return files


def _published(cells: ad.AnnData, matrix: Matrix) -> ad.AnnData:
    """Return cells as in the authors' file: counts only in the layer that is read."""
    genes = cells.var_names.to_numpy(dtype=object, copy=True)
    if n := REPEATED.get(matrix.matrix):
        genes[-2 * n + 1 :: 2] = genes[-2 * n :: 2]
    return ad.AnnData(
        cells.X,
        obs=_columns(matrix, cells.obs),
        var=pd.DataFrame(index=genes),
        layers={matrix.layer: cells.layers["counts"]} if matrix.layer else {},
    )


def _table(annotation: Annotation, cells: pd.DataFrame) -> bytes:
    """Return what an annotation says of groups of cells, as R writes it: with row numbers."""
    return _columns(annotation, cells).drop_duplicates(ignore_index=True).to_csv().encode()


def _columns(read_as: Matrix | Annotation, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a file, under their names and in their words."""
    if absent := set(read_as.columns.values()).difference(cells):
        raise InputError(
            f"config/studies.yaml: authors: {', '.join(sorted(absent))} is not known of simulated "
            f"cells (they have {', '.join(cells)}); take it out of columns, or simulate it"
        )
    columns = {
        theirs: _said(cells[ours], read_as.values.get(ours, {}))
        for theirs, ours in read_as.columns.items()
    }
    return pd.DataFrame(columns, index=cells.index)


def _said(column: pd.Series, values: Mapping[str, str]) -> pd.Series:
    """Return a column of ours in the words that `values` translates, as numbers if all are."""
    words = {
        ours: said.removesuffix("*") + SUFFIX if said.endswith("*") else said
        for said, ours in reversed(values.items())
    }
    said = column.astype(object).map(lambda value: words.get(value, value), na_action="ignore")
    numbers = said.astype(str).str.fullmatch(r"\d+").all()
    return said.astype(int if numbers else "category")


def main(snakemake):
    """Rule `simulate_authors`."""
    params = snakemake.params
    studies, sources = (
        {name: Study(**study) for name, study in of.items()}
        for of in (params.studies, params.sources)
    )
    simulations = Simulations(**params.simulations)
    drawn = {name: simulate_study(name, source, simulations) for name, source in sources.items()}
    write(
        authors_files(studies, sources, drawn, simulations).items(),
        Path(snakemake.output.raw[0]).parent,
        f"config/simulations.yaml: studies {', '.join(sources)}, preprocessed",
    )
    for simulated, output in zip(drawn.values(), snakemake.output.truth, strict=True):
        with atomic_write(output) as path:
            simulated.truth.to_csv(path, sep="\t", index=False)


if __name__ == "__main__":
    run(main, snakemake)
