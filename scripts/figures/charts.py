"""Charts that several figures share: cells as dots, bars, a regression."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.legend import Legend
from matplotlib.ticker import MaxNLocator
from scipy.stats import linregress

from scripts.figures.data import FigureData
from scripts.figures.layout import Content, Panel, axes, not_available
from vega.gene_sets import readable
from vega.plot.colours import BLUE, COLOURS
from vega.plot.scatter import dots, scatter
from vega.values import values_of

KEY = {
    "frameon": False, "handlelength": 0.8, "handleheight": 0.8, "handletextpad": 0.4,
    "columnspacing": 0.9, "borderaxespad": 0, "borderpad": 0.2,
}  # fmt: skip
GROUP = 0.8  # width of a group of bars, of the distance from one to the next
ERROR = {"fmt": "none", "elinewidth": 0.6, "capthick": 0.6, "capsize": 1.5, "ecolor": "black"}
ROOM = 0.12  # beyond the highest and lowest bar, of what they span


def first_seed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the first seed, which draws all figures."""
    return table[table["seed"].isin(table["seed"].iloc[:1])]


def activity(gmv: str) -> str:
    """Return the name of the column of a GMV's activities."""
    return f"activity_{gmv}"


def cells(
    data: FigureData,
    model: str,
    label: str = "",
    gmvs: Sequence[str] = (),
    also: str | None = None,
    basis: str | None = "umap",
) -> Content:
    """Return one row per cell of a model, or say what the model lacks.

    Columns are two coordinates of the embedding `basis`, the labels `label`, which the cells must
    have, the labels `also` where the cells have them, and the activities of GMVs.
    """
    latent = data[model].latent
    if label and (label not in latent.obs or latent.obs[label].isna().all()):
        return f"these cells have no {label.replace('_', ' ')}"
    if words := not_available(data[model], *gmvs):
        return words
    table = pd.DataFrame({"cell": latent.obs_names})
    if basis:
        table[[f"{basis}_1", f"{basis}_2"]] = latent.obsm[f"X_{basis}"][:, :2]
    for column in filter(latent.obs.__contains__, (label, also)):
        labels = latent.obs[column].astype("category").cat
        table[column] = labels.rename_categories(labels.categories.astype(str)).values
    return table.assign(**{activity(gmv): values_of(latent, gmv) for gmv in gmvs})


def draw_cells(
    figure: FigureBase,
    table: pd.DataFrame,
    color: str | None,
    style: str | None = None,
    *,
    margins: tuple[float, ...],
    title: str = "",
    loc: str = "center",
    legend: bool = True,
    legend_titles: bool = False,
    **options,
) -> Axes:
    """Draw cells in their embedding, coloured by a column of the table of `cells`.

    Without a column `style` all cells have one marker. `margins` are those of `layout.axes`,
    `options` those of `vega.plot.scatter.scatter`.
    """
    x, y = table.columns[1:3]
    ax = axes(figure, *margins)
    scatter(table, x, y, color, style if style in table else None, ax=ax, **options)
    basis = {"umap": "UMAP", "tsne": "t-SNE"}.get(x.removesuffix("_1"), x.removesuffix("_1"))
    ax.set(xticks=[], yticks=[], xlabel=f"{basis} 1", ylabel=f"{basis} 2")
    ax.set_title(title, loc=loc)
    for key, labels in zip(ax.findobj(Legend), (color, style), strict=False):
        if not legend:
            key.remove()
        elif legend_titles:
            key.set_title(labels.replace("_", " "), prop={"size": "small"})
            key.set_alignment("left")
    return ax


def embedding_panel(
    shows: str,
    model: str,
    *,
    label: str = "",
    gmv: str = "",
    style: str | None = None,
    basis: str = "umap",
    **options,
) -> Panel:
    """Return the panel of an embedding, coloured by labels or by the activity of a GMV.

    `options` are those of `draw_cells`.
    """
    gmvs = [gmv] if gmv else []
    table = partial(cells, model=model, label=label, gmvs=gmvs, also=style, basis=basis)
    if gmv:
        options = {"title": readable(gmv), **options}
    draw = partial(draw_cells, color=activity(gmv) if gmv else label, style=style, **options)
    return Panel(shows, draw, table)


