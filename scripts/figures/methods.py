"""Several methods side by side: an embedding of each, and how well each separates groups."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.legend import Legend

from scripts.figures.data import FigureData, Results
from scripts.figures.layout import axes, message
from vega.plot import bars, embedding

SIDE = 1.7  # inches of the axes of one embedding, the same in all panels of a row
LEFT, RIGHT, KEY = 0.3, 0.1, 1.05  # inches beside it: of labels, of nothing, of the legend
# Three embeddings in a row; the last one has the legend of all three.
ROW = (LEFT + SIDE + RIGHT, LEFT + SIDE + RIGHT, LEFT + SIDE + KEY)


def first_seed(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the first seed, which draws all figures."""
    return table[table["seed"].isin(table["seed"].iloc[:1])]


def draw_embedding(
    figure: FigureBase,
    data: FigureData,
    model: str,
    title: str,
    color: str,
    style: str | None = None,
    *,
    legend: bool,
) -> None:
    """The UMAP of a model's latent space by labels of its cells; `style` only where it is known."""
    if unlabelled(figure, data[model], color):
        return
    latent = data[model].latent
    ax = axes(figure, LEFT, KEY if legend else RIGHT)
    embedding(latent, color, style if style in latent.obs else None, ax=ax)
    ax.set_title(title)
    for key, labels in zip(ax.findobj(Legend), (color, style), strict=False):
        if legend:
            key.set_title(_words(labels), prop={"size": "small"})
            key.set_alignment("left")
        else:
            key.remove()


def unlabelled(figure: FigureBase, results: Results, labels: str) -> bool:
    """Whether the cells lack such labels, which the panel then says."""
    obs = results.latent.obs
    missing = labels not in obs or bool(obs[labels].isna().all())
    if missing:
        message(figure, f"these cells have no {_words(labels)}")
    return missing


def _words(column: str) -> str:
    return column.replace("_", " ")


def silhouettes(table: pd.DataFrame, kinds: Sequence[str]) -> pd.Series:
    """The silhouettes of the first seed, of which there is one row; NaN for those unknown."""
    return first_seed(table).reindex(columns=list(kinds)).mean()


def silhouette_bars(
    ax: Axes,
    heights: pd.DataFrame,
    errors: pd.DataFrame | None = None,
    *,
    colors: Sequence[str],
    digits: int = 3,
) -> None:
    """A group of bars per kind of label (rows), a colour per method (columns).

    Bars without error bars carry their numbers, with so many digits behind the point: some are
    too low to be read off the axis.
    """
    bars(heights, errors, limits=None, colors=colors, ax=ax)
    ax.tick_params(axis="x", rotation=0)
    ax.set_ylabel("Silhouette")
    if errors is None:
        for container in ax.containers:
            ax.bar_label(
                container, [f"{bar:.{digits}f}".replace("-", "−") for bar in container.datavalues],
                padding=1, fontsize="small",
            )  # fmt: skip


def legend_above(ax: Axes, columns: int, left: float = 0) -> None:
    """Name the colours of bars above the axes, from `left` of their width on."""
    ax.legend(
        loc="lower left", bbox_to_anchor=(left, 1.02), ncols=columns, frameon=False,
        handlelength=0.8, handleheight=0.8, handletextpad=0.4, columnspacing=0.9,
        borderaxespad=0, borderpad=0.2,
    )  # fmt: skip
