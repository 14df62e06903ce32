"""Published methods that the paper compares with VEGA, and two that score gene sets untrained.

Each is run as its authors publish it, on the same preprocessed cells: a function
`method(adata, gene_sets, *, seed, threads, **settings)` that returns an `Embedded`. It leaves the
cells and the process as they were. Packages are only imported when a method is called.
"""

from scripts.train.baselines.components import mask_pca, pca
from scripts.train.baselines.linear_decoder import linear_scvi
from scripts.train.baselines.regularised import intercode
from scripts.train.baselines.scores import score_genes, ulm

METHODS = {
    method.__name__: method for method in (pca, mask_pca, linear_scvi, intercode, ulm, score_genes)
}
