"""The simulator against its table, by the example of Kang: bytes, determinism, planted truth.

What is planted in the other studies, and that their files read back, is in
`test_simulated_studies.py`.
"""

import gzip
import hashlib
import re
import shutil
from pathlib import Path

import GEOparse
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.io import mmread

from scripts.common.config.load import load
from scripts.simulate.genes import gmt, simulate_gene_sets
from scripts.simulate.simulate_study import LOW_QUALITY, simulate_study
from scripts.simulate.truth import responders
from scripts.simulate.writers import raw_files, write
from vega.errors import InputError
from vega.gene_sets import read_gmt

CONFIG_FOLDER = Path(__file__).parent.parent / "config"
SETTINGS = {"data": "simulated", "studies": "kang"}
IFN = "REACTOME_INTERFERON_ALPHA_BETA_SIGNALING"
CELLS = "GSE96583_batch2.total.tsne.df.tsv.gz"
INNATE = ["CD14+Mono", "FCGR3A+Mono", "Dendritic"]


@pytest.fixture(scope="module")
def config():
    return load(SETTINGS, CONFIG_FOLDER)


@pytest.fixture(scope="module")
def kang(config):
    return _simulated(config)


@pytest.fixture(scope="module")
def sets(config):
    return simulate_gene_sets(config.simulations, "reactomes.gmt")


@pytest.fixture(scope="module")
def raw(config, kang, tmp_path_factory):
    """Folder of kang's raw files."""
    folder = tmp_path_factory.mktemp("raw") / "kang"
    write(_contents(config, kang).items(), folder, "test")
    return folder


def _simulated(config):
    return simulate_study("kang", config.raw_source("kang"), config.simulations)


def _contents(config, simulated):
    return dict(raw_files(config.raw_source("kang"), simulated, config.simulations.studies["kang"]))


def _lines(path):
    return gzip.decompress(path.read_bytes()).decode().removesuffix("\n").split("\n")


@pytest.fixture
def changed(tmp_path):
    """Loads the configuration after `change` has edited the simulations."""

    def load_changed(change, settings=SETTINGS):
        folder = tmp_path / "config"
        shutil.copytree(CONFIG_FOLDER, folder)
        path = folder / "simulations.yaml"
        table = yaml.safe_load(path.read_text())
        change(table)
        path.write_text(yaml.safe_dump(table, sort_keys=False))
        return load(settings, folder)

    return load_changed


# ---------------------------------------------------------------- formats


def test_writes_the_files_that_the_study_asks_for(config, raw):
    study = config.studies["kang"]
    written = {path.name for path in raw.iterdir() if path.is_file()}
    assert written == {*study.files, study.family_file}
    listed = {row.file for row in config.files if row.study == "kang"}
    assert written == listed


def test_matrices_are_genes_by_cells_and_fit_their_side_files(config, kang, raw):
    for number, names in enumerate(config.studies["kang"].matrices):
        lines = _lines(raw / names.matrix)
        assert lines[:2] == ["%%MatrixMarket matrix coordinate integer general", "%"]
        barcodes, genes = _lines(raw / names.barcodes), _lines(raw / names.genes)
        entries = len(lines) - 3
        assert lines[2] == f"{len(genes)} {len(barcodes)} {entries}"
        assert all(re.fullmatch(r"[ACGT]{14}-1", barcode) for barcode in barcodes)
        assert all(re.fullmatch(r"ENSG\d{11}\t\S+", gene) for gene in genes)
        counts = mmread(raw / names.matrix, spmatrix=True)
        np.testing.assert_array_equal(
            counts.toarray().T, kang.counts.toarray()[(kang.cells["matrix"] == number).to_numpy()]
        )


