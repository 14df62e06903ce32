"""What the four drugs of MIX-seq do to each cell line, for figures and claims alike."""

import pandas as pd

from scripts.common.contrasts import FEW_CELLS

DRUGS = {
    "Trametinib": "mixseq_trametinib",
    "Dabrafenib": "mixseq_dabrafenib",
    "Navitoclax": "mixseq_navitoclax",
    "BRD3379": "mixseq_brd3379",
}  # each drug's study and model, the order of the paper's colour bar
REFERENCE = "DMSO"
CONTRAST = "drug"  # the drug against DMSO, in each cell line
MUTANT, WILD_TYPE = "mutant", "wild type"


def few_cells(obs: pd.DataFrame, drug: str) -> list[str]:
    """Return cell lines with fewer than `FEW_CELLS` cells with the drug or with DMSO."""
    obs = obs.dropna(subset="cell_line")
    counts = pd.crosstab(obs["cell_line"].astype(str), obs["condition"].astype(str))
    least = counts.reindex(columns=[drug, REFERENCE], fill_value=0).min(axis=1)
    return sorted(least.index[least < FEW_CELLS])


def line_bayes_factors(differential: pd.DataFrame) -> pd.DataFrame:
    """Return log Bayes factors of a drug against DMSO: gene sets x cell lines.

    `differential` is the table of the drug's model. The model's extra nodes are left out. Cell
    lines are those with cells of both conditions, however few, as published.
    """
    rows = differential[differential["contrast"] == CONTRAST]
    table = rows.pivot(index="gmv", columns="group", values="log_bf")
    return table.loc[[gmv for gmv in table.index if not gmv.startswith("UNANNOTATED_")]]


def cell_lines(obs: pd.DataFrame) -> pd.DataFrame:
    """Return by cell line: `tissue`, `braf`, `kras` and `melanoma`.

    The tissue is in the line's name (A375_SKIN). Genes are `mutant`, `wild type` or missing. A
    melanoma is a line of the skin with a BRAF mutation.
    """
    lines = obs.dropna(subset="cell_line").drop_duplicates("cell_line").set_index("cell_line")
    lines.index = lines.index.astype(str)
    tissue = lines.index.str.partition("_").get_level_values(2).str.replace("_", " ").str.lower()
    table = pd.DataFrame({"tissue": tissue}, index=lines.index)
    for gene in ("braf", "kras"):
        unknown = pd.Series(index=lines.index, dtype=object)
        table[gene] = lines.get(f"{gene}_mutant", unknown).astype(object)
    table["melanoma"] = (table["braf"] == MUTANT) & (table["tissue"] == "skin")
    return table.sort_index()
