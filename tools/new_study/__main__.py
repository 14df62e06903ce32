"""Inspect the files of a new study, suggest its rows of the configuration, and add them.

python -m tools.new_study cells.h5ad
python -m tools.new_study counts.csv --annotation cells.csv --contrast treated:control --yes
python -m tools.new_study GSE123456 --condition treatment
"""

import argparse
import logging
import re
import sys
import tempfile
from collections.abc import Collection, Mapping
from itertools import chain
from pathlib import Path

from scripts.common.config.figures import File
from scripts.common.config.load import load
from scripts.common.config.models import Data
from scripts.common.provenance import LOCK, expected_checksum, measure
from scripts.download.transfer import DownloadError, download
from scripts.preprocess.readers.names import stem
from tools.new_study import geo
from tools.new_study.files import check_name, file_name, own
from tools.new_study.inspect import Inspection, add_choices, choices, inspect_file
from tools.new_study.names import pair, some
from tools.new_study.suggest import KINDS, guessed, suggest
from tools.new_study.write import add, additions, check_free
from vega.errors import InputError
from vega.gene_sets import read_gmt

CONFIG = Path("config")
MOST_GENES = Data.model_fields["max_genes"].default
MOST_VALUES = 60  # of a column that is shown without being asked for


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.new_study", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "file", type=Path,
        help="h5ad, loom, zarr, Cell Ranger's HDF5 or folder, Matrix Market or table, or the "
        "accession of a GEO series",
    )  # fmt: skip
    parser.add_argument(
        "--annotation", type=Path, help="table of the cells, by their names; a file of the series"
    )
    add_choices(parser)
    parser.add_argument("--counts", help="of a series: its file of the counts, if there are more")
    parser.add_argument("--geo", default=geo.PUBLIC, help="a mirror of %(default)s")
    parser.add_argument("--name", help="of the study; by default that of the file")
    parser.add_argument("--title", help="one line for captions")
    parser.add_argument(
        "--gene-sets", default="reactomes.gmt",
        help="a collection of config/files.tsv, or a GMT file of your own",
    )  # fmt: skip
    for kind in ("cell-type", "condition", "batch"):
        parser.add_argument(f"--{kind}", help=f"column of the {kind}; - for none")
    parser.add_argument("--contrast", metavar="A:B", help="compare condition A with B")
    parser.add_argument("--yes", action="store_true", help="add the rows without asking")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("workflow.transfer").setLevel(logging.INFO)  # the progress of downloads
    try:
        run(options)
    except (InputError, OSError) as error:
        sys.exit(f"error: {error}")


def run(options: argparse.Namespace) -> None:
    """Inspect, suggest, show, ask, add."""
    config = load({}, CONFIG)
    gmt = Path(options.gene_sets)
    collections = {file.file: file for file in config.files if file.study == "gene_sets"}
    is_path, namesake = str(gmt) not in collections, collections.get(file_name(gmt))
    if is_path and not gmt.is_file():
        raise InputError(f"{gmt}: no such file, and not one of {', '.join(collections)}")
    if is_path and namesake and not _same(namesake, gmt):
        raise InputError(
            f"{gmt}: there are other gene sets of this name in config/files.tsv; rename the file, "
            f"or take those by --gene-sets {gmt.name}"
        )
    sets, why = (read_gmt(gmt, 0, MOST_GENES), "") if is_path else _at_hand(namesake)
    known = set(chain.from_iterable((sets or {}).values()))
    name = options.name or re.sub(r"[^A-Za-z0-9_]+", "_", stem(options.file.name)).strip("_")
    check_name(name)
    check_free(name, CONFIG)  # before anything large is read or downloaded
    if geo.ACCESSION.fullmatch(str(options.file)) and not options.file.exists():
        series = geo.Geo(str(options.file), Path("results", "paper", "raw", name), options.geo)
        print(series.summary())
        found, files, about = series.inputs(known, options.counts, options.annotation)
        title = series.about.title
    else:
        found, about, title = inspect_file(options.file, known, **choices(options)), {}, name
        if options.annotation:
            found = found.annotated(options.annotation)
        files = [own(name, path) for path in found.files.values()]
    values = found.columns
    asked = {kind: column for kind in KINDS if (column := getattr(options, kind))}
    free = [column for column in values if column not in asked.values()]
    columns = {k: column for k, column in (guessed(free) | asked).items() if column != "-"}
    summary = _summary(found, values, columns.values())
    conditions = values.get(columns.get("condition", ""), {})
    suggestion = suggest(
        name, found, title=options.title or title, gene_sets=file_name(gmt), columns=columns,
        contrast=options.contrast and pair(options.contrast, conditions),
        batch=options.batch not in (None, "-"), sets=sets, series=about,
    )  # fmt: skip
    if sets is None:
        suggestion.notes.append(f"genes were not compared with {gmt}, which {why}; the run does so")
    if namesake is None:
        files.append(own("gene_sets", gmt))
    print(summary)
    added = additions(suggestion, files)
    for file, text in added.items():
        print(f"\nto {CONFIG / file}:\n{text.strip()}")
    for note in suggestion.notes:
        print(f"\nnote: {note}")
    question = "\nadd these rows? [y/N] "
    sure = options.yes or (sys.stdin.isatty() and input(question).strip().lower() in ("y", "yes"))
    if not sure:
        print("\nnothing was added; --yes adds it, and the options above change it")
        return
    add(name, added, CONFIG)
    print(f"\nadded; now run: make paper STUDIES={name}")


def _summary(
    found: Inspection, values: Mapping[str, Mapping[str, int]], chosen: Collection[str]
) -> str:
    cells, genes = found.adata.shape
    lines = [f"{next(iter(found.files.values()))}: {cells:,} cells, {genes:,} genes, {found.scale}"]
    for column, counts in values.items():
        if len(counts) <= MOST_VALUES or column in chosen:
            lines.append(f"  {column}: {some([f'{value} ({n:,})' for value, n in counts.items()])}")
    return "\n".join(lines)


def _at_hand(row: File) -> tuple[dict[str, list[str]] | None, str]:
    """Return gene sets of `files.tsv`, of an earlier run or downloaded; or None, and why."""
    expected = expected_checksum(row, CONFIG / LOCK.name)
    for path in Path("results").glob(f"*/raw/gene_sets/{row.file}"):
        if not expected.difference(measure(path)):  # those of the demo are simulated
            return read_gmt(path, 0, MOST_GENES), ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, row.file)
        try:
            download(next(iter(row.urls)), path)
        except (DownloadError, OSError, StopIteration) as error:
            return None, f"could not be downloaded ({error})"
        if difference := expected.difference(measure(path)):
            return None, f"differs: {difference}"
        return read_gmt(path, 0, MOST_GENES), ""


def _same(known: File, path: Path) -> bool:
    """Return whether a file has the checksums of a row of `files.tsv`, or of the lock."""
    expected = expected_checksum(known, CONFIG / LOCK.name)
    return expected.identify and not expected.difference(measure(path))


if __name__ == "__main__":
    main()
