"""Every simulated study: its files read back as what was drawn, and hold what was planted."""

import io
import re
import tarfile
import zipfile
from functools import cache
from pathlib import Path

import anndata as ad
import GEOparse
import h5py
import numpy as np
import pandas as pd
import pytest
import rdata
import yaml
from rdata import read_rds

from scripts.common.config.load import load
from scripts.preprocess.orthologs import one_to_one
from scripts.preprocess.preprocess import preprocess
from scripts.preprocess.readers import read
from scripts.preprocess.readers.files import RawFile
from scripts.simulate.genes import gmt, simulate_gene_sets
from scripts.simulate.simulate_study import LOW_QUALITY, simulate_study
from scripts.simulate.truth import responders
from scripts.simulate.writers import raw_files, write
from vega.gene_sets import read_gmt

CONFIG_FOLDER = Path(__file__).parent.parent / "config"
CONFIG = load({"data": "simulated"}, CONFIG_FOLDER)
FOLDERS = list(CONFIG.simulations.studies)
DRUGS = ["Trametinib", "Dabrafenib", "Navitoclax", "BRD3379"]


@cache
def simulated(folder):
    return simulate_study(folder, CONFIG.raw_source(folder), CONFIG.simulations)


@cache
def contents(folder):
    source = CONFIG.raw_source(folder)
    return dict(raw_files(source, simulated(folder), CONFIG.simulations.studies[folder]))


