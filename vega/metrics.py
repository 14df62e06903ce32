"""The numbers the paper judges a latent space by."""

import numpy as np
from numpy.typing import ArrayLike


def silhouette(latent: np.ndarray, labels: ArrayLike) -> float:
    """Return the mean silhouette of the labels in latent space (cells x K), from -1 to 1."""
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(latent, np.asarray(labels)))


def auc(activity: ArrayLike, positive: ArrayLike) -> float:
    """Return the chance that a cell of `positive` has a higher activity than another cell."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(np.asarray(positive), np.asarray(activity)))


def accuracy(activity: ArrayLike, labels: ArrayLike) -> float:
    """Return the share of cells whose label a logistic regression on one activity gets right.

    In sample, with scikit-learn's defaults and random state 42 (paper, Fig. S9). If all activities
    are equal, this is the share of the most frequent label.
    """
    from sklearn.linear_model import LogisticRegression

    x, y = np.asarray(activity).reshape(-1, 1), np.asarray(labels)
    return float(LogisticRegression(random_state=42).fit(x, y).score(x, y))


def r2_of_means(real: ArrayLike, decoded: ArrayLike) -> float:
    """Return the squared correlation of the means of genes (paper, Fig. 4c and f).

    Both are cells x genes; the number of cells may differ.
    """
    means = (np.asarray(real).mean(axis=0), np.asarray(decoded).mean(axis=0))
    return float(np.corrcoef(*map(np.ravel, means))[0, 1] ** 2)


def top_overlap(a: ArrayLike, b: ArrayLike, n: int = 50) -> float:
    """Return the share of the `n` largest |values| of `a` that `b` shares (paper, Fig. 4b)."""
    top = [set(np.argsort(-np.abs(np.asarray(values)), kind="stable")[:n]) for values in (a, b)]
    return len(top[0] & top[1]) / n
