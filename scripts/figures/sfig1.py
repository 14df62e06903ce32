"""Supplementary Figure 1: gene sets in the encoder, in the decoder, in both or in neither."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import FigureBase
from matplotlib.ticker import MaxNLocator

from scripts.figures.charts import first_seed, label_groups, legend_above, silhouette_bars
from scripts.figures.data import FigureData
from scripts.figures.layout import Content, Layout, Panel, axes
from scripts.figures.sfig1_architectures import ARCHITECTURES, draw_architectures

LAYOUT = Layout(("aa", "bc"), widths=(3.75, 3.65), heights=(3.9, 2.6))
BOTTOM = 0.52  # inches for names of three lines

COLOURS = [architecture.colour for architecture in ARCHITECTURES.values()]
NAMES = [architecture.name for architecture in ARCHITECTURES.values()]
KINDS = {
    "silhouette_condition": "condition",
    "silhouette_type_control": "cell type, control cells",
    "silhouette_type_stimulated": "cell type, stimulated cells",
}


def folds(data: FigureData) -> pd.DataFrame:
    """Return the folds of the first seed by the name of their architecture, in order."""
    table = first_seed(data.tables["kang_architectures_sweep"])
    names = table["variant"].map({v: a.name for v, a in ARCHITECTURES.items()})
    table = table.assign(architecture=pd.Categorical(names, NAMES))
    return table.sort_values(["architecture", "fold"])


def silhouettes(data: FigureData) -> Content:
    """Return the silhouettes of each fold."""
    table = folds(data).reindex(columns=["architecture", "fold", *KINDS]).rename(columns=KINDS)
    table = table.melt(["architecture", "fold"], var_name="labels", value_name="silhouette")
    table["labels"] = pd.Categorical(table["labels"], KINDS.values())
    if table["silhouette"].isna().all():
        return "no silhouettes: these cells have\nneither conditions nor cell types"
    return table


def draw_silhouettes(figure: FigureBase, table: pd.DataFrame) -> None:
    """Draw the mean and the standard deviation of the folds."""
    groups = table.groupby(["labels", "architecture"], observed=False)["silhouette"]
    bars = groups.agg(silhouette="mean", sd="std").reset_index()
    bars = bars.astype({"labels": str}).rename(columns={"architecture": "method"})
    ax = axes(figure, 0.5, 0.1, bottom=BOTTOM, top=0.5)
    silhouette_bars(bars, sd="sd", colors=COLOURS, ax=ax)
    legend_above(ax, 2, left=-0.11)


def losses(data: FigureData) -> Content:
    """Return the lowest validation loss of each fold."""
    table = folds(data)[["architecture", "fold", "validation_loss"]]
    return table if table["validation_loss"].notna().any() else "no fold has a validation loss"


def boxplot(figure: FigureBase, table: pd.DataFrame) -> None:
    """Draw a box for each architecture, and every fold."""
    ax = axes(figure, 0.45, 0.03, bottom=BOTTOM)
    of = {"data": table, "x": "architecture", "y": "validation_loss", "hue": "architecture"}
    style = {"palette": COLOURS, "saturation": 1, "linewidth": 0.7, "linecolor": "black"}
    sns.boxplot(**of, **style, width=0.6, showfliers=False, boxprops={"alpha": 0.5}, ax=ax)
    sns.swarmplot(**of, palette=COLOURS, size=3, edgecolor="black", linewidth=0.4, ax=ax)
    found = set(table.dropna()["architecture"])
    for place, name in enumerate(NAMES):
        if name not in found:
            ax.text(place, 0.02, "–", transform=ax.get_xaxis_transform(), ha="center", color="0.3")
    label_groups(ax, pd.Series(NAMES))
    ax.tick_params(axis="x", length=0)
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.set(xlabel="", ylabel="Lowest validation loss per cell", xlim=(-0.6, len(NAMES) - 0.4))


PANELS = {
    "a": Panel("The four architectures; schematics, the same for all data.", draw_architectures),
    "b": Panel(
        "Silhouettes of conditions and of cell types, mean and standard deviation of the folds.",
        draw_silhouettes,
        silhouettes,
    ),
    "c": Panel("The lowest validation loss of each fold.", boxplot, losses),
}
