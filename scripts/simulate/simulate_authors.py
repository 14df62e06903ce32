"""The authors' processed data of simulated studies (`data: simulated_authors`).

What is simulated is read and preprocessed as the public files are, and written as the authors'
files are: their columns, words and numbers, and what is odd about them. Who reads these files
therefore finds the cells that the public ones give.
"""

from collections.abc import Callable, Iterator, Mapping
from graphlib import TopologicalSorter
from itertools import groupby
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
    draw: Callable[[str], Simulated],
    simulations: Simulations,
) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each of the authors' files, archives packed but not compressed.

    `studies` have public sources and include those whose genes others take. `sources` are their
    public sources by group (`Config.raw_source`), and `draw` simulates the study of a group. One
    study is in memory at a time: all of them, of the real sizes, need more than 8 GB.
    """
    others = {name: {study.reindexed_to} - {None} for name, study in studies.items()}
    order = TopologicalSorter(others).static_order()
    genes: dict[str, pd.DataFrame] = {}  # of each study so far
    with TemporaryDirectory() as temporary:
        made = Path(temporary)  # archives are folders here
        for group, names in groupby(order, lambda name: studies[name].raw or name):
            with TemporaryDirectory() as folder:
                raw, simulated = Path(folder), draw(group)
                simulation = simulations.studies[group]
                write(raw_files(sources[group], simulated, simulation), raw, "simulated")
                table = simulated.cells
                del simulated  # its counts, which are read from the files
                for name in names:
                    other = studies[name].reindexed_to
                    taken = genes[other] if other else None
                    genes[name] = _write_published(made, studies[name], raw, taken, table)
        for path in sorted(made.iterdir()):
            yield path.name, _packed(path) if path.is_dir() else path.read_bytes()


def _write_published(
    folder: Path, study: Study, raw: Path, genes: pd.DataFrame | None, table: pd.DataFrame
) -> pd.DataFrame:
    """Write what the authors published of a study, and return its genes after preprocessing.

    `raw` has its public files, `table` its cells before preprocessing; `genes` are those it takes.
    """
    cells, _ = read_and_preprocess(study, raw, genes)
    theirs = study.authors
    if theirs is None:
        return cells.var
    for matrix in theirs.matrices:
        # Of several archives only the last has it, so that the others are passed over.
        for archive in matrix.archives:
            (folder / archive).mkdir(exist_ok=True)
        published = cells if matrix.layer or theirs.processed else read(study, raw)
        path = folder.joinpath(*matrix.archives[-1:], matrix.matrix)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(h5(_published(published, matrix)))
    for annotation in theirs.annotations:
        path = folder / (annotation.archive or "") / annotation.file
        # As R writes it: with row numbers.
        said = _columns(annotation, table).drop_duplicates(ignore_index=True)
        path.write_bytes(said.to_csv().encode())
    return cells.var


def _packed(folder: Path) -> bytes:
    """Return the archive of a folder named like it, with its files in a folder of its own."""
    top = folder.name.partition(".")[0]
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return tar((f"{top}/{path.relative_to(folder)}", path.read_bytes()) for path in files)


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
    truth = dict(zip(sources, snakemake.output.truth, strict=True))

    def draw(group: str) -> Simulated:
        simulated = simulate_study(group, sources[group], simulations)
        with atomic_write(truth[group]) as path:
            simulated.truth.to_csv(path, sep="\t", index=False)
        return simulated

    write(
        authors_files(studies, sources, draw, simulations),
        Path(snakemake.output.raw[0]).parent,
        f"config/simulations.yaml: studies {', '.join(sources)}, preprocessed",
    )


if __name__ == "__main__":
    run(main, snakemake)
