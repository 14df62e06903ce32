"""Figure 3: cell types and cycling cells of cortical organoids."""

import pandas as pd
from matplotlib.figure import FigureBase

from scripts.common.gmvs import CELL_CYCLE, MARKER_SETS, PROLIFERATION
from scripts.figures.data import FigureData
from scripts.figures.layout import Layout, axes, lacks, message
from vega.gene_sets import readable
from vega.plot import activities, bayes_factors, embedding, regression, wrapped
from vega.values import values_of

LAYOUT = Layout(("abccd", "effgg"), widths=(2.75, 1.45, 1.3, 0.15, 1.95), heights=(2.0, 2.5))

SCALE = (0, 10)  # of b to d
SIGNIFICANT = 3


def a(figure: FigureBase, data: FigureData) -> None:
    """Cell types in the UMAP of the latent space."""
    embedding(data["organoid"].latent, "cell_type", ax=axes(figure, 0.3, 1.1))


def b(figure: FigureBase, data: FigureData) -> None:
    """Activity of the neuroepithelium's marker set."""
    _marker_set(figure, data, MARKER_SETS["Neural Epithelium"])


def c(figure: FigureBase, data: FigureData) -> None:
    """Activity of the radial glia's marker set."""
    _marker_set(figure, data, MARKER_SETS["Radial Glia"])


def d(figure: FigureBase, data: FigureData) -> None:
    """Activity of the Cajal-Retzius neurons' marker set, and the scale of the three."""
    _marker_set(figure, data, MARKER_SETS["Cajal-Retzius"], right=0.7, colorbar=True)


def _marker_set(
    figure: FigureBase, data: FigureData, gmv: str, right: float = 0.1, colorbar: bool = False
) -> None:
    if not lacks(figure, data["organoid"], gmv):
        ax = axes(figure, 0.3, right)
        embedding(data["organoid"].latent, gmv, limits=SCALE, colorbar=colorbar, ax=ax)
        ax.set_title(gmv, loc="left")


def e(figure: FigureBase, data: FigureData) -> None:
    """Each type against the others: the Bayes factors of the marker sets."""
    results = data["organoid"]
    if lacks(figure, results, *MARKER_SETS.values()):
        return
    parts = {kind: results.contrast("one_vs_rest", kind)["log_bf"] for kind in MARKER_SETS}
    table = pd.DataFrame({k: part for k, part in parts.items() if len(part)}).T
    if table.empty:
        message(figure, "none of these cell types\nin these data")
        return
    table = table[list(MARKER_SETS.values())].rename(
        index=lambda kind: wrapped(kind, 10), columns=lambda gmv: wrapped(gmv, 16)
    )
    ax = bayes_factors(table, values=SIGNIFICANT, ax=axes(figure, 0.8, 0.6, bottom=0.88))
    ax.set_ylabel("Type, against all others")


def f(figure: FigureBase, data: FigureData) -> None:
    """Activity of the neuroepithelium's marker set against that of the mitotic cell cycle."""
    results, x = data["organoid"], MARKER_SETS["Neural Epithelium"]
    if not lacks(figure, results, x, CELL_CYCLE):
        activities(results.latent, x, CELL_CYCLE, "cell_type", ax=axes(figure, 0.45, 1.1))


def g(figure: FigureBase, data: FigureData) -> None:
    """Expression of MKI67 against the activity of the mitotic cell cycle, which knows no MKI67."""
    latent, cells = data["organoid"].latent, data.expression["field"]
    if lacks(figure, data["organoid"], CELL_CYCLE):
        return
    if PROLIFERATION not in cells.var_names:
        message(figure, f"{PROLIFERATION} is not among\nthe genes of these data")
        return
    expression = values_of(cells[latent.obs_names], PROLIFERATION)
    ax = regression(expression, values_of(latent, CELL_CYCLE), ax=axes(figure, 0.45, 0.1))
    ax.set(xlabel=f"{PROLIFERATION}, log(TP10K + 1)", ylabel=readable(CELL_CYCLE))
