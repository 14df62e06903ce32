"""Published methods that the paper sets beside VEGA, and two that score gene sets without learning.

Each is run as its authors publish it, on the same preprocessed cells: a function
`method(adata, gene_sets, *, seed, threads, **settings)` that gives an `Embedded`. It leaves the
cells and the process as they were. Packages are only imported when a method is called.
"""

from collections.abc import Callable

from scripts.train.baselines.components import mask_pca, pca
from scripts.train.baselines.embedded import Embedded
from scripts.train.baselines.linear_decoder import linear_scvi
from scripts.train.baselines.regularised import intercode
from scripts.train.baselines.scores import score_genes, ulm

METHODS: dict[str, Callable[..., Embedded]] = {
    "pca": pca,
    "mask_pca": mask_pca,
    "linear_scvi": linear_scvi,
    "intercode": intercode,
    "ulm": ulm,
    "score_genes": score_genes,
}
