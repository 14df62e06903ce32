"""Figure 3: cell types and cycling cells of cortical organoids."""

import pandas as pd
from matplotlib.figure import FigureBase

from scripts.common.gmvs import CELL_CYCLE, MARKER_SETS, PROLIFERATION
from scripts.figures.charts import activities_panel, activity, cells, embedding_panel, regression
from scripts.figures.data import FigureData
from scripts.figures.layout import Content, Layout, Panel, axes, not_available
from vega.gene_sets import readable
from vega.plot import heatmap, wrapped
from vega.values import values_of

LAYOUT = Layout(("abccd", "effgg"), widths=(2.75, 1.45, 1.3, 0.15, 1.95), heights=(2.0, 2.5))

SIGNIFICANT = 3


def marker_set_panel(shows: str, cell_type: str, margins: tuple, colorbar: bool = False) -> Panel:
    """Return the panel of the activity of a marker set, all on one scale."""
    return embedding_panel(
        shows, "organoid", gmv=MARKER_SETS[cell_type], limits=(0, 10), colorbar=colorbar,
        margins=margins, loc="left",
    )  # fmt: skip


def marker_sets(data: FigureData) -> Content:
    """Return the Bayes factors of the marker sets in each type against the others."""
    if words := not_available(data["organoid"], *MARKER_SETS.values()):
        return words
    table = data["organoid"].contrast("one_vs_rest").set_index("group", append=True)["log_bf"]
    order = [(gmv, kind) for kind in MARKER_SETS for gmv in MARKER_SETS.values()]
    table = table.reindex(order).dropna().reset_index()[["group", "gmv", "log_bf"]]
    return "none of these cell types\nin these data" if table.empty else table


def draw_marker_sets(figure: FigureBase, table: pd.DataFrame) -> None:
    wide = table.pivot_table("log_bf", "group", "gmv", sort=False).rename(
        index=lambda kind: wrapped(kind, 10), columns=lambda gmv: wrapped(gmv, 16)
    )
    ax = heatmap(wide, values=SIGNIFICANT, ax=axes(figure, 0.8, 0.6, bottom=0.88))
    ax.set(xlabel="", ylabel="Type, against all others")


def proliferation(data: FigureData) -> Content:
    """Return the expression of MKI67 and the activity of the cell cycle in each cell."""
    table = cells(data, "organoid", gmvs=[CELL_CYCLE], basis=None)
    expression = data.expression["field"]
    if isinstance(table, str):
        return table
    if PROLIFERATION not in expression.var_names:
        return f"{PROLIFERATION} is not among\nthe genes of these data"
    values = values_of(expression[table["cell"]], PROLIFERATION)
    return table.assign(**{f"expression_{PROLIFERATION}": values})


def draw_proliferation(figure: FigureBase, table: pd.DataFrame) -> None:
    ax = axes(figure, 0.45, 0.1)
    regression(table[f"expression_{PROLIFERATION}"], table[activity(CELL_CYCLE)], ax)
    ax.set(xlabel=f"{PROLIFERATION}, log(TP10K + 1)", ylabel=readable(CELL_CYCLE))


PANELS = {
    "a": embedding_panel(
        "Cell types in the UMAP of the latent space.",
        "organoid", label="cell_type", margins=(0.3, 1.1),
    ),
    "b": marker_set_panel(
        "Activity of the neuroepithelium's marker set.", "Neural Epithelium", (0.3, 0.1)
    ),
    "c": marker_set_panel("Activity of the radial glia's marker set.", "Radial Glia", (0.3, 0.1)),
    "d": marker_set_panel(
        "Activity of the Cajal-Retzius neurons' marker set, and the scale of the three.",
        "Cajal-Retzius", (0.3, 0.7), colorbar=True,
    ),
    "e": Panel(
        "Each type against the others: the Bayes factors of the marker sets.",
        draw_marker_sets, marker_sets,
    ),
    "f": activities_panel(
        "Activity of the neuroepithelium's marker set against that of the mitotic cell cycle.",
        "organoid", MARKER_SETS["Neural Epithelium"], CELL_CYCLE, margins=(0.45, 1.1),
    ),
    "g": Panel(
        "Expression of MKI67 against the activity of the mitotic cell cycle, which has no MKI67.",
        draw_proliferation, proliferation,
    ),
}  # fmt: skip
