"""Results on organoid cells as a model would give them, with everything that Figure 3 claims."""

import json

import numpy as np
import pandas as pd
from anndata import AnnData

from scripts.analyse.differential import differential_tables
from scripts.common.config.studies import Study
from scripts.common.gmvs import CELL_CYCLE, MARKER_SETS
from scripts.figures.data import FigureData, Results, in_order

TYPES = list(MARKER_SETS)
OTHERS = [f"REACTOME_SYNTHESIS_SECRETION_AND_DEACYLATION_OF_GHRELIN_{i}" for i in range(40)]
GMVS = [*MARKER_SETS.values(), CELL_CYCLE, *OTHERS]
SLOPE, INTERCEPT = 3.4, 4.7


def planted_organoid(n: int = 300) -> FigureData:
    """Cells whose type activates its own marker set, and whose cycle follows their MKI67.

    The cells of `expression` are in another order than those of the latent space.
    """
    rng = np.random.default_rng(0)
    cells = [f"c{i}" for i in range(n)]
    types = in_order(pd.Series(rng.choice(TYPES, n, p=[0.2, 0.3, 0.5]), cells), TYPES)
    obs = pd.DataFrame({"cell_type": types})
    z = rng.normal(0, 1, (n, len(GMVS)))
    z[np.arange(n), types.cat.codes] += 8
    mki67 = rng.uniform(0, 2.5, n) * (types != "Cajal-Retzius").to_numpy()
    z[:, GMVS.index(CELL_CYCLE)] = INTERCEPT + SLOPE * mki67 + rng.normal(0, 1.5, n)
    latent = AnnData(
        z.astype(np.float32),
        obs=obs,
        var=pd.DataFrame({"n_genes": 20}, index=pd.Index(GMVS, name="gmv")),
        layers={"variance": np.full(z.shape, 0.3, np.float32)},
        uns={"provenance": json.dumps({"origin": "public"})},
    )
    centres = 6.0 * types.cat.codes.to_numpy()
    latent.obsm["X_umap"] = np.column_stack([centres, 0 * centres]) + rng.normal(0, 1, (n, 2))
    analyses = {"contrasts": {}, "one_vs_rest": "cell_type"}
    expression = AnnData(
        np.column_stack([mki67, rng.random(n)]).astype(np.float32),
        obs=obs,
        var=pd.DataFrame(index=["MKI67", "ACTB"]),
        uns=latent.uns.copy(),
    )
    study = Study.model_construct(
        title="Organoids (Planted et al.)", cell_types=TYPES, conditions=[]
    )
    table = differential_tables(latent, analyses, seed=1)
    results = Results(latent, table, None, study, "public")
    return FigureData({"organoid": results}, {}, {"field": expression[::-1].copy()})