def test_annotation_is_as_geo_has_it(config, kang, raw):
    file = raw / config.studies["kang"].annotations[0].file
    header, *rows = (line.split("\t") for line in _lines(file))
    assert header == ["tsne1", "tsne2", "ind", "stim", "cluster", "cell", "multiplets"]
    assert {len(row) for row in rows} == {8}
    # pandas takes the surplus field for the row name, as R does.
    table = pd.read_csv(file, sep="\t", keep_default_na=False)
    assert set(table["stim"]) == {"ctrl", "stim"}
    assert set(table["multiplets"]) == {"singlet", "doublet"}
    assert set(table["cell"]) == {
        "NK cells", "Dendritic cells", "CD4 T cells", "B cells", "FCGR3A+ Monocytes",
        "CD14+ Monocytes", "CD8 T cells", "Megakaryocytes", "NA",
    }  # fmt: skip
    assert table["ind"].nunique() == 8
    assert pd.api.types.is_integer_dtype(table["cluster"])
    missing = kang.cells["cell_type"].isna().to_numpy()
    assert 0 < missing.mean() < 0.05
    np.testing.assert_array_equal((table["cell"] == "NA").to_numpy(), missing)


def test_barcodes_met_before_get_one_more_1_in_the_annotation_only(config, raw):
    study = config.studies["kang"]
    first, second = (_lines(raw / names.barcodes) for names in study.matrices)
    assert len(set(first)) == len(first) and len(set(second)) == len(second)
    both = set(first) & set(second)
    assert len(both) == config.simulations.studies["kang"].shared_barcodes > 0
    rows = [line.split("\t")[0] for line in _lines(raw / study.annotations[0].file)[1:]]
    assert rows == first + [barcode + "1" * (barcode in both) for barcode in second]


def test_geoparse_reads_the_family_file(config, raw):
    study = config.studies["kang"]
    series = GEOparse.get_GEO(filepath=str(raw / study.family_file), silent=True)
    assert series.name == "GSE96583"
    conditions = {
        name: sample.metadata["characteristics_ch1"] for name, sample in series.gsms.items()
    }
    assert conditions == {
        "GSM2560248": ["condition: control"],
        "GSM2560249": ["condition: stimulated"],
    }


def test_real_and_simulated_files_have_the_same_shape_of_lines(config, raw, mirror):
    study = config.studies["kang"]
    for file in (study.annotations[0].file, study.matrices[0].barcodes, study.matrices[0].genes):
        real, simulated = _lines(mirror / "kang" / file), _lines(raw / file)
        for line in (0, -1):
            assert len(real[line].split("\t")) == len(simulated[line].split("\t"))
    for names in study.matrices:
        real, simulated = _lines(mirror / "kang" / names.matrix), _lines(raw / names.matrix)
        assert real[:2] == simulated[:2]
        assert [len(line.split(" ")) for line in real[2:4]] == [
            len(line.split(" ")) for line in simulated[2:4]
        ]


def test_provenance_says_simulated_and_has_the_checksum(raw):
    for path in (path for path in raw.iterdir() if path.is_file()):
        record = yaml.safe_load((raw / ".provenance" / f"{path.name}.json").read_text())
        assert record["identity"] == "simulated" and record["file"] == path.name
        assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


# ---------------------------------------------------------------- determinism


def test_same_table_same_bytes(config, raw, tmp_path):
    write(_contents(config, _simulated(config)).items(), tmp_path / "kang", "test")
    for path in (path for path in raw.iterdir() if path.is_file()):
        assert (tmp_path / "kang" / path.name).read_bytes() == path.read_bytes()


def test_compressed_files_hold_no_time(raw):
    for path in raw.glob("*.gz"):
        assert path.read_bytes()[4:8] == bytes(4)


def test_another_seed_draws_other_cells_with_the_same_truth(config, kang, changed):
    other = changed(
        lambda table: _kang(table).update(seed=config.simulations.studies["kang"].seed + 1)
    )
    simulated = _simulated(other)
    before, after = _contents(config, kang), _contents(other, simulated)
    study = config.studies["kang"]
    same = {name for name in before if before[name] == after[name]}
    assert same == {study.matrices[0].genes, study.family_file}
    pd.testing.assert_frame_equal(simulated.truth, kang.truth)


# ---------------------------------------------------------------- gene sets


def test_gmt_reads_back(sets, tmp_path):
    path = tmp_path / "sets.gmt"
    path.write_bytes(gmt(sets))
    assert read_gmt(path) == sets
    assert all(line.split("\t")[1] == "simulated" for line in path.read_text().splitlines())


