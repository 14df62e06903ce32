"""Panels and pages of figures, drawn for tests from data made by hand."""

import io
from importlib import import_module

import numpy as np
import yaml
from conftest import ROOT
from matplotlib.container import BarContainer
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import imread
from matplotlib.text import Text

from scripts.figures.data import FigureData
from scripts.figures.layout import page_figure, panel_figure

TITLES = {
    name: entry["title"]
    for name, entry in yaml.safe_load((ROOT / "config" / "figures.yaml").read_text()).items()
}


def module(name: str):
    return import_module(f"scripts.figures.{name}")


def contents(name: str, data: FigureData) -> dict:
    """Return the tables of a figure, or why there is none, by panel."""
    return {letter: p.table(data) for letter, p in module(name).PANELS.items() if p.table}


def panel(name: str, letter: str, data: FigureData) -> SubFigure:
    """Draw a panel without the strip above it."""
    found, panel = module(name), module(name).PANELS[letter]
    content = panel.table(data) if panel.table else None
    return panel_figure(panel, content, found.LAYOUT.size(letter), data.tag).subfigs[1]


def page(name: str, data: FigureData) -> Figure:
    found = module(name)
    return page_figure(found.PANELS, contents(name, data), found.LAYOUT, TITLES[name], data.tag)


def texts(figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(Text) if t.get_text() and t.get_visible()]


def words(artists) -> list[str]:
    """Return the texts of artists, such as labels of ticks, each on one line."""
    return [t.get_text().replace("\n", " ") for t in artists]


def legend(ax) -> list[str]:
    return words(ax.get_legend().get_texts())


def bars(ax) -> list[BarContainer]:
    return [c for c in ax.containers if isinstance(c, BarContainer)]


def middles(container: BarContainer) -> list[float]:
    """Return where the bars of a group are on the horizontal axis."""
    return [bar.get_x() + bar.get_width() / 2 for bar in container]


def error_bars(ax) -> dict[float, np.ndarray]:
    """Return the ends of error bars by their place, which is rounded."""
    (segments,) = (c.get_segments() for c in ax.collections)
    return {round(x[0], 6): y for x, y in (np.transpose(s) for s in segments)}


def pixels(figure: Figure) -> np.ndarray:
    file = io.BytesIO()
    figure.savefig(file, dpi=80)
    return imread(io.BytesIO(file.getvalue()))
