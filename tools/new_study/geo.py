"""Inputs of a new study from a series of GEO."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from urllib.parse import unquote, urlsplit

from scripts.common.config.figures import File
from scripts.common.provenance import measure
from scripts.download.download import fetch_unpinned
from scripts.download.sample_annotations import Series, read_series
from scripts.download.transfer import DownloadError
from scripts.preprocess.readers.annotations import LEAST_KNOWN_CELLS
from scripts.preprocess.readers.formats import CONVERT
from scripts.preprocess.readers.names import Counts, counts_among, without_unfiltered
from tools.new_study.files import check_name, file_name, own
from tools.new_study.inspect import Inspection, inspect_file
from tools.new_study.names import some
from tools.new_study.raw_archive import RAW_ARCHIVE, bundled, inspect_archive
from vega.errors import InputError

PUBLIC = "https://ftp.ncbi.nlm.nih.gov/geo"
HERE = re.compile(r"(ftp|https?)://ftp\.ncbi\.nlm\.nih\.gov/geo/")  # as in family files
ACCESSION = re.compile(r"GSE\d+")
ORGANISMS = {"Homo sapiens": "human", "Mus musculus": "mouse"}


@dataclass(frozen=True)
class Geo:
    """A series of GEO, whose files are kept in `<run>/raw/<study>`.

    They have no provenance record there, so the run verifies and records them instead of
    downloading them again.
    """

    accession: str
    folder: Path
    root: str = PUBLIC  # URL of GEO, or of a mirror of it

    @cached_property
    def family(self) -> File:
        """Row of the family file."""
        range = re.sub(r"\d{0,3}$", "nnn", self.accession, count=1)
        name = f"{self.accession}_family.soft.gz"
        return self._fetched(f"{PUBLIC}/series/{range}/{self.accession}/soft/{name}")

    @cached_property
    def about(self) -> Series:
        """The content of the family file."""
        return read_series(self.folder / self.family.file)

    @cached_property
    def urls(self) -> dict[str, str]:
        """Public URLs of the supplementary files, by the names under which they are kept."""
        return _by_name(self.about.files)

    def summary(self) -> str:
        """Return its title, samples and files as text."""
        samples = self.about.samples
        lines = [
            f"{self.accession}: {self.about.title}",
            f"  {len(samples):,} samples of {', '.join(samples['organism'].dropna().unique())}",
        ]
        for column in samples.columns.drop("accession"):
            if samples[column].nunique(dropna=False) > 1:
                lines.append(f"  {column}: {some(samples[column].dropna().unique())}")
        lines += [f"  file {name}" for name in self.urls]
        lines += [f"  files of samples: {some(self._sample_files)}"] if self._sample_files else []
        return "\n".join(lines)

    def inputs(
        self, known: Collection[str], counts: str | None = None, table: Path | None = None
    ) -> tuple[Inspection, list[File], dict[str, str]]:
        """Return the counts with the table of the cells, the rows of their files, and the series.

        `counts` names the file of counts where there are several. `table` is a file of the user or
        of the series; without it the family file is that table if its samples are the cells.
        """
        if self.about.subseries:
            raise InputError(
                f"{self.accession}: a SuperSeries; give one of its SubSeries: "
                f"{', '.join(self.about.subseries)}"
            )
        series = {"series": self.accession, "organism": self._organism()}
        chosen = self._chosen(counts)
        files = [self._fetched(self.urls[name]) for name in chosen.entry.values()]
        files.append(self.family)
        path = self.folder / chosen.name
        if path.name.endswith(RAW_ARCHIVE):
            found = inspect_archive(path, self.about.samples, known)
        else:
            found = inspect_file(path, known)
        if others := [c.name for c in counts_among(self.urls) if c.name != chosen.name]:
            found = replace(found, notes=[*found.notes, f"not taken: {some(others)}"])
        if table is None:
            return self._with_samples(found), files, series
        if table.is_file():
            files.append(own(self.folder.name, table))
        elif table.name in self.urls:
            files.append(self._fetched(self.urls[table.name]))
            table = self.folder / table.name
        else:
            raise InputError(f"{table}: no such file, and not one of {', '.join(self.urls)}")
        return found.annotated(table), files, series

    @property
    def _sample_files(self) -> list[str]:
        return [*_by_name(chain.from_iterable(self.about.sample_files.values()))]

    def _organism(self) -> str:
        said = self.about.samples["organism"].dropna().unique()
        if len(said) != 1 or said[0] not in ORGANISMS:
            raise InputError(
                f"{self.accession}: its samples are of {', '.join(said) or 'no organism'}, and a "
                "study is of Homo sapiens or of Mus musculus; put the counts of one into a file "
                "and give that as FILE"
            )
        return ORGANISMS[said[0]]

    def _chosen(self, asked: str | None) -> Counts:
        """Return the counts that were asked for or, without that, the only ones."""
        if not self.urls:
            raise InputError(f"{self.accession}: it has no supplementary files; {CONVERT}")
        found = counts_among(self.urls)
        if bundled(self._sample_files):
            found += [Counts("tar", {"matrix": u}) for u in self.urls if u.endswith(RAW_ARCHIVE)]
        if not found:
            names = some([*self.urls, *self._sample_files])
            raise InputError(
                f"{self.accession}: none of its files can be read as counts: {names}; {CONVERT}"
            )
        if asked is None:
            fits = [counts for counts in without_unfiltered(found) if counts.likely]
        else:
            fits = [counts for counts in found if counts.name == asked]
        if len(fits) != 1:
            problem = f"no {asked}" if asked else f"{len(fits) or 'no'} files seem to be counts"
            names = ", ".join(counts.name for counts in fits or found)
            raise InputError(f"{self.accession}: {problem}; name one with --counts: {names}")
        return fits[0]

    def _with_samples(self, found: Inspection) -> Inspection:
        """Take the samples as the table of the cells if a column has the names of these."""
        for column, names in self.about.samples.items():
            if names.is_unique and found.adata.obs_names.isin(names).mean() >= LEAST_KNOWN_CELLS:
                return found.annotated(self.folder / self.family.file, f"{{{column}}}")
        return found

    def _fetched(self, url: str) -> File:
        """Return the row of a file of GEO, and download it unless it exists."""
        (name,) = _by_name([url])
        check_name(name)
        target = self.folder / name
        source = self.root.rstrip("/") + url.removeprefix(PUBLIC)
        try:
            found = measure(target) if target.is_file() else fetch_unpinned(source, target)
        except DownloadError as error:
            raise InputError(f"{self.accession}: {_explained(error, source)}") from None
        return File(study=self.folder.name, file=name, url=url, **found)


def _explained(error: DownloadError, source: str) -> str:
    if error.kind == "unreachable":
        host = urlsplit(source).hostname
        return f"could not reach {host} ({error.reason}); name a mirror of GEO with --geo"
    remedy = "nothing was kept: run again"
    if error.kind == "absent":
        remedy = "check the accession, and whether the series is public yet"
    return f"{source}: {error.reason}; {remedy}"


def _by_name(urls: Iterable[str]) -> dict[str, str]:
    """Return the public URL of each file of GEO, by its name in a run."""
    return {
        file_name(Path(unquote(url))): HERE.sub(f"{PUBLIC}/", url)
        for url in filter(HERE.match, urls)
    }
