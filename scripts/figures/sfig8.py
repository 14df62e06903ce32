"""Supplementary Figure 8: VEGA on counts."""

from scripts.common.gmvs import INTERFERON
from scripts.figures.charts import embedding_panel
from scripts.figures.layout import Layout

LAYOUT = Layout(("ab",), widths=(3.7, 3.5), heights=(2.8,))
PANELS = {
    "a": embedding_panel(
        "Conditions in the UMAP of the latent space.",
        "kang_counts", label="condition", margins=(0.3, 0.9),
    ),
    "b": embedding_panel(
        "Activity of interferon signaling in the same UMAP.",
        "kang_counts", gmv=INTERFERON, margins=(0.3, 0.7),
    ),
}  # fmt: skip
