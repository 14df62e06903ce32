"""The summary page of a model: all that can be shown of any study, whatever it holds.

Embeddings by what is known of the cells, a volcano of every comparison, the strongest GMVs of all
comparisons in one heatmap, the genes of some of them, and GSEA against VEGA where it was asked for.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from string import ascii_lowercase
from textwrap import wrap
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import FigureBase

from scripts.common.config.studies import Study
from scripts.common.contrasts import ONE_VS_REST
from scripts.common.run import run
from scripts.figures.charts import cells, draw_cells
from scripts.figures.comparisons import COLUMNS as OF_COMPARISON
from scripts.figures.comparisons import comparison, comparison_title, draw_comparison
from scripts.figures.data import FigureData, Results, read_figure_data
from scripts.figures.layout import (
    Content,
    Layout,
    Panel,
    axes,
    axes_at,
    inches,
    note,
    shortened,
    write_panels,
)
from vega.gene_sets import EXTRA_NODE, readable
from vega.plot import gsea_comparison, heatmap, top_weights
from vega.plot.scatter import LEGEND_ROWS

COLUMNS = ("cell_type", "condition", "batch")  # what the cells may be coloured by
MOST_CATEGORIES = 48  # more can be neither distinguished nor listed
MOST_VOLCANOES, MOST_GSEA, MOST_COLUMNS, MOST_ROWS = 8, 4, 24, 32
GMVS, GENES = 8, 10  # whose genes are shown, and how many of each
COLUMN_NAME = 24  # letters at most
NAMED = 2  # sets that each of GSEA and VEGA finds most significant

HALF, HEIGHT = 3.6, 2.5  # inches: half the width of the page, and the height of most panels
LEGEND = 1.05  # inches right of the axes that a legend gets at least
ACROSS, ROW_OF_GENES = 4, 2.05  # GMVs next to each other, and inches for each row of them
GENE_NAMES, AXIS, TITLE = 0.72, 0.36, 0.34  # inches left of, below and above the bars
CHARACTER, ROW = 0.062, 0.13  # inches that names of small letters need, at most


class Part(NamedTuple):
    """A panel with its table, its height in inches, and whether it is as wide as the page."""

    draw: Callable[..., None]
    content: Content
    height: float = HEIGHT
    wide: bool = False


def write_summary_page(model: str, data: FigureData, folder: Path) -> None:
    """Write the summary page of a model into `folder`, see `layout.write_panels`."""
    results = data[model]
    parts = [*_embeddings(data, model), *_comparisons(results), *_genes(results)]
    panels = {  # the paper's figures alone have a list of what their panels show
        letter: Panel("", part.draw, lambda data, content=part.content: content)
        for letter, part in zip(ascii_lowercase, parts, strict=False)
    }
    about = results.study.title
    title = shortened(model if about == model else f"{model}: {about}", 72)
    write_panels(model, panels, layout(parts), title, data, folder)


def layout(parts: Sequence[Part]) -> Layout:
    """Panels one after the other, two in a row unless they are wide or of another height."""
    rows: list[str] = []
    heights: list[float] = []
    for letter, part in zip(ascii_lowercase, parts, strict=False):
        if part.wide:
            rows.append(2 * letter)
        elif rows and rows[-1].endswith(".") and heights[-1] == part.height:
            rows[-1] = rows[-1][0] + letter
            continue
        else:
            rows.append(f"{letter}.")
        heights.append(part.height)
    return Layout(tuple(rows), (HALF, HALF), tuple(heights))


# ---------------------------------------------------------------- embeddings


def _embeddings(data: FigureData, model: str) -> list[Part]:
    """Return the cells by each column that tells some of them apart; without any, as they are."""
    latent = data[model].latent
    categories = {c: latent.obs[c].nunique() for c in COLUMNS if c in latent.obs}
    shown = [c for c, n in categories.items() if 2 <= n <= MOST_CATEGORIES]
    crowded = [f"{n} values of {_name(c)}" for c, n in categories.items() if n > MOST_CATEGORIES]
    words = f"not shown: {', '.join(crowded)}" if crowded else ""
    if not shown:
        words = words or "these cells have neither types nor conditions that tell them apart"
    parts = []
    for column in shown or [""]:
        table = "the model’s entry asks for no embedding"
        if latent.obsm:
            (basis,) = latent.obsm
            table = cells(data, model, column, basis=basis.removeprefix("X_"))
        margin = _legend_width(latent.obs[column]) if column else LEGEND
        draw = partial(_embedding, column=column, words=words, margin=margin)
        parts.append(Part(draw, table, wide=margin > HALF / 2))
        words = ""  # only above the first
    return parts


def _legend_width(labels: pd.Series) -> float:
    """Inches that the legend of these labels needs, right of the axes."""
    names = labels.dropna().astype(str).unique()
    columns = -(-len(names) // LEGEND_ROWS)
    width = columns * (0.3 + CHARACTER * max(map(len, names)))
    return min(max(LEGEND, width), 2 * HALF - 1.5)  # longer names leave the page


def _embedding(
    figure: FigureBase, table: pd.DataFrame, column: str, words: str, margin: float
) -> None:
    width, _ = inches(figure)
    title = f"{len(table):,} cells" + (f" by {_name(column)}" if column else "")
    margins = (0.3, max(margin, width - HALF + LEGEND), 0.36, 0.36)
    draw_cells(figure, table, column or None, margins=margins, title=title)
    if words:
        note(figure, words)


def _name(column: str) -> str:
    return column.replace("_", " ")


# ---------------------------------------------------------------- comparisons


def _comparisons(results: Results) -> list[Part]:
    """Return volcanoes, heatmap and GSEA; a panel that says why if there is nothing to compare."""
    if results.differential is None:
        if {"cell_type", "condition"}.isdisjoint(results.latent.obs):
            why = "the study has neither a column cell_type nor a column condition"
        else:
            why = "the model’s entry in config/models.yaml has neither contrasts nor one_vs_rest"
        words = f"No volcano and no heatmap: {why}."
        return [Part(_heatmap, words, height=0.8, wide=True)]
    pairs = _pairs(results.differential)
    parts = [Part(draw_comparison, comparison(results, *pair)) for pair in pairs[:MOST_VOLCANOES]]
    strongest = strongest_gmvs(results.differential)
    height = 0.4 + max(1.0, ROW * strongest["gmv"].nunique()) + _below(strongest["comparison"])
    parts.append(Part(partial(_heatmap, n=len(pairs)), strongest, height, wide=True))
    for pair in [] if results.gsea is None else _pairs(results.gsea)[:MOST_GSEA]:
        if why := results.without_gsea(*pair):
            words = "\n".join(wrap(f"No GSEA of {': '.join(pair)}: {why}.", 110))
            parts.append(Part(_gsea, words, height=0.8, wide=True))
            continue
        table = results.with_gsea(*pair).reset_index()
        parts.append(Part(_gsea, table[[*OF_COMPARISON, "n_genes", "neg_log10_fdr"]], height=2.8))
    return parts


def _pairs(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return contrast and group of each comparison, in order."""
    return list(table[["contrast", "group"]].drop_duplicates().itertuples(index=False, name=None))


