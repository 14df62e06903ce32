"""Panels as files of their own, and side by side on the page of a figure.

A panel is drawn from its table into a (sub)figure of a size in inches that the figure's layout
gives. The file of the panel and its place on the page call the same function at the same size: on
the page, too, everything is vectors and text.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase, SubFigure

from scripts.figures.data import SIMULATED, FigureData, Results
from scripts.figures.source_data import read_source_data, write_source_data
from scripts.figures.style import STYLE
from vega.files import atomic_write
from vega.gene_sets import readable

Content = pd.DataFrame | str  # the table of a panel, or why there is nothing to draw

STRIP = 0.25  # inches above panels and page for what must be said of the cells
NO_DATE = {".png": {"Software": None}, ".pdf": {"CreationDate": None}}  # same data, same bytes


class Panel(NamedTuple):
    """A panel: what it shows, how it is drawn, and how its table is made.

    `draw(figure, table)` knows the results from the table alone. A schematic has no table and is
    drawn by `draw(figure)`.
    """

    shows: str
    draw: Callable[..., None]
    table: Callable[[FigureData], Content] | None = None

    def draw_content(self, figure: FigureBase, content: Content | None) -> None:
        """Draw the panel, or say why it is empty."""
        if content is None:
            self.draw(figure)
        elif isinstance(content, str):
            figure.text(0.5, 0.5, content, ha="center", va="center", style="italic", color="0.3")
        else:
            self.draw(figure, content)


@dataclass(frozen=True)
class Layout:
    """Where the panels of a page are.

    `mosaic` has one letter per cell of a grid (`.` for none), `widths` and `heights` are those of
    its columns and rows, in inches.
    """

    mosaic: tuple[str, ...]
    widths: tuple[float, ...]
    heights: tuple[float, ...]

    def place(self, panel: str) -> tuple[slice, slice]:
        """Rows and columns of a panel."""
        rows = [i for i, row in enumerate(self.mosaic) if panel in row]
        row = self.mosaic[rows[0]]
        return (
            slice(rows[0], rows[-1] + 1),
            slice(row.index(panel), row.rindex(panel) + 1),
        )

    def size(self, panel: str) -> tuple[float, float]:
        """Width and height of a panel."""
        rows, columns = self.place(panel)
        return sum(self.widths[columns]), sum(self.heights[rows])


def panel_figure(
    panel: Panel, content: Content | None, size: tuple[float, float], tag: str = ""
) -> Figure:
    """Draw a panel on its own, below a strip with the tag of the cells (`FigureData.tag`)."""
    with rc_context(STYLE):
        figure, strip, body = _sheet(*size)
        _draw_tag(strip, tag)
        panel.draw_content(body, content)
    return figure


def page_figure(
    panels: Mapping[str, Panel],
    contents: Mapping[str, Content],
    layout: Layout,
    title: str,
    tag: str = "",
) -> Figure:
    """Draw all panels on one page, each with its letter, below the title."""
    with rc_context(STYLE):
        figure, strip, body = _sheet(sum(layout.widths), sum(layout.heights))
        strip.text(0.08 / sum(layout.widths), 0.5, title, va="center", weight="bold", size=9)
        _draw_tag(strip, tag)
        grid = body.add_gridspec(
            len(layout.heights),
            len(layout.widths),
            height_ratios=layout.heights,
            width_ratios=layout.widths,
        )
        for letter, panel in panels.items():
            part = body.add_subfigure(grid[layout.place(letter)])
            width, height = inches(part)
            part.text(
                0.08 / width, 1 - 0.06 / height, letter, va="top", weight="bold", size=10
            )  # fmt: skip
            panel.draw_content(part, contents.get(letter))
    return figure


def _sheet(width: float, height: float) -> tuple[Figure, SubFigure, SubFigure]:
    """An empty figure with a strip on top of `width` x `height` inches for panels."""
    figure = Figure(figsize=(width, height + STRIP))
    return figure, *figure.subfigures(2, 1, height_ratios=[STRIP, height])


def _draw_tag(strip: SubFigure, tag: str) -> None:
    """Say where the cells are not those of the study: simulated, or some of them only."""
    if not tag:
        return
    box, colour = {"facecolor": "white", "edgecolor": "0.5", "linewidth": 0.5}, "0.3"
    if tag == SIMULATED:
        box, colour = {"facecolor": "#D55E00", "edgecolor": "none"}, "white"
    width, _ = inches(strip)
    strip.text(
        1 - 0.12 / width, 0.5, tag, ha="right", va="center", size="small", color=colour,
        weight="bold" if tag == SIMULATED else "normal",
        bbox={"boxstyle": "round,pad=0.3", **box}, gid="origin",
    )  # fmt: skip


def inches(figure: FigureBase) -> tuple[float, float]:
    """Width and height of a (sub)figure."""
    width, height = figure.bbox.size / figure.get_figure(root=True).dpi
    return width, height


def axes(
    figure: FigureBase, left: float, right: float, bottom: float = 0.36, top: float = 0.22
) -> Axes:
    """Axes that fill a panel but for margins in inches, the same in all panels of a row."""
    width, height = inches(figure)
    return figure.add_axes(
        (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)
    )


def not_available(results: Results, *gmvs: str) -> str:
    """Say which of the GMVs the model lacks; empty if it has all."""
    missing = [readable(gmv) for gmv in gmvs if gmv not in results.latent.var_names]
    return "no GMV\n" + "\nnor ".join(missing) + "\nin this collection" if missing else ""


def note(figure: FigureBase, words: str) -> None:
    """Say something above the axes of a panel, beside its letter."""
    width, height = inches(figure)
    figure.text(
        0.3 / width, 1 - 0.08 / height, words,
        va="top", style="italic", color="0.3", size="small",
    )  # fmt: skip


def shortened(words: str, most: int) -> str:
    """Words of at most so many letters."""
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def write_panels(
    name: str,
    panels: Mapping[str, Panel],
    layout: Layout,
    title: str,
    data: FigureData,
    folder: Path,
) -> None:
    """Write a figure into `folder`: the tables of its panels, and what is drawn from them.

    Files are `<name>/<panel>.tsv` (or `.tsv.gz`), `<name>/columns.tsv`,
    `<name>/<panel>.{png,pdf}`, and the page `<name>.{png,pdf}`. Tables are read back before they
    are drawn.
    """
    contents = {letter: p.table(data) for letter, p in panels.items() if p.table}
    tables = {letter: t for letter, t in contents.items() if not isinstance(t, str)}
    write_source_data(tables, folder / name)
    contents |= read_source_data(folder / name)
    figures = {
        f"{name}/{letter}": panel_figure(panel, contents.get(letter), layout.size(letter), data.tag)
        for letter, panel in panels.items()
    }
    figures[name] = page_figure(panels, contents, layout, title, data.tag)
    for stem, figure in figures.items():
        for suffix in NO_DATE:
            save(figure, folder / f"{stem}{suffix}")


def save(figure: Figure, path: Path | str) -> None:
    """Write a figure as PNG (300 dots per inch) or PDF, by the suffix."""
    with rc_context(STYLE), atomic_write(path) as part:
        figure.savefig(part, dpi=300, metadata=NO_DATE[Path(path).suffix])
