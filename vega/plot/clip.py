"""Draw values that are too large for an axis at its end, and mark them.

A log Bayes factor estimated from 10,000 pairs of cells is 27.6 if no pair contradicts; drawn to
scale, a few of these would squeeze all others.
"""

from collections.abc import Iterator

import pandas as pd
from matplotlib.axis import Axis
from matplotlib.ticker import MaxNLocator


def clipped_markers(
    values: pd.Series, clip: float, up: str, down: str
) -> Iterator[tuple[str, pd.Series]]:
    """Yield each marker and which values have it: a dot, or the arrow head `up` or `down`."""
    yield "o", values.abs() <= clip
    yield up, values > clip
    yield down, values < -clip


def mark_clip(axis: Axis, values: pd.Series, clip: float) -> None:
    """Label the tick at the clip of an axis, if values are clipped."""
    above, below = values.max() > clip, values.min() < -clip
    if not above and not below:
        return
    low, high = axis.get_view_interval()
    ax = axis.axes
    box = ax.bbox
    inches = (box.width if axis is ax.xaxis else box.height) / ax.figure.dpi
    ticks = {
        t: f"{t:g}".replace("-", "−")
        for t in MaxNLocator(max(2, int(6 * inches)), steps=[1, 2, 5, 10]).tick_values(low, high)
        if low <= t <= high and abs(t) < 0.95 * clip
    }
    ticks |= {clip: f">{clip:g}"} if above else {}
    ticks |= {-clip: f"<−{clip:g}"} if below else {}
    axis.set_ticks(list(ticks), list(ticks.values()))
