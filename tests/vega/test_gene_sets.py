"""GMT files and masks."""

import warnings

import numpy as np
import pytest
from helpers.checks import one_line_error

import vega
from vega.gene_sets import gene_mask, read_gmt


@pytest.fixture
def write(tmp_path):
    def write(*lines):
        (tmp_path / "a.gmt").write_text("\n".join(lines) + "\n")
        return tmp_path / "a.gmt"

    return write


def test_reads_names_and_genes(write):
    file = write("SET_A\thttp://a\tISG15\tIFIT1\tISG15\t", "", "Cells \tCustomSet\tLIN28\tNR2F1")
    assert read_gmt(file) == {"SET_A": ["ISG15", "IFIT1"], "Cells": ["LIN28", "NR2F1"]}


def test_the_size_filter_counts_genes_as_published(write):
    file = write("ONE\t-\tA", "TWO\t-\tA\tB", "THREE\t-\tA\tB\tC", "NONE\t-")
    assert list(read_gmt(file, 1, 2)) == ["ONE", "TWO"]
    assert list(read_gmt(file)) == ["ONE", "TWO", "THREE", "NONE"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"SET_A\t-\tA\njust a line", r"a\.gmt.* line 2 is not a gene set"),
        (b"SET_A\t-\tA\nSET_A\t-\tB", r"a\.gmt.* line 2: duplicate set SET_A"),
        (b"\n \n", r"a\.gmt.* no gene set in it"),
        (b"\x1f\x8b\xff\xfe\x00", r"a\.gmt.*not a GMT file \(Compressed file ended"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path, content, message):
    (tmp_path / "a.gmt").write_bytes(content)
    with one_line_error(message):
        read_gmt(tmp_path / "a.gmt")


def test_the_mask_is_that_of_brute_force():
    rng = np.random.default_rng(0)
    genes = [f"G{i}" for i in range(60)]
    sets = {f"S{k}": [f"G{i}" for i in rng.choice(90, k % 20, replace=False)] for k in range(40)}
    sets["ELSEWHERE"] = ["X"]
    expected = [[gene in members for gene in genes] for members in sets.values()]
    assert np.array_equal(gene_mask(sets, genes), expected)


def test_the_real_collections_are_those_of_the_paper(mirror):
    """Claims D12 and D13, and the mask of the largest collection."""
    sizes = {"reactomes": 674, "hallmarks": 50, "gbm_aracne": 6056, "reactomes_organoid_ct": 681}
    sets = {name: read_gmt(mirror / "gene_sets" / f"{name}.gmt") for name in sizes}
    assert {name: len(found) for name, found in sets.items()} == sizes
    assert not any("MKI67" in genes for genes in sets["reactomes"].values())
    aracne = read_gmt(mirror / "gene_sets" / "gbm_aracne.gmt", max_genes=1000)
    genes = sorted({gene for members in aracne.values() for gene in members})[:7000]
    mask, known = gene_mask(aracne, genes), set(genes)
    assert mask.sum(axis=1).tolist() == [len(known & set(m)) for m in aracne.values()]


HUMAN = {"A": ["CD79A", "CD79B", "MS4A1", "MYC"], "B": ["CD3D", "CD3E", "ACTB"]}


@pytest.mark.parametrize(
    ("genes", "message"),
    [
        (["Cd79a", "Ms4a1", "Cd3d"], "of 7 genes in the sets 0 are .*, but 3 are if upper"),
        (["ENSG00000105369", "ENSG00000007312"], "are Ensembl ids; set adata.var_names"),
        (["X", "Y"], r"none of the 2 genes \(such as X, Y\) is .*; .* must use the same names"),
        (["MYC", "MYC"], "genes: duplicate MYC"),
    ],
)
def test_gene_names_of_another_kind_and_duplicates_get_a_remedy(genes, message):
    with one_line_error(message):
        gene_mask(HUMAN, genes)


def test_a_model_of_mostly_mouse_symbols_is_told():
    mouse = ["Cd79a", "Cd79b", "Ms4a1", "Cd3d", "Cd3e", "MYC"]
    with pytest.warns(UserWarning, match="sets 1 are in the data, but 6 are if upper and lower"):
        vega.VEGA(mouse, HUMAN, n_hidden=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vega.VEGA([name.upper() for name in mouse], HUMAN, n_hidden=4)