@cache
def sets(file):
    return simulate_gene_sets(CONFIG.simulations, file)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Folder of all raw files."""
    folder = tmp_path_factory.mktemp("raw")
    for name in FOLDERS:
        write(contents(name).items(), folder / name, "test")
    return folder


def simulation(folder):
    return CONFIG.simulations.studies[folder]


# ---------------------------------------------------------------- round trip


def cells_of(study, folder):
    """Rows of the simulated cells that are in a study, in the order of its matrices."""
    matrices = CONFIG.raw_source(folder).matrices
    numbers = [matrices.index(matrix) for matrix in study.matrices]
    own = simulated(folder).cells["matrix"].to_numpy()
    return np.concatenate([np.flatnonzero(own == number) for number in numbers])


@pytest.mark.parametrize("name", CONFIG.selected_studies)
def test_what_is_read_is_what_was_drawn(raw, name):
    study, folder = CONFIG.studies[name], CONFIG.raw_folder(name)
    rows, drawn, tables = cells_of(study, folder), simulated(folder), simulation(folder).tables
    cells, counts = drawn.cells.iloc[rows], drawn.counts.toarray()[rows]
    adata = read(study, raw / folder)

    assert adata.var_names.tolist() == drawn.genes["name"].tolist()
    expected = counts.astype(np.float32)
    if normalised := getattr(tables.get(study.matrices[0].matrix), "normalised", None):
        expected = np.log1p(counts / counts.sum(axis=1, keepdims=True) * normalised)
    np.testing.assert_allclose(adata.X.toarray(), expected, rtol=1e-6 if normalised else 0)

    described = [*study.annotations, *(m for m in study.matrices if m.columns)]
    compared = {
        ours: tables[getattr(entry, "file", None) or entry.matrix].columns[theirs]
        for entry in described
        for theirs, ours in entry.columns.items()
    }
    # Columns of whole matrices or of the cells' names are known of all cells.
    compared |= {column: column for matrix in study.matrices for column in matrix.obs}
    compared |= {"sample": "sample", "batch": "batch"} if name == "shekhar" else {}
    absent = cells[simulation(folder).type_column].isna().to_numpy()
    missing = any(tables[a.file].missing is None for a in study.annotations) & absent
    for annotation in study.annotations:
        if left_out := tables[annotation.file].without:
            missing |= has(cells, left_out)
    if "annotated" in adata.obs:
        np.testing.assert_array_equal(adata.obs["annotated"], ~missing)
    for ours, column in compared.items():
        known = adata.obs[ours].notna().to_numpy()
        found, drawn_values = adata.obs[ours].astype(str), cells[column].astype(str)
        np.testing.assert_array_equal(found[known], drawn_values[known], err_msg=ours)
        of_table = any(ours in entry.columns.values() for entry in described)
        is_type = column == simulation(folder).type_column
        unknown = (absent | (missing & of_table)) if is_type else missing & of_table
        np.testing.assert_array_equal(known, ~unknown)


@pytest.mark.parametrize("name", ["mixseq_dabrafenib", "darmanis", "shekhar"])
def test_what_is_preprocessed_is_what_was_drawn(raw, name):
    """Cells and genes that are left have the counts drawn, and nothing but these was counted."""
    study, folder = CONFIG.studies[name], CONFIG.raw_folder(name)
    table = raw / folder / (study.ortholog_table or "none")
    given = {"orthologs": one_to_one(RawFile(table))} if study.ortholog_table else {}
    cells, qc = preprocess(read(study, raw / folder), study, given)
    rows, drawn = cells_of(study, folder), simulated(folder)
    names = drawn.cells["name"].iloc[rows]
    if len(study.matrices) > 1:
        names += "-" + drawn.cells["matrix"].iloc[rows].map({0: "0"}).fillna("1")
    chosen = pd.Series(rows, names)[cells.obs_names].to_numpy()
    genes = pd.Index(drawn.genes["symbol"]).get_indexer(cells.var_names)
    assert (genes >= 0).all()
    np.testing.assert_array_equal(
        cells.layers["counts"].toarray(), drawn.counts.toarray()[np.ix_(chosen, genes)]
    )
    known = drawn.cells.iloc[chosen]
    column = simulation(folder).type_column
    assert cells.obs[column].astype(str).tolist() == known[column].tolist()
    if name == "mixseq_dabrafenib":
        assert set(known["quality"]) == {"normal"}
        assert cells.obs["braf_mutant"].tolist() == known["braf_mutant"].tolist()
    if name == "darmanis":  # each cell to the median of the genes alone
        total = np.expm1(cells.X.toarray()).sum(axis=1)
        assert np.median(total) < 1.02 * np.median(drawn.counts.toarray()[chosen].sum(axis=1))
    if name == "shekhar":
        assert set(known["state"]) == {"healthy"} and len(known) > 800
        assert qc["step"].tolist()[-2:] == ["highly_variable", "drop"]  # genes of all cells


@pytest.mark.parametrize("folder", FOLDERS)
def test_all_files_are_written_and_known_as_simulated(raw, folder):
    source = CONFIG.raw_source(folder)
    written = {path.name for path in (raw / folder).iterdir() if path.is_file()}
    assert written == {*source.files, *filter(None, [source.family_file])}
    assert written == {row.file for row in CONFIG.files if row.study == folder}
    for file in written:
        record = yaml.safe_load((raw / folder / ".provenance" / f"{file}.json").read_text())
        assert record["identity"] == "simulated" and record["study"] == folder


def test_every_study_of_the_paper_has_its_simulation():
    """Others are left out of a simulated run, and so would be one that was forgotten."""
    shown = {study for figure in CONFIG.figures.values() for study in figure.studies}
    assert shown <= set(CONFIG.selected_studies)


def test_studies_that_share_raw_files_are_simulated_once():
    source = CONFIG.raw_source("mixseq")
    assert [m.obs["condition"] for m in source.matrices] == ["DMSO", *DRUGS]
    assert len(source.annotations) == 6  # cells of five matrices, and the mutations
    assert len(set(source.files)) == 6


# ---------------------------------------------------------------- determinism


@pytest.mark.parametrize("folder", FOLDERS)
def test_same_table_same_bytes(folder):
    source = CONFIG.raw_source(folder)
    again = simulate_study(folder, source, CONFIG.simulations)
    assert dict(raw_files(source, again, simulation(folder))) == contents(folder)


def test_no_archive_holds_a_time(raw):
    for path in (path for path in raw.glob("*/*") if path.is_file()):
        if path.suffix in (".gz", ".rds"):
            assert path.read_bytes()[4:8] == bytes(4)
        if path.name.endswith(".tar.gz"):
            with tarfile.open(path) as archive:
                assert {(m.mtime, m.uid, m.uname) for m in archive} == {(0, 0, "")}
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                assert {m.date_time for m in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


# ---------------------------------------------------------------- formats


def test_zheng_is_10x_archive_and_labels_as_in_the_real_one(mirror):
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


def test_mixseq_archives_hold_four_files_each():
    header = {"barcode", "singlet_ID", "DepMap_ID", "cell_quality"}
    qualities = {"normal", "low_quality", "doublet", "empty_droplet", "low_confidence"}
    for drug in ["DMSO", *DRUGS]:
        folder = f"{drug}_24hr_expt3"
        with zipfile.ZipFile(io.BytesIO(contents("mixseq")[f"{folder}.zip"])) as archive:
            assert sorted(archive.namelist()) == [
                f"{folder}/{name}"
                for name in ("", "barcodes.tsv", "classifications.csv", "genes.tsv", "matrix.mtx")
            ]
            table = pd.read_csv(archive.open(f"{folder}/classifications.csv"))
            barcodes = archive.read(f"{folder}/barcodes.tsv").decode().split()
        assert set(table) == header and table["barcode"].tolist() == barcodes
        assert table.columns[0] != "barcode"
        assert set(table["cell_quality"]) == qualities
        assert table["singlet_ID"].str.fullmatch(r"[A-Z0-9]+_[A-Z_]+").all()
        assert table.groupby("singlet_ID")["DepMap_ID"].nunique().eq(1).all()


def test_mutations_are_a_table_in_a_list_of_r_with_lines_of_no_pool(raw):
    """Read by rdata's own conversion, which is not ours."""
    tables = read_rds(raw / "mixseq" / "all_CL_features.rds")
    assert list(tables) == ["another", "Trametinib_24hr_expt3"]
    table = tables["Trametinib_24hr_expt3"]
    assert {"DEPMAP_ID", "CCLE_ID", "in_pool", "BRAF_MUT", "KRAS_MUT"} <= set(table)
    pool = table[table["in_pool"].astype(bool)]
    assert sorted(pool["CCLE_ID"]) == sorted(simulation("mixseq").types)
    assert pool["BRAF_MUT"].sum() == pool["KRAS_MUT"].sum() == 4
    assert len(table) > len(pool) and table["CCLE_ID"].duplicated().any()
    assert table["BRAF_MUT"].isna().sum() == 1  # of no line of the pool


