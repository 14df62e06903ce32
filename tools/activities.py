"""Activities of new cells under a trained model.

    python -m tools.activities results/paper/models/kang/seed1 cells.h5ad --out activities.h5ad

Each cell is scaled to the total of the model's training cells (`target_sum` in `model.json`) and
log-transformed, genes of the model that were not measured are zero, and the activities are the
posterior means. Without a known total the cells are scaled to their own median, as the paper does
with its second study of blood cells (Fig. 4d-f).
"""

import argparse
import json
import logging
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

import vega
from scripts.common.h5ad import write_cells
from scripts.preprocess.steps import normalise, reindex
from tools.new_study.inspect import Inspection, inspect_file
from tools.new_study.names import stem
from vega.errors import InputError

SAME_TOTAL = 1e-3  # relative difference up to which totals of cells count as one
LEAST_GENES = 0.5  # of the model; with fewer the cells hardly resemble its training cells


def query(model: vega.VEGA, found: Inspection) -> tuple[AnnData, float]:
    """Return cells x GMVs, and the share of the model's genes that the cells have.

    The cells are counts or log-normalised values. `scaling` in the result's provenance says how
    they were scaled.
    """
    genes = pd.DataFrame({"gene_id": model.genes}, index=pd.Index(model.genes))
    share = float(genes.index.isin(found.adata.var_names).mean())
    if share < LEAST_GENES:
        its, known = (", ".join(names[:3]) for names in (found.adata.var_names, genes.index))
        raise InputError(
            f"{found.files[0]}: only {share:.0%} of the model's {len(genes):,} genes are in it; "
            f"its are {its}; the model knows {known}"
        )
    # Scale before genes are left out: a cell's total is that of all its genes.
    if found.counts:
        cells = normalise(found.adata, model.target_sum or "median")
        to = cells.uns["normalisation"]["target_sum"]
        whose = "like the training cells" if model.target_sum else (
            "their own median: the model does not know the total of its training cells"
        )  # fmt: skip
        scaling = f"scaled to {to:,.6g} counts per cell, {whose}"
    elif model.settings.layer is not None:
        raise InputError(f"{found.files[0]}: the model reads counts, and these are none")
    else:
        cells, scaling = rescaled(found.adata, model.target_sum)
    cells = reindex(cells, genes)
    source = {"origin": "query", "file": found.files[0].name, "scaling": scaling}
    latent = model.latent(cells)
    latent.uns["provenance"] = json.dumps(source)
    return latent, share


def rescaled(adata: AnnData, target_sum: float | None) -> tuple[AnnData, str]:
    """Return log-normalised cells scaled to another total, and what was done.

    Cells whose totals differ have lost genes since they were scaled, or were transformed in another
    way. They are returned as they are.
    """
    totals = np.asarray(adata.X.expm1().sum(axis=1, dtype=float)).ravel()
    totals = totals[totals > 0]
    if target_sum is None or not len(totals):
        return adata, "log-normalised, taken as they are: the model does not know its total"
    total, goal = float(np.median(totals)), f"{target_sum:,.6g} of the training cells"
    if np.abs(totals / total - 1).max() > SAME_TOTAL:
        return adata, (
            f"warning: log-normalised, but their totals differ (from {totals.min():,.6g} to "
            f"{totals.max():,.6g}), so that they cannot be scaled to the {goal}; give the counts"
        )
    if abs(total / target_sum - 1) <= SAME_TOTAL:
        return adata, f"log-normalised to the {goal}"
    adata = adata.copy()
    adata.X = (adata.X.expm1() * (target_sum / total)).log1p().astype(np.float32)
    return adata, f"log-normalised to {total:,.6g}, scaled to the {goal}"


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.activities", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("model", type=Path, help="folder of a trained model")
    parser.add_argument("file", type=Path, help="cells: h5ad, Matrix Market or table")
    parser.add_argument("--out", type=Path, help="h5ad file of cells x GMVs")
    options = parser.parse_args()
    logging.getLogger("workflow").setLevel(logging.WARNING)
    out = options.out or Path(f"{stem(options.file.name)}_activities.h5ad")
    try:
        if out.exists():
            raise InputError(f"{out}: there is such a file; name another with --out")
        if not (options.model / "model.json").is_file():
            raise InputError(
                f"{options.model}: not a trained model; expected a folder such as "
                "results/paper/models/kang/seed1"
            )
        model = vega.load(options.model)
        activities, share = query(model, inspect_file(options.file, set(model.genes)))
        write_cells(activities, out)
    except InputError as error:
        sys.exit(f"error: {error}")
    print(
        f"{out}: {activities.n_obs:,} cells x {activities.n_vars:,} GMVs; {share:.0%} of the "
        "model's genes were measured"
    )
    print(f"cells {json.loads(activities.uns['provenance'])['scaling']}")


if __name__ == "__main__":
    main()
