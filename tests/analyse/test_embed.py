"""Rule `embed`: the largest weights of each GMV."""

import numpy as np
from helpers.cells import ANNOTATION, toy_model

from scripts.analyse.embed import top_genes


def test_top_genes_are_the_largest_weights_of_each_gmv():
    model = toy_model(nonnegative=False)
    weights, table = model.weights(), top_genes(model, 4)
    assert set(table["gmv"]) == set(weights) - {"S4"}  # whose set has no gene
    for gmv, rows in table.groupby("gmv"):
        expected = weights[gmv][weights[gmv] != 0].abs().nlargest(4).index
        assert list(rows["gene"]) == list(expected)
        assert list(rows["rank"]) == list(range(1, len(rows) + 1))
        assert np.array_equal(rows["weight"], weights.loc[rows["gene"], gmv])
        assert rows["in_set"].all()
    assert len(table[table["gmv"] == "S0"]) == 3  # it reaches no more
    soft = top_genes(toy_model(decoder="soft", nonnegative=False), 40)
    assert np.array_equal(soft.groupby("gmv")["in_set"].sum(), ANNOTATION.sum(axis=1))
    assert top_genes(toy_model(decoder="deep")).empty
