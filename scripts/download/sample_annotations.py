"""A GEO series, its samples and their files, from its SOFT family file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from scripts.common.run import log, run
from scripts.common.tables import write_table
from scripts.preprocess.readers.files import RawFile
from vega.errors import InputError

FIXED = {"title": "title", "source": "source_name_ch1", "organism": "organism_ch1"}

SUPERSERIES = "SuperSeries of: "  # begins such a relation


@dataclass(frozen=True)
class Series:
    """What GEO says of a series.

    `samples` has one row per sample (GSM): `accession`, `title`, `source`, `organism`, then one
    column per key of the characteristics, such as "tissue", in the order they first appear.
    Several values of a key are joined by "; ".
    """

    title: str
    samples: pd.DataFrame
    files: list[str]  # URLs of the supplementary files
    sample_files: dict[str, list[str]]  # those of each sample, by accession
    subseries: list[str]  # accessions, if it is a SuperSeries


def read_series(soft: Path) -> Series:
    """Read a series from its whole SOFT family file."""
    series = _parsed(soft)
    said = {name: gsm.metadata for name, gsm in series.gsms.items()}
    return Series(
        title=" ".join(series.metadata.get("title", [])),
        samples=pd.DataFrame([_annotation(*sample) for sample in said.items()]),
        files=_supplementary_files(series.metadata),
        subseries=[
            relation.removeprefix(SUPERSERIES)
            for relation in series.metadata.get("relation", [])
            if relation.startswith(SUPERSERIES)
        ],
        sample_files={name: _supplementary_files(metadata) for name, metadata in said.items()},
    )


def _supplementary_files(metadata: dict[str, list[str]]) -> list[str]:
    keys = [key for key in metadata if key.startswith("supplementary_file")]
    return [url for key in keys for url in metadata[key] if url.upper() != "NONE"]


def _annotation(accession: str, metadata: dict[str, list[str]]) -> dict[str, str | None]:
    values = {"accession": [accession]}
    values |= {column: metadata.get(key, []) for column, key in FIXED.items()}
    characteristics: dict[str, list[str]] = {}
    for key in (key for key in metadata if key.startswith("characteristics")):
        for entry in metadata[key]:
            name, colon, value = (part.strip() for part in entry.partition(":"))
            name, value = (name, value) if colon else ("characteristic", name)
            # A characteristic may be called "source" or "title" too.
            name = f"{name} (characteristic)" if name in values else name
            characteristics.setdefault(name, []).append(value)
    return {name: "; ".join(found) or None for name, found in (values | characteristics).items()}


def _parsed(soft: Path) -> Any:
    """Return the series as GEOparse has it."""
    import GEOparse

    with RawFile(soft).opened() as stream:
        start = stream.read(1)
        while stream.read(2**20):  # GEOparse takes a damaged archive for a short one
            pass
    if start != b"^":
        raise InputError(f"{soft}: not a SOFT file: it must start with ^, not {start!r}")
    try:
        series = GEOparse.get_GEO(
            filepath=str(soft), geotype="GSE", silent=True, open_kwargs={"encoding": "utf-8"}
        )
    except Exception as error:  # GEOparse raises bare ones
        raise InputError(f"{soft}: GEOparse cannot read it ({error}); download it again") from None
    if not series.gsms:
        raise InputError(f"{soft}: no samples (^SAMPLE) in it; take the series' family file")
    lost = [name for name in series.metadata.get("sample_id", []) if name not in series.gsms]
    if lost:
        raise InputError(
            f"{soft}: the series lists {len(series.gsms) + len(lost)} samples, {len(lost)} are "
            f"not there ({lost[0]} first): the file is cut short; download it again"
        )
    return series


def main(snakemake):
    """Rule `sample_annotations`."""
    series = read_series(Path(snakemake.input[0]))
    write_table(series.samples, snakemake.output[0])
    log.info("%d samples; files of the series: %s", len(series.samples), series.files)


if __name__ == "__main__":
    run(main, snakemake)
