"""Colour bars right of the axes, in vector files too."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar

# The arrow heads of a bar, by whether there are values below and above its limits.
EXTEND = {
    (False, False): "neither",
    (True, False): "min",
    (False, True): "max",
    (True, True): "both",
}


def vector_colorbar(
    ax: Axes, mappable: ScalarMappable, label: str, *, extend: str = "neither"
) -> Colorbar:
    """Draw the colour bar of `mappable` right of `ax`; `extend` says which ends are arrow heads."""
    box = ax.inset_axes((1.04, 0, 0.05, 1))
    opaque = ScalarMappable(mappable.norm, mappable.cmap)
    bar: Any = ax.figure.colorbar(opaque, cax=box, label=label, extend=extend)
    # No image in vector files; edges close the seams between steps.
    bar.solids.set(rasterized=False, edgecolor="face")
    bar.outline.set_visible(False)
    return bar
