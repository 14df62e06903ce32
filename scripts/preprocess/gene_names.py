"""What kind of names genes have, and how symbols are found that the gene sets know."""

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from scripts.preprocess.steps import parts_of
from vega.errors import InputError

# Symbols behind the name of a genome or an Ensembl id, or before one.
PARTS = (r"[^_|;:]+[_|;:]+(.+)", r"(.+)[_|;:][^_|;:]+")
MANY = 0.9  # of the names, which are then said to be alike
TWO_SPECIES = 0.2  # of the names, which another one repeats in other letters
# A wrong namespace gives no hit, or a handful by chance; the right one most of the smaller list.
LEAST_KNOWN_GENES = 0.05
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


def step_for_symbols(
    genes: Sequence[str], gene_sets: Mapping[str, Sequence[str]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the step that finds the symbols in the names of genes, if any, and what to say."""
    members = set(chain.from_iterable(gene_sets.values()))
    known = len(members.intersection(genes))
    upper = [gene.upper() for gene in genes]
    small = sum(gene == gene.lower() != gene.upper() for gene in genes) > MANY * len(genes)
    if small and len(members.intersection(upper)) > 2 * known:
        said = "gene symbols are written in small letters: they become capital letters"
        return [{"upper_case": True}], [said]
    genomes = {gene.partition("_")[0] for gene in genes if GENOME.fullmatch(gene)}
    for pattern in PARTS if len(genomes) < 2 else ():
        parts = parts_of(genes, pattern)
        if len(members.intersection(parts)) > 2 * known:
            before, after = next(
                pair for pair in zip(genes, parts, strict=True) if len({*pair}) > 1
            )
            said = f"genes are named by a part of their names, such as {before} by {after}"
            return [{"rename_genes": pattern}], [said]
    if len(upper) - len(set(upper)) > TWO_SPECIES * len(upper):
        return [], ["genes have the same names but for small letters: are they of two species?"]
    return [], []