def test_enough_good_cells_of_every_line_and_drug():
    cells = simulated("mixseq").cells
    good = cells[cells["quality"] == "normal"]
    assert pd.crosstab(good["cell_line"], good["condition"]).to_numpy().min() >= 10
    lines = good.drop_duplicates("cell_line")
    melanoma = lines["cell_line"].str.endswith("_SKIN")
    assert (melanoma & (lines["braf_mutant"] == "mutant")).sum() >= 4
    assert (melanoma & (lines["braf_mutant"] == "wild type")).any()
    assert lines["cell_line"].str.split("_", n=1).str[1].nunique() >= 5


def test_darmanis_table_is_quoted_with_summary_rows_below():
    file = "GSE84465_GBM_All_data.csv.gz"
    header, *rows = contents("darmanis")[file].decode().splitlines()
    names = header.split(" ")
    assert all(re.fullmatch(r'"\d{10}\.[A-H](1[0-2]|[1-9])"', name) for name in names)
    assert len(set(names)) == len(names) == 900
    assert {len(row.split(" ")) for row in rows} == {901}  # as in R, row names have no header
    pattern = CONFIG.studies["darmanis"].matrices[0].no_genes
    no_gene = [bool(re.fullmatch(pattern, row.split(" ")[0].strip('"'))) for row in rows]
    n_genes = len(simulated("darmanis").genes)
    assert no_gene == [False] * n_genes + [True] * (92 + 5)
    counts = np.array([row.split(" ")[1:] for row in rows], dtype=int)
    spiked = counts[n_genes:-5].sum(axis=0) / counts[:-5].sum(axis=0)
    assert spiked.mean() == pytest.approx(0.22, abs=0.05)
    assert spiked.min() < 0.01 and spiked.max() > 0.99


