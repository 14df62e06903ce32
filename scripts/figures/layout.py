"""Panels as files of their own, and side by side on the page of a figure.

A panel is a function `panel(figure, data)` that draws into a (sub)figure of a size in inches
that the figure's layout gives. The file of the panel and its place on the page call the same
function at the same size: on the page, too, everything is vectors and text.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase, SubFigure

from scripts.figures.data import FigureData, Results
from scripts.figures.style import STYLE
from vega.files import written_whole
from vega.gene_sets import readable

Panel = Callable[[FigureBase, FigureData], None]

STRIP = 0.25  # inches above panels and page for what must be said of the cells
NO_DATE = {".png": {"Software": None}, ".pdf": {"CreationDate": None}}  # same data, same bytes


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


def panel_figure(panel: Panel, size: tuple[float, float], data: FigureData) -> Figure:
    """A panel on its own, below a strip that says what cells these are."""
    with rc_context(STYLE):
        figure, strip, body = _sheet(*size)
        _say_origin(strip, data)
        panel(body, data)
    return figure


def page_figure(
    panels: Mapping[str, Panel], layout: Layout, title: str, data: FigureData
) -> Figure:
    """All panels on one page, each with its letter, below the title."""
    with rc_context(STYLE):
        figure, strip, body = _sheet(sum(layout.widths), sum(layout.heights))
        strip.text(0.08 / sum(layout.widths), 0.5, title, va="center", weight="bold", size=9)
        _say_origin(strip, data)
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
            panel(part, data)
    return figure


def _sheet(width: float, height: float) -> tuple[Figure, SubFigure, SubFigure]:
    """An empty figure with a strip on top of `width` x `height` inches for panels."""
    figure = Figure(figsize=(width, height + STRIP))
    return figure, *figure.subfigures(2, 1, height_ratios=[STRIP, height])


def _say_origin(strip: SubFigure, data: FigureData) -> None:
    """Say where the cells are not those of the study: simulated, or some of them only."""
    tags = {
        "simulated": ("SIMULATED DATA", {"facecolor": "#D55E00", "edgecolor": "none"}, "white"),
        "mirror subset": (
            f"subset of the study: {data.n_cells:,} cells",
            {"facecolor": "white", "edgecolor": "0.5", "linewidth": 0.5},
            "0.3",
        ),
    }
    if data.origin in tags:
        words, box, colour = tags[data.origin]
        width, _ = inches(strip)
        strip.text(
            1 - 0.12 / width, 0.5, words, ha="right", va="center", size="small", color=colour,
            weight="bold" if data.origin == "simulated" else "normal",
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


def message(figure: FigureBase, words: str) -> None:
    """Say in a panel why it is empty."""
    figure.text(0.5, 0.5, words, ha="center", va="center", style="italic", color="0.3")


def lacks(figure: FigureBase, results: Results, *gmvs: str) -> bool:
    """Whether the model lacks one of the GMVs, which the panel then says."""
    missing = [readable(gmv) for gmv in gmvs if gmv not in results.latent.var_names]
    if missing:
        message(figure, "no GMV\n" + "\nnor ".join(missing) + "\nin this collection")
    return bool(missing)


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
    """Draw panels, by letter, into `folder`: their page `<name>`, and `<name>/<panel>` each."""
    figures = {
        f"{name}/{letter}": panel_figure(draw, layout.size(letter), data)
        for letter, draw in panels.items()
    }
    figures[name] = page_figure(panels, layout, title, data)
    for stem, figure in figures.items():
        for suffix in NO_DATE:
            save(figure, folder / f"{stem}{suffix}")


def save(figure: Figure, path: Path | str) -> None:
    """Write a figure as PNG (300 dots per inch) or PDF, by the suffix."""
    with rc_context(STYLE), written_whole(path) as part:
        figure.savefig(part, dpi=300, metadata=NO_DATE[Path(path).suffix])
