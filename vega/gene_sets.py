"""Gene sets: reading GMT files, and the mask that wires genes to gene module variables."""

import gzip
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

    A GMT file, gzipped or not, has one set per line: name, a description that is ignored, then its
    genes, separated by tabs. Names and genes are stripped of blanks; a duplicate gene in a set
    counts once.

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
        If it cannot be read, a line is not a gene set, or a name is duplicate: with file and line.

    Examples
    --------
    >>> import pathlib, tempfile, vega
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "sets.gmt")
    ...     _ = file.write_text("B cells\\tmarkers\\tCD79A\\tMS4A1\\n")
    ...     vega.read_gmt(file)
    {'B cells': ['CD79A', 'MS4A1']}
    """
    gene_sets: dict[str, list[str]] = {}
    with read_errors(path, "a GMT file", "take it from its source again"):
        content = Path(path).read_bytes()
        content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        lines = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n")
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
            raise InputError(f"{path}: line {number}: duplicate set {name}; rename one")
        gene_sets[name] = [g for g in dict.fromkeys(map(str.strip, rest[1:])) if g]
    if not gene_sets:
        raise InputError(f"{path}: no gene set in it; give a GMT file, a set per line")
    most = float("inf") if max_genes is None else max_genes
    return {n: genes for n, genes in gene_sets.items() if min_genes <= len(genes) <= most}


def check_gene_sets(gene_sets: Mapping[str, Sequence[str]]) -> None:
    """Refuse gene sets that are not lists of genes by set name, such as the path of a file."""
    if not isinstance(gene_sets, Mapping):
        raise InputError(
            f"gene_sets: expected genes by set name, found {type(gene_sets).__name__}; read a GMT "
            "file with vega.read_gmt(path)"
        )
    for name, members in gene_sets.items():
        if isinstance(members, str):
            raise InputError(
                f"set {name}: expected a list of genes, found {members!r:.60}; put it into a list"
            )


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
        If a gene is a duplicate, or no gene is in any set.

    Examples
    --------
    >>> import vega
    >>> vega.gene_mask({"A": ["g1", "g9"], "B": ["g2", "g3"]}, ["g1", "g2", "g3"])
    array([[ True, False, False],
           [False,  True,  True]])
    """
    check_gene_sets(gene_sets)
    index = pd.Index(genes)
    if not index.is_unique:
        duplicate = index[index.duplicated()][0]
        raise InputError(f"genes: duplicate {duplicate}; make gene names unique")
    # One look-up for all members of all sets: 6,056 regulons with 1.6 million members take 0.3 s.
    sizes = np.fromiter(map(len, gene_sets.values()), dtype=int, count=len(gene_sets))
    rows = np.repeat(np.arange(len(gene_sets)), sizes)
    columns = index.get_indexer(list(chain.from_iterable(gene_sets.values())))
    known = columns >= 0
    if not known.any():
        hint = naming_hint(gene_sets, index)
        raise InputError(
            f"none of the {len(index)} genes (such as {', '.join(map(str, index[:3]))}) is in any "
            f"gene set; {hint or 'gene names and gene sets must use the same names'}"
        )
    mask = np.zeros((len(gene_sets), len(index)), dtype=bool)
    mask[rows[known], columns[known]] = True
    return mask


def coverage(gene_sets: Mapping[str, Sequence[str]], genes: Iterable[str]) -> pd.DataFrame:
    """Return how many genes of each set are in the data.

    Parameters
    ----------
    gene_sets
        Genes by set name.
    genes
        Names of the genes of the data, each once.

    Returns
    -------
    One row per set: its number of genes `n_genes`, of those in the data `n_genes_in_data`, and
    their `share`.

    Raises
    ------
    ValueError
        If no gene is in any set; names that differ by upper and lower case alone are named.

    Examples
    --------
    >>> import vega
    >>> vega.coverage(vega.examples.GENE_SETS, vega.examples.counts().var_names)
                n_genes  n_genes_in_data  share
    gmv
    Interferon        6                6    1.0
    B cells           5                5    1.0
    T cells           5                5    1.0
    Eye               2                0    0.0
    """
    in_data = gene_mask(gene_sets, genes).sum(axis=1)
    table = pd.DataFrame(
        {
            "n_genes": [len(set(members)) for members in gene_sets.values()],
            "n_genes_in_data": in_data,
        },
        index=pd.Index(gene_sets, name="gmv"),
    )
    return table.assign(share=table["n_genes_in_data"] / table["n_genes"].clip(lower=1))


def naming_hint(gene_sets: Mapping[str, Sequence[str]], genes: Iterable[str]) -> str:
    """Return what to do about gene names of another species or kind; nothing if they fit.

    >>> from vega.gene_sets import naming_hint
    >>> naming_hint({"B cells": ["CD79A", "CD79B"]}, ["Cd79a", "Cd79b"])
    'of 2 genes in the sets 0 are in the data, but 2 are if upper and lower case are ...'
    """
    genes = list(map(str, genes))
    members = set(chain.from_iterable(gene_sets.values()))
    as_they_are = len(members.intersection(genes))
    by_letters = len({m.upper() for m in members}.intersection(g.upper() for g in genes))
    found = f"of {len(members):,} genes in the sets {as_they_are:,} are in the data"
    if by_letters > 2 * as_they_are:
        return (
            f"{found}, but {by_letters:,} are if upper and lower case are the same, as between "
            "symbols of mouse and human; take sets of the species, or orthologs (roughly: "
            "adata.var_names = adata.var_names.str.upper())"
        )
    if not as_they_are and genes[0].startswith("ENS"):
        return (
            f"{found}, whose names are Ensembl ids; set adata.var_names to symbols, such as "
            "adata.var['feature_name'] or adata.var['gene_symbols']"
        )
    return ""


def extra_node_names(n: int) -> list[str]:
    """Return the names of `n` latent variables that reach all genes."""
    return [f"{EXTRA_NODE}{i + 1}" for i in range(n)]


def readable(name: str) -> str:
    """Return `name` as the paper's figures show it: no collection prefix, no underscores.

    >>> readable("REACTOME_TRYPTOPHAN_CATABOLISM")
    'TRYPTOPHAN CATABOLISM'
    >>> readable("UNANNOTATED_1")
    'UNANNOTATED 1'
    """
    prefix, _, rest = name.partition("_")
    return (rest if rest and prefix in COLLECTIONS else name).replace("_", " ")


COLLECTIONS = {"REACTOME", "HALLMARK", "KEGG", "BIOCARTA", "PID", "GOBP", "GOMF", "GOCC", "WP"}
