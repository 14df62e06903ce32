"""Panels as separate files, and side by side on the page of a figure.

A panel is drawn from its table into a (sub)figure, whose size in inches the layout gives. The same
function draws its file and its place on the page, so both hold vectors and text.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase, SubFigure

from scripts.common.run import log
from scripts.figures.data import SIMULATED, FigureData, Results
from scripts.figures.source_data import read_source_data, write_source_data
from scripts.figures.style import STYLE
from vega.files import atomic_write
from vega.gene_sets import readable

Content = pd.DataFrame | str  # the table of a panel, or why there is nothing to draw

LACKS = re.compile(r"Glyph (\d+) .* missing from")  # how matplotlib warns of a character
STRIP = 0.25  # inches above panels and page for title and tag
NO_DATE = {".png": {"Software": None}, ".pdf": {"CreationDate": None}}  # same data, same bytes


class Panel(NamedTuple):
    """A panel: its description, and the functions that draw it and make its table."""

    shows: str
    draw: Callable[..., None]  # draw(figure, table), or draw(figure) of a schematic
    table: Callable[[FigureData], Content] | None = None  # None for a schematic

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
    """Where the panels of a page are."""

    mosaic: tuple[str, ...]  # one letter per cell of a grid, `.` for none
    widths: tuple[float, ...]  # of columns, in inches
    heights: tuple[float, ...]  # of rows, in inches

    def place(self, panel: str) -> tuple[slice, slice]:
        """Return the rows and columns of a panel."""
        rows = [i for i, row in enumerate(self.mosaic) if panel in row]
        row = self.mosaic[rows[0]]
        columns = slice(row.index(panel), row.rindex(panel) + 1)
        return slice(rows[0], rows[-1] + 1), columns

    def size(self, panel: str) -> tuple[float, float]:
        """Return the width and height of a panel, in inches."""
        rows, columns = self.place(panel)
        return sum(self.widths[columns]), sum(self.heights[rows])


def panel_figure(panel: Panel, content: Content | None, size: tuple, tag: str = "") -> Figure:
    """Draw a panel on its own, below a strip with the tag of the cells (`FigureData.tag`)."""
    with rc_context(STYLE):
        figure, _, body = _sheet(*size, tag)
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
    widths, heights = layout.widths, layout.heights
    with rc_context(STYLE):
        figure, strip, body = _sheet(sum(widths), sum(heights), tag)
        write(strip, 0.08, STRIP / 2, title, va="center", weight="bold", size=9)
        grid = body.add_gridspec(
            len(heights), len(widths), height_ratios=heights, width_ratios=widths
        )
        for letter, panel in panels.items():
            part = body.add_subfigure(grid[layout.place(letter)])
            write(part, 0.08, 0.06, letter, weight="bold", size=10)
            panel.draw_content(part, contents.get(letter))
    return figure


def _sheet(width: float, height: float, tag: str) -> tuple[Figure, SubFigure, SubFigure]:
    """Return a figure, the strip on top of it, and `width` x `height` inches for panels.

    The tag at the right end of the strip names cells that are simulated, or part of a study.
    """
    figure = Figure(figsize=(width, height + STRIP))
    strip, body = figure.subfigures(2, 1, height_ratios=[STRIP, height])
    if tag:
        box = {"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": "0.5"}
        style = {"color": "0.3", "bbox": box | {"linewidth": 0.5}}
        if tag == SIMULATED:
            box |= {"facecolor": "#D55E00", "edgecolor": "none"}
            style = {"color": "white", "weight": "bold", "bbox": box}
        style |= {"ha": "right", "va": "center", "size": "small", "gid": "origin"}
        write(strip, width - 0.12, STRIP / 2, tag, **style)
    return figure, strip, body


def inches(figure: FigureBase) -> tuple[float, float]:
    """Return the width and height of a (sub)figure."""
    width, height = figure.bbox.size / figure.get_figure(root=True).dpi
    return width, height


def write(figure: FigureBase, left: float, top: float, words: str, **style) -> None:
    """Write text at a distance in inches from the upper left corner of a (sub)figure."""
    width, height = inches(figure)
    figure.text(left / width, 1 - top / height, words, **{"va": "top", **style})


def axes_at(figure: FigureBase, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add axes whose place and size are in inches from the lower left corner of a (sub)figure."""
    x, y = inches(figure)
    return figure.add_axes((left / x, bottom / y, width / x, height / y))


def axes(
    figure: FigureBase, left: float, right: float, bottom: float = 0.36, top: float = 0.22
) -> Axes:
    """Add axes that fill a panel except for margins in inches."""
    width, height = inches(figure)
    return figure.add_axes(
        (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)
    )


def not_available(results: Results, *gmvs: str) -> str:
    """Return which of the GMVs the model lacks; empty if it has all."""
    missing = [readable(gmv) for gmv in gmvs if gmv not in results.latent.var_names]
    return "no GMV\n" + "\nnor ".join(missing) + "\nin this collection" if missing else ""


def note(figure: FigureBase, words: str) -> None:
    """Write a remark above the axes of a panel, right of its letter."""
    write(figure, 0.3, 0.08, words, style="italic", color="0.3", size="small")


def shortened(words: str, most: int) -> str:
    """Cut words to at most so many letters."""
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def write_panels(
    name: str,
    panels: Mapping[str, Panel],
    layout: Layout,
    title: str,
    data: FigureData,
    folder: Path,
) -> None:
    """Write the tables of a figure, and draw panels and page from the files.

    Files are `<name>/<panel>.tsv` (or `.tsv.gz`), `<name>/columns.tsv`,
    `<name>/<panel>.{png,pdf}`, and the page `<name>.{png,pdf}`.
    """
    contents = {letter: p.table(data) for letter, p in panels.items() if p.table}
    tables = {letter: t for letter, t in contents.items() if not isinstance(t, str)}
    write_source_data(tables, folder / name)
    contents |= read_source_data(folder / name)
    with log_missing_characters():
        figures = {
            f"{name}/{letter}": panel_figure(
                panel, contents.get(letter), layout.size(letter), data.tag
            )
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


@contextmanager
def log_missing_characters() -> Iterator[None]:
    """Log each character that the font lacks once; matplotlib warns wherever it measures text."""
    with warnings.catch_warnings():
        show, logged = warnings.showwarning, set()

        def log_or_show(message: Warning, *where: Any, **options: Any) -> None:
            lacks = LACKS.match(str(message))
            if lacks is None:
                show(message, *where, **options)
            elif lacks[1] not in logged:
                logged.add(lacks[1])
                log.warning("%s: the font lacks this character; a box is drawn", chr(int(lacks[1])))

        warnings.showwarning = log_or_show
        yield
