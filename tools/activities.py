"""Activities of new cells under a trained model.

    python -m tools.activities results/paper/models/kang/seed1 cells.h5ad --out activities.h5ad

Each cell is scaled to the total of the model's training cells (`target_sum` in `model.json`) and
log-transformed, genes of the model that were not measured are zero, and the activities are the
posterior means. Without a known total counts are scaled to their own median, as the paper does with
its second study of blood cells (Fig. 4d-f).
"""

import argparse
import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
from anndata import AnnData

import vega
from scripts.common.h5ad import write_cells
from scripts.preprocess.readers.names import stem
from tools.new_study.inspect import Inspection, add_choices, choices, inspect_file
from vega.errors import InputError
from vega.scale import COUNTS, log_normalise


def query(model: vega.VEGA, found: Inspection) -> tuple[AnnData, float]:
    """Return cells x GMVs, and the share of the model's genes that the cells have.

    `scaling` in the result's provenance says how the cells were scaled; see `VEGA.latent`.
    """
    cells, scaling, path = found.adata, None, next(iter(found.files.values()))
    if layer := model.settings.layer:
        cells.layers[layer] = cells.X
    elif found.scale == COUNTS and not model.target_sum:
        totals = np.asarray(cells.X.sum(axis=1)).ravel()
        median = float(np.median(totals[totals > 0]))
        cells.X = log_normalise(cells.X, median)
        scaling = (
            f"counts, log-normalised to {median:,.6g} per cell, their own median: the model does "
            "not know the total of its training cells"
        )
    try:
        latent = model.latent(cells)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    report = latent.uns.pop("vega")
    source = {"origin": "query", "file": path.name}
    latent.uns["provenance"] = json.dumps({**source, "scaling": scaling or report["scaling"]})
    return latent, report["coverage"]


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.activities", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("model", type=Path, help="folder of a trained model")
    parser.add_argument("file", type=Path, help="cells: a file of counts or log-normalised values")
    parser.add_argument("--out", type=Path, help="h5ad file of cells x GMVs")
    add_choices(parser)
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
        found = inspect_file(options.file, set(model.genes), **choices(options))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            activities, share = query(model, found)
        write_cells(activities, out)
    except InputError as error:
        sys.exit(f"error: {error}")
    for note in (*found.notes, *(str(warning.message) for warning in caught)):
        print(f"note: {note}")
    print(
        f"{out}: {activities.n_obs:,} cells x {activities.n_vars:,} GMVs; {share:.0%} of the "
        "model's genes were measured"
    )
    print(f"cells: {json.loads(activities.uns['provenance'])['scaling']}")


if __name__ == "__main__":
    main()
