"""Small cells with what models learn from them: expression, gene sets, labels."""

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

import vega

# Of the toy cells: latent variables x genes; the last is an extra node, the one before is empty.
ANNOTATION = np.random.default_rng(0).random((6, 40)) < 0.2
ANNOTATION[0] = np.arange(40) < 3
ANNOTATION[4:] = [[False], [True]]

# Options of `toy_model`, one for each part that a model may have.
KINDS = {
    "masked": {},
    "signed weights": {"nonnegative": False},
    "batches": {"batches": ["x", "y"]},
    "masked encoder": {"encoder": "masked"},
    "linear encoder, deep decoder": {"encoder": "masked_linear", "decoder": "deep"},
    "vae": {"decoder": "deep"},
    "binary": {"decoder": "binary"},
    "soft": {"decoder": "soft", "l1_lambda": 1.0},
    "counts": {
        "likelihood": "negative_binomial", "layer": "counts", "nonnegative": False, "bias": False,
    },
}  # fmt: skip


def log_cells(counts, **obs):
    """Return cells of log1p counts, sparse, with columns of obs: cells `c0`..., genes `G0`..."""
    n_cells, n_genes = counts.shape
    return AnnData(
        sp.csr_matrix(np.log1p(counts), dtype=np.float32),
        obs=pd.DataFrame(obs, index=[f"c{i}" for i in range(n_cells)]),
        var=pd.DataFrame(index=[f"G{i}" for i in range(n_genes)]),
    )


def toy_cells():
    """Return 150 cells x 40 genes of four programmes; G0 to G2 are higher where `on`."""
    rng = np.random.default_rng(1)
    counts = rng.poisson(0.3 + rng.gamma(2, 1, (150, 4)) @ rng.random((4, 40)))
    counts[:, 5] += 1  # no cell is empty
    counts[:75, :3] += 20
    adata = log_cells(
        counts, condition=np.repeat(["on", "off"], 75), batch=np.resize(["x", "y"], 150)
    )
    adata.layers["counts"] = sp.csr_matrix(counts, dtype=np.float32)
    return adata


def toy_sets():
    """Return the sets of `ANNOTATION`, `S0` to `S4`; the last has no gene of the cells."""
    return {f"S{i}": [f"G{g}" for g in np.flatnonzero(row)] for i, row in enumerate(ANNOTATION[:5])}


def toy_model(**options):
    """Return a small untrained model of the toy cells."""
    genes = [f"G{i}" for i in range(40)]
    return vega.VEGA(genes, toy_sets(), **{"n_hidden": 16, "seed": 1, **options})


def fit(model, adata, **settings):
    """Train a model of the toy cells, for two epochs by default."""
    key = "batch" if len(model.batches) > 1 else None
    return model.fit(adata, batch_key=key, progress=False, **{"max_epochs": 2, **settings})


def write_gmt(path, gene_sets):
    """Write gene sets to a GMT file; return its path."""
    path.write_text("".join("\t".join([n, "-", *genes]) + "\n" for n, genes in gene_sets.items()))
    return path


def study_of_programmes():
    """Return 240 cells x 150 genes, gene sets, and in which cells each of four programmes is on.

    Each programme raises the 12 genes of its set; further sets have no gene of the cells, or all.
    """
    rng = np.random.default_rng(0)
    on = rng.random((240, 4)) < 0.5
    member = np.arange(150) // 12 == np.arange(4)[:, None]
    counts = rng.poisson(rng.uniform(0.3, 3, 150) + 3.0 * on @ member)
    adata = log_cells(counts, batch=np.where(rng.random(240) < 0.5, "b0", "b1"))
    adata.layers["counts"] = sp.csr_matrix(counts, dtype=np.float32)
    genes = adata.var_names
    sets = {f"S{k}": [*genes[row], "elsewhere"] for k, row in enumerate(member)}
    return adata, {**sets, "NONE": ["elsewhere"], "ALL": list(genes)}, on
