"""Matrices and annotations of raw files are read as written, or refused in one line."""

import gzip

import numpy as np
import pandas as pd
import pytest
from helpers.raw_files import market
from helpers.readers import says as says_of
from helpers.two_matrices import CONTROL, COUNTS, GENES, STIMULATED, TABLE, study

from scripts.common.config.studies import Study
from scripts.preprocess.gene_names import check_namespace
from scripts.preprocess.readers import read
from scripts.preprocess.readers.annotations import read_table
from scripts.preprocess.readers.files import RawFile
from vega.errors import InputError


def put(path, text):
    with gzip.open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


@pytest.fixture
def folder(tmp_path):
    for name, barcodes in (("a", CONTROL), ("b", STIMULATED)):
        put(tmp_path / f"{name}.mtx.gz", market(COUNTS[name].T))
        put(tmp_path / f"{name}_barcodes.tsv.gz", "\n".join(barcodes) + "\n")
    put(tmp_path / "genes.tsv.gz", "".join(f"{i}\t{s}\n" for i, s in GENES))
    put(tmp_path / "cells.tsv.gz", TABLE)
    return tmp_path


def says(folder, *words, entry=None):
    says_of(entry or study(), folder, *words)


def changed(matrix=(), annotation=()):
    """Return the study with changes of its second matrix and of its annotation."""
    entry = study().model_dump(exclude_unset=True)
    entry["matrices"][1] |= dict(matrix)
    entry["annotations"][0] |= dict(annotation)
    return Study.model_validate(entry)


def test_reads_counts_names_and_columns(folder):
    adata = read(study(), folder)
    np.testing.assert_array_equal(adata.X.toarray(), np.hstack([COUNTS["a"], COUNTS["b"]]).T)
    assert adata.X.format == "csr" and adata.X.dtype == np.float32
    assert list(adata.var_names) == ["CD3D", "LYZ", "LYZ-1"]
    assert list(adata.var["gene_id"]) == [i for i, _ in GENES]
    assert list(adata.obs_names) == ["AAAC-1-0", "AAAG-1-0", "AAAC-1-1", "AAAT-1-1"]
    assert list(adata.obs["condition"]) == ["control"] * 2 + ["stimulated"] * 2
    assert list(adata.obs.columns) == ["condition", "cell_type", "multiplet", "annotated"]
    assert list(read(study(annotations=[]), folder).obs.columns) == ["condition"]


def test_each_cell_has_the_row_of_its_own_condition(folder):
    adata = read(study(), folder)
    assert adata.obs["cell_type"].fillna("-").tolist() == ["B", "-", "NK", "B"]
    assert adata.obs["multiplet"].tolist() == ["singlet", "doublet", "singlet", "singlet"]
    head, *rows = TABLE.splitlines()
    put(folder / "cells.tsv.gz", "\n".join([head, *reversed(rows)]) + "\n")
    pd.testing.assert_frame_equal(read(study(), folder).obs, adata.obs)


def test_a_row_of_another_cell_is_never_taken(folder):
    # AAAC-11 is a cell of its own here, so that AAAC-1 of the same condition has no row.
    put(folder / "b_barcodes.tsv.gz", "AAAC-1\nAAAC-11\n")
    adata = read(study(), folder)
    assert adata.obs["annotated"].tolist() == [True, True, False, True]
    assert adata.obs["cell_type"].fillna("-").tolist() == ["B", "-", "-", "NK"]


def test_by_barcode_alone_only_the_exact_row_counts(folder):
    annotation = {"match": ["barcode"], "columns": {"cell": "cell_type"}, "values": {}}
    entry = changed(annotation=annotation)
    put(folder / "cells.tsv.gz", "cell\nAAAC-11\tNK\nAAAT-1\tB\n")
    adata = read(entry.model_copy(update={"matrices": entry.matrices[1:]}), folder)
    assert adata.obs["annotated"].tolist() == [False, True]


@pytest.mark.parametrize("kind", ["integer", "real"])
@pytest.mark.parametrize("value", ["-1", "1.5", "nan", "inf"])
def test_values_that_are_no_counts(folder, kind, value):
    put(folder / "b.mtx.gz", market(COUNTS["b"].T, kind).replace(b"2 2 6", f"2 2 {value}".encode()))
    remedy = "unprocessed matrix" if np.isfinite(float(value)) else "write 0 in place of missing"
    says(folder, "b.mtx.gz", "gene LYZ", "AAAT-1", f"{value} is no count", remedy)


