"""Several methods side by side: an embedding of each, and how well each separates labels."""

from collections.abc import Mapping

import pandas as pd

from scripts.figures.charts import embedding_panel, first_seed
from scripts.figures.data import FigureData
from scripts.figures.layout import Content, Panel

SIDE = 1.7  # inches of the axes of one embedding, the same in all panels of a row
LEFT, RIGHT, KEY = 0.3, 0.1, 1.05  # inches of margins: for labels, empty, for the legend
# Three embeddings in a row; the last one has the legend of all three.
ROW = (LEFT + SIDE + RIGHT, LEFT + SIDE + RIGHT, LEFT + SIDE + KEY)


def method_panel(
    shows: str, methods: Mapping[str, str], model: str, label: str, style: str | None = None
) -> Panel:
    """Return the panel of one method's embedding; that of the last method has the legend."""
    last = model == list(methods)[-1]
    return embedding_panel(
        shows, model, label=label, style=style, margins=(LEFT, KEY if last else RIGHT),
        title=methods[model], legend=last, legend_titles=True,
    )  # fmt: skip


def silhouettes(data: FigureData, methods: Mapping[str, str], kinds: Mapping[str, str]) -> Content:
    """Return silhouettes of the first seed: one row per kind of labels and method.

    `methods` has names by model, `kinds` has names of labels by column of the models' tables.
    """
    means = {
        name: first_seed(data.tables[f"{model}_silhouettes"]).reindex(columns=list(kinds)).mean()
        for model, name in methods.items()
    }
    table = pd.DataFrame(means).rename(index=kinds).rename_axis("labels").reset_index()
    table = table.melt("labels", var_name="method", value_name="silhouette")
    if table["silhouette"].isna().all():
        return "no silhouettes: the cells\nhave none of these labels"
    return table
