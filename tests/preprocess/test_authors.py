"""The authors' processed data as the source of every study (`data: authors`).

`FORMS` describes their files independently of the simulation by `data: simulated_authors`.
"""

import tarfile
from functools import partial

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from conftest import ROOT, copy_parts, planned, snakemake
from helpers.raw_files import pack
from helpers.simulated import draw, written

from scripts.claims.run_results import RunResults
from scripts.common.config.load import load
from scripts.common.h5ad import read_cells
from scripts.preprocess.preprocess import read_and_preprocess
from scripts.simulate.simulate_authors import authors_files
from scripts.simulate.writers import write

NEWER, OLDER = "vega-data-rev1.tar.gz", "vega-data.tar.gz"
MUTATIONS = "mixseq/Trametinib_24hr_expt3_CL_features.csv"
GENES = [f"G{i}" for i in range(30)]
TYPES = ["NK", "Dendritic", "CD4T", "B", "FCGR3A+Mono", "CD14+Mono", "CD8T"]
WORDS = [
    "NK cells", "Dendritic cells", "CD4 T cells", "B cells", "FCGR3A+ Monocytes", "CD14+ Monocytes",
    "CD8 T cells", "Megakaryocytes",
]  # fmt: skip
BIPOLAR = [
    "RBC", "Mueller glia", "BC5A", "BC7", "BC6", "BC5C", "BC1A", "BC3B", "BC1B", "BC2", "BC5D",
    "BC3A", "BC5B", "BC4", "BC8/BC9",
]  # fmt: skip
ORGANOID = ["Cajal-Retzius", "Neural Epithelium", "Radial Glia"]
CONDITIONS = {"condition": ["control", "stimulated"]}
LINES = {"singlet_ID": ["A375_SKIN", "MCF7_BREAST"], "cell_quality": ["normal"]}
# By study: archive, file, values of its columns cell after cell, and their meanings in our words.
FORMS = {
    "kang": (None, "train_pbmc.h5ad", {**CONDITIONS, "cell_type": TYPES}, {"cell_type": TYPES}),
    "kang_counts": (
        NEWER, "kang_all_raw.h5ad", {**CONDITIONS, "cell_type": WORDS},
        {**CONDITIONS, "cell_type": [*TYPES, "Megakaryocyte"]},
    ),
    "zheng": (OLDER, "zheng_3k_hvg.h5ad", {"cell_type": WORDS[:7]}, {"cell_type": TYPES}),
    "darmanis": (
        NEWER, "GBM_darmanis_hvg.h5ad",
        {"Cell Type": ["Astrocytes", "Neurons", "OPCs", "Oligodendrocytes", "Myeloid cells 1",
            "Neoplastic cells 2", "Vascular cells_1"], "Sample.name": ["BT_S1", "BT_S2"]},
        {"cell_type": ["Astrocyte", "Neuron", "OPC", "Oligodendrocyte", "Immune cell", "Neoplastic",
            "Vascular"], "patient": ["BT_S1", "BT_S2"]},
    ),
    "field": (
        NEWER, "wk02_af_hvg.h5ad",
        {column: ORGANOID for column in ("Cell type", "cell_type")}, {"cell_type": ORGANOID},
    ),
    "shekhar": (
        NEWER, "retina_pp_hg.h5ad", {"Cluster": list(range(1, 18)), "Batch": [0, 1]},
        {"cell_type": [*BIPOLAR, None, None], "batch": ["0", "1"]},
    ),
    **{
        f"mixseq_{drug.lower()}": (
            NEWER, f"mixseq/{drug}_DMSO_24hr_expt3.h5ad", {"condition": ["DMSO", drug], **LINES},
            {"condition": ["DMSO", drug], "cell_line": LINES["singlet_ID"],
                "braf_mutant": ["mutant", "wild type"], "kras_mutant": ["wild type", "wild type"]},
        )
        for drug in ("Trametinib", "Dabrafenib", "Navitoclax", "BRD3379")
    },
}  # fmt: skip
N = 84  # cells


@pytest.fixture(scope="module")
def config():
    return load({"data": "authors"}, ROOT / "config")


@pytest.fixture(scope="module")
def counts():
    return np.random.default_rng(1).poisson(3, (N, len(GENES))).astype(np.float32)