def test_whole_numbers_written_as_real_are_counts(folder):
    put(folder / "a.mtx.gz", market(COUNTS["a"].T, "real").replace(b"3 1 3", b"3 1 3.0"))
    np.testing.assert_array_equal(read(study(), folder).X[:2].toarray(), COUNTS["a"].T)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("genes.tsv.gz", "ENSG1\tA\nENSG2\tB\nENSG1\tC\n",
         ["genes.tsv.gz", "gene ENSG1 is a duplicate", "source's own file"]),
        ("a_barcodes.tsv.gz", "AAAC-1\nAAAC-1\n",
         ["a_barcodes.tsv.gz", "barcode AAAC-1 is a duplicate"]),
        ("cells.tsv.gz", TABLE + "AAAT-1\t0.5\t107\tstim\tNK cells\tsinglet\n",
         ["cells.tsv.gz", "stimulated AAAT-1 is a duplicate"]),
        ("a_barcodes.tsv.gz", "AAAC-1\n",
         ["a.mtx.gz", "2 cells", "a_barcodes.tsv.gz has 1", "check the names"]),
        ("genes.tsv.gz", "ENSG1\tA\n", ["a.mtx.gz", "3 genes", "genes.tsv.gz has 1"]),
        ("b_barcodes.tsv.gz", "TTTT-1\nTTTG-1\n",
         ["cells.tsv.gz", "only 0 of the 2 barcodes of b.mtx.gz", "TTTT-1", "AAAC-1",
          "studies.yaml"]),
        ("cells.tsv.gz", TABLE.replace("multiplets", "doublets"),
         ["cells.tsv.gz", "no column multiplets", "tsne1, ind, stim", "correct columns"]),
        ("cells.tsv.gz", TABLE.replace("NK cells", "Platelets"),
         ["cells.tsv.gz", "cell_type", "'Platelets'", "add it to values.cell_type"]),
        ("cells.tsv.gz", TABLE + "AAAT-1\t1\t2\t3\t4\t5\t6\t7\t8\t9\n",
         ["cells.tsv.gz", "not a delimited table", "line 6"]),
        ("cells.tsv.gz", TABLE.splitlines()[0] + "\n", ["cells.tsv.gz", "no row below the header"]),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_together_are_named(folder, name, text, words):
    put(folder / name, text)
    says(folder, *words)


def test_matrices_with_genes_of_another_kind_are_refused(folder):
    put(folder / "other.tsv.gz", "ENSG1\tA\nENSG2\tB\nENSG3\tC\n")
    entry = changed(matrix={"genes": "other.tsv.gz"})
    says(folder, "other.tsv.gz", "only 0 of its 3 genes are in", "genes.tsv.gz", entry=entry)


@pytest.mark.parametrize(
    ("genes", "rows", "names"),
    [
        # Another order: each count stays with its gene, of two LYZ too.
        (GENES[::-1], [2, 1, 0], ["CD3D", "LYZ", "LYZ-1"]),
        # One gene less and a new one, of a symbol that the first has.
        ([GENES[2], GENES[0], ("ENSG4", "CD3D")], [1, None, 0, 2],
         ["CD3D", "LYZ", "LYZ-1", "CD3D-1"]),
    ],
)  # fmt: skip
def test_matrices_with_other_genes_are_joined_by_gene(folder, caplog, genes, rows, names):
    put(folder / "other.tsv.gz", "".join(f"{i}\t{s}\n" for i, s in genes))
    adata = read(changed(matrix={"genes": "other.tsv.gz"}), folder)
    second = np.array([np.zeros(2) if row is None else COUNTS["b"][row] for row in rows])
    first = np.zeros_like(second)
    first[:3] = COUNTS["a"]
    np.testing.assert_array_equal(adata.X.toarray(), np.hstack([first, second]).T)
    assert adata.X.has_sorted_indices
    assert adata.var_names.tolist() == names
    ids = [i for i, _ in GENES] + [i for i, _ in genes if i == "ENSG4"]
    assert adata.var["gene_id"].tolist() == ids
    told = "have other genes, the fewest 3: of all 4 those that one lacks are zero"
    assert (told in caplog.text) == (len(names) == 4)


