"""Checks of raw data: unique names, counts that are counts, genes named as in the gene sets."""

import logging
import re
from collections.abc import Mapping, Sequence
from itertools import chain

import anndata as ad
import numpy as np
import pandas as pd

from scripts.preprocess.readers.files import RawFile
from vega.errors import InputError
from vega.scale import WHOLE

log = logging.getLogger("workflow")

# A wrong namespace gives no hit, or a handful by chance; the right one most of the smaller list.
LEAST_KNOWN_GENES = 0.05


def check_unique(
    names: Sequence | pd.Index | pd.Series,
    file: RawFile,
    what: str,
    remedy: str = "check that this is the source's own file",
) -> None:
    twice = pd.Index(names)[pd.Index(names).duplicated()]
    if len(twice):
        name = " ".join(twice[0]) if isinstance(twice[0], tuple) else twice[0]
        raise InputError(
            f"{file}: {what} {name} is a duplicate ({len(twice)} in all); "
            f"expected unique names: {remedy}"
        )


def are_counts(values: np.ndarray) -> np.ndarray:
    return np.isfinite(values) & (values >= 0) & (values == np.floor(values))


def check_counts(adata: ad.AnnData, file: RawFile) -> None:
    """Refuse what is no count; what is one but for a rounding error becomes it."""
    values = adata.X.data
    with np.errstate(invalid="ignore"):  # of what is not finite
        error = np.abs(values - np.rint(values)).max(initial=0)
    if 0 < error <= WHOLE:
        log.warning("%s: counts differ from whole numbers by up to %.1g: rounded", file.name, error)
        values[:] = np.rint(values)
        adata.X.eliminate_zeros()
        values = adata.X.data
    wrong = np.flatnonzero(~are_counts(values))
    if len(wrong):
        cell = np.searchsorted(adata.X.indptr, wrong[0], side="right") - 1
        gene = adata.X.indices[wrong[0]]
        raise InputError(
            f"{file}: gene {adata.var_names[gene]}, cell {adata.obs_names[cell]}: "
            f"{values[wrong[0]]:g} is no count (such values: {len(wrong):,}); "
            + (
                "raw counts are whole numbers from 0 up: take the source's unprocessed matrix"
                if np.isfinite(values).all()
                else "write 0 in place of missing values, or leave out such genes"
            )
        )


GENOME = re.compile(r"(hg|GRC[hm]|mm)\d+_.+")  # what Cell Ranger puts before a gene of several
NAMESPACES = {
    "Ensembl ids": (
        re.compile(r"ENS[A-Z]*G\d{11}(\.\d+)?"),
        "name the column of their symbols (symbols, --symbols), put symbols into the second "
        "column of the file of genes, or take gene sets of Ensembl ids",
    ),
    "mouse symbols": (
        re.compile(r"[A-Z][a-z0-9-]*[a-z][A-Za-z0-9-]*"),
        "map them to human orthologs, or give the model gene sets with mouse symbols",
    ),
    "names of several genomes": (
        GENOME,
        "take the genes of one species, without the name of its genome",
    ),
    "numbers such as Entrez ids": (re.compile(r"\d+"), "map them to symbols"),
}


def check_namespace(
    genes: Sequence[str], gene_sets: Mapping[str, Sequence[str]], where: str
) -> None:
    """Check that a twentieth of the shorter list of genes, data or gene sets, is in the other.

    `where` names both in the message.
    """
    members = set(chain.from_iterable(gene_sets.values()))
    known = len(members.intersection(genes))
    if known >= LEAST_KNOWN_GENES * min(len(members), len(set(genes))) and known:
        return
    looks, remedy = "an unknown kind of name", "use the symbols of the gene sets"
    for name, (pattern, advice) in NAMESPACES.items():
        if sum(pattern.fullmatch(gene) is not None for gene in genes) > len(genes) / 2:
            looks, remedy = name, advice
    raise InputError(
        f"{where}: only {known} of {len(genes)} genes are in the gene sets; the data have {looks} "
        f"({', '.join(genes[:3])}), the gene sets {', '.join(sorted(members)[:3])}: {remedy}"
    )