def place(folder, name, counts, genes=GENES):
    """Write the files of a study in its form, in the archive that holds it."""
    archive, file, columns, _ = FORMS[name]
    cells = ad.AnnData(
        sp.csr_matrix(counts if name == "kang_counts" else np.log1p(counts)),
        obs=pd.DataFrame(
            {column: np.resize(values, N) for column, values in columns.items()},
            index=["AAAC-1"] * 2 + [f"C{i}" for i in range(2, N)],
        ),
        var=pd.DataFrame(index=genes),
        layers={"count": counts} if name == "shekhar" else {},
    )
    cells.write_h5ad(folder / (file if archive is None else "cells.h5ad"))
    features = b"CCLE_ID,BRAF_MUT,KRAS_MUT\nA375_SKIN,1,0\nMCF7_BREAST,0,0\nHELA_CERVIX,0,1\n"
    for name in (NEWER, OLDER):
        own = {file: (folder / "cells.h5ad").read_bytes()} if name == archive else {}
        pack(folder / name, {MUTATIONS: features} | own, "data/")


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
@pytest.mark.parametrize("name", FORMS)
def test_the_file_of_each_study_is_read_in_its_form(tmp_path, config, counts, name):
    study = config.studies[name]
    archive, file, _, expected = FORMS[name]
    assert config.raw_folder(name) == "authors"
    assert set(study.files) == {"zheng": {NEWER, OLDER}}.get(name, {archive or file})
    place(tmp_path, name, counts)
    other = pd.DataFrame({"gene_id": "x"}, index=["G3", "None", "G1"])
    cells, _ = read_and_preprocess(study, tmp_path, other)

    ours = {column: np.resize(np.array(values, object), N) for column, values in expected.items()}
    kept = np.array([v is not None for v in ours.get("cell_type", ours.get("cell_line"))])
    assert kept.sum() == (N if name != "shekhar" else N - 9)
    for column, values in ours.items():
        assert cells.obs[column].tolist() == values[kept].tolist(), column
    if study.cell_types:
        assert list(cells.obs["cell_type"].cat.categories) == study.cell_types
    if name in ("kang_counts", "shekhar"):
        np.testing.assert_array_equal(cells.layers["counts"].toarray(), counts[kept])
    elif name == "zheng":
        np.testing.assert_allclose(cells.X.toarray()[:, [0, 2]], np.log1p(counts[:, [3, 1]]))
        assert list(cells.var_names) == ["G3", "None", "G1"] and not cells.layers
    else:
        np.testing.assert_allclose(cells.X.toarray(), np.log1p(counts), rtol=1e-6)
        assert not cells.layers


def test_every_study_of_the_authors_has_a_form(config):
    assert set(FORMS) == {name for name, study in config.studies.items() if study.authors}


def test_the_published_input_in_the_form_of_anndata_0_6_is_read(tmp_path, config):
    """Tables of records, categories apart from their codes, a named sparse group."""
    X = sp.random(4, 3, 0.7, format="csr", dtype=np.float32, random_state=1)
    obs = np.zeros(4, [("index", "S8"), ("condition", "i1"), ("cell_type", "i1")])
    obs["index"], obs["condition"], obs["cell_type"] = [b"a", b"b", b"c", b"d"], [0, 1] * 2, 1
    with h5py.File(tmp_path / "train_pbmc.h5ad", "w") as file:
        file["obs"], file["var"] = obs, np.array([(b"A",), (b"B",), (b"C",)], [("index", "S8")])
        file["uns/condition_categories"] = np.array([b"control", b"stimulated"])
        file["uns/cell_type_categories"] = np.array([b"B", b"CD4T"])
        group = file.create_group("X")
        group["data"], group["indices"], group["indptr"] = X.data, X.indices, X.indptr
        group.attrs.update(h5sparse_format="csr", h5sparse_shape=X.shape)
    study = config.studies["kang"]
    cells, _ = read_and_preprocess(study, tmp_path)
    np.testing.assert_array_equal(cells.X.toarray(), X.toarray())
    assert cells.obs["condition"].tolist() == ["control", "stimulated"] * 2
    assert cells.obs["cell_type"].tolist() == ["CD4T"] * 4


