"""Claims on glioblastoma: G01 and G02 (Figures 2d-e)."""

import numpy as np

from scripts.claims.judging import claim
from scripts.claims.run_results import NotAvailable, RunResults, get_gmv

STAT3, OLIG2 = "STAT3", "OLIG2"
NEOPLASTIC, OPC = "Neoplastic", "OPC"


@claim("G01", lambda v: v["r"] < 0, lambda v: -v["r"], shuffle="names", beyond=True)
def anticorrelated_regulons(results: RunResults, seed: int):
    """Pearson correlation of STAT3 and OLIG2 activity over neoplastic cells.

    The control is that of any two GMVs.
    """
    latent = results.latent("gbm", seed)
    cells = latent[(latent.obs["cell_type"] == NEOPLASTIC).to_numpy()]
    if cells.n_obs < 3:
        raise NotAvailable(f"there are no {NEOPLASTIC} cells")
    return {"r": np.corrcoef(get_gmv(cells, STAT3), get_gmv(cells, OLIG2))[0, 1]}


@claim(
    "G02",
    lambda v: v["rank of OPC"] == 1,
    lambda v: v["above the others"],
    shuffle="cell_type",
    beyond=True,
)
def olig2_in_opc(results: RunResults, seed: int):
    """Rank of OPC among the cell types by their mean OLIG2 activity."""
    latent = results.latent("gbm", seed)
    activity = get_gmv(latent, OLIG2)
    labels = latent.obs["cell_type"]
    means = {t: activity[(labels == t).to_numpy()].mean() for t in labels.dropna().unique()}
    if OPC not in means:
        raise NotAvailable(f"there are no {OPC} cells")
    highest = max((t for t in means if t != OPC), key=means.__getitem__)
    results.note(f"highest of the others: {highest}, {means[highest]:.2f}")
    rank = 1 + sum(mean > means[OPC] for mean in means.values())
    return {
        "rank of OPC": rank,
        "mean in OPC": means[OPC],
        "above the others": means[OPC] - means[highest],
    }