def test_sets_nest_as_the_table_says(config, sets):
    table = config.simulations.gene_sets["reactomes.gmt"].named
    for name, named in table.items():
        assert len(set(sets[name])) == len(sets[name]) == named.size
        assert set(named.genes) <= set(sets[name])
        if named.subset_of:
            assert set(sets[name]) < set(sets[named.subset_of])
    chain = [
        "REACTOME_INTERFERON_SIGNALING",
        "REACTOME_CYTOKINE_SIGNALING_IN_IMMUNE_SYSTEM",
        "REACTOME_IMMUNE_SYSTEM",
    ]
    assert all(set(sets[IFN]) < set(sets[name]) for name in chain)
    assert not set(sets["REACTOME_TRYPTOPHAN_CATABOLISM"]) & set(sets["REACTOME_IMMUNE_SYSTEM"])
    assert not any("MKI67" in genes for genes in sets.values())


def test_named_sets_have_real_names_and_nesting(config, mirror):
    real = read_gmt(mirror / "gene_sets" / "reactomes.gmt")
    for name, named in config.simulations.gene_sets["reactomes.gmt"].named.items():
        assert set(named.genes) <= set(real[name]), name
        if named.subset_of:
            assert set(real[name]) <= set(real[named.subset_of]), name


def test_random_sets_have_the_sizes_of_the_table(config, sets):
    table = config.simulations.gene_sets["reactomes.gmt"]
    sizes = np.array([len(set(genes)) for name, genes in sets.items() if name not in table.named])
    assert len(sizes) == table.sets
    assert sizes.min() >= table.min_size and sizes.max() <= table.max_size
    # Four standard errors of the mean of so many logarithms.
    error = table.size_log_sd / np.sqrt(table.sets)
    assert abs(np.log(sizes).mean() - np.log(table.median_size)) < 4 * error


# ---------------------------------------------------------------- truth


def _frame(kang):
    """Counts of the good singlets, their cells, and one column per gene."""
    good = (kang.cells["multiplet"] == "singlet") & kang.cells["cell_type"].notna()
    counts = pd.DataFrame(kang.counts.toarray()[good.to_numpy()], columns=kang.genes["symbol"])
    return counts, kang.cells[good].reset_index(drop=True)


def _log2_fold_change(counts, group, reference, steady):
    """log2 ratio of pooled counts per gene; sequencing depth taken from the `steady` genes."""
    a, b = counts[group].sum(), counts[reference].sum()
    return np.log2((a + 0.5) / (b + 0.5)) - np.log2(a[steady].sum() / b[steady].sum())


@pytest.mark.parametrize(("types", "effect"), [(INNATE, 3.0), (["CD4T", "CD8T", "B", "NK"], 2.0)])
def test_interferon_response_comes_back(config, kang, sets, types, effect):
    counts, cells = _frame(kang)
    programmes = config.simulations.studies["kang"].programmes
    planted = {gene for p in programmes for gene in responders(p, sets)}
    steady = [gene for gene in counts if gene not in planted]
    here, stimulated = cells["cell_type"].isin(types), cells["condition"] == "stimulated"
    change = _log2_fold_change(counts, here & stimulated, here & ~stimulated, steady)
    ifn = responders(programmes[0], sets)
    assert change[ifn].mean() == pytest.approx(effect, abs=0.15)
    assert change[["ISG15", "IFIT1", "MX1"]].min() > effect - 0.7
    others = [gene for gene in sets[IFN] if gene not in ifn]
    seen = counts.loc[here, steady].sum() > 200
    assert abs(change[others].mean()) < 0.3
    assert abs(change[steady][seen].mean()) < 0.05