def test_darmanis_samples_are_as_geo_describes_them(raw, mirror):
    series = GEOparse.get_GEO(
        filepath=str(raw / "darmanis" / "GSE84465_family.soft.gz"), silent=True
    )
    drawn = simulated("darmanis").cells
    assert len(series.gsms) == drawn["cell_type"].notna().sum() < len(drawn)
    real = pd.read_csv(mirror / "darmanis" / "cell_metadata_3584.csv", dtype=str)
    lines = [sample.metadata["characteristics_ch1"] for sample in series.gsms.values()]
    table = pd.DataFrame([dict(line.split(": ", 1) for line in sample) for sample in lines])
    for column in table.columns.difference(["plate id", "well", "tsne cluster"]):
        ours, theirs = set(table[column]), set(real[column.replace(" ", "_")])
        if column == "cell type":
            ours = {"Astrocyte" if value == "Astocyte" else value for value in ours}
            theirs = {"Astrocyte" if value == "Astocyte" else value for value in theirs}
            assert ours == theirs
        assert ours <= theirs, column
    names = (table["plate id"] + "." + table["well"]).tolist()
    assert names == drawn.loc[drawn["cell_type"].notna(), "name"].tolist()


def test_shekhar_table_has_replicates_mouse_genes_and_a_second_header():
    files = contents("shekhar")
    header, *rows = files["GSE81904_BipolarUMICounts_Cell2016.txt.gz"].decode().splitlines()
    names = header.split("\t")
    assert names[0] == "" and len(names) == 1001
    assert all(re.fullmatch(r"Bipolar[1-6]_[ACGT]{12}", name) for name in names[1:])
    assert {len(row.split("\t")) for row in rows} == {1001}
    genes = [row.split("\t")[0] for row in rows]
    assert "Isg15" in genes and "mt-Co1" in genes and not any(gene.isupper() for gene in genes)
    first, second, *labels = files["clust_retinal_bipolar.txt"].decode().splitlines()
    assert first.split("\t") == ["NAME", "CLUSTER", "SUB-CLUSTER"]
    assert second.split("\t") == ["TYPE", "group", "group"]
    assert 0 < len(labels) < 1000
    table = pd.DataFrame([line.split("\t") for line in labels], columns=first.split("\t"))
    kinds = table.set_index("NAME")["CLUSTER"]
    doublet = kinds == "Doublets/Contaminants"
    vector = rdata.parser.parse_data(files["Reference_clusters.rds"], extension=".rds").object
    [tag, (names, _)] = vector.attributes.tag, vector.attributes.value
    assert tag.value.value == b"names" and 0 < doublet.sum() < 40
    assert [name.value.decode() for name in names.value] == kinds.index[~doublet].tolist()
    assert [text.value.decode() for text in vector.value] == kinds[~doublet].tolist()


def test_orthologs_are_one_to_one_but_for_some():
    table = pd.read_csv(io.BytesIO(contents("shekhar")["mouse_to_human.csv"]))
    genes = simulated("shekhar").genes
    assert set(table["Gene name"]) == set(genes["name"])
    one = table[table["Human homology type"] == "ortholog_one2one"]
    symbols = genes.set_index("name")["symbol"]
    assert (one["Human gene name"] == symbols[one["Gene name"]].to_numpy()).all()
    assert one["Gene name"].is_unique and len(one) > 0.95 * len(genes)
    two = table[table["Human homology type"] == "ortholog_one2many"]
    assert two["Gene name"].value_counts().eq(2).all() and len(two) > 0
    assert table[table["Human gene name"].isna()]["Gene name"].str.startswith("mt-").all()


# ---------------------------------------------------------------- gene sets


@pytest.mark.parametrize("file", CONFIG.simulations.gene_sets)
def test_gmt_reads_back(file, tmp_path):
    (tmp_path / file).write_bytes(gmt(sets(file)))
    expected = [(name.strip(), genes) for name, genes in sets(file).items()]
    assert list(read_gmt(tmp_path / file).items()) == expected


