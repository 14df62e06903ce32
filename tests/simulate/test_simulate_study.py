"""The counts of simulated studies against their table: planted effects, noise, and the truth."""

import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, edit
from helpers.checks import one_line_error
from helpers.simulated import (
    CONFIG,
    FOLDERS,
    TABLES,
    draw,
    good_cells,
    log2_change,
    mask,
    planted_genes,
    sets_of,
    simulated,
    unplanted,
    written,
)

from scripts.common.config.load import load
from scripts.simulate.simulate_study import EMPTY_DROPLET, LOW_QUALITY

KANG = TABLES["kang"]
CELLS = "GSE96583_batch2.total.tsne.df.tsv.gz"


@pytest.fixture
def changed(tmp_path):
    """Load the configuration after `change` of the table of simulations."""

    def load_changed(change):
        shutil.copytree(ROOT / "config", tmp_path / "config")
        edit(tmp_path / "config" / "simulations.yaml", change)
        return load({"data": "simulated", "studies": "kang"}, tmp_path / "config")

    return load_changed


@pytest.mark.parametrize("folder", FOLDERS)
def test_planted_genes_change_by_their_effect_and_only_in_their_cells(folder):
    """In every group of cells that a programme can distinguish, those without effect too."""
    counts, cells = good_cells(folder)
    programmes, groups = TABLES[folder].programmes, 0
    for name, own in {(p.gene_set, *p.genes): p for p in programmes}.items():
        same = [p for p in programmes if (p.gene_set, *p.genes) == name]
        genes = planted_genes(folder, own)
        effect = sum(p.effect * mask(cells, p.where) for p in same)
        columns = sorted({column for p in same for column in p.where})
        for values, rows in cells.groupby(columns).groups.items():
            group = cells.index.isin(rows)
            if len(rows) < 20 or counts.loc[group, genes].sum().sum() < 150:
                continue
            [expected] = set(effect[group])
            found = log2_change(folder, genes, group, effect == 0)
            assert found == pytest.approx(expected, abs=0.3), (name, values)
            groups += 1
        if rest := [g for g in sets_of(folder).get(own.gene_set, []) if g in unplanted(folder)]:
            assert abs(log2_change(folder, rest, effect > 0, effect == 0)) < 0.2, name
    assert groups > 10


def test_half_of_the_progenitors_cycle():
    _, cells = good_cells("field")
    cycling, progenitor = cells["phase"] == "cycling", cells["cell_type"] != "Cajal-Retzius"
    assert not (cycling & ~progenitor).any()
    assert cycling[progenitor].mean() == pytest.approx(0.5, abs=0.08)


def log2_levels(folder, group, genes):
    """log2 share of each gene in the pooled counts."""
    pooled = good_cells(folder)[0].loc[group, genes].sum()
    return np.log2((pooled + 0.5) / pooled.sum())


def test_zheng_has_the_types_of_kang_and_a_platform_that_shifts_all_genes():
    (kang_counts, kang), (zheng_counts, zheng) = good_cells("kang"), good_cells("zheng")
    seen = (kang_counts.sum() > 500) & (zheng_counts.sum() > 300)
    genes = [gene for gene in unplanted("kang") if seen[gene]]
    assert len(genes) > 300
    control = kang["condition"] == "control"
    types = [kind for kind in KANG.types if kind != "Megakaryocyte"]

    def levels(folder, cells, among):
        groups = {kind: among & (cells["cell_type"] == kind) for kind in types}
        table = pd.DataFrame({kind: log2_levels(folder, g, genes) for kind, g in groups.items()})
        return table, table.sub(log2_levels(folder, among, genes), axis=0)

    here, own_here = levels("kang", kang, control)
    there, own_there = levels("zheng", zheng, zheng["matrix"] == 0)
    similar = own_here.apply(lambda profile: own_there.apply(profile.corr))
    assert (similar.idxmax() == similar.columns).all()
    shifts = (there - here)[["CD4T", "CD14+Mono", "B"]]
    planted_sd = TABLES["zheng"].columns["platform"].log2_sd
    assert shifts.std().between(0.85 * planted_sd, 1.4 * planted_sd).all()
    assert shifts.corr().to_numpy().min() > 0.7


def test_batches_shift_genes_alike_in_all_types():
    counts, cells = good_cells("shekhar")
    genes = [gene for gene in unplanted("shekhar") if counts[gene].sum() > 800]
    second, rbc = cells["batch"] == "1", cells["cell_type"] == "RBC"
    assert set(cells.loc[second, "sample"]) == {"Bipolar5", "Bipolar6"}
    one, other = (
        log2_levels("shekhar", own & second, genes) - log2_levels("shekhar", own & ~second, genes)
        for own in (rbc, ~rbc)
    )
    assert one.corr(other) > 0.7
    expected = np.sqrt(2) * 0.5  # of the shifts of two batches
    assert (one.std() + other.std()) / 2 == pytest.approx(expected, rel=0.25)