@pytest.mark.parametrize(
    ("name", "types", "effect"),
    [
        ("REACTOME_TRYPTOPHAN_CATABOLISM", INNATE, 2.5),
        ("REACTOME_TRYPTOPHAN_CATABOLISM", ["CD4T", "CD8T", "B", "NK"], 0.0),
    ],
)
def test_tryptophan_catabolism_rises_in_stimulated_innate_cells_only(
    config, kang, sets, name, types, effect
):
    counts, cells = _frame(kang)
    steady = [g for g in counts if not any(g in sets[n] for n in (name, IFN))]
    here, stimulated = cells["cell_type"].isin(types), cells["condition"] == "stimulated"
    change = _log2_fold_change(counts, here & stimulated, here & ~stimulated, steady)
    seen = [gene for gene in sets[name] if counts.loc[here, gene].sum() > 100]
    assert len(seen) >= 7
    assert change[seen].mean() == pytest.approx(effect, abs=0.3)


@pytest.mark.parametrize(
    ("name", "cell_type"),
    [
        ("REACTOME_SIGNALING_BY_THE_B_CELL_RECEPTOR_BCR", "B"),
        ("REACTOME_INTRINSIC_PATHWAY_FOR_APOPTOSIS", "NK"),
    ],
)
def test_programmes_of_one_type_come_back(config, kang, sets, name, cell_type):
    counts, cells = _frame(kang)
    programme = next(p for p in config.simulations.studies["kang"].programmes if p.gene_set == name)
    planted = responders(programme, sets)
    # Genes of named sets are no markers: without the planted ones they are the same in all types.
    table = config.simulations.gene_sets["reactomes.gmt"].named
    touched = {
        g for p in config.simulations.studies["kang"].programmes for g in responders(p, sets)
    }
    steady = sorted({g for n in table for g in sets[n]} - touched)
    is_type = cells["cell_type"] == cell_type
    change = _log2_fold_change(counts, is_type, ~is_type, steady)
    seen = [gene for gene in planted if counts[gene].sum() > 200]
    assert change[seen].mean() == pytest.approx(programme.effect, abs=0.15)


def test_truth_says_what_was_planted(config, kang, sets):
    study = config.simulations.studies["kang"]
    truth = kang.truth
    for number, programme in enumerate(study.programmes):
        rows = truth[truth["programme"] == number].set_index("gene_set")
        genes = responders(programme, sets)
        assert (rows["effect"] == programme.effect).all()
        assert rows.index[rows["kind"] == "planted"].tolist() == [programme.gene_set]
        # By brute force over every set and gene.
        for name, members in sets.items():
            reached = [gene for gene in genes if gene in members]
            assert (name in rows.index) == bool(reached)
            if reached:
                assert rows.loc[name, "genes"].split(";") == reached
                assert rows.loc[name, "share"] == pytest.approx(
                    len(reached) / len(members), abs=1e-4
                )
        supersets = set(rows.index[rows["kind"] == "superset"])
        whole = set(sets[programme.gene_set])
        assert supersets == {n for n, g in sets.items() if whole < set(g)}
    innate = truth[(truth["kind"] == "planted") & (truth["gene_set"].str.contains("TRYPT"))].iloc[0]
    assert innate["cell_type"].split(";") == INNATE
    assert innate["condition"] == "stimulated"
    assert innate["where"] == "cell_type: CD14+Mono, FCGR3A+Mono, Dendritic; condition: stimulated"
    shift = truth[truth["kind"] == "shift"].iloc[0]
    assert (shift["where"], shift["effect"]) == ("each donor", study.columns["donor"].log2_sd)
    everywhere = truth.iloc[0]
    assert everywhere["cell_type"].split(";") == list(study.types)


# ---------------------------------------------------------------- cells


def test_most_cells_pass_the_filter_and_some_do_not(kang):
    genes = (kang.counts.toarray() > 0).sum(axis=1)
    failed = (genes < 500).mean()
    assert 0.03 < failed < 0.2
    assert np.median(genes) > 600


def test_variance_is_that_of_the_negative_binomial(changed):
    """One type and donor, equal libraries: variance = mean + dispersion x mean^2."""

    def plain(table):
        kang = table["studies"]["kang"]
        kang.update(
            types={"B": {"share": 1}}, programmes=[], library_log2_sd=0, low_quality=0,
            columns={"donor": {"shares": ["1"]}}, doublets=0, dispersion=0.5,
        )  # fmt: skip

    counts = _simulated(changed(plain)).counts.toarray()
    mean, variance = counts.mean(axis=0), counts.var(axis=0)
    seen = mean > 1
    assert np.median((variance - mean)[seen] / mean[seen] ** 2) == pytest.approx(0.5, abs=0.05)


