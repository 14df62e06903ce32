"""The scale of expression: counts, log-normalised values of a known total, or neither."""

import numpy as np
import scipy.sparse as sp

from vega.errors import InputError

WHOLE = 1e-3  # distance from a whole number up to which a value is a count
LARGEST_LOG = 25.0  # log1p of no count is larger
SAME_TOTAL = 1e-3  # relative difference up to which totals of cells count as one
FEWEST_CELLS = 5  # whose totals may be said to be the same

COUNTS, LOGS = "counts", "log-normalised values"
SCALED, RAW = "negative values", "values that are not log-transformed"
REMEDIES = {
    COUNTS: "run sc.pp.normalize_total(adata) and sc.pp.log1p(adata) first",
    SCALED: "take the values before sc.pp.scale, such as adata.raw.to_adata()",
    RAW: "run sc.pp.log1p(adata) first",
}


def scale_of(x: sp.csr_matrix) -> str | None:
    """Return what some cells (cells x genes) hold: one of the four above; None of zeros alone."""
    values = x.data[np.isfinite(x.data) & (x.data != 0)]
    if not len(values):
        return None
    if values.min() < -WHOLE:
        return SCALED
    if np.abs(values - np.rint(values)).max() <= WHOLE:
        return COUNTS
    return RAW if values.max() > LARGEST_LOG else LOGS


def check_scale(x: sp.csr_matrix, expected: str, where: str = "X") -> str | None:
    """Return the scale of some cells (cells x genes); refuse one that is not the expected.

    `expected` is `COUNTS` or `LOGS`, `where` the place that an error names. Zeros alone are of any
    scale.

    >>> import vega
    >>> from vega.scale import LOGS, check_scale
    >>> check_scale(vega.examples.counts().X, LOGS)
    Traceback (most recent call last):
    vega.errors.InputError: X holds counts, expected log-normalised values; run ...
    """
    found = scale_of(x)
    if found not in (None, expected):
        values = x.data[x.data != 0]
        odd = {SCALED: values.min(), RAW: values.max(), LOGS: values[0]}.get(found)
        such = "" if odd is None else f" such as {odd:.4g}"
        remedy = REMEDIES[found] if expected == LOGS else "name the layer with the counts (layer=)"
        raise InputError(f"{where} holds {found}{such}, expected {expected}; {remedy}")
    return found


def log_normalise(x: sp.csr_matrix, target_sum: float) -> sp.csr_matrix:
    """Return log1p of counts (cells x genes) that are scaled to a total of `target_sum` per cell.

    A cell without counts stays at zero.
    """
    x = sp.csr_matrix(x, dtype=np.float32)
    totals = np.asarray(x.sum(axis=1, dtype=float)).ravel()
    factors = np.divide(target_sum, totals, out=np.zeros_like(totals), where=totals > 0)
    values = np.log1p(x.data * factors.repeat(np.diff(x.indptr))).astype(np.float32)
    return sp.csr_matrix((values, x.indices, x.indptr), x.shape)


def rescale(x: sp.csr_matrix, factor: float) -> sp.csr_matrix:
    """Return log-normalised values (cells x genes) with totals that are `factor` times as large."""
    return (sp.csr_matrix(x, dtype=np.float32).expm1() * np.float32(factor)).log1p()


def totals(x: sp.csr_matrix) -> np.ndarray:
    """Return the total of each cell before log1p."""
    return np.asarray(x.expm1().sum(axis=1, dtype=float)).ravel()


def common_total(x: sp.csr_matrix) -> float | None:
    """Return the total that log-normalised cells were scaled to; None if their totals differ.

    They do where genes have been left out since. Cells without any expression do not count.
    """
    found = totals(x)
    found = found[found > 0]
    if len(found) < FEWEST_CELLS:
        return None
    total = float(np.median(found))
    same = np.abs(found / total - 1).max() <= SAME_TOTAL
    return float(f"{total:.6g}") if same else None  # without the rounding errors of the sum
