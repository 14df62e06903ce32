"""Two-dimensional embeddings of latent spaces: UMAP and t-SNE."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from anndata import AnnData

EXACT_NEIGHBOURS = 50_000  # cells, up to which all pairs are compared for a UMAP


def embed(latent: AnnData, embedding: str, tsne_learning_rate: float | None = None) -> None:
    """Add `obsm["X_umap"]` (15 neighbours, min_dist 0.5) or `obsm["X_tsne"]`, with seed 42.

    `embedding` is `umap`, `tsne` or `none`, which adds neither.
    """
    if embedding == "umap":
        cells = AnnData(latent.X)
        # The same neighbours on every machine, and for the paper's studies found sooner.
        exact = {"transformer": "sklearn"} if latent.n_obs <= EXACT_NEIGHBOURS else {}
        with compiled_once():
            import scanpy as sc

            sc.pp.neighbors(cells, n_neighbors=15, use_rep="X", random_state=42, **exact)
            sc.tl.umap(cells, min_dist=0.5, random_state=42)
        latent.obsm["X_umap"] = cells.obsm["X_umap"]
    elif embedding == "tsne":
        from sklearn.manifold import TSNE

        perplexity = min(30.0, (latent.n_obs - 1) / 3)  # of fewer than 91 cells
        rate = tsne_learning_rate or "auto"
        tsne = TSNE(perplexity=perplexity, learning_rate=rate, random_state=42)
        latent.obsm["X_tsne"] = tsne.fit_transform(latent.X)


@contextmanager
def compiled_once() -> Iterator[None]:
    """Have numba keep on disk what it compiles, for the processes that follow.

    umap and pynndescent compile most of their functions in each process again: 14 of the 19
    seconds that a UMAP of 1,400 cells takes.
    """
    import numba

    njit = numba.njit
    numba.njit = partial(njit, cache=True)
    try:
        yield
    finally:
        numba.njit = njit