def test_hallmarks_have_their_real_names(mirror):
    assert set(sets("hallmarks.gmt")) == set(read_gmt(mirror / "gene_sets" / "hallmarks.gmt"))


def test_regulons_are_named_by_real_factors(mirror):
    real = read_gmt(mirror / "gene_sets" / "gbm_aracne.gmt")
    named = CONFIG.simulations.gene_sets["gbm_aracne.gmt"].named
    assert {"STAT3", "OLIG2"} <= set(named) <= set(real)
    assert len(sets("gbm_aracne.gmt")) == 150
    assert not set(sets("gbm_aracne.gmt")["STAT3"]) & set(sets("gbm_aracne.gmt")["OLIG2"])


def test_organoid_sets_are_reactome_and_the_seven_of_the_real_file(mirror):
    found = sets("reactomes_organoid_ct.gmt")
    reactome = sets("reactomes.gmt")
    assert list(found.items())[: len(reactome)] == list(reactome.items())
    # Read as it is, since one name ends in a blank that readers take away.
    text = (mirror / "gene_sets" / "reactomes_organoid_ct.gmt").read_text()
    real = [line.split("\t") for line in text.splitlines()[-7:]]
    assert [(name, genes) for name, _, *genes in real] == list(found.items())[-7:]
    assert not any("MKI67" in genes for genes in found.values())
    measured = set(simulated("field").genes["symbol"])
    assert measured.issuperset(gene for genes in found.values() for gene in genes)


# ---------------------------------------------------------------- planted truth


@cache
def frame(folder):
    """Counts of the good, labelled cells with a column per symbol, and these cells."""
    study = simulated(folder)
    good = (study.cells["quality"] == "normal") & study.cells[
        simulation(folder).type_column
    ].notna()
    counts = pd.DataFrame(study.counts.toarray()[good.to_numpy()], columns=study.genes["symbol"])
    return counts, study.cells[good].reset_index(drop=True)


@cache
def planted(folder):
    """Genes of all programmes."""
    file = simulation(folder).gene_sets
    return {g for p in simulation(folder).programmes for g in responders(p, sets(file))}


def pooled_change(folder, genes, group, reference):
    """log2 ratio of the pooled counts of `genes`; depth taken from the genes without programme."""
    counts, _ = frame(folder)
    steady = [gene for gene in counts if gene not in planted(folder)]
    a, b = counts[group].sum(), counts[reference].sum()
    depth = np.log2(a[steady].sum() / b[steady].sum())
    return np.log2(a[list(genes)].sum() / b[list(genes)].sum()) - depth


def has(cells, where):
    return np.logical_and.reduce([cells[c].isin(v) for c, v in where.items()])


@pytest.mark.parametrize("drug", DRUGS)
@pytest.mark.parametrize("braf", ["mutant", "wild type"])
def test_drugs_move_the_hallmarks_that_the_table_says(drug, braf):
    _, cells = frame("mixseq")
    lines = cells["braf_mutant"] == braf
    programmes, moved = simulation("mixseq").programmes, 0
    for name in CONFIG.simulations.gene_sets["hallmarks.gmt"].named:
        cell = {"condition": drug, "braf_mutant": braf}
        expected = sum(
            p.effect
            for p in programmes
            if p.gene_set == name and all(cell[c] in v for c, v in p.where.items())
        )
        found = pooled_change(
            "mixseq", sets("hallmarks.gmt")[name],
            lines & (cells["condition"] == drug), lines & (cells["condition"] == "DMSO"),
        )  # fmt: skip
        assert found == pytest.approx(expected, abs=0.2), name
        moved += abs(expected) > 0.5
    acts = drug == "Trametinib" or (drug, braf) == ("Dabrafenib", "mutant")
    assert (moved >= 6) if acts else (moved == 0)


