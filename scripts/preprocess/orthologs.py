"""Orthologs: which gene of one species is which gene of another."""

import pandas as pd

from scripts.preprocess.readers.annotations import read_table
from scripts.preprocess.readers.files import RawFile
from vega.errors import InputError

NAME, HUMAN, KIND = "Gene name", "Human gene name", "Human homology type"


def one_to_one(file: RawFile) -> dict[str, str]:
    """Return the human symbol of each gene with exactly one ortholog, from an export of BioMart.

    Genes on alternative assemblies share a symbol: one that is repeated on either side is left out.
    """
    table = read_table(file)
    absent = [column for column in (NAME, HUMAN, KIND) if column not in table]
    if absent:
        raise InputError(
            f"{file}: no column {', '.join(absent)}; take a BioMart export of orthologs with these"
        )
    pairs = table.loc[table[KIND] == "ortholog_one2one", [NAME, HUMAN]].dropna().drop_duplicates()
    once = ~(pairs[NAME].duplicated(keep=False) | pairs[HUMAN].duplicated(keep=False))
    return pd.Series(pairs[HUMAN][once].to_numpy(), pairs[NAME][once]).to_dict()
