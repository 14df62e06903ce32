"""Gene sets: reading GMT files, and the mask that wires genes to gene module variables."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from vega.errors import InputError
from vega.files import read_errors

EXTRA_NODE = "UNANNOTATED_"  # begins the names of latent variables that are of no set


def read_gmt(
    path: Path | str, min_genes: int = 0, max_genes: int | None = None
) -> dict[str, list[str]]:
    """Read a gene set collection.

    A GMT file has one set per line: name, a description that is ignored, then its genes, separated
    by tabs. Names and genes are stripped of blanks; a gene listed twice in a set counts once.

    Parameters
    ----------
    path
        The file.
    min_genes, max_genes
        Only sets with so many genes as published, that is before they are intersected with any
        data (paper, Methods; 0 to 5000, and 0 to 1000 for glioblastoma).

    Returns
    -------
    Genes by set name, in the order of the file.

    Raises
    ------
    ValueError
        If it cannot be read, a line is not a gene set, or a name stands twice: with file and line.
    """
    gene_sets: dict[str, list[str]] = {}
    with read_errors(path, "a GMT file", "take it from its source again"):
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, *rest = line.split("\t")
        name = name.strip()
        if not name or not rest:
            raise InputError(
                f"{path}: line {number} is not a gene set (name, description, genes, separated "
                f"by tabs): {line[:60]!r}"
            )
        if name in gene_sets:
            raise InputError(f"{path}: line {number}: the set {name} stands twice; rename one")
        gene_sets[name] = [g for g in dict.fromkeys(map(str.strip, rest[1:])) if g]
    if not gene_sets:
        raise InputError(f"{path}: no gene set in it")
    most = float("inf") if max_genes is None else max_genes
    return {n: genes for n, genes in gene_sets.items() if min_genes <= len(genes) <= most}


def gene_mask(gene_sets: Mapping[str, Sequence[str]], genes: Iterable[str]) -> np.ndarray:
    """Return which gene belongs to which set.

    Parameters
    ----------
    gene_sets
        K gene sets by name.
    genes
        Names of G genes, each once.

    Returns
    -------
    Boolean array, K x G. A set without any of the genes is a row of zeros: it stays a latent
    variable, as in the paper.

    Raises
    ------
    ValueError
        If a gene is named twice, or no gene is in any set.
    """
    index = pd.Index(genes)
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        raise InputError(f"genes: {twice} is named twice; make gene names unique")
    # One look-up for all members of all sets: 6,056 regulons with 1.6 million members take 0.3 s.
    sizes = np.fromiter(map(len, gene_sets.values()), dtype=int, count=len(gene_sets))
    rows = np.repeat(np.arange(len(gene_sets)), sizes)
    columns = index.get_indexer(list(chain.from_iterable(gene_sets.values())))
    known = columns >= 0
    if not known.any():
        raise InputError(
            f"none of the {len(index)} genes (such as {', '.join(map(str, index[:3]))}) is in any "
            "gene set; gene names and gene sets must use the same names"
        )
    mask = np.zeros((len(gene_sets), len(index)), dtype=bool)
    mask[rows[known], columns[known]] = True
    return mask


def readable(name: str) -> str:
    """Return `name` as the paper's figures show it: no collection prefix, no underscores.

    >>> readable("REACTOME_TRYPTOPHAN_CATABOLISM")
    'TRYPTOPHAN CATABOLISM'
    >>> readable("Radial Glia Cells")
    'Radial Glia Cells'
    """
    prefix, _, rest = name.partition("_")
    return (rest if rest and prefix in COLLECTIONS else name).replace("_", " ")


COLLECTIONS = {"REACTOME", "HALLMARK", "KEGG", "BIOCARTA", "PID", "GOBP", "GOMF", "GOCC", "WP"}
