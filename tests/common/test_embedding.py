"""UMAPs at the size of real studies, and compiled functions of numba that are kept on disk."""

import numba
import numpy as np
import pytest
from anndata import AnnData
from sklearn.metrics import silhouette_score

from scripts.common import embedding
from scripts.common.embedding import compiled_once, embed


@pytest.mark.parametrize(
    "exact_up_to", [embedding.EXACT_NEIGHBOURS, pytest.param(0, marks=pytest.mark.slow)]
)
def test_more_than_8192_cells_have_a_umap(monkeypatch, exact_up_to):
    """From there on scanpy needs another package for approximate neighbours by default."""
    monkeypatch.setattr(embedding, "EXACT_NEIGHBOURS", exact_up_to)
    kind = np.arange(9000) % 3
    cells = np.random.default_rng(0).normal(size=(9000, 4)) + 30 * np.eye(4)[kind]
    latent = AnnData(cells.astype(np.float32))
    embed(latent, "umap")
    assert silhouette_score(latent.obsm["X_umap"], kind, sample_size=1000, random_state=0) > 0.5


def test_functions_compiled_for_a_umap_are_cached_on_disk(tmp_path, monkeypatch):
    module = tmp_path / "twice.py"
    module.write_text("import numba\n@numba.njit\ndef twice(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    plain = numba.njit
    with compiled_once():
        from twice import twice
    assert numba.njit is plain
    assert twice(21) == 42
    assert list((tmp_path / "cache").rglob("twice*.nbc"))