def test_doublets_and_poor_cells_of_mixseq_are_called_so():
    study = simulated("mixseq")
    total = (
        pd.Series(study.counts.toarray().sum(axis=1))
        .groupby(study.cells["quality"].to_numpy())
        .median()
    )
    assert total["low_quality"] / total["normal"] == pytest.approx(LOW_QUALITY, rel=0.3)
    assert total["doublet"] / total["normal"] > 1.6


def activity(folder, name):
    """Mean log-normalised expression of a set's genes, cell by cell."""
    counts, _ = frame(folder)
    expression = np.log1p(counts.div(counts.sum(axis=1), axis=0) * 1e4)
    return expression[sets(simulation(folder).gene_sets)[name]].mean(axis=1)


def test_stat3_and_olig2_exclude_each_other_in_neoplastic_cells():
    _, cells = frame("darmanis")
    stat3, olig2 = activity("darmanis", "STAT3"), activity("darmanis", "OLIG2")
    neoplastic = cells["cell_type"] == "Neoplastic"
    assert np.corrcoef(stat3[neoplastic], olig2[neoplastic])[0, 1] < -0.5
    by_patient = pd.DataFrame({"stat3": stat3, "olig2": olig2})[neoplastic].groupby(
        cells["patient"]
    )
    means = by_patient.mean()
    assert means["stat3"].nlargest(2).index.tolist() == ["BT_S1", "BT_S4"]
    assert means["olig2"].nlargest(2).index.tolist() == ["BT_S2", "BT_S6"]
    assert olig2.groupby(cells["cell_type"]).mean().idxmax() == "OPC"


@pytest.mark.parametrize("number", range(len(CONFIG.simulations.studies["darmanis"].programmes)))
def test_regulons_change_by_the_effect_planted(number):
    _, cells = frame("darmanis")
    programme = simulation("darmanis").programmes[number]
    genes = sets("gbm_aracne.gmt")[programme.gene_set]
    touched = np.zeros(len(cells), dtype=bool)
    for other in simulation("darmanis").programmes:
        if other.gene_set == programme.gene_set:
            touched |= has(cells, other.where)
    found = pooled_change("darmanis", genes, has(cells, programme.where), ~touched)
    assert found == pytest.approx(programme.effect, abs=0.3)


@pytest.mark.parametrize(
    ("name", "cell_type"),
    [
        ("Cajal-Retzius Neurons", "Cajal-Retzius"),
        ("Neuroepithelium ", "Neural Epithelium"),
        ("Radial Glia Cells", "Radial Glia"),
    ],
)
def test_marker_sets_are_high_in_their_own_type_only(name, cell_type):
    _, cells = frame("field")
    own = cells["cell_type"] == cell_type
    [effect] = [p.effect for p in simulation("field").programmes if p.gene_set == name]
    genes = sets("reactomes_organoid_ct.gmt")[name]
    assert pooled_change("field", genes, own, ~own) == pytest.approx(effect, abs=0.3)
    means = activity("field", name).groupby(cells["cell_type"]).mean()
    assert means.idxmax() == cell_type
    assert means.nlargest(2).diff().iloc[1] < -0.5


def test_mki67_goes_with_the_cell_cycle_of_a_part_of_the_progenitors():
    counts, cells = frame("field")
    cycling = cells["phase"] == "cycling"
    assert not (cycling & (cells["cell_type"] == "Cajal-Retzius")).any()
    progenitor = cells["cell_type"] != "Cajal-Retzius"
    assert cycling[progenitor].mean() == pytest.approx(0.5, abs=0.08)
    resting = progenitor & ~cycling
    cycle = sets("reactomes_organoid_ct.gmt")["REACTOME_CELL_CYCLE_MITOTIC"]
    assert pooled_change("field", cycle, cycling, resting) == pytest.approx(1.8, abs=0.1)
    assert pooled_change("field", ["MKI67"], cycling, resting) == pytest.approx(4.0, abs=0.3)
    mki67 = np.log1p(counts["MKI67"] / counts.sum(axis=1) * 1e4)
    r2 = np.corrcoef(mki67, activity("field", "REACTOME_CELL_CYCLE_MITOTIC"))[0, 1] ** 2
    assert r2 > 0.5


