"""Recognise files of counts by their names, as those of a series or an archive."""

import re
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

# How names of counts end: in their format ("h5" is Cell Ranger's), or as a table.
ENDING = re.compile(
    r"\.((?P<format>h5ad|loom|h5|mtx)(\.gz)?|(csv|tsv|txt)(\.gz|\.zip)?)$", re.IGNORECASE
)
# The lists of a Matrix Market file are named as it is, with these instead of "matrix" or after it.
LISTS = {"barcodes": ("barcodes",), "genes": ("features", "genes")}
NO_COUNTS = re.compile(
    r"(barcodes?|features?|genes|samples?)\.(csv|tsv|txt)|meta|annot|clusters?|tsne|umap|pca|"
    r"cell_?(types?|info)|labels?|markers?|sample_?(info|sheet)|readme|filelist",
    re.IGNORECASE,
)  # tables that say what cells or genes are
UNFILTERED = re.compile(r"raw_(feature|gene)_bc", re.IGNORECASE)  # empty droplets and all


class Counts(NamedTuple):
    """A matrix of counts."""

    format: str
    entry: dict[str, Any]  # its files, as the entry of a study has them

    @property
    def name(self) -> str:
        """Name of the file of the matrix itself."""
        return self.entry["matrix"]

    @property
    def likely(self) -> bool:
        """Whether the name does not point to anything but counts of cells."""
        of_all_droplets = UNFILTERED.search(self.name)
        return not (of_all_droplets or (self.format == "table" and NO_COUNTS.search(self.name)))


def counts_among(names: Collection[str]) -> list[Counts]:
    """Return all files that may be read as counts, each Matrix Market file with its lists.

    >>> [c.name for c in counts_among(["a_matrix.mtx.gz", "a_barcodes.tsv.gz", "a_genes.tsv.gz"])]
    ['a_matrix.mtx.gz']
    >>> [(c.name, c.likely) for c in counts_among(["b.mtx", "c.rds", "d.csv.gz", "e_meta.csv.gz"])]
    [('d.csv.gz', True), ('e_meta.csv.gz', False)]
    >>> [c.likely for c in counts_among(["filtered_feature_bc_a.h5", "raw_feature_bc_a.h5"])]
    [True, False]
    """
    found = [counts for name in names if (counts := _counts(name, names))]
    lists = {name for counts in found for what, name in counts.entry.items() if what in LISTS}
    return [counts for counts in found if counts.name not in lists]


def without_unfiltered(found: list[Counts]) -> list[Counts]:
    """Return the counts without those of all droplets of which there are filtered ones, too.

    >>> names = ["a_raw.h5", "a_filtered.h5", "b.raw.csv", "b.csv"]
    >>> [c.name for c in without_unfiltered(counts_among(names))]
    ['a_filtered.h5', 'b.raw.csv', 'b.csv']
    """
    words = [re.split(r"[^a-z0-9]+", counts.name.lower()) for counts in found]
    filtered = [[word for word in of if word != "filtered"] for of in words if "filtered" in of]
    rest = [[word for word in of if word not in ("raw", "unfiltered")] for of in words]
    return [
        counts
        for counts, of, others in zip(found, words, rest, strict=True)
        if of == others or others not in filtered
    ]


def _counts(name: str, names: Collection[str]) -> Counts | None:
    ending = ENDING.search(name)
    if ending is None:
        return None
    format = (ending["format"] or "table").lower()
    lists = lists_of(name, names) if format == "mtx" else {}
    if format == "mtx" and lists.keys() != LISTS.keys():
        return None
    return Counts("10x_h5" if format == "h5" else format, {"matrix": name, **lists})


def lists_of(matrix: str, names: Iterable[str]) -> dict[str, str]:
    """Return the lists of barcodes and of genes that belong to a Matrix Market file.

    >>> lists_of("GSM1_matrix_a.mtx.gz", ["GSM1_features_a.tsv.gz", "GSM1_barcodes_b.tsv.gz"])
    {'genes': 'GSM1_features_a.tsv.gz'}
    >>> lists_of("GSM1.mtx", ["GSM1.genes.tsv", "GSM1_barcodes.tsv.gz", "GSM2.genes.tsv"])
    {'barcodes': 'GSM1_barcodes.tsv.gz', 'genes': 'GSM1.genes.tsv'}
    """
    there = {name.lower(): name for name in names}
    stem = matrix.lower().removesuffix(".gz").removesuffix(".mtx")
    before, named, after = stem.rpartition("matrix")
    around = [(before, after), (before, "")]
    around += [] if named else [(f"{stem}_", ""), (f"{stem}.", "")]
    found = {}
    for what, words in LISTS.items():
        stems = [f"{start}{word}{end}.tsv" for start, end in around for word in words]
        fits = [there[name] for s in stems for name in (f"{s}.gz", s) if name in there]
        found |= {what: fits[0]} if fits else {}
    return found


def stem(name: str) -> str:
    """Return the name of a file of counts without the ending of its format.

    >>> stem("a.b.h5ad"), stem("counts.CSV.gz"), stem("a.b")
    ('a.b', 'counts', 'a.b')
    """
    return ENDING.sub("", name)