def test_doublets_and_poor_cells_have_the_counts_they_should(changed):
    def plain(table):
        table["studies"]["kang"].update(
            types={"B": {"share": 1}}, programmes=[], library_log2_sd=0, low_quality=0.3,
            doublets=0.3, dispersion=0.001, library=20000, columns={"donor": {"shares": ["1"]}},
        )  # fmt: skip

    simulated = _simulated(changed(plain))
    total = simulated.counts.toarray().sum(axis=1)
    doublet = (simulated.cells["multiplet"] == "doublet").to_numpy()
    # 70% of the singlets have a whole library, so that this is the middle of those.
    size = np.quantile(total[~doublet], 0.65)
    # Singlets: a quarter or one library; doublets: any sum of two of these.
    for group, sizes in ((~doublet, [LOW_QUALITY, 1]), (doublet, [0.5, 1.25, 2])):
        nearest = np.abs(total[group, None] / size - sizes)
        assert nearest.min(axis=1).max() < 0.15
        assert set(nearest.argmin(axis=1)) == set(range(len(sizes)))


def test_type_shares_are_those_of_the_table(config, kang):
    types = config.simulations.studies["kang"].types
    total = sum(kind.share for kind in types.values())
    found = kang.cells["cell_type"].value_counts(normalize=True)
    for name, kind in types.items():
        share = kind.share / total
        error = np.sqrt(share * (1 - share) / len(kang.cells))
        assert abs(found[name] - share) < 4 * error


# ---------------------------------------------------------------- errors


def _kang(table):
    return table["studies"]["kang"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: _kang(t)["programmes"][1]["where"].update(cell_type=["Monocyte"]),
            r"studies.kang.programmes.1.where.cell_type 'Monocyte' is not among NK, Dendritic",
        ),
        (
            lambda t: _kang(t)["programmes"][0].update(gene_set="REACTOME_NOTHING"),
            r"studies.kang.programmes.0.gene_set 'REACTOME_NOTHING' is not among",
        ),
        (
            lambda t: _kang(t)["programmes"][0]["where"].update(dose=["high"]),
            r"studies.kang.programmes.0.where 'dose' is not among cell_type, condition, sample, d",
        ),
        (
            lambda t: t["gene_sets"]["reactomes.gmt"]["named"][IFN].update(subset_of="NO"),
            rf"gene_sets.reactomes.gmt.named.{IFN}.subset_of 'NO' is not among",
        ),
        (
            lambda t: _kang(t)["tables"][CELLS]["columns"].pop("cell"),
            rf"studies.kang.tables.{CELLS}.columns: column 'cell' is not among tsne1",
        ),
        (lambda t: _kang(t)["tables"].clear(), rf"studies.kang.tables: file '{CELLS}' is not"),
        (lambda t: _kang(t).update(gene_sets="none.gmt"), r"studies.kang.gene_sets 'none.gmt'"),
        (
            lambda t: _kang(t)["columns"].update(batch={"of": "lane", "values": {"1": "a"}}),
            r"studies.kang.columns.batch: column 'lane' is not among cell_type, condition",
        ),
        (
            lambda t: _kang(t)["columns"].update(batch={"of": "donor", "shares": ["1"]}),
            r"studies.kang.columns.batch: .*either shares or the column that it is of",
        ),
        (
            lambda t: _kang(t)["programmes"][0].pop("gene_set"),
            r"studies.kang.programmes.0: .*a programme has a gene_set, genes or both",
        ),
        (lambda t: t["studies"].update(kong=t["studies"]["kang"]), r"studies 'kong' is not"),
        (lambda t: t["studies"].clear(), r"data: simulated, but study 'kang' is not among nothing"),
        (
            lambda t: t["gene_sets"]["hallmarks.gmt"].update(extends="none.gmt"),
            r"gene_sets.hallmarks.gmt.extends 'none.gmt' is not among",
        ),
        (
            lambda t: t["gene_sets"]["reactomes.gmt"]["named"]["REACTOME_IMMUNE_SYSTEM"].update(
                subset_of=IFN
            ),
            r"gene_sets.reactomes.gmt.named.subset_of goes in a circle",
        ),
        (
            lambda t: t["gene_sets"]["hallmarks.gmt"].update(extends="hallmarks.gmt"),
            r"gene_sets.extends goes in a circle: hallmarks.gmt",
        ),
        (
            lambda t: _kang(t).update(name="{bases}-{lane}"),
            r"studies.kang.name: column 'lane' is not among cell_type, condition, .*bases, plate",
        ),
        (
            lambda t: _kang(t).update(name="{bases.__class__}"),
            r"studies.kang.name: column 'bases.__class__' is not among",
        ),
        (
            lambda t: _kang(t).update(name="{bases"),
            r"studies.kang.name: Value error, expected '}' before end of string",
        ),
        (lambda t: _kang(t).update(dispersion=0), r"studies.kang.dispersion: .*greater than 0"),
    ],
)
def test_wrong_entries_are_named_in_one_line(changed, change, message):
    with pytest.raises(InputError, match=message) as error:
        changed(change)
    assert "\n" not in str(error.value) and "simulations.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: t["gene_sets"]["reactomes.gmt"]["named"][IFN].update(size=5),
            rf"named.{IFN}: size is 5, but it has 29 genes",
        ),
        (lambda t: t["genes"].update(n=10), r"genes.n: \d+ genes have real symbols"),
        (lambda t: _kang(t).update(markers=2400), r"markers: 2400 are asked for, but only"),
    ],
)
def test_impossible_simulations_are_named_in_one_line(changed, change, message):
    config = changed(change)
    with pytest.raises(InputError, match=message) as error:
        _simulated(config)
    assert "\n" not in str(error.value)


