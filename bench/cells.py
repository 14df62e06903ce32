"""Simulated cells with the size, sparsity and gene sets of the preprocessed Kang study.

Made here rather than downloaded, so that everybody measures the same without a network. What the
time depends on is as in the real cells: 6.6 % of the values are not zero, half of the genes are
seen in less than 3 % of the cells and a few in all; 2,147 genes are in 14,200 pairs with a set.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

TYPES = ["B", "CD14", "CD4T", "CD8T", "DC", "FCGR3A", "NK"]
SHARES = [0.09, 0.33, 0.36, 0.06, 0.04, 0.08, 0.04]


@dataclass(frozen=True)
class Size:
    """How large a benchmark is."""

    cells: int
    genes: int
    sets: int
    members: int  # pairs of a gene and its set
    n_hidden: int
    scales: tuple[int, ...]  # numbers of cells between which the cost of one is compared
    regulons: int  # sets of the largest model
    regulon_members: int


SIZES = {
    "full": Size(18_868, 6_998, 674, 14_200, 800, (10**4, 10**5, 10**6), 6_056, 228_000),
    "small": Size(600, 500, 30, 400, 64, (300, 1_000, 3_000), 200, 3_000),
}


def simulated(size: Size, seed: int = 1) -> AnnData:
    """Log-normalised cells, counts in `layers`, and `cell_type` and `condition` in `obs`."""
    rng = np.random.default_rng(seed)
    level = rng.normal(np.log(0.0232), 1.55, size.genes)
    of_type = rng.normal(0, 1, (len(TYPES), size.genes)) * (rng.random(size.genes) < 0.15)
    response = np.abs(rng.normal(1.5, 0.5, size.genes)) * (rng.random(size.genes) < 0.02)
    kind = rng.choice(len(TYPES), size.cells, p=SHARES)
    stimulated = rng.random(size.cells) < 0.5
    depth = rng.normal(0, 0.3, size.cells)
    parts = []
    for start in range(0, size.cells, 2000):
        cells = slice(start, start + 2000)
        rate = level + of_type[kind[cells]] + depth[cells, None]
        rate += stimulated[cells, None] * response
        parts.append(sp.csr_matrix(rng.poisson(np.exp(rate)).astype(np.float32)))
    counts = sp.vstack(parts, format="csr")
    total = np.maximum(np.asarray(counts.sum(axis=1)).ravel(), 1)
    x = counts.copy()
    x.data = np.log1p(x.data * np.repeat(np.median(total) / total, np.diff(x.indptr)))
    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical([TYPES[k] for k in kind]),
            "condition": pd.Categorical(np.where(stimulated, "stimulated", "control")),
        },
        index=[f"cell{i}" for i in range(size.cells)],
    )
    genes = pd.DataFrame(index=[f"GENE{i}" for i in range(size.genes)])
    return AnnData(x.astype(np.float32), obs=obs, var=genes, layers={"counts": counts})


def write_gene_sets(path: Path, size: Size, sets: int, members: int, seed: int = 2) -> None:
    """A GMT file of sets of very different sizes, over a third of the genes."""
    rng = np.random.default_rng(seed)
    annotated = rng.permutation(size.genes)[: round(0.307 * size.genes)]
    weight = rng.lognormal(0, 0.92, sets)
    sizes = np.maximum(1, np.round(members * weight / weight.sum())).astype(int)
    with path.open("w") as file:
        for number, n in enumerate(sizes):
            chosen = rng.choice(annotated, min(n, len(annotated)), replace=False)
            genes = "\t".join(f"GENE{g}" for g in chosen)
            file.write(f"SET_{number}\t-\t{genes}\n")
