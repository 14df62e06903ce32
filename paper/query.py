"""Activities of new cells under a trained model.

    python -m paper.query results/paper/models/kang/seed1 cells.h5ad --out activities.h5ad

As the paper does with its second study of blood cells (Fig. 4d-f): each cell is scaled to the
median total of the new cells and log-transformed, genes of the model that were not measured are
zero, and the activities are the posterior means.
"""

import argparse
import json
import logging
import sys
from pathlib import Path

import pandas as pd
from anndata import AnnData

import vega
from paper.analyse import encoded
from paper.errors import InputError
from paper.h5ad import write_cells
from paper.new_study.look import Look, look
from paper.steps import normalise, reindex

LEAST_GENES = 0.5  # of the model; with fewer the cells are hardly those that it knows


def query(model: vega.VEGA, found: Look) -> tuple[AnnData, float]:
    """Cells x GMVs, and the share of the model's genes that the cells have.

    Parameters
    ----------
    model
        A trained model.
    found
        The cells, see `new_study.look`: counts, or log-normalised values.

    Raises
    ------
    InputError
        If the model reads counts and these are none, or most of its genes are not there.
    """
    genes = pd.DataFrame({"gene_id": model.genes}, index=pd.Index(model.genes))
    share = float(genes.index.isin(found.genes).mean())
    if share < LEAST_GENES:
        raise InputError(
            f"{found.files[0]}: only {share:.0%} of the model's {len(genes):,} genes are in it; "
            f"its are {', '.join(found.genes[:3])}; the model knows {', '.join(genes.index[:3])}"
        )
    cells = found.adata
    if found.counts:
        cells = normalise(cells, "median")
    elif model.architecture["layer"] is not None:
        raise InputError(f"{found.files[0]}: the model reads counts, and these are none")
    cells = reindex(cells, genes)
    source = {"origin": "query", "file": found.files[0].name}
    cells.uns["provenance"] = json.dumps(source)
    return encoded(model, cells), share


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        prog="python -m paper.query", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("model", type=Path, help="folder of a trained model")
    parser.add_argument("file", type=Path, help="cells: h5ad, Matrix Market or table")
    parser.add_argument("--out", type=Path, help="h5ad file of cells x GMVs")
    options = parser.parse_args()
    logging.getLogger("paper").setLevel(logging.WARNING)
    out = options.out or Path(f"{options.file.name.split('.')[0]}_activities.h5ad")
    try:
        model = vega.load(options.model)
        activities, share = query(model, look(options.file, set(model.genes)))
        write_cells(activities, out)
    except InputError as error:
        sys.exit(f"error: {error}")
    print(
        f"{out}: {activities.n_obs:,} cells x {activities.n_vars:,} GMVs; {share:.0%} of the "
        "model's genes were measured"
    )


if __name__ == "__main__":
    main()
