"""Claims on cortical organoids: O01 to O03 (Figure 3)."""

import numpy as np
from scipy.stats import pearsonr

from scripts.claims.judging import claim
from scripts.claims.run_results import NotAvailable, RunResults, get_gmv
from scripts.common.contrasts import ONE_VS_REST
from scripts.common.gmvs import CELL_CYCLE, MARKER_SETS, PROLIFERATION
from vega.values import values_of


def marker_bayes_factors(results: RunResults, seed: int, cell_type: str):
    """Return log Bayes factors of all marker sets in one type against the others, by set."""
    table = results.contrast("organoid", seed, ONE_VS_REST, cell_type)
    return {gmv: get_gmv(table, gmv)["log_bf"] for gmv in MARKER_SETS.values()}


@claim("O01", lambda v: min(v.values()) > 3, lambda v: min(v.values()), shuffle="cell_type")
def own_marker_sets(results: RunResults, seed: int):
    """Log Bayes factor of each type's own marker set."""
    return {
        cell_type: marker_bayes_factors(results, seed, cell_type)[own]
        for cell_type, own in MARKER_SETS.items()
    }


@claim(
    "O02",
    lambda v: v["largest"] < 3 < v["least of the own"],
    lambda v: v["least of the own"] - v["largest"],
    shuffle="cell_type",
)
def other_marker_sets(results: RunResults, seed: int):
    """Largest and smallest log Bayes factor of a type in the marker set of another type.

    Where no set is significant that means nothing: each type’s own set has to be.
    """
    others = [
        log_bf
        for cell_type, own in MARKER_SETS.items()
        for gmv, log_bf in marker_bayes_factors(results, seed, cell_type).items()
        if gmv != own
    ]
    own = own_marker_sets(results, seed).values()
    return {"largest": max(others), "smallest": min(others), "least of the own": min(own)}


@claim("O03", effect=lambda v: v["slope"], shuffle="activities", exact=True)
def proliferation(results: RunResults, seed: int):
    """Squared correlation of mitotic cell cycle activity with MKI67 expression, and the slope."""
    data, latent = results.data("field"), results.latent("organoid", seed)
    if PROLIFERATION not in data.var_names:
        raise NotAvailable(f"{PROLIFERATION} is not among the genes of field")
    column = data[:, PROLIFERATION].to_memory()[latent.obs_names]
    expression, activity = values_of(column, PROLIFERATION), get_gmv(latent, CELL_CYCLE)
    if not np.ptp(expression):
        raise NotAvailable(f"no cell of field differs in {PROLIFERATION}")
    r = pearsonr(expression, activity).statistic
    return {"R2": r**2, "slope": r * np.std(activity) / np.std(expression)}
