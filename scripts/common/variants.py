"""VEGA's variants of Supplementary Figures 9, 10 and 12, for figures and claims alike."""

import numpy as np
import pandas as pd

from scripts.common.gmvs import INTERFERON, INTERFERON_AB

# The model of each method of Fig. S9, and its name in the table of times.
METHOD_MODELS = {"VEGA": "kang_all_cells", "regularised autoencoder": "kang_intercode"}
TIMED_METHODS = {"VEGA": "VEGA", "regularised autoencoder": "intercode"}

# Fig. S10: both penalty steps (`l1_update`), and how many weights of a model it shows.
PUBLISHED_STEP, SOFT_STEP = "multiplicative", "soft_threshold"
TOP_WEIGHTS = 20

# The models of Fig. S12, by their dropout of latent variables.
DROPOUT_MODELS = {
    0.0: "kang_latent_dropout_latent-dropout-0",
    0.5: "kang_latent_dropout_latent-dropout-0-5",
}


def inactive(activity: np.ndarray) -> bool:
    """Return whether a GMV has the same activity in all cells: regularisation may switch it off."""
    return bool(np.allclose(activity, activity[0]))


def shared_weights(table: pd.DataFrame, latent_dropout: float) -> pd.DataFrame:
    """Return a model's weights of the genes in both sets: genes x (INTERFERON, INTERFERON_AB).

    `table` has the rows of `kang_latent_dropout_weights` of one seed.
    """
    rows = table[np.isclose(table["latent_dropout"], latent_dropout) & table["in_set"]]
    weights = rows.pivot(index="gene", columns="gmv", values="weight")
    return weights.reindex(columns=[INTERFERON, INTERFERON_AB]).dropna()
