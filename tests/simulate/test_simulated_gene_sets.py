"""Simulated gene sets: sizes and nesting of their table, names and genes of the real files."""

import numpy as np
import pytest
from helpers.simulated import CONFIG, sets, simulated

from scripts.simulate.genes import gmt
from vega.gene_sets import read_gmt

TABLES = CONFIG.simulations.gene_sets


@pytest.mark.parametrize("file", TABLES)
def test_gmt_reads_back(file, tmp_path):
    (tmp_path / file).write_bytes(gmt(sets(file)))
    expected = [(name.strip(), genes) for name, genes in sets(file).items()]
    assert list(read_gmt(tmp_path / file).items()) == expected
    lines = (tmp_path / file).read_text().splitlines()
    assert all(line.split("\t")[1] == "simulated" for line in lines)


@pytest.mark.parametrize("file", TABLES)
def test_named_sets_have_the_size_the_genes_and_the_nesting_of_the_table(file):
    found = sets(file)
    for name, named in TABLES[file].named.items():
        assert len(set(found[name])) == len(found[name]) == named.size
        assert set(named.genes) <= set(found[name])
        if named.subset_of:
            assert set(found[name]) < set(found[named.subset_of])
    assert not any("MKI67" in genes for genes in found.values())


def test_random_sets_have_the_sizes_of_the_table():
    table = TABLES["reactomes.gmt"]
    sizes = [len(set(genes)) for n, genes in sets("reactomes.gmt").items() if n not in table.named]
    assert len(sizes) == table.sets
    assert min(sizes) >= table.min_size and max(sizes) <= table.max_size
    # Four standard errors of the mean of so many logarithms.
    error = table.size_log_sd / np.sqrt(table.sets)
    assert abs(np.log(sizes).mean() - np.log(table.median_size)) < 4 * error


def test_sets_without_a_common_superset_share_no_gene():
    reactome, regulons = sets("reactomes.gmt"), sets("gbm_aracne.gmt")
    immune = set(reactome["REACTOME_IMMUNE_SYSTEM"])
    assert not immune & set(reactome["REACTOME_TRYPTOPHAN_CATABOLISM"])
    assert not set(regulons["STAT3"]) & set(regulons["OLIG2"])


def test_names_genes_and_nesting_are_real(mirror):
    reactome, hallmarks, regulons = (
        read_gmt(mirror / "gene_sets" / file)
        for file in ("reactomes.gmt", "hallmarks.gmt", "gbm_aracne.gmt")
    )
    for name, named in TABLES["reactomes.gmt"].named.items():
        assert set(named.genes) <= set(reactome[name]), name
        if named.subset_of:
            assert set(reactome[name]) <= set(reactome[named.subset_of]), name
    assert set(sets("hallmarks.gmt")) == set(hallmarks)
    assert {"STAT3", "OLIG2"} <= set(TABLES["gbm_aracne.gmt"].named) <= set(regulons)
    assert len(sets("gbm_aracne.gmt")) == 150


def test_organoid_sets_are_reactome_and_the_seven_of_the_real_file(mirror):
    found, reactome = sets("reactomes_organoid_ct.gmt"), sets("reactomes.gmt")
    assert list(found.items())[: len(reactome)] == list(reactome.items())
    # Read as it is, since one name ends in a blank that readers remove.
    text = (mirror / "gene_sets" / "reactomes_organoid_ct.gmt").read_text()
    real = [line.split("\t") for line in text.splitlines()[-7:]]
    assert [(name, genes) for name, _, *genes in real] == list(found.items())[-7:]
    measured = set(simulated("field").genes["symbol"])
    assert measured.issuperset(gene for genes in found.values() for gene in genes)
