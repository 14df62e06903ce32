"""Claims on the data of the mouse retina: D09 and D10."""

from scripts.claims.judging import exact_claim
from scripts.claims.run_results import NotAvailable, RunResults


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
