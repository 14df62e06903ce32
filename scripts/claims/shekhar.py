"""Claims on the data of the mouse retina: D09 and D10."""

from scripts.claims.judging import count
from scripts.claims.run_results import NotAvailable, RunResults

# The paper's text counts all cells, its analysis only those of clusters 1 to 15 (erratum 6).
CELLS = {"in the text": 27499, "analysed": 26439}


@count("D09", CELLS)
def retina_cells(results: RunResults, seed: int):
    """Cells before those of other clusters are dropped, and after."""
    steps = results.table("shekhar_qc")
    dropped = steps[steps["step"] == "drop"]
    if dropped.empty:
        raise NotAvailable("no step of shekhar drops the cells of other clusters")
    before = int(dropped["cells_before"].iloc[-1])
    return dict(zip(CELLS, (before, results.data("shekhar").n_obs), strict=True))


@count("D10", {"genes": 4000, "batches": 2, "types": 15})
def retina_dimensions(results: RunResults, seed: int):
    """Genes, batches and cell types of the retina."""
    data = results.data("shekhar")
    return {
        "genes": data.n_vars,
        "batches": data.obs["batch"].nunique(),
        "types": data.obs["cell_type"].nunique(),
    }
