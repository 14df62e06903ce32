"""Raw files of simulated studies: the sources' formats, and read back as they were drawn."""

import gzip
import hashlib
import io
import re
import tarfile
import zipfile

import anndata as ad
import GEOparse
import h5py
import numpy as np
import pandas as pd
import pytest
import rdata
import yaml
from helpers.simulated import CONFIG, FOLDERS, TABLES, contents, draw, mask, simulated, written

from scripts.preprocess.preprocess import read_and_preprocess
from scripts.preprocess.readers import read
from scripts.simulate.writers import write

DRUGS = ["Trametinib", "Dabrafenib", "Navitoclax", "BRD3379"]
KANG = CONFIG.studies["kang"]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Folder of all raw files."""
    folder = tmp_path_factory.mktemp("raw")
    for name in FOLDERS:
        write(contents(name).items(), folder / name, "test")
    return folder


def lines_of(content):
    text = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    return text.decode().removesuffix("\n").split("\n")


def fields(content, separator="\t"):
    return [line.split(separator) for line in lines_of(content)]


def cells_of(study, folder):
    """Rows of the simulated cells of a study, in the order of its matrices."""
    matrices = CONFIG.raw_source(folder).matrices
    own = simulated(folder).cells["matrix"].to_numpy()
    return np.concatenate([np.flatnonzero(own == matrices.index(m)) for m in study.matrices])


@pytest.mark.parametrize("name", CONFIG.selected_studies)
def test_readers_return_what_was_drawn(raw, name):
    study, folder = CONFIG.studies[name], CONFIG.raw_folder(name)
    rows, drawn, tables = cells_of(study, folder), simulated(folder), TABLES[folder].tables
    cells, counts = drawn.cells.iloc[rows], drawn.counts.toarray()[rows]
    adata = read(study, raw / folder)

    assert adata.var_names.tolist() == drawn.genes["name"].tolist()
    expected = counts.astype(np.float32)
    if total := getattr(tables.get(study.matrices[0].matrix), "normalised", None):
        expected = np.log1p(counts / counts.sum(axis=1, keepdims=True) * total)
    np.testing.assert_allclose(adata.X.toarray(), expected, rtol=1e-6 if total else 0)

    of_tables = {
        ours: tables[getattr(entry, "file", None) or entry.matrix].columns[theirs]
        for entry in [*study.annotations, *(m for m in study.matrices if m.columns)]
        for theirs, ours in entry.columns.items()
    }
    of_matrices = {column for matrix in study.matrices for column in matrix.obs}
    of_matrices |= {"sample", "batch"} if name == "shekhar" else set()  # of the cells' names
    unlabelled = cells[TABLES[folder].type_column].isna().to_numpy()
    missing = any(tables[a.file].missing is None for a in study.annotations) & unlabelled
    for annotation in study.annotations:
        if left_out := tables[annotation.file].without:
            missing |= mask(cells, left_out)
    if "annotated" in adata.obs:
        np.testing.assert_array_equal(adata.obs["annotated"], ~missing)
    for ours, column in (of_tables | {column: column for column in of_matrices}).items():
        unknown = missing if ours in of_tables else np.zeros(len(cells), dtype=bool)
        if column == TABLES[folder].type_column:
            unknown = unknown | unlabelled
        np.testing.assert_array_equal(adata.obs[ours].isna(), unknown)
        found, truth = adata.obs[ours].astype(str), cells[column].astype(str)
        np.testing.assert_array_equal(found[~unknown], truth[~unknown], err_msg=ours)


@pytest.mark.parametrize(
    ("name", "column", "kept"),
    [
        ("mixseq_dabrafenib", "quality", "normal"),
        ("darmanis", "multiplet", "singlet"),
        ("shekhar", "state", "healthy"),
    ],
)
def test_preprocessed_cells_have_the_counts_that_were_drawn(raw, name, column, kept):
    study, folder = CONFIG.studies[name], CONFIG.raw_folder(name)
    cells, _ = read_and_preprocess(study, raw / folder)
    rows, drawn = cells_of(study, folder), simulated(folder)
    names = drawn.cells["name"].iloc[rows]
    if len(study.matrices) > 1:
        names += "-" + drawn.cells["matrix"].iloc[rows].map({0: "0"}).fillna("1")
    chosen = pd.Series(rows, names)[cells.obs_names].to_numpy()
    genes = pd.Index(drawn.genes["symbol"]).get_indexer(cells.var_names)
    assert (genes >= 0).all() and len(chosen) > 200
    counts = drawn.counts.toarray()[chosen]
    np.testing.assert_array_equal(cells.layers["counts"].toarray(), counts[:, genes])
    assert set(drawn.cells[column].iloc[chosen]) == {kept}
    if name == "darmanis":  # each cell is scaled to the median of genes, not of spike-ins
        total = np.expm1(cells.X.toarray()).sum(axis=1)
        assert np.median(total) < 1.02 * np.median(counts.sum(axis=1))


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_are_those_of_the_study_recorded_as_simulated(raw, folder):
    source = CONFIG.raw_source(folder)
    found = {path.name for path in (raw / folder).iterdir() if path.is_file()}
    assert found == {*source.files, *filter(None, [source.family_file])}
    assert found == {row.file for row in CONFIG.files if row.study == folder}
    for file in found:
        record = yaml.safe_load((raw / folder / ".provenance" / f"{file}.json").read_text())
        assert (record["identity"], record["study"], record["file"]) == ("simulated", folder, file)
        sha256 = hashlib.sha256((raw / folder / file).read_bytes()).hexdigest()
        assert record["sha256"] == sha256


def test_every_study_of_the_figures_is_simulated():
    shown = {study for figure in CONFIG.figures.values() for study in figure.studies}
    assert shown <= set(CONFIG.selected_studies)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_same_table_gives_the_same_bytes(folder):
    assert written(CONFIG, folder, draw(CONFIG, folder)) == contents(folder)


def test_no_file_holds_a_time(raw):
    for path in (path for path in raw.glob("*/*") if path.is_file()):
        if path.suffix in (".gz", ".rds"):
            assert path.read_bytes()[4:8] == bytes(4)
        if path.name.endswith(".tar.gz"):
            with tarfile.open(path) as archive:
                assert {(m.mtime, m.uid, m.uname) for m in archive} == {(0, 0, "")}
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                assert {m.date_time for m in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_repeated_barcodes_of_kang_get_one_more_1_in_the_annotation_only():
    files = contents("kang")
    first, second = (lines_of(files[names.barcodes]) for names in KANG.matrices)
    assert len(set(first)) == len(first) and len(set(second)) == len(second)
    both = set(first) & set(second)
    assert len(both) == TABLES["kang"].shared_barcodes > 0
    rows = [row[0] for row in fields(files[KANG.annotations[0].file])[1:]]
    assert rows == first + [barcode + "1" * (barcode in both) for barcode in second]


def test_files_of_kang_have_the_lines_of_the_real_ones(mirror):
    files = contents("kang")
    for names in KANG.matrices:
        real, ours = (
            lines_of(content)[:4]
            for content in ((mirror / "kang" / names.matrix).read_bytes(), files[names.matrix])
        )
        assert real[:2] == ours[:2]
        assert [len(line.split(" ")) for line in real] == [len(line.split(" ")) for line in ours]
        assert all(re.fullmatch(r"[ACGT]{14}-1", line) for line in lines_of(files[names.barcodes]))
        assert all(re.fullmatch(r"ENSG\d{11}\t\S+", line) for line in lines_of(files[names.genes]))
    file = KANG.annotations[0].file
    real, ours = fields((mirror / "kang" / file).read_bytes()), fields(files[file])
    assert real[0] == ours[0]
    assert {len(row) for row in real[1:]} == {len(row) for row in ours[1:]} == {8}


def test_files_of_zheng_are_as_the_real_ones(mirror):
    [archive] = (file for file in contents("zheng") if file.endswith(".tar.gz"))
    with (
        tarfile.open(mirror / "zheng" / archive) as real,
        tarfile.open(fileobj=io.BytesIO(contents("zheng")[archive])) as ours,
    ):
        assert sorted(ours.getnames()) == sorted(real.getnames())
        for name in ours.getnames():
            lines = [next(iter(tar.extractfile(name))) for tar in (ours, real)]
            assert len({len(re.split(rb"[\t ]", line)) for line in lines}) == 1
    with (
        h5py.File(mirror / "zheng" / "pbmc3k.h5ad") as real,
        h5py.File(io.BytesIO(contents("zheng")["pbmc3k.h5ad"])) as ours,
    ):
        labels = [set(file["obs/louvain/categories"].asstr()[:]) for file in (real, ours)]
        assert labels[0] == labels[1]
        assert real["X"].attrs["shape"][1] == 0 and len(ad.io.read_elem(ours["var"])) == 0


def test_mixseq_has_an_archive_of_four_files_for_each_drug():
    source = CONFIG.raw_source("mixseq")
    assert [matrix.obs["condition"] for matrix in source.matrices] == ["DMSO", *DRUGS]
    qualities = {"normal", "low_quality", "doublet", "empty_droplet", "low_confidence"}
    names = ("", "barcodes.tsv", "classifications.csv", "genes.tsv", "matrix.mtx")
    for folder in (f"{drug}_24hr_expt3" for drug in ["DMSO", *DRUGS]):
        with zipfile.ZipFile(io.BytesIO(contents("mixseq")[f"{folder}.zip"])) as archive:
            assert sorted(archive.namelist()) == [f"{folder}/{name}" for name in names]
            table = pd.read_csv(archive.open(f"{folder}/classifications.csv"))
        assert list(table) == ["singlet_ID", "DepMap_ID", "barcode", "cell_quality"]
        assert set(table["cell_quality"]) == qualities
        assert table.groupby("singlet_ID")["DepMap_ID"].nunique().eq(1).all()


def test_mutations_of_mixseq_are_a_table_of_r_with_lines_of_no_pool(raw):
    tables = rdata.read_rds(raw / "mixseq" / "all_CL_features.rds")
    assert list(tables) == ["another", "Trametinib_24hr_expt3"]
    table = tables["Trametinib_24hr_expt3"]
    pool = table[table["in_pool"].astype(bool)]
    assert sorted(pool["CCLE_ID"]) == sorted(TABLES["mixseq"].types)
    assert pool["BRAF_MUT"].sum() == pool["KRAS_MUT"].sum() == 4
    assert len(table) > len(pool) and table["CCLE_ID"].duplicated().any()
    assert table["BRAF_MUT"].isna().sum() == 1  # of no line of the pool


def test_table_of_darmanis_is_quoted_with_spike_ins_and_summary_rows_last():
    (header, *rows) = fields(contents("darmanis")["GSE84465_GBM_All_data.csv.gz"], " ")
    assert all(re.fullmatch(r'"\d{10}\.[A-H](1[0-2]|[1-9])"', name) for name in header)
    assert len(set(header)) == len(header) == 900
    assert {len(row) for row in rows} == {901}  # R writes no header for row names
    pattern = CONFIG.studies["darmanis"].matrices[0].no_genes
    n_genes = len(simulated("darmanis").genes)
    no_gene = [bool(re.fullmatch(pattern, row[0].strip('"'))) for row in rows]
    assert no_gene == [False] * n_genes + [True] * (92 + 5)
    counts = np.array([row[1:] for row in rows], dtype=int)
    spiked = counts[n_genes:-5].sum(axis=0) / counts[:-5].sum(axis=0)
    assert spiked.mean() == pytest.approx(0.22, abs=0.05)
    assert spiked.min() < 0.01 and spiked.max() > 0.99


def test_samples_of_darmanis_are_as_geo_describes_them(raw, mirror):
    file = raw / "darmanis" / "GSE84465_family.soft.gz"
    samples = GEOparse.get_GEO(filepath=str(file), silent=True).gsms.values()
    said = [sample.metadata["characteristics_ch1"] for sample in samples]
    table = pd.DataFrame([dict(text.split(": ", 1) for text in texts) for texts in said])
    drawn = simulated("darmanis").cells
    labelled = drawn[drawn["cell_type"].notna()]
    assert len(labelled) < len(drawn)
    assert (table["plate id"] + "." + table["well"]).tolist() == labelled["name"].tolist()
    real = pd.read_csv(mirror / "darmanis" / "cell_metadata_3584.csv", dtype=str)
    real["cell_type"] = real["cell_type"].replace("Astrocyte", "Astocyte")  # as in GEO
    assert set(table["cell type"]) == set(real["cell_type"])
    for column in table.columns.difference(["plate id", "well", "tsne cluster"]):
        assert set(table[column]) <= set(real[column.replace(" ", "_")]), column


def test_tables_of_shekhar_have_mouse_genes_replicates_and_two_headers():
    files = contents("shekhar")
    header, *rows = fields(files["GSE81904_BipolarUMICounts_Cell2016.txt.gz"])
    assert header[0] == "" and {len(row) for row in [header, *rows]} == {1001}
    assert all(re.fullmatch(r"Bipolar[1-6]_[ACGT]{12}", name) for name in header[1:])
    genes = [row[0] for row in rows]
    assert "Isg15" in genes and "mt-Co1" in genes and not any(gene.isupper() for gene in genes)
    first, second, *labels = fields(files["clust_retinal_bipolar.txt"])
    assert first == ["NAME", "CLUSTER", "SUB-CLUSTER"] and second == ["TYPE", "group", "group"]
    assert 0 < sum(row[1] == "Doublets/Contaminants" for row in labels) < 40 < len(labels) < 1000


def test_orthologs_of_some_genes_are_two_or_none():
    table = pd.read_csv(io.BytesIO(contents("shekhar")["mouse_to_human.csv"]))
    genes = simulated("shekhar").genes.set_index("name")["symbol"]
    assert set(table["Gene name"]) == set(genes.index)
    kinds = dict([*table.groupby("Human homology type")])
    one, two = kinds["ortholog_one2one"], kinds["ortholog_one2many"]
    assert (one["Human gene name"] == genes[one["Gene name"]].to_numpy()).all()
    assert one["Gene name"].is_unique and len(one) > 0.95 * len(genes)
    assert two["Gene name"].value_counts().eq(2).all() and len(two) > 0
    assert table[table["Human gene name"].isna()]["Gene name"].str.startswith("mt-").all()
