"""Supplementary Figure 9: VEGA and a regularised autoencoder."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import FigureBase

from scripts.common.gmvs import INTERFERON_RELATED
from scripts.common.variants import METHOD_MODELS as MODELS
from scripts.common.variants import TIMED_METHODS as TIMED
from scripts.common.variants import inactive
from scripts.figures.charts import KEY
from scripts.figures.data import FigureData
from scripts.figures.layout import Content, Layout, Panel, axes, not_available
from vega.metrics import accuracy
from vega.plot import wrapped
from vega.plot.colours import COLOURS, GUIDE
from vega.values import values_of

LAYOUT = Layout(("ab",), widths=(4.5, 2.7), heights=(3.1,))

PALETTE = dict(zip(MODELS, COLOURS, strict=False))


def accuracies(data: FigureData) -> Content:
    """Return how well each interferon-related GMV alone predicts the condition."""
    rows = []
    for method, model in MODELS.items():
        if words := not_available(data[model], *INTERFERON_RELATED):
            return words
        latent = data[model].latent
        for gmv in INTERFERON_RELATED:
            activity = values_of(latent, gmv)
            share = accuracy(activity, latent.obs["condition"])
            rows.append((method, gmv, share, inactive(activity)))
    table = pd.DataFrame(rows, columns=["method", "gmv", "accuracy", "inactive"])
    conditions = data[MODELS["VEGA"]].latent.obs["condition"]
    return table.assign(larger_condition=conditions.value_counts(normalize=True).max())


def draw_accuracies(figure: FigureBase, table: pd.DataFrame) -> None:
    ax = axes(figure, 1.62, 0.4, top=0.42)
    means = table.groupby("method", sort=False, as_index=False)["accuracy"].mean()
    bars = pd.concat([table, means.assign(gmv="mean of the four", inactive=False)])
    sns.barplot(
        bars, x="accuracy", y="gmv", hue="method", orient="h", palette=PALETTE, saturation=1,
        errorbar=None, ax=ax,
    )  # fmt: skip
    for method, drawn in zip(PALETTE, ax.containers, strict=True):
        rows = bars[bars["method"] == method]
        words = rows["accuracy"].map("{:.3f}".format)
        words += rows["inactive"].map({True: " inactive", False: ""})
        ax.bar_label(drawn, words, padding=2, fontsize="small")
    names = [wrapped(gmv, 23) for gmv in bars["gmv"].unique()]
    ax.set_yticks(range(len(names)), names)
    ax.set(xlim=(0, 1), xlabel="Accuracy of the condition, from one GMV", ylabel="")
    ax.tick_params(axis="y", length=0)
    style = GUIDE | {"zorder": 2, "label": "larger condition’s share"}
    ax.axvline(table["larger_condition"].iloc[0], **style)
    ax.legend(
        loc="lower right", bbox_to_anchor=(1.08, 1), ncols=3,
        **KEY | {"handlelength": 1, "columnspacing": 1, "borderpad": 0.3},
    )  # fmt: skip


def times(data: FigureData) -> Content:
    """Return the seconds per epoch of each round."""
    table = data.tables["time_per_epoch"]
    names = {name: method for method, name in TIMED.items()}
    table = table.assign(method=table["method"].map(names)).dropna(subset="method")
    if table["method"].nunique() < len(TIMED):
        return "one of the methods\nwas not timed"
    return table[["method", "round", "seconds"]]


def draw_times(figure: FigureBase, table: pd.DataFrame) -> None:
    """Draw medians as bars, and each round as a dot."""
    ax = axes(figure, 0.5, 0.1, bottom=0.42, top=0.42)
    of = {"data": table, "x": "method", "y": "seconds", "order": list(MODELS), "ax": ax}
    sns.barplot(
        **of, hue="method", palette=PALETTE, saturation=1, estimator="median", errorbar=None
    )  # fmt: skip
    sns.swarmplot(**of, color="white", edgecolor="black", linewidth=0.6, size=3, zorder=3)
    ax.set_xticks(range(2), [wrapped(method, 12) for method in MODELS])
    ax.set(xlabel="", ylabel="Seconds per epoch", ylim=(0, 1.1 * table["seconds"].max()))
    ax.tick_params(axis="x", length=0)
    vega, other = table.groupby("method")["seconds"].median()[list(MODELS)]
    ax.set_title(f"VEGA takes {vega / other:.2f} times as long")


PANELS = {
    "a": Panel(
        "How well one GMV predicts the condition, for each of the interferon-related ones.",
        draw_accuracies,
        accuracies,
    ),
    "b": Panel("Median seconds per epoch, and each round.", draw_times, times),
}
