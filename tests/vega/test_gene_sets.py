"""GMT files and masks."""

import numpy as np
import pytest

from vega.gene_sets import gene_mask, read_gmt, readable


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_reads_names_genes_and_nothing_else(tmp_path):
    file = write(
        tmp_path / "a.gmt",
        "SET_A\thttp://a\tISG15\tIFIT1\tISG15\t",
        "",
        "Neuroepithelium \tCustomSet\tLIN28\tNR2F1",
    )
    assert read_gmt(file) == {"SET_A": ["ISG15", "IFIT1"], "Neuroepithelium": ["LIN28", "NR2F1"]}


def test_size_filter_counts_genes_as_published(tmp_path):
    file = write(tmp_path / "a.gmt", "ONE\t-\tA", "TWO\t-\tA\tB", "THREE\t-\tA\tB\tC", "NONE\t-")
    assert list(read_gmt(file, 1, 2)) == ["ONE", "TWO"]
    assert list(read_gmt(file)) == ["ONE", "TWO", "THREE", "NONE"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["SET_A\t-\tA", "just a line"], r"line 2 is not a gene set"),
        (["SET_A\t-\tA", "SET_A\t-\tB"], r"line 2: the set SET_A stands twice"),
        (["", " "], r"no gene set in it"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path, lines, message):
    with pytest.raises(ValueError, match=message) as error:
        read_gmt(write(tmp_path / "bad.gmt", *lines))
    assert "bad.gmt" in str(error.value)
    assert "\n" not in str(error.value)


def test_binary_file_is_not_a_gmt(tmp_path):
    (tmp_path / "a.gmt").write_bytes(b"\x1f\x8b\xff\xfe\x00")
    with pytest.raises(ValueError, match="not a text file"):
        read_gmt(tmp_path / "a.gmt")


def test_mask_against_brute_force():
    rng = np.random.default_rng(0)
    genes = [f"G{i}" for i in range(60)]
    sets = {f"S{k}": list(rng.choice(90, rng.integers(0, 20), replace=False)) for k in range(40)}
    sets = {name: [f"G{i}" for i in members] for name, members in sets.items()}
    expected = [[gene in members for gene in genes] for members in sets.values()]
    assert np.array_equal(gene_mask(sets, genes), expected)


def test_a_set_without_any_gene_stays():
    mask = gene_mask({"HERE": ["A"], "ELSEWHERE": ["X"]}, ["A", "B"])
    assert mask.tolist() == [[True, False], [False, False]]


def test_no_common_gene_and_double_genes_are_errors():
    with pytest.raises(ValueError, match=r"none of the 2 genes \(such as ENSG1, ENSG2\)"):
        gene_mask({"S": ["ISG15"]}, ["ENSG1", "ENSG2"])
    with pytest.raises(ValueError, match="ISG15 is named twice"):
        gene_mask({"S": ["ISG15"]}, ["ISG15", "ISG15"])


def test_names_as_figures_show_them():
    assert readable("REACTOME_TRYPTOPHAN_CATABOLISM") == "TRYPTOPHAN CATABOLISM"
    assert readable("HALLMARK_G2M_CHECKPOINT") == "G2M CHECKPOINT"
    assert readable("UNANNOTATED_1") == "UNANNOTATED 1"
    assert readable("STAT3") == "STAT3"


def test_the_real_collections(mirror):
    """Claims D12 and D13, and the mask of the largest collection."""
    sizes = {
        name: len(read_gmt(mirror / "gene_sets" / f"{name}.gmt"))
        for name in ("reactomes", "hallmarks", "gbm_aracne", "reactomes_organoid_ct")
    }
    assert sizes == {
        "reactomes": 674,
        "hallmarks": 50,
        "gbm_aracne": 6056,
        "reactomes_organoid_ct": 681,
    }
    reactome = read_gmt(mirror / "gene_sets" / "reactomes.gmt")
    assert not any("MKI67" in genes for genes in reactome.values())
    aracne = read_gmt(mirror / "gene_sets" / "gbm_aracne.gmt", max_genes=1000)
    genes = sorted({gene for members in aracne.values() for gene in members})[:7000]
    mask = gene_mask(aracne, genes)
    known = set(genes)
    assert mask.sum(axis=1).tolist() == [len(known & set(m)) for m in aracne.values()]
