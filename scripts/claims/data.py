"""Claims on data, gene sets and models: D01 to D14."""

from scripts.claims.judging import claim, count
from scripts.claims.run_results import RunResults

KANG_CELLS = {
    "NK": 1304,
    "Dendritic": 1192,
    "CD4T": 6198,
    "B": 2033,
    "FCGR3A+Mono": 4022,
    "CD14+Mono": 2882,
    "CD8T": 1237,
}
COLLECTIONS = {
    "reactomes.gmt": 674,
    "hallmarks.gmt": 50,
    "gbm_aracne.gmt": 6056,
    "reactomes_organoid_ct.gmt": 681,
}
# Collection, largest set, extra nodes and published latent variables of the paper's models.
LATENT_VARIABLES = {
    "Kang": ("reactomes.gmt", 5000, 1, 675),
    "MIX-seq": ("hallmarks.gmt", 5000, 5, 55),
    "GBM": ("gbm_aracne.gmt", 1000, 5, 6061),
    "organoid": ("reactomes_organoid_ct.gmt", 5000, 1, 682),
    "retina": ("reactomes.gmt", 5000, 3, 677),
}


@count("D01", {"cells": 18868, "genes": 6998})
def kang_dimensions(results: RunResults, seed: int):
    """Cells and genes of Kang after preprocessing."""
    return results.dimensions("kang")


@count("D02", KANG_CELLS)
def kang_cell_types(results: RunResults, seed: int):
    """Cells of each type of Kang."""
    counts = results.data("kang").obs["cell_type"].value_counts()
    return {cell_type: int(counts.get(cell_type, 0)) for cell_type in KANG_CELLS}


@count("D03", {"cells": 2623, "genes": 6998})
def zheng_dimensions(results: RunResults, seed: int):
    """Cells and genes of Zheng after preprocessing."""
    return results.dimensions("zheng")


@count("D12", COLLECTIONS)
def collection_sizes(results: RunResults, seed: int):
    """Sets in each collection."""
    return {file: len(results.gene_sets(file)) for file in COLLECTIONS}


@claim("D13", lambda v: v["sets with MKI67"] == 0, exact=True, seeded=False)
def no_mki67(results: RunResults, seed: int):
    """Whether MKI67 is in a Reactome set."""
    gene_sets = results.gene_sets("reactomes.gmt")
    return {"sets with MKI67": sum("MKI67" in genes for genes in gene_sets.values())}


@count("D14", {name: published for name, (*_, published) in LATENT_VARIABLES.items()})
def latent_variables(results: RunResults, seed: int):
    """Latent variables of each model: its gene sets within the size filter, and extra nodes."""
    return {
        name: len(results.gene_sets(file, 0, largest)) + extra
        for name, (file, largest, extra, _) in LATENT_VARIABLES.items()
    }
