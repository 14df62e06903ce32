"""Whether the text of a page can be read."""

import io
from itertools import combinations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text


def assert_legible(figure: Figure, monkeypatch) -> None:
    """No text that is drawn covers another, or leaves the page."""
    written = []
    draw = Text.draw

    def record(text, renderer):
        if text.get_text():
            written.append((text.get_text(), Text.get_window_extent(text, renderer)))
        draw(text, renderer)

    monkeypatch.setattr(Text, "draw", record)  # not all ticks of an axis are drawn
    figure.savefig(io.BytesIO(), dpi=100)
    assert len(written) > 2
    (width, height) = figure.bbox.size
    for words, box in written:
        assert box.x0 > -1 and box.x1 < width + 1, words
        assert box.y0 > -1 and box.y1 < height + 1, words
    for (one, a), (other, b) in combinations(written, 2):
        shared = np.minimum(a.max, b.max) - np.maximum(a.min, b.min)
        assert shared.min() <= 1, f"{one!r} covers {other!r}"  # pixels, of 100 to the inch
