"""A small latent space with planted differences, and the contrasts that are asked of it."""

import numpy as np
import pandas as pd
from anndata import AnnData

ANALYSES = {
    "contrasts": {
        "innate": {
            "within": {"cell_type": ["Mono", "DC"]}, "column": "condition", "group": "stim",
            "reference": "ctrl", "by": None, "gsea": True,
        }
    },
    "one_vs_rest": "cell_type",
    "min_genes": 0,
    "max_genes": 5000,
}  # fmt: skip


def latent_cells():
    """Return 120 cells x 4 GMVs: A is higher in stimulated innate cells, B in T cells."""
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical(np.resize(["Mono", "T", "DC"], 120), ["T", "DC", "Mono"]),
            "condition": np.repeat(["ctrl", "stim"], 60),
        },
        index=[f"c{i}" for i in range(120)],
    )
    mean = rng.normal(size=(120, 4)).astype(np.float32)
    mean[:, 0] += 6 * ((obs["condition"] == "stim") & (obs["cell_type"] != "T"))
    mean[:, 1] += 6 * (obs["cell_type"] == "T")
    sizes = {"n_genes": [5, 6, 7, 8], "n_genes_in_data": [4, 5, 6, 7]}
    var = pd.DataFrame(sizes, index=list("ABCD"))
    return AnnData(mean, obs=obs, var=var, layers={"variance": np.full((120, 4), 0.2, np.float32)})