def strongest_gmvs(table: pd.DataFrame) -> pd.DataFrame:
    """Return the log Bayes factors of the GMVs that differ most in each comparison.

    There are as many comparisons and GMVs as a page has room for, and a row for each of both.
    """
    names = table["contrast"] + ": " + table["group"]
    names = names.where(table["contrast"] != ONE_VS_REST, table["group"])
    wide = table.assign(name=names).pivot(index="gmv", columns="name", values="log_bf")
    wide = wide[list(names.unique()[:MOST_COLUMNS])]
    each = max(1, min(5, MOST_ROWS // wide.shape[1]))
    rows = [gmv for name in wide for gmv in wide[name].abs().nlargest(each).index]
    wide = wide.loc[list(dict.fromkeys(rows))].reset_index()
    return wide.melt("gmv", var_name="comparison", value_name="log_bf")


def _heatmap(figure: FigureBase, table: pd.DataFrame, n: int) -> None:
    shown = table.pivot_table("log_bf", "gmv", "comparison", sort=False).rename(
        index=lambda gmv: shortened(readable(gmv), 58),
        columns=lambda name: shortened(name, COLUMN_NAME),
    )
    left = 0.3 + CHARACTER * max(map(len, shown.index))
    right = max(0.8, 2 * HALF - left - 0.45 * shown.shape[1])
    heatmap(shown, ax=axes(figure, left, right, _below(shown.columns), top=0.36))
    words = "the GMVs that differ most"
    if n > MOST_VOLCANOES:
        columns = f"{MOST_VOLCANOES} have a volcano and {shown.shape[1]} a column"
        words += f"; of {n} comparisons {columns}, all are in the run’s tables"
    note(figure, words)


def _below(columns: Iterable[str]) -> float:
    """Inches that the names of the columns need below the heatmap."""
    return 0.2 + CHARACTER * min(COLUMN_NAME, max(map(len, columns)))


def _gsea(figure: FigureBase, table: pd.DataFrame) -> None:
    by_gmv = table.set_index("gmv")
    ranked = by_gmv["log_bf"].abs(), by_gmv["neg_log10_fdr"]
    first = {gmv for values in ranked for gmv in values.nlargest(NAMED).index}
    gsea_comparison(by_gmv, sorted(first), ax=axes(figure, 0.45, 1.08, top=0.75))
    note(figure, shortened(comparison_title(table.iloc[0]), 56))


# ---------------------------------------------------------------- genes


def _genes(results: Results) -> list[Part]:
    """Return the genes of the GMVs that differ most; nothing of a decoder that is not linear."""
    if results.genes is None or results.genes.empty:
        return []
    gmvs = strongest_of_sets(results)
    table = results.genes.assign(weight=results.genes["weight"].abs())
    table = pd.concat([table[table["gmv"] == gmv] for gmv in gmvs])
    table = table[["gmv", "gene", "rank", "weight", "in_set"]]
    differ = "from cell to cell" if results.differential is None else "in a comparison"
    words = f"the largest decoder weights of the GMVs that differ most {differ}"
    height = 0.3 + ROW_OF_GENES * -(-len(gmvs) // ACROSS)
    return [Part(partial(_top_genes, words=words), table, height, wide=True)]


def strongest_of_sets(results: Results) -> list[str]:
    """Return the GMVs of sets that differ most in any comparison or, without one, among cells."""
    if results.differential is None:
        strength = results.latent.to_df().std()
    else:
        strength = results.differential["log_bf"].abs().groupby(results.differential["gmv"]).max()
    named = strength[~strength.index.str.startswith(EXTRA_NODE)]
    return list(named.nlargest(GMVS).index)


def _top_genes(figure: FigureBase, table: pd.DataFrame, words: str) -> None:
    width, height = inches(figure)
    each = width / ACROSS
    bars = each - GENE_NAMES - 0.1, ROW_OF_GENES - AXIS - TITLE
    for number, (gmv, genes) in enumerate(table.groupby("gmv", sort=False)):
        row, column = divmod(number, ACROSS)
        bottom = height - 0.3 - ROW_OF_GENES * (row + 1) + AXIS
        ax = axes_at(figure, column * each + GENE_NAMES, bottom, *bars)
        top_weights(genes.set_index("gene"), GENES, ax=ax)
        title = "\n".join(wrap(shortened(readable(gmv), 48), 26))
        left = (0.06 - GENE_NAMES) / bars[0]  # as far left as the names of the genes
        ax.set_title(title, loc="left", x=left, fontsize="small")
    outside = not table["in_set"].all()
    note(figure, words + ("; red: genes that are not in the set" if outside else ""))


def main(snakemake):
    """Read the model's results, draw what there is to show of them."""
    inputs, model = snakemake.input, snakemake.wildcards.model
    data = read_figure_data(
        {model: Study.model_validate(snakemake.params.study)},
        latents=inputs.latent,
        tables=[*inputs.differential, *inputs.gsea, inputs.genes],
    )
    write_summary_page(model, data, Path(snakemake.output.page).parent)


if __name__ == "__main__":
    run(main, snakemake)