def test_unknown_annotation_columns_are_named(changed):
    config = changed(lambda t: _kang(t)["tables"][CELLS]["columns"].update(tsne3="tsne3"))
    with pytest.raises(InputError, match="tables: tsne3: tsne3 is not simulated"):
        _contents(config, _simulated(config))


def test_large_studies_are_drawn_some_cells_at_a_time(config, monkeypatch):
    """In blocks, and with a study's own numbers of genes and cells."""
    few = {"kang": {"cells": [900, 500], "genes": 3000, "doublets": 0.3}}
    changed = load({"data": "simulated", "simulations": {"studies": few}}, CONFIG_FOLDER)
    source, table = changed.raw_source("kang"), changed.simulations
    whole = simulate_study("kang", source, table)
    monkeypatch.setattr("scripts.simulate.simulate_study.NUMBERS_AT_A_TIME", 3000 * 100)
    parts = simulate_study("kang", source, table)
    assert whole.counts.shape == parts.counts.shape == (1400, 3000)
    assert whole.cells["matrix"].value_counts().to_dict() == {0: 900, 1: 500}
    assert whole.genes["symbol"].iloc[-1] == "SIM3000" and whole.genes["symbol"].is_unique
    # Which types are not annotated is drawn last.
    cells = [simulated.cells.drop(columns="cell_type") for simulated in (whole, parts)]
    pd.testing.assert_frame_equal(*cells)
    kinds = [simulated.counts.sum(axis=0).A1 for simulated in (whole, parts)]
    seen = kinds[0] > 2000
    assert seen.sum() > 200
    np.testing.assert_allclose(kinds[0][seen], kinds[1][seen], rtol=0.25)
    doublet = (whole.cells["multiplet"] == "doublet").to_numpy()
    for simulated in (whole, parts):
        total = simulated.counts.sum(axis=1).A1
        assert 1.5 < total[doublet].mean() / total[~doublet].mean() < 2.5


def test_cells_are_given_for_each_matrix_or_for_all():
    one = {"studies": {"kang": {"cells": [900]}}}
    changed = load({"data": "simulated", "simulations": one}, CONFIG_FOLDER)
    with pytest.raises(InputError, match="one number for each of 2 matrices, found 1"):
        simulate_study("kang", changed.raw_source("kang"), changed.simulations)