def log2_levels(folder, mask, genes):
    """log2 share of each gene in the pooled counts."""
    counts, _ = frame(folder)
    pooled = counts.loc[mask, genes].sum()
    return np.log2((pooled + 0.5) / pooled.sum())


def test_zheng_has_the_types_of_kang_and_a_shift_of_its_own():
    (_, kang), (zheng_counts, zheng) = frame("kang"), frame("zheng")
    counts, _ = frame("kang")
    genes = [g for g in counts if counts[g].sum() > 500 and zheng_counts[g].sum() > 300]
    genes = [g for g in genes if g not in planted("kang")]
    assert len(genes) > 300
    control = kang["condition"] == "control"
    types = [t for t in simulation("kang").types if t != "Megakaryocyte"]

    def profiles(folder, cells, among):
        rest = log2_levels(folder, among, genes)
        return pd.DataFrame(
            {t: log2_levels(folder, among & (cells["cell_type"] == t), genes) - rest for t in types}
        )

    here, there = profiles("kang", kang, control), profiles("zheng", zheng, zheng["matrix"] == 0)
    similar = here.apply(lambda a: there.apply(a.corr))
    assert (similar.idxmax() == similar.columns).all()
    # The platform shifts every gene, by the same amount in every type.
    shifts = pd.DataFrame(
        {
            t: log2_levels("zheng", zheng["cell_type"] == t, genes)
            - log2_levels("kang", control & (kang["cell_type"] == t), genes)
            for t in ("CD4T", "CD14+Mono", "B")
        }
    )
    planted_sd = simulation("zheng").columns["platform"].log2_sd
    assert shifts.std().between(0.85 * planted_sd, 1.4 * planted_sd).all()
    assert shifts.corr().to_numpy().min() > 0.7


def test_batches_shift_genes_alike_in_all_types():
    counts, cells = frame("shekhar")
    genes = [g for g in counts if counts[g].sum() > 800 and g not in planted("shekhar")]
    second = cells["batch"] == "1"
    assert set(cells.loc[second, "sample"]) == {"Bipolar5", "Bipolar6"}
    shifts = pd.DataFrame(
        {
            kind: log2_levels("shekhar", own & second, genes)
            - log2_levels("shekhar", own & ~second, genes)
            for kind, own in (
                ("RBC", cells["cell_type"] == "RBC"),
                ("others", cells["cell_type"] != "RBC"),
            )
        }
    )
    assert shifts.corr().iloc[0, 1] > 0.7
    assert shifts.std().mean() == pytest.approx(np.sqrt(2) * 0.5, rel=0.25)  # two batches' shifts


def test_dying_cells_alone_are_mitochondrial():
    counts, cells = frame("shekhar")
    mito = [gene for gene in counts if gene.startswith("mt-")]
    share = counts[mito].sum(axis=1) / counts.sum(axis=1)
    dying = cells["state"] == "dying"
    assert len(mito) == 13 and dying.sum() > 10
    assert share[dying].min() > 0.1 > share[~dying].max()


@pytest.mark.parametrize("folder", FOLDERS)
def test_truth_has_every_programme_and_every_shift(folder):
    table, entry = simulated(folder).truth, simulation(folder)
    groups = {column for programme in entry.programmes for column in programme.where}
    assert groups <= set(table)
    for number, programme in enumerate(entry.programmes):
        rows = table[table["programme"] == number]
        assert (rows["effect"] == programme.effect).all()
        told = {gene for genes in rows["genes"] for gene in genes.split(";")}
        assert told == set(responders(programme, sets(entry.gene_sets)))
        for column, values in programme.where.items():
            assert (rows[column] == ";".join(values)).all()
    shifts = table[table["kind"] == "shift"]
    assert shifts["effect"].tolist() == [c.log2_sd for c in entry.columns.values() if c.log2_sd]


def test_outside_genes_are_told_apart_in_the_truth():
    table = simulated("field").truth
    [row] = table[table["kind"] == "outside"].to_dict("records")
    assert row["genes"] == "MKI67" and row["phase"] == "cycling" and row["effect"] == 4.0