def test_drugs_of_one_archive_are_selected_by_their_common_name(tmp_path):
    drugs = [f"mixseq_{drug}" for drug in ("trametinib", "dabrafenib", "navitoclax", "brd3379")]
    for data in ("authors", "simulated_authors"):
        config = load({"data": data, "studies": "mixseq"}, ROOT / "config")
        assert config.selected_studies == drugs
        assert RunResults(tmp_path, config).studies_of("mixseq") == drugs
        assert {raw for raw in config.raw_files if raw[0] != "gene_sets"} == {("authors", NEWER)}


def test_simulated_archives_count_as_simulated_data(tmp_path):
    config = load({"data": "simulated_authors"}, ROOT / "config")
    assert config.selected_studies == list(config.studies)
    assert "recovery" in config.selected_figures
    assert RunResults(tmp_path, config).partial(["kang"]) == "simulated data"
    whole = load({"data": "simulated"}, ROOT / "config")
    # One variant reads counts, which the published input of Kang lacks.
    assert set(whole.selected_models) - {*config.selected_models} == {"kang_variants_counts"}
    assert {*whole.scored["kang"]} - {*config.scored["kang"]} == {"VEGA, counts"}
    assert config.selected_baselines == whole.selected_baselines
    assert config.raw_source("mixseq") == whole.raw_source("mixseq")


@pytest.mark.slow
def test_simulated_archives_give_the_cells_of_simulated_public_files(tmp_path, config):
    """The same expression, types and conditions after preprocessing."""
    groups = dict.fromkeys(config.group(name) for name in FORMS)
    sources, drawn = ({g: f(g) for g in groups} for f in (config.raw_source, partial(draw, config)))
    for group in groups:
        write(written(config, group, drawn[group]).items(), tmp_path / group, "test")
    files = authors_files(config.public, sources, drawn.get, config.simulations)
    write(files, tmp_path / "authors", "test")
    with tarfile.open(tmp_path / "authors" / NEWER) as newer:
        names = newer.getnames()
    assert "vega-data-rev1/mixseq/BRD3379_DMSO_24hr_expt3.h5ad" in names
    assert f"vega-data-rev1/{MUTATIONS}" in names
    assert not any("zheng" in name for name in names)
    with tarfile.open(tmp_path / "authors" / OLDER) as older:
        assert older.getnames() == ["vega-data/zheng_3k_hvg.h5ad"]

    found = {}
    for name in FORMS:
        for studies, source in ((config.public, "public"), (config.studies, "authors")):
            study = studies[name]
            genes = found[study.reindexed_to, source].var if study.reindexed_to else None
            folder = tmp_path / (study.raw or name)
            found[name, source], _ = read_and_preprocess(study, folder, genes)
        one, other = found[name, "public"], found[name, "authors"]
        np.testing.assert_allclose(other.X.toarray(), one.X.toarray(), rtol=1e-5)
        for column in {"cell_type", "condition", "batch", "cell_line", "patient", "braf_mutant"}:
            assert (column in other.obs) == (column in one.obs), (name, column)
            if column in one.obs:
                pd.testing.assert_series_equal(other.obs[column], one.obs[column])
        if name == "shekhar":
            renamed = other.var_names != one.var_names
            assert renamed.sum() == 5 and other.var_names[renamed].str.endswith("-1").all()
            assert (other.layers["counts"] != one.layers["counts"]).nnz == 0
        else:
            assert other.var_names.equals(one.var_names)


AUTHORS = ("--config", "data=simulated_authors", "studies=all")


def test_the_workflow_is_planned_without_downloads(tmp_path):
    copy_parts(tmp_path)
    rules = planned(tmp_path, *AUTHORS)
    assert {"preprocess", "train_kang", "simulation_benchmark", "figure"} <= rules
    sources = {rule for rule in rules if rule.startswith(("simulate", "download"))}
    assert sources == {"simulate_authors", "simulate_gene_sets"}


@pytest.mark.slow
def test_all_studies_are_preprocessed_from_simulated_archives(repository):
    targets = [f"results/demo/data/{name}.h5ad" for name in FORMS]
    snakemake(repository, *AUTHORS, "--", *targets)
    run = repository / "results" / "demo"
    for name in FORMS:
        cells = read_cells(run / "data" / f"{name}.h5ad")
        assert '"origin": "simulated"' in cells.uns["provenance"]
    truths = {path.name.removesuffix("_truth.tsv") for path in run.glob("tables/*_truth.tsv")}
    assert truths == {"kang", "zheng", "mixseq", "darmanis", "field", "shekhar"}