@pytest.mark.parametrize("folder", FOLDERS)
def test_truth_lists_every_set_that_a_programme_reaches(folder):
    """By brute force over all sets."""
    table, gene_sets, expected = simulated(folder).truth, sets_of(folder), []
    for number, programme in enumerate(TABLES[folder].programmes):
        genes, own = planted_genes(folder, programme), set(gene_sets.get(programme.gene_set, ()))
        for name, members in gene_sets.items():
            if reached := [gene for gene in genes if gene in members]:
                kind = "superset" if own and own <= set(members) else "overlap"
                kind = "planted" if name == programme.gene_set else kind
                share = round(len(reached) / len(members), 4)
                expected.append((number, name, kind, programme.effect, share, ";".join(reached)))
        in_no_set = [g for g in genes if not any(g in members for members in gene_sets.values())]
        if in_no_set:
            expected.append((number, "", "outside", programme.effect, 0, ";".join(in_no_set)))
        for column, values in programme.where.items():
            assert (table.loc[table["programme"] == number, column] == ";".join(values)).all()
    columns = ["programme", "gene_set", "kind", "effect", "share", "genes"]
    rows = table.loc[table["programme"].notna(), columns].fillna({"gene_set": "", "share": 0})
    assert [*rows.itertuples(index=False, name=None)] == expected
    shifts = table.loc[table["kind"] == "shift", ["where", "effect"]].to_numpy().tolist()
    planted = {name: c.log2_sd for name, c in TABLES[folder].columns.items() if c.log2_sd}
    assert shifts == [[f"each {name}", sd] for name, sd in planted.items()]


def test_truth_describes_the_cells_of_a_programme_in_words():
    truth = simulated("kang").truth.drop_duplicates("programme").set_index("programme")
    assert truth.loc[0, "cell_type"].split(";") == list(KANG.types)
    words = "cell_type: CD14+Mono, FCGR3A+Mono, Dendritic; condition: stimulated"
    assert truth.loc[2, "where"] == words


def test_most_cells_pass_the_filter_of_genes_and_some_do_not():
    genes = (simulated("kang").counts.toarray() > 0).sum(axis=1)
    assert 0.03 < (genes < 500).mean() < 0.2 and np.median(genes) > 600


def test_type_shares_are_those_of_the_table():
    cells, types = simulated("kang").cells, KANG.types
    found = cells["cell_type"].value_counts(normalize=True)
    for name, kind in types.items():
        share = kind.share / sum(kind.share for kind in types.values())
        assert abs(found[name] - share) < 4 * np.sqrt(share * (1 - share) / len(cells))


PLAIN = {
    "types": {"B": {"share": 1}}, "programmes": [], "library_log2_sd": 0,
    "columns": {"donor": {"shares": ["1"]}},
}  # fmt: skip


def plain(**changes):
    """One type and one donor, equal libraries."""
    return lambda table: table["studies"]["kang"].update(PLAIN | changes)


def test_variance_is_that_of_the_negative_binomial(changed):
    """Variance = mean + dispersion x mean^2."""
    config = changed(plain(low_quality=0, doublets=0, dispersion=0.5))
    counts = draw(config, "kang").counts.toarray()
    counts = counts[:, counts.mean(axis=0) > 1]
    mean, variance = counts.mean(axis=0), counts.var(axis=0)
    assert np.median((variance - mean) / mean**2) == pytest.approx(0.5, abs=0.05)


def test_doublets_have_the_counts_of_two_cells_and_poor_cells_a_quarter(changed):
    drawn = draw(
        changed(plain(low_quality=0.3, doublets=0.3, dispersion=0.001, library=20000)), "kang"
    )
    total = drawn.counts.toarray().sum(axis=1)
    doublet = (drawn.cells["multiplet"] == "doublet").to_numpy()
    # 70% of the singlets have a whole library: this is their median.
    size = np.quantile(total[~doublet], 0.65)
    for group, sizes in ((~doublet, [LOW_QUALITY, 1]), (doublet, [0.5, 1.25, 2])):
        distance = np.abs(total[group, None] / size - sizes)
        assert distance.min(axis=1).max() < 0.15
        assert set(distance.argmin(axis=1)) == set(range(len(sizes)))


def test_qualities_are_those_of_the_counts():
    drawn = simulated("mixseq")
    total = pd.Series(drawn.counts.toarray().sum(axis=1))
    total = total.groupby(drawn.cells["quality"].to_numpy()).median()
    total /= total["normal"]
    assert total["low_quality"] == pytest.approx(LOW_QUALITY, rel=0.3)
    assert total["empty_droplet"] == pytest.approx(EMPTY_DROPLET, rel=0.3)
    assert total["doublet"] > 1.6


