"""The authors' processed data as the source of every study (`data: authors`)."""

import tarfile

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from paper.config import load
from paper.errors import InputError
from paper.formats import read
from paper.preprocess import preprocess

GENES = [f"G{i}" for i in range(30)]


@pytest.fixture(scope="module")
def config():
    return load({"data": "authors"}, ROOT / "config")


def archive(folder, matrix, values, counts):
    """The authors' archive with one h5ad file; `values` of each column, cell after cell."""
    n = len(counts)
    obs = {
        theirs: np.resize(values.get(ours, ["a", "b"]), n)
        for theirs, ours in matrix.columns.items()
    }
    cells = ad.AnnData(
        np.log1p(counts),
        obs=pd.DataFrame(obs, index=["AAAC-1"] * 2 + [f"C{i}" for i in range(2, n)]),
        var=pd.DataFrame(index=GENES),
        layers={"count": counts},
    )
    cells.write_h5ad(folder / "cells.h5ad")
    with tarfile.open(folder / matrix.archive, "w:gz") as tar:
        tar.add(folder / "cells.h5ad", f"data/{matrix.matrix}")


def studies():
    return [name for name, study in load({}, ROOT / "config").studies.items() if study.authors]


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
@pytest.mark.parametrize("name", studies())
def test_every_study_is_read_from_the_archive(tmp_path, config, name):
    study = config.studies[name]
    (matrix,) = study.matrices
    assert config.raw_folder(name) == "authors" and study.files == ["vega-data-rev1.tar.gz"]
    counts = np.random.default_rng(1).poisson(2, (40, 30)).astype(np.float32)
    ours = {"cell_type": study.cell_types, "condition": study.conditions, "batch": ["0", "1"]}
    theirs = {
        column: list(matrix.values[column]) if column in matrix.values else values
        for column, values in ours.items()
    }
    archive(tmp_path, matrix, theirs, counts)
    other = pd.DataFrame({"gene_id": "x"}, index=["G3", "None", "G1"])
    cells, _ = preprocess(read(study, tmp_path), study, {"reindex": other})

    if study.cell_types:
        assert list(cells.obs["cell_type"].cat.categories) == study.cell_types
    if study.conditions:
        assert list(cells.obs["condition"].cat.categories) == study.conditions
    if matrix.layer:  # the only one with counts: its cells of other types are left out
        known = np.resize([v in study.cell_types for v in matrix.values["cell_type"].values()], 40)
        assert 15 <= known.sum() < 40
        np.testing.assert_array_equal(cells.layers["counts"].toarray(), counts[known])
    elif study.reindexed_to:
        np.testing.assert_allclose(cells.X.toarray()[:, [0, 2]], np.log1p(counts[:, [3, 1]]))
        assert list(cells.var_names) == ["G3", "None", "G1"] and not cells.layers
    else:
        np.testing.assert_allclose(cells.X.toarray(), np.log1p(counts), rtol=1e-6)
        assert not cells.layers


def test_counts_in_place_of_processed_data_are_refused(tmp_path, config):
    study = config.studies["darmanis"]
    archive(tmp_path, study.matrices[0], {"cell_type": study.cell_types}, np.ones((8, 30)))
    with tarfile.open(tmp_path / "vega-data-rev1.tar.gz", "w:gz") as tar:
        cells = ad.read_h5ad(tmp_path / "cells.h5ad")
        cells.X = cells.layers["count"]
        cells.write_h5ad(tmp_path / "cells.h5ad")
        tar.add(tmp_path / "cells.h5ad", "GBM_darmanis_hvg.h5ad")
    with pytest.raises(InputError, match="all values are whole numbers, as counts are"):
        preprocess(read(study, tmp_path), study)