def test_match_by_a_column_that_is_missing(folder):
    entry = changed(annotation={"match": ["donor", "barcode"]})
    says(folder, "matched by donor", "match in studies.yaml", entry=entry)


PAGE = b"\n<!DOCTYPE html><html>Not found</html>"


@pytest.mark.parametrize("name", ["a.mtx.gz", "b_barcodes.tsv.gz", "genes.tsv.gz", "cells.tsv.gz"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content[:-12], "breaks off before its end"),
        # The checksum of the content.
        (lambda content: content[:-8] + bytes(4) + content[-4:], "damaged gzip file"),
        (gzip.decompress, "not a gzip file in spite of its name"),
        (lambda _: PAGE, "a web page instead of data"),
        (lambda _: gzip.compress(PAGE), "a web page instead of data"),
        (lambda _: b"", "empty file"),
        (lambda _: gzip.compress(b""), "empty file"),
    ],
)
def test_damaged_files_are_named_with_the_remedy(folder, name, damage, words):
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    says(folder, name, words, "delete it and run again")
    (folder / name).unlink()
    says(folder, name, "No such file", "run again")


@pytest.mark.parametrize(
    "head",
    [
        "3 2 1\n1 1 1\n",
        "%%MatrixMarket matrix coordinate pattern general\n3 2 1\n1 1\n",
        "%%MatrixMarket matrix array integer general\n1 1\n1\n",
        "gene,cell\n",
    ],
)
def test_not_a_count_matrix(folder, head):
    put(folder / "a.mtx.gz", head)
    says(folder, "a.mtx.gz", "expected a first line '%%MatrixMarket", head[:15].split("\n")[0])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.replace("1 1 1", "1 1 \0"), "a null byte"),
        (lambda t: t.rsplit("\n", 2)[0] + "\n", "Truncated"),
        (lambda t: t + "1 1 1\n", "Too many lines"),
        (lambda t: t.replace("3 2 3", "2 2 3"), "out of bounds"),
        (lambda t: t.replace("3 2 3", "3 x 3"), "Invalid integer"),
    ],
)
def test_damaged_matrix(folder, change, reason):
    put(folder / "a.mtx.gz", change(market(COUNTS["a"].T).decode()))
    says(folder, "a.mtx.gz", "damaged Matrix Market file", reason, "delete it")


@pytest.mark.parametrize("text", ["x\ty\na\t1\tNA\nb\t\t4\n", ",x,y\na,1,NA\nb,,4\n"])
def test_row_names_come_first(tmp_path, text):
    (tmp_path / "t.txt").write_text(text)
    table = read_table(RawFile(tmp_path / "t.txt"))
    assert list(table.index) == ["a", "b"] and list(table.columns) == ["x", "y"]
    assert table.fillna("-").to_numpy().tolist() == [["1", "-"], ["-", "4"]]


SETS = {"T": ["CD3D", "CD3E", "CD8A", "IL7R"], "MONO": ["LYZ", "S100A9", "CD14"]}


@pytest.mark.parametrize(
    ("genes", "words"),
    [
        ([f"ENSG{i:011d}" for i in range(40)], ("Ensembl ids", "symbols")),
        ([f"ENSMUSG{i:011d}" for i in range(40)], ("Ensembl ids", "symbols")),
        (["Cd3d", "Cd3e", "Il7r", "Lyz2", "S100a9"], ("mouse symbols", "orthologs")),
        (["915", "916", "4069"], ("Entrez", "symbols")),
        (["probe_1", "probe_2"], ("unknown kind of name", "symbols of the gene sets")),
    ],
)
def test_other_namespaces_are_named(genes, words):
    with pytest.raises(InputError) as error:
        check_namespace(genes, SETS, "toy with t.gmt")
    for word in ("toy with t.gmt", f"only 0 of {len(genes)}", genes[0], "CD14", *words):
        assert word in str(error.value)


def test_a_chance_hit_is_no_common_namespace():
    check_namespace(["CD3D", *(f"GENE{i}" for i in range(99))], SETS, "toy")
    sets = {"all": [f"GENE{i}" for i in range(100)]}
    genes = [f"Gene{i}" for i in range(96)]
    check_namespace([*genes, *(f"GENE{i}" for i in range(5))], sets, "toy")
    with pytest.raises(InputError, match="only 4 of 100"):
        check_namespace([*genes, *(f"GENE{i}" for i in range(4))], sets, "toy")
