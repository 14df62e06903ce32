"""Figure 2: drugs on 97 cancer cell lines, and regulons in glioblastoma."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from scripts.common.mixseq import DRUGS, MUTANT
from scripts.figures import mixseq
from scripts.figures.charts import activity, cells, draw_cells, embedding_panel
from scripts.figures.clustered_heatmap import ColourStrip, clustered_heatmap
from scripts.figures.layout import Layout, Panel, axes, inches, write
from vega.plot.colours import COLOURS

LAYOUT = Layout(("aab", "ccc", "dee"), widths=(3.15, 0.45, 3.6), heights=(2.4, 5.45, 2.45))

G2M = "HALLMARK_G2M_CHECKPOINT"
STAT3, OLIG2 = "STAT3", "OLIG2"
LIMIT = 5  # activity of the full colour in the dual embedding
DRUG_COLOURS = dict(zip(DRUGS, COLOURS[1:5], strict=True))  # the first is DMSO's in panel a


def draw_responses(figure: FigureBase, table: pd.DataFrame) -> None:
    values, about = mixseq.comparisons(table)
    drugs = pd.Series(about.index.get_level_values("drug"), about.index)
    strips = [
        ColourStrip("drug", drugs, DRUG_COLOURS),
        mixseq.tissue_strip(about, table),
        mixseq.few_cells_strip(about),
    ]
    ax = axes(figure, 1.75, 0.1, bottom=mixseq.KEYS, top=0.89)
    melanoma = about.index[(about["braf"] == MUTANT) & (about["tissue"] == "skin")]
    clustered_heatmap(values, strips, limit=4, marked=list(melanoma), ax=ax)
    mixseq.keys_below(figure, ax, *strips[:2])
    unknown = about["braf"].isna().all()
    if len(melanoma) or unknown:
        words = "BRAF mutations not known" if unknown else "▲ melanoma, BRAF mutant"
        height = inches(figure)[1]
        write(figure, 0.12, height - 0.2, words, va="baseline", fontsize="x-small")


def draw_types(figure: FigureBase, table: pd.DataFrame) -> None:
    mixseq.legend_below(draw_cells(figure, table, "cell_type", margins=(0.3, 0.2, 0.62)), 4)


def dual_embedding(figure: FigureBase, table: pd.DataFrame) -> None:
    """Draw cells by two activities: one is the red of the colour, the other the blue."""
    ax = draw_cells(figure, table, None, margins=(0.3, 1.1, 0.62))
    (dots,) = ax.collections
    dots.set_facecolor(dual_colours(*(table[activity(gmv)] for gmv in (STAT3, OLIG2))))
    dots.set_alpha(0.7)
    _draw_key(ax)


def dual_colours(red: np.ndarray, blue: np.ndarray) -> np.ndarray:
    """Return the colours (n x 3) of activities: black at 0 or below, full at `LIMIT` or above."""
    r, b = (np.clip(np.asarray(values) / LIMIT, 0, 1) for values in (red, blue))
    return np.stack([r, np.zeros_like(r), b], axis=-1)


def _draw_key(ax: Axes) -> None:
    """Draw a square right of the axes that shows the colour of each pair of activities."""
    dpi = ax.get_figure(root=True).dpi
    x, y = ax.bbox.size / dpi
    key = ax.inset_axes((1 + 0.42 / x, 1 - 0.6 / y, 0.6 / x, 0.6 / y))
    steps = np.linspace(0, LIMIT, 11)
    colours = dual_colours(*np.meshgrid(steps, steps))
    key.pcolormesh(steps, steps, colours, shading="nearest", edgecolor="face", linewidth=0.2)
    for axis, name in ((key.xaxis, STAT3), (key.yaxis, OLIG2)):
        axis.set_ticks([0, LIMIT], ["≤0", f"≥{LIMIT}"])
        axis.set_tick_params(length=1.5)
        axis.set_label_text(name)
    key.spines[:].set_visible(False)


PANELS = {
    "a": mixseq.shifts_panel("Trametinib"),
    "b": embedding_panel(
        "Activity of the G2M checkpoint in the same cells.",
        DRUGS["Trametinib"], gmv=G2M, basis="tsne", margins=(0.3, 0.6, 0.48),
    ),
    "c": Panel(
        "Every hallmark under every drug in every cell line.",
        draw_responses, partial(mixseq.responses, by_drug=False),
    ),
    "d": Panel(
        "Cell types of glioblastoma.",
        draw_types, partial(cells, model="gbm", label="cell_type", basis="tsne"),
    ),
    "e": Panel(
        "Regulons of STAT3 and OLIG2 in the same cells.",
        dual_embedding, partial(cells, model="gbm", gmvs=(STAT3, OLIG2), basis="tsne"),
    ),
}  # fmt: skip
