"""vega itself: `vega_runner.py FOLDER ROUNDS PRECISION N_HIDDEN METHOD`."""

import sys

import numpy as np
import torch
from anndata import read_h5ad
from protocol import Protocol

import vega
from vega import all_pairs
from vega.differential import exact_comparisons, monte_carlo

CHECKED = 4  # GMVs whose p is also found by going through all pairs


def main(folder, rounds, precision, n_hidden, method):
    protocol = Protocol()
    adata = read_h5ad(f"{folder}/cells.h5ad")
    model = vega.VEGA(adata.var_names, vega.read_gmt(f"{folder}/sets.gmt"), n_hidden=n_hidden)
    resolved = vega.trainer.resolve_precision(precision, torch.device("cpu"))
    protocol.ready("vega-gmv", "torch", "numpy", precision=resolved)
    if method == "none":
        found = train(protocol, model, adata, rounds, precision)
    else:
        model.fit(adata, max_epochs=6, progress=False, precision=precision)
        found = bayes_factors(protocol, model, adata, rounds, method)
    protocol.end(**found)


def train(protocol, model, adata, rounds, precision):
    """One epoch a turn, of one training; with 0 rounds all until it stops early, in one turn."""
    if not rounds:
        protocol.wait()
        history = model.fit(adata, progress=False, precision=precision)
        protocol.done(epochs=len(history))
        return {}
    to_come = iter(range(rounds - 1))

    def next_epoch(_line):
        protocol.done()
        if next(to_come, None) is not None:
            protocol.wait()

    protocol.wait()
    history = model.fit(
        adata, max_epochs=rounds, patience=rounds, checkpoint_every=1, progress=False,
        precision=precision, log=next_epoch,
    )  # fmt: skip
    return {"validation_loss": list(history["validation_loss"])}


def bayes_factors(protocol, model, adata, rounds, method):
    """All cell types against the rest, from the cells themselves, a turn."""
    types = adata.obs["cell_type"].astype(str).to_numpy()
    comparisons = [(types == kind, types != kind) for kind in np.unique(types)]
    rng = np.random.default_rng(1)
    for _ in range(rounds):
        protocol.wait()
        posterior = model.posterior(adata)
        if method == "exact":
            p, _ = exact_comparisons(posterior, comparisons)
        else:
            p = [monte_carlo(posterior[a], posterior[b], rng)[0] for a, b in comparisons]
        protocol.done()
    gmvs = np.argsort(-np.abs(p[0] - 0.5))[:: len(p[0]) // CHECKED][:CHECKED]
    mean, variance = (np.ascontiguousarray(x[:, gmvs], dtype=float) for x in posterior)
    errors = [
        p[i][gmvs] - all_pairs.directly(mean[a], variance[a], mean[b], variance[b])
        for i, (a, b) in enumerate(comparisons)
    ]
    return {
        "error_of_p": {"max": np.abs(errors).max(), "rms": np.sqrt(np.square(errors).mean())},
        "errors_checked": np.size(errors),
    }


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5])
