"""Colour bars right of the axes, in vector files too."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar


def vector_colorbar(ax: Axes, mappable: ScalarMappable, label: str, values: np.ndarray) -> Colorbar:
    """Draw the colour bar of `mappable` right of `ax`; arrow heads say that `values` lie beyond."""
    below, above = values.min() < mappable.norm.vmin, values.max() > mappable.norm.vmax
    extend = "both" if below and above else "min" if below else "max" if above else "neither"
    box = ax.inset_axes((1.04, 0, 0.05, 1))
    opaque = ScalarMappable(mappable.norm, mappable.cmap)
    bar: Any = ax.figure.colorbar(opaque, cax=box, label=label, extend=extend)
    # No image in vector files; edges close the seams between steps.
    bar.solids.set(rasterized=False, edgecolor="face")
    bar.outline.set_visible(False)
    return bar
