"""The numbers the paper judges a latent space by."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def silhouette(latent: np.ndarray, labels: ArrayLike) -> float:
    """Return the mean silhouette of the labels in latent space (cells x K), from -1 to 1.

    >>> round(silhouette(np.array([[0.0], [0.1], [1.0], [1.1]]), ["a", "a", "b", "b"]), 2)
    0.9
    """
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(latent, np.asarray(labels)))


def silhouettes(latent: np.ndarray, labelings: Sequence[ArrayLike]) -> list[float]:
    """Return the mean silhouette of several labelings of the same cells, in one pass over pairs.

    Each labeling has one label per cell. The values are those of `silhouette`, which computes the
    distances of all pairs again for each labeling.
    """
    from sklearn.metrics import pairwise_distances_chunked

    codes = [np.unique(np.asarray(labels), return_inverse=True)[1] for labels in labelings]
    sizes = [np.bincount(code) for code in codes]
    members = np.hstack(
        [np.eye(len(size), dtype=np.float32)[code] for size, code in zip(sizes, codes, strict=True)]
    )
    totals = np.zeros(len(codes))
    start = 0
    for distances in pairwise_distances_chunked(latent):
        rows = np.arange(start, start + len(distances))
        sums = np.split(distances @ members, np.cumsum([len(size) for size in sizes])[:-1], axis=1)
        for i, (code, size, summed) in enumerate(zip(codes, sizes, sums, strict=True)):
            own, here = code[rows], np.arange(len(rows))
            inside = summed[here, own] / np.maximum(size[own] - 1, 1)
            others = summed / size
            others[here, own] = np.inf
            outside = others.min(axis=1)
            widths = (outside - inside) / np.maximum(inside, outside)
            totals[i] += widths[size[own] > 1].sum()  # a cell alone counts as 0
        start += len(rows)
    return [float(total) for total in totals / len(latent)]


def auc(activity: ArrayLike, positive: ArrayLike) -> float:
    """Return the chance that a cell of `positive` has a higher activity than another cell.

    >>> auc([1, 2, 3, 4], [False, True, False, True])
    0.75
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(np.asarray(positive), np.asarray(activity)))


def accuracy(activity: ArrayLike, labels: ArrayLike) -> float:
    """Return the share of cells whose label a logistic regression on one activity gets right.

    In sample, with scikit-learn's defaults and random state 42 (paper, Fig. S9). If all activities
    are equal, this is the share of the most frequent label.

    >>> accuracy([0, 1, 8, 9], ["off", "off", "on", "on"])
    1.0
    """
    from sklearn.linear_model import LogisticRegression

    x, y = np.asarray(activity).reshape(-1, 1), np.asarray(labels)
    return float(LogisticRegression(random_state=42).fit(x, y).score(x, y))


def r2_of_means(real: ArrayLike, decoded: ArrayLike) -> float:
    """Return the squared correlation of the means of genes (paper, Fig. 4c and f).

    Both are cells x genes; the number of cells may differ.

    >>> round(r2_of_means([[1, 2, 3], [1, 2, 5]], [[2, 4, 8]]), 2)
    1.0
    """
    x, y = (np.ravel(np.asarray(cells).mean(axis=0)) for cells in (real, decoded))
    return float(np.corrcoef(x, y)[0, 1] ** 2)


def top_overlap(a: ArrayLike, b: ArrayLike, n: int = 50) -> float:
    """Return the share of the `n` largest |values| of `a` that `b` shares (paper, Fig. 4b).

    >>> top_overlap([9, -8, 1, 0], [-5, 0, 4, 1], n=2)
    0.5
    """
    top = [set(np.argsort(-np.abs(np.asarray(values)), kind="stable")[:n]) for values in (a, b)]
    return len(top[0] & top[1]) / n