def activities_panel(
    shows: str, model: str, x: str, y: str, *, margins: tuple[float, ...], style: str | None = None
) -> Panel:
    """Return the panel of the activity of one GMV against that of another, by cell type."""

    def draw(figure: FigureBase, table: pd.DataFrame) -> None:
        ax = axes(figure, *margins)
        marker = style if style in table else None
        scatter(table, activity(x), activity(y), "cell_type", marker, ax=ax)
        ax.set(xlabel=readable(x), ylabel=readable(y))

    table = partial(cells, model=model, label="cell_type", gmvs=(x, y), also=style, basis=None)
    return Panel(shows, draw, table)


def regression(x: pd.Series, y: pd.Series, ax: Axes) -> None:
    """Draw `y` against `x`, one dot per cell, with the regression line and its equation.

    R² is the squared Pearson correlation. Where all `x` or all `y` are the same, there is no line,
    and the title says so.
    """
    same = np.ptp(x) == 0 or np.ptp(y) == 0
    sns.regplot(
        x=x, y=y, ci=None, fit_reg=not same, color=BLUE, scatter_kws=dots(len(x)),
        line_kws={"color": "0.15", "linewidth": 1.2}, ax=ax,
    )  # fmt: skip
    if same:
        ax.set_title("no regression: all values are the same")
        return
    fit = linregress(x, y)
    sign = "+" if fit.intercept >= 0 else "−"
    slope = f"{fit.slope:.2f}".replace("-", "−")
    ax.set_title(f"R² = {fit.rvalue**2:.2f}, y = {slope}x {sign} {abs(fit.intercept):.2f}")


def barplot(
    table: pd.DataFrame,
    x: str,
    y: str,
    hue: str,
    *,
    sd: str | None = None,
    limits: tuple[float, float] | None = (0, 1),
    colors: Sequence[str] = COLOURS,
    ax: Axes,
) -> None:
    """Draw bars in groups, from zero up or down, in the order of the rows.

    A bar of unknown height keeps its place, with a dash. `sd` is the column with half the length
    of error bars. Without `limits` the scale holds zero and all bars with their error bars.
    """
    groups, hues = table[x].unique(), table[hue].unique()
    sns.barplot(
        table, x=x, y=y, hue=hue, order=groups, hue_order=hues, errorbar=None, saturation=1,
        palette=dict(zip(hues, colors, strict=False)), width=GROUP, ax=ax,
    )  # fmt: skip
    ax.get_legend().remove()  # its entries stay
    ax.set(xlabel="", xlim=(-0.6, len(groups) - 0.4))
    ax.tick_params(axis="x", length=0)
    offset = pd.Categorical(table[hue], hues).codes - (len(hues) - 1) / 2
    places = pd.Categorical(table[x], groups).codes + offset * GROUP / len(hues)
    known = table[y].notna().to_numpy()
    if sd:
        ax.errorbar(places[known], table.loc[known, y], table.loc[known, sd], **ERROR)
    if limits is None and table[y].any():
        ax.margins(y=ROOM)  # beyond bars and error bars, but not beyond zero
    else:
        ax.set_ylim(limits or (0, 1))
    low, high = ax.get_ylim()
    for place in places[~known]:
        ax.text(place, 0.01 * (high - low), "–", ha="center", va="bottom", color="0.3")
    if low < 0:
        ax.axhline(0, color="black", linewidth=ax.spines["bottom"].get_linewidth())
        ax.spines["bottom"].set_visible(False)


def label_groups(ax: Axes, labels: pd.Series, rotation: float = 0) -> None:
    """Name the groups of an axis in the order of the rows, long names on several lines."""
    names = [label.replace(", ", ",\n").replace(" (", "\n(") for label in labels.unique()]
    ax.set_xticks(range(len(names)), names, rotation=rotation)


def silhouette_bars(
    table: pd.DataFrame, *, sd: str | None = None, colors: Sequence[str], digits: int = 3, ax: Axes
) -> None:
    """Draw silhouettes: a group of bars per kind of `labels`, a colour per `method`.

    Bars without error bars carry their numbers: some are too low to be read off the axis.
    """
    barplot(table, "labels", "silhouette", "method", sd=sd, limits=None, colors=colors, ax=ax)
    label_groups(ax, table["labels"])
    ax.set_ylabel("Silhouette")
    # Short numbers, so that the label of the axis stays on the page.
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    if not sd:
        for container in ax.containers:
            numbers = [f"{bar:.{digits}f}".replace("-", "−") for bar in container.datavalues]
            ax.bar_label(container, numbers, padding=1, fontsize="small")


def legend_above(ax: Axes, columns: int, left: float = 0, bottom: float = 1.02) -> None:
    """Name the colours of bars above the axes, from `left` of their width on."""
    ax.legend(loc="lower left", bbox_to_anchor=(left, bottom), ncols=columns, **KEY)