def test_large_studies_are_drawn_in_blocks_with_the_same_distribution(monkeypatch):
    few = {"kang": {"cells": [900, 500], "genes": 3000, "doublets": 0.3}}
    config = load({"data": "simulated", "simulations": {"studies": few}}, ROOT / "config")
    whole = draw(config, "kang")
    monkeypatch.setattr("scripts.simulate.simulate_study.NUMBERS_AT_A_TIME", 3000 * 100)
    parts = draw(config, "kang")
    assert whole.counts.shape == parts.counts.shape == (1400, 3000)
    assert whole.cells["matrix"].value_counts().to_dict() == {0: 900, 1: 500}
    assert whole.genes["symbol"].iloc[-1] == "SIM3000" and whole.genes["symbol"].is_unique
    # Missing types are drawn last.
    pd.testing.assert_frame_equal(*(d.cells.drop(columns="cell_type") for d in (whole, parts)))
    doublet = (whole.cells["multiplet"] == "doublet").to_numpy()
    for cells in (doublet, ~doublet):
        totals = [drawn.counts[cells].sum(axis=0).A1 for drawn in (whole, parts)]
        seen = totals[0] > 2000
        assert seen.sum() > 100
        np.testing.assert_allclose(totals[0][seen], totals[1][seen], rtol=0.25)


def test_another_seed_draws_other_cells_with_the_same_truth(changed):
    config = changed(lambda table: table["studies"]["kang"].update(seed=KANG.seed + 1))
    drawn = draw(config, "kang")
    before = written(CONFIG, "kang", simulated("kang"))
    after = written(config, "kang", drawn)
    study = CONFIG.studies["kang"]
    same = {name for name in before if before[name] == after[name]}
    assert same == {study.matrices[0].genes, study.family_file}
    pd.testing.assert_frame_equal(drawn.truth, simulated("kang").truth)


DROP = object()
IFN = "REACTOME_INTERFERON_ALPHA_BETA_SIGNALING"
NAMED = "gene_sets/reactomes.gmt/named"


def setting(path, value):
    """Set or drop one entry of the table; `kang/` stands for `studies/kang/`."""

    def change(table):
        *way, last = path.replace("kang/", "studies/kang/", 1).split("/")
        for key in way:
            table = table[int(key) if key.isdigit() else key]
        if value is DROP:
            del table[last]
        else:
            table[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("kang/programmes/1/where/cell_type", ["Mo"], "where.cell_type 'Mo' is not among NK, Den"),
        ("kang/programmes/0/where/dose", ["high"], "programmes.0.where 'dose' is not among cell_t"),
        ("kang/programmes/0/gene_set", "NO", "kang.programmes.0.gene_set 'NO' is not among"),
        ("kang/programmes/0/gene_set", DROP, "a programme has a gene_set, genes or both"),
        (f"kang/tables/{CELLS}/columns/cell", DROP, f"{CELLS}.columns: column 'cell' is not among"),
        ("kang/tables", {}, rf"studies.kang.tables: file '{CELLS}' is not"),
        ("kang/gene_sets", "none.gmt", "studies.kang.gene_sets 'none.gmt'"),
        ("kang/columns/b", {"of": "lane", "values": {"1": "a"}}, "b: column 'lane' is not among"),
        ("kang/columns/b", {"of": "donor", "shares": ["1"]}, "either shares or the column"),
        ("kang/name", "{bases}-{lane}", "name: column 'lane' is not among .*bases, plate"),
        ("kang/name", "{bases", "studies.kang.name: .*expected '}' before end of string"),
        ("studies/kong", KANG.model_dump(exclude_unset=True), "studies 'kong' is not"),
        ("studies", {}, "data: simulated, but study 'kang' is not among nothing"),
        ("gene_sets/hallmarks.gmt/extends", "no.gmt", "extends 'no.gmt' is not among"),
        ("gene_sets/hallmarks.gmt/extends", "hallmarks.gmt", "extends goes in a circle: hallmarks"),
        (f"{NAMED}/{IFN}/subset_of", "NO", f"{IFN}.subset_of 'NO' is not among"),
        (f"{NAMED}/REACTOME_IMMUNE_SYSTEM/subset_of", IFN, "named.subset_of goes in a circle"),
    ],
)
def test_wrong_entries_of_the_table_are_named(changed, path, value, message):
    with one_line_error(f"simulations.yaml.*{message}"):
        changed(setting(path, value))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (f"{NAMED}/{IFN}/size", 5, rf"named.{IFN}: size: expected 29 .* found 5; correct it"),
        ("genes/n", 10, r"genes.n: expected at least \d+, .* found 10; raise it"),
        ("kang/markers", 2400, "markers: 2400 are asked for, but only"),
        ("kang/cells", [900], "one number for each of 2 matrices, found 1"),
        (f"kang/tables/{CELLS}/columns/tsne3", "tsne3", "tables: tsne3: tsne3 is not simulated"),
    ],
)
def test_simulations_that_cannot_be_drawn_are_named(changed, path, value, message):
    config = changed(setting(path, value))
    with one_line_error(message):
        written(config, "kang", draw(config, "kang"))
