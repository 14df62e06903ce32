"""Claims on data, gene sets and models: D01 to D14."""

from scripts.claims.judging import claim, exact_claim
from scripts.claims.out_of_sample import TYPES
from scripts.claims.run_results import NotAvailable, RunResults

# Studies whose cells and genes are counted, by claim; `kang_counts` is that of the count model.
DIMENSIONS = {
    "D01": "kang", "D03": "zheng", "D07": "darmanis", "D08": "field", "D11": "kang_counts",
}  # fmt: skip
COLLECTIONS = ("reactomes.gmt", "hallmarks.gmt", "gbm_aracne.gmt", "reactomes_organoid_ct.gmt")
MODELS = {
    "Kang": "kang", "MIX-seq": "mixseq_trametinib", "GBM": "gbm", "organoid": "organoid",
    "retina": "retina",
}  # fmt: skip


def dimensions(study: str):
    """Return the function of a claim on the size of a study."""

    def function(results: RunResults, seed: int):
        cells, genes = results.data(study).shape
        return {"cells": cells, "genes": genes}

    function.__doc__ = f"Cells and genes of {study} after preprocessing."
    return function


for claim_id, study in DIMENSIONS.items():
    exact_claim(claim_id)(dimensions(study))


@exact_claim("D02")
def kang_cell_types(results: RunResults, seed: int):
    """Cells of each type of Kang."""
    counts = results.data("kang").obs["cell_type"].value_counts()
    return {cell_type: int(counts.get(cell_type, 0)) for cell_type in TYPES}


@exact_claim("D09")
def retina_cells(results: RunResults, seed: int):
    """Cells before those of other clusters are dropped, and after.

    The paper's text counts all cells, its analysis those of clusters 1 to 15 (erratum 6).
    """
    steps = results.table("shekhar_qc")
    dropped = steps[steps["step"] == "drop"]
    if dropped.empty:
        raise NotAvailable("no step of shekhar drops the cells of other clusters")
    before = int(dropped["cells_before"].iloc[-1])
    return {"in the text": before, "analysed": results.data("shekhar").n_obs}


@exact_claim("D10")
def retina_dimensions(results: RunResults, seed: int):
    """Genes, batches and cell types of the retina."""
    data = results.data("shekhar")
    return {
        "genes": data.n_vars,
        "batches": data.obs["batch"].nunique(),
        "types": data.obs["cell_type"].nunique(),
    }


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
    """Latent variables of each trained model."""
    return {name: len(results.model(model, seed)["gmvs"]) for name, model in MODELS.items()}
