"""Hierarchical clustering of the columns of a table, for heatmaps and claims about them."""

import numpy as np
import pandas as pd


def column_linkage(values: pd.DataFrame) -> np.ndarray:
    """Return SciPy's linkage matrix of the columns: correlation distance, complete linkage.

    A column without variation has distance 1 to all others. Fewer than two columns: no row.
    """
    if values.shape[1] < 2:
        return np.empty((0, 4))
    from scipy.cluster.hierarchy import linkage  # late, as it takes long to load
    from scipy.spatial.distance import pdist

    distance = pdist(values.to_numpy(dtype=float).T, "correlation")
    return linkage(np.nan_to_num(distance, nan=1.0).clip(min=0), "complete")


def clustered(values: pd.DataFrame) -> list:
    """Return the names of the columns in the order of their clustering."""
    from scipy.cluster.hierarchy import leaves_list

    tree = column_linkage(values)
    return list(values.columns[leaves_list(tree)] if len(tree) else values.columns)


def tree_in_order(values: pd.DataFrame) -> np.ndarray:
    """Return the clustering of columns that are in an order of it, and keep that order.

    SciPy may give either of two clusters the left side. Here it is the one with the first column.
    """
    tree = column_linkage(values)
    first = list(range(values.shape[1]))  # column of each cluster
    for pair in tree[:, :2]:
        pair[:] = sorted(pair, key=lambda cluster: first[int(cluster)])
        first.append(first[int(pair[0])])
    return tree
