"""Claims on data, gene sets and models: D01 to D14."""

from scripts.claims.judging import claim, exact_claim
from scripts.claims.out_of_sample import TYPES
from scripts.claims.run_results import RunResults

COLLECTIONS = ("reactomes.gmt", "hallmarks.gmt", "gbm_aracne.gmt", "reactomes_organoid_ct.gmt")
# Collection, largest set and extra nodes of the paper's models.
MODELS = {
    "Kang": ("reactomes.gmt", 5000, 1),
    "MIX-seq": ("hallmarks.gmt", 5000, 5),
    "GBM": ("gbm_aracne.gmt", 1000, 5),
    "organoid": ("reactomes_organoid_ct.gmt", 5000, 1),
    "retina": ("reactomes.gmt", 5000, 3),
}


@exact_claim("D01")
def kang_dimensions(results: RunResults, seed: int):
    """Cells and genes of Kang after preprocessing."""
    return results.dimensions("kang")


@exact_claim("D02")
def kang_cell_types(results: RunResults, seed: int):
    """Cells of each type of Kang."""
    counts = results.data("kang").obs["cell_type"].value_counts()
    return {cell_type: int(counts.get(cell_type, 0)) for cell_type in TYPES}


@exact_claim("D03")
def zheng_dimensions(results: RunResults, seed: int):
    """Cells and genes of Zheng after preprocessing."""
    return results.dimensions("zheng")


@exact_claim("D12")
def collection_sizes(results: RunResults, seed: int):
    """Sets in each collection."""
    return {file: len(results.gene_sets(file)) for file in COLLECTIONS}


@claim("D13", lambda v: v["sets with MKI67"] == 0, exact=True, seeded=False)
def no_mki67(results: RunResults, seed: int):
    """Whether MKI67 is in a Reactome set."""
    gene_sets = results.gene_sets("reactomes.gmt")
    return {"sets with MKI67": sum("MKI67" in genes for genes in gene_sets.values())}


@exact_claim("D14")
def latent_variables(results: RunResults, seed: int):
    """Latent variables of each model: its gene sets within the size filter, and extra nodes."""
    return {
        name: len(results.gene_sets(file, 0, largest)) + extra
        for name, (file, largest, extra) in MODELS.items()
    }
