"""One quantity of all cells against another, with the line of least squares."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from vega.plot.colours import BLUE
from vega.plot.scatter import dots


def regression(x: np.ndarray, y: np.ndarray, *, ax: Axes | None = None) -> Axes:
    """Draw `y` against `x`, one dot per cell, with the regression line and its equation.

    R² in the title is the squared Pearson correlation. Where all `x` or all `y` are the same,
    there is no line, and the title says so.
    """
    from scipy.stats import linregress  # late, as it takes long to load

    ax = ax or plt.gca()
    ax.scatter(x, y, c=BLUE, **dots(len(x)))
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        ax.set_title("no regression: all values are the same")
        return ax
    fit = linregress(x, y)
    ends = np.array([x.min(), x.max()])
    ax.plot(ends, fit.intercept + fit.slope * ends, color="0.15", linewidth=1.2)
    sign = "+" if fit.intercept >= 0 else "−"
    slope = f"{fit.slope:.2f}".replace("-", "−")
    ax.set_title(f"R² = {fit.rvalue**2:.2f}, y = {slope}x {sign} {abs(fit.intercept):.2f}")
    return ax
