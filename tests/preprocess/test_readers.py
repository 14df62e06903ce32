"""Readers of tables, h5ad files, Cell Ranger's files, archives, and annotations of every kind.

Matrix Market files and their annotation by barcodes are in `test_matrices.py`.
"""

import warnings
import zipfile

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from helpers.raw_files import cell_ranger, pack, packed
from helpers.readers import ARCHIVES, CELLS, COUNTS, MEMBERS, SIDES, says, source

from scripts.common.config.studies import Study
from scripts.preprocess.preprocess import preprocess
from scripts.preprocess.readers import read
from tools.new_study.inspect import inspect_file
from vega.errors import InputError

TABLE = np.array([[0, 2, 1], [3, 0, 0], [0, 0, 7], [1, 1, 1]])  # genes x cells
NAMES = ["P1.A1", "P1.A2", "P2.A1"]
ROWS = ["Gad1", "Rho", "Opn 4", "no_feature"]


def told(column):
    return column.fillna("-").tolist()


# ---------------------------------------------------------------- archives


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("prefix", ["", "./", "expt3/", "some/where/"])
def test_members_are_read_in_any_folder_and_not_unpacked(tmp_path, name, prefix):
    members = {f"{prefix}{member}": content for member, content in MEMBERS.items()}
    pack(tmp_path / name, {"__MACOSX/x/matrix.mtx": b"no"} | members)
    before = sorted(tmp_path.rglob("*"))
    adata = read(source("mtx", SIDES | {"archive": name}), tmp_path)
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS)
    assert list(adata.obs_names) == CELLS and list(adata.var_names) == ["CD3D", "LYZ", "LYZ-1"]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_member_must_have_the_exact_name_or_the_only_such_one(tmp_path, name):
    entry = source("mtx", SIDES | {"archive": name})
    pack(tmp_path / name, {f"other/{member}": b"no" for member in MEMBERS} | MEMBERS)
    assert read(entry, tmp_path).shape == (2, 3)
    pack(tmp_path / name, {"x/matrix.mtx": b"1", "y/matrix.mtx": b"1"})
    says(entry, tmp_path, name, "2 members matrix.mtx", "x/matrix.mtx, y/matrix.mtx")
    pack(tmp_path / name, {"counts.mtx": b"1"})
    says(entry, tmp_path, "no members matrix.mtx", "(it has counts.mtx)", "studies.yaml")


@pytest.mark.parametrize("name", ARCHIVES)
def test_damaged_archives_are_named_with_the_remedy(tmp_path, name):
    entry = source("mtx", SIDES | {"archive": name})
    says(entry, tmp_path, name, "No such file")
    whole = packed(name, {"other": np.random.default_rng(1).bytes(40_000)} | MEMBERS)
    for content, words in (
        (whole[:5000], ["delete it and run again"]),
        (b"", ["empty file", "delete it"]),
        (b"<!DOCTYPE html><html>", ["a web page instead of data"]),
        (b"plain text", ["damaged archive", "delete it"]),
    ):
        (tmp_path / name).write_bytes(content)
        says(entry, tmp_path, name, *words)


def test_a_flipped_byte_in_a_zip_is_found(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_STORED) as archive:
        for name, content in MEMBERS.items():
            archive.writestr(name, content)
    content = (tmp_path / "a.zip").read_bytes().replace(b"AAAC-1", b"AAAT-1", 1)
    (tmp_path / "a.zip").write_bytes(content)
    says(source("mtx", SIDES | {"archive": "a.zip"}), tmp_path, "damaged archive", "CRC")


def test_each_archive_has_its_own_annotation_and_one_matches_by_a_column(tmp_path):
    other = MEMBERS | {"cells.csv": MEMBERS["cells.csv"].replace(b"T47D_BREAST", b"HT29_COLON")}
    pack(tmp_path / "a.zip", MEMBERS)
    pack(tmp_path / "b.zip", other)
    columns = {"singlet_ID": "cell_line", "cell_quality": "quality"}
    lines = {
        "file": "lines.csv",
        "columns": {"CCLE_ID": "cell_line", "BRAF_MUT": "braf"},
        "values": {"braf": {"0.0": "wild type", "1.0": "mutant"}},
        "match": ["cell_line"],
    }
    archives = [f"{name}.zip" for name in "ab"]
    own = [{"archive": a, "matrix": a, "file": "cells.csv", "columns": columns} for a in archives]
    matrices = [SIDES | {"archive": a, "obs": {"condition": a}} for a in archives]
    entry = source("mtx", *matrices, annotations=[*own, lines])

    head = "CCLE_ID,BRAF_MUT\n"
    (tmp_path / "lines.csv").write_text(f"{head}A375_SKIN,1.0\nA375_SKIN,0.0\n")
    says(entry, tmp_path, "lines.csv", "A375_SKIN is a duplicate")
    (tmp_path / "lines.csv").write_text(f"{head}HELA,1.0\n")
    says(entry, tmp_path, "lines.csv", "none of the cells' cell_line", "match")
    rows = "HT29_COLON,1.0\nA375_SKIN,1.0\nMCF7_BREAST,0.0\n,1.0\n,0.0\n"
    (tmp_path / "lines.csv").write_text(head + rows)
    obs = read(entry, tmp_path).obs
    assert obs["cell_line"].tolist() == ["T47D_BREAST", "A375_SKIN", "HT29_COLON", "A375_SKIN"]
    assert obs["quality"].tolist() == ["doublet", "normal"] * 2
    # A line without a mutation status stays in the study.
    assert told(obs["braf"]) == ["-", "mutant", "mutant", "mutant"] and obs["annotated"].all()


# ---------------------------------------------------------------- delimited tables


def table_text(separator="\t", quote="", corner=None):
    """TABLE as text; with `corner` the header counts the column of names."""

    def quoted(names):
        return [f"{quote}{name}{quote}" for name in names]

    head = quoted([corner, *NAMES] if corner is not None else NAMES)
    rows = ([name, *map(str, row)] for name, row in zip(quoted(ROWS), TABLE, strict=True))
    return "".join(separator.join(fields) + "\n" for fields in [head, *rows])


def read_table(folder, text=None, **matrix):
    (folder / "t.txt").write_text(text or table_text())
    return read(source("table", {"matrix": "t.txt"} | matrix), folder)


@pytest.mark.parametrize(
    "text",
    [
        table_text(" ", '"'),
        table_text("\t"),
        table_text("\t", corner="GENE"),
        table_text("\t", corner=""),
        table_text(",", '"', corner=""),
    ],
)
def test_tables_of_any_separator_quotes_and_header(tmp_path, text):
    adata = read_table(tmp_path, text, no_genes="(__)?no_feature")
    np.testing.assert_array_equal(adata.X.toarray(), TABLE[:3].T)
    assert adata.X.format == "csr" and adata.X.dtype == np.float32
    assert list(adata.obs_names) == NAMES and list(adata.var_names) == ROWS[:3]
    assert list(adata.var["gene_id"]) == ROWS[:3]


def test_parts_of_cell_names_become_columns(tmp_path):
    pattern = r"(?P<plate>(?P<batch>P\d))\.(?:A)(\d)"
    matrix = {"cell_name": pattern, "values": {"batch": {"P1": "0", "P2": "1"}}}
    obs = read_table(tmp_path, **matrix).obs
    assert obs["plate"].tolist() == ["P1", "P1", "P2"] and obs["batch"].tolist() == ["0", "0", "1"]
    assert list(obs) == ["plate", "batch"]
    with pytest.raises(InputError, match=r"t.txt: cell P2.A1 \(1 such cells\).*correct cell_name"):
        read_table(tmp_path, **matrix | {"cell_name": r"P1\.(?P<well>.+)"})
    with pytest.raises(InputError, match=r"no meaning is given for 'P2'.*values.batch"):
        read_table(tmp_path, **matrix | {"values": {"batch": {"P1": "0"}}})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("\t7\n", "\tNA\n", ["line 4", "name and 3 counts", "Opn 4"]),
        ("\t7\n", "\t\n", ["line 4", "name and 3 counts"]),
        ("\t7\n", '\t"x"\n', ["line 4", "name and 3 counts"]),
        ("\t7\n", "\n", ["line 4", "name and 3 counts"]),
        ("\t7\n", "\t7\t8\n", ["line 4", "name and 3 counts"]),
        ("\t7\n", "\t1.5\n", ["gene Opn 4", "P2.A1", "1.5 is no count"]),
        ("\t7\n", "\t-7\n", ["-7 is no count"]),
        ("\t7\n", "\tnan\n", ["nan is no count"]),
        ("\t", ":", ["line 2", "counts", "Gad1:0"]),
        ("P1.A2", "P1.A1", ["cell P1.A1 is a duplicate"]),
        ("P1.A2\t", "", ["line 2", "name and 2 counts"]),
        ("no_feature\t1\t1\t1\n", "no_feature\n", ["line 5", "name and 3 counts"]),
    ],
)
def test_damaged_tables_are_named_with_line_and_gene(tmp_path, old, new, words):
    (tmp_path / "t.txt").write_text(table_text().replace(old, new))
    says(source("table", {"matrix": "t.txt"}), tmp_path, "t.txt", *words)


@pytest.mark.parametrize("separator", ["\t", ",", " "])
def test_counts_of_any_number_of_digits_are_read(tmp_path, separator):
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 10 ** rng.integers(1, 10, (50, 60))) * (rng.random((50, 60)) < 0.3)
    table = pd.DataFrame(counts, [f"g{i}" for i in range(50)], [f"c{i}" for i in range(60)])
    adata = read_table(tmp_path, table.to_csv(sep=separator))
    np.testing.assert_array_equal(adata.X.toarray(), counts.T.astype(np.float32))
    assert adata.X.nnz == np.count_nonzero(counts)


@pytest.mark.parametrize("count", ["7e0", " 7.0", "+7", "07", "3000000000"])
def test_counts_in_other_forms_are_read(tmp_path, count):
    text = table_text().replace("\t7\n", f"\t{count}\n").replace("\n", "\r\n")
    adata = read_table(tmp_path, text)
    np.testing.assert_array_equal(adata.X.toarray(), np.where(TABLE == 7, float(count), TABLE).T)
    assert adata.X.nnz == np.count_nonzero(TABLE)


# ---------------------------------------------------------------- HDF5


def write_h5ad(path, counts=TABLE.T, obs=None, names=NAMES, genes=ROWS, **parts):
    obs, var = pd.DataFrame(obs or {}, index=names), pd.DataFrame(index=genes[: counts.shape[1]])
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        ad.AnnData(counts, obs=obs, var=var, **parts).write_h5ad(path)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix, sp.csc_matrix])
def test_h5ad_files_give_counts_and_columns_as_texts(tmp_path, kind):
    obs = {"Cluster": [1.0, 2.0, np.nan], "Cell Type": pd.Categorical(["a", "b", "a"]), "n": 1}
    write_h5ad(tmp_path / "x.h5ad", kind(TABLE.T.astype(float)), obs)
    columns = {"Cluster": "cell_type", "Cell Type": "kind", "n": "n"}
    matrix = {"matrix": "x.h5ad", "columns": columns, "values": {"cell_type": {"1": "A", "2": "B"}}}
    adata = read(source("h5ad", matrix), tmp_path)
    np.testing.assert_array_equal(adata.X.toarray(), TABLE.T)
    assert adata.X.format == "csr" and adata.X.dtype == np.float32
    assert told(adata.obs["cell_type"]) == ["A", "B", "-"]
    assert adata.obs["kind"].tolist() == ["a", "b", "a"] and adata.obs["n"].tolist() == ["1"] * 3
    bad = source("h5ad", matrix | {"columns": {"type": "cell_type"}})
    says(bad, tmp_path, "x.h5ad", "no column type (it has Cluster, Cell Type, n)", "correct col")
    bad = source("h5ad", matrix | {"values": {"cell_type": {"1": "A"}}})
    says(bad, tmp_path, "no meaning is given for '2'", "cell_type")


def test_counts_of_a_layer_of_a_member_with_repeated_names_of_cells(tmp_path):
    parts = {"names": ["A", "A", "B"], "layers": {"count": TABLE.T}}
    write_h5ad(tmp_path / "x.h5ad", np.log1p(TABLE.T), {"c": list("xyz")}, **parts)
    pack(tmp_path / "a.tar.gz", {"x.h5ad": (tmp_path / "x.h5ad").read_bytes()}, "data/")
    matrix = {"archive": "a.tar.gz", "matrix": "x.h5ad", "layer": "count", "columns": {"c": "c"}}
    adata = read(source("h5ad", matrix), tmp_path)
    np.testing.assert_array_equal(adata.X.toarray(), TABLE.T)
    assert list(adata.obs_names) == ["A", "A-1", "B"] and adata.obs["c"].tolist() == list("xyz")
    bad = source("h5ad", matrix | {"layer": "counts"})
    says(bad, tmp_path, "a.tar.gz", "no layer counts (it has count)", "studies.yaml")
    no_layer = matrix | {"layer": None}
    says(source("h5ad", no_layer), tmp_path, "is no count")
    processed = read(source("h5ad", no_layer, steps=[{"processed": True}]), tmp_path)
    np.testing.assert_allclose(processed.X.toarray(), np.log1p(TABLE.T), rtol=1e-6)


@pytest.mark.parametrize(
    ("counts", "found"), [(TABLE.T[:, :0], "3 cells x 0 genes"), (TABLE.T[:0], "0 cells x 4 genes")]
)
def test_a_matrix_without_cells_or_genes_is_refused(tmp_path, counts, found):
    write_h5ad(tmp_path / "x.h5ad", counts, names=NAMES[: len(counts)])
    entry = source("h5ad", {"matrix": "x.h5ad"}, steps=[{"processed": True}])
    says(entry, tmp_path, "x.h5ad: expected counts of cells x genes", f"found {found}")
    with pytest.raises(InputError, match=f"x.h5ad: .*{found}; give the file or the layer"):
        _ = inspect_file(tmp_path / "x.h5ad", ()).adata


@pytest.mark.parametrize("by", ["look", "read"])
def test_repeated_genes_of_an_h5ad_file_are_numbered_without_a_warning(tmp_path, by):
    write_h5ad(tmp_path / "x.h5ad", genes=["A", "B", "A", "A-1"])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".* names are not unique", UserWarning)
        if by == "look":
            found = inspect_file(tmp_path / "x.h5ad", ()).adata
        else:
            found = read(source("h5ad", {"matrix": "x.h5ad"}), tmp_path)
    assert found.var_names.is_unique and list(found.var_names[:2]) == ["A", "B"]
    assert list(found.var["gene_id"]) == ["A", "B", "A", "A-1"]


def test_the_longest_beginning_of_a_word_gives_its_meaning(tmp_path):
    write_h5ad(tmp_path / "x.h5ad", obs={"kind": ["Glia", "Glia cell 1", "Glia cells"]})
    values = {"Glia*": "glia", "Glia cell*": "one", "Glia cells": "many"}
    matrix = {"matrix": "x.h5ad", "columns": {"kind": "kind"}, "values": {"kind": values}}
    adata = read(source("h5ad", matrix), tmp_path)
    assert adata.obs["kind"].tolist() == ["glia", "one", "many"]


def test_a_matrix_is_read_from_the_first_archive_that_has_it(tmp_path):
    for number, name in enumerate("ab"):
        write_h5ad(tmp_path / "x.h5ad", TABLE.T + number)
        pack(tmp_path / f"{name}.tar.gz", {"x.h5ad": (tmp_path / "x.h5ad").read_bytes()}, "data/")
    pack(tmp_path / "none.zip", {"data/other.h5ad": b"", "__MACOSX/x.h5ad": b""})
    for archives, added in ((["none.zip", "b.tar.gz", "a.tar.gz"], 1), (["a.tar.gz"], 0)):
        entry = source("h5ad", {"archive": archives, "matrix": "x.h5ad"})
        assert entry.files == archives
        np.testing.assert_array_equal(read(entry, tmp_path).X.toarray(), TABLE.T + added)
    entry = source("h5ad", {"archive": ["none.zip"], "matrix": "x.h5ad"})
    says(entry, tmp_path, "none of none.zip has a member x.h5ad", "studies.yaml")


SYMBOLS = ["TWICE", "TWICE", "G0", "G1"]


def test_counts_of_cell_ranger_are_those_of_genes(tmp_path):
    kinds = ["Gene Expression"] * 3 + ["Antibody Capture"]
    content = cell_ranger(TABLE.T, NAMES, SYMBOLS, kinds=kinds)
    (tmp_path / "x.h5").write_bytes(content)
    adata = read(source("10x_h5", {"matrix": "x.h5", "obs": {"sample": "s1"}}), tmp_path)
    np.testing.assert_array_equal(adata.X.toarray(), TABLE.T[:, :-1])
    assert adata.X.format == "csr" and adata.X.dtype == np.float32
    assert list(adata.var_names) == ["TWICE", "TWICE-1", "G0"]
    assert list(adata.var["gene_id"]) == [f"ENSG{i:011d}" for i in range(3)]
    assert list(adata.obs_names) == NAMES and set(adata.obs["sample"]) == {"s1"}
    pack(tmp_path / "a.tar", {"x.h5": content}, "GSM1_")
    member = read(source("10x_h5", {"archive": "a.tar", "matrix": "GSM1_x.h5"}), tmp_path)
    np.testing.assert_array_equal(member.X.toarray(), adata.X.toarray())


HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(64)


@pytest.mark.parametrize("damage", ["text", "index", "matrix/barcodes", "matrix"])
def test_damaged_files_of_cell_ranger_are_named(tmp_path, damage):
    path = tmp_path / "x.h5"
    path.write_bytes(b"text" if damage == "text" else cell_ranger(TABLE.T, NAMES, SYMBOLS))
    if damage != "text":
        with h5py.File(path, "r+") as file:
            if damage == "index":
                file["matrix/indices"][0] = 10**6
            else:
                del file[damage]
    says(source("10x_h5", {"matrix": "x.h5"}), tmp_path, "x.h5", "not Cell Ranger's HDF5")


@pytest.mark.parametrize("content", [b"text", HDF5, cell_ranger(TABLE.T, NAMES, SYMBOLS)])
def test_what_is_not_an_h5ad_file_is_named(tmp_path, content):
    (tmp_path / "x.h5ad").write_bytes(content)
    says(source("h5ad", {"matrix": "x.h5ad"}), tmp_path, "x.h5ad", "delete it")


# ---------------------------------------------------------------- annotations


def annotated(folder, *annotations, **annotation):
    """Read the obs of TABLE with annotations."""
    (folder / "t.txt").write_text(table_text())
    entries = annotations or [annotation]
    return read(source("table", {"matrix": "t.txt"}, annotations=entries), folder).obs


def test_annotation_with_two_headers(tmp_path):
    rows = "NAME\tCLUSTER\nTYPE\tgroup\nP1.A2\tRBC (Rod)\nP2.A1\tNA\nP1.A1\tMG\n"
    (tmp_path / "c.txt").write_text(rows)
    entry = {
        "file": "c.txt",
        "skip_rows": 1,
        "barcode": "{NAME}",
        "columns": {"CLUSTER": "cell_type"},
        "values": {"cell_type": {"RBC (Rod)": "RBC", "MG": "glia"}},
    }
    obs = annotated(tmp_path, **entry)
    assert told(obs["cell_type"]) == ["glia", "RBC", "-"] and obs["annotated"].all()
    with pytest.raises(InputError, match="no meaning is given for 'group'"):
        annotated(tmp_path, **entry | {"skip_rows": 0})
    with pytest.raises(InputError, match=r"no column name \(it has NAME, CLUSTER"):
        annotated(tmp_path, **entry | {"barcode": "{name}"})


def test_a_later_annotation_adds_to_an_earlier_one(tmp_path):
    (tmp_path / "one.csv").write_text("cell,kind\nP1.A1,a\nP1.A2,b\nP2.A1,c\n")
    (tmp_path / "two.csv").write_text("cell,kind,more\nP1.A2,B,x\nP2.A1,C,y\n")
    obs = annotated(
        tmp_path,
        {"file": "one.csv", "columns": {"kind": "kind"}},
        {"file": "two.csv", "columns": {"kind": "kind", "more": "more"}},
    )
    assert obs["kind"].tolist() == ["a", "B", "C"] and told(obs["more"]) == ["-", "x", "y"]
    assert obs["annotated"].tolist() == [False, True, True]  # in both


def test_only_rows_of_given_values_are_read(tmp_path):
    rows = "P1.A1,a,TRUE\nP1.A1,b,FALSE\nP1.A2,c,TRUE\nP2.A1,d,NA\n"
    (tmp_path / "c.csv").write_text(f"cell,kind,pool\n{rows}")
    entry = {"file": "c.csv", "columns": {"kind": "kind"}, "rows": {"pool": ["TRUE", "1"]}}
    assert told(annotated(tmp_path, **entry)["kind"]) == ["a", "c", "-"]
    for rows, words in (
        ({"pool": ["1"]}, r"no row with pool 1 \(it has FALSE, TRUE\); correct rows"),
        ({"in_pool": ["1"]}, "no column in_pool"),
    ):
        with pytest.raises(InputError, match=words):
            annotated(tmp_path, **entry | {"rows": rows})


@pytest.mark.parametrize(
    ("matrix", "annotation", "word"),
    [
        ({"barcodes": None}, {}, "mtx needs files of barcodes and of genes"),
        ({"cell_name": "(a"}, {}, "not a regular expression"),
        ({}, {"matrix": "c.zip"}, "c.zip is not among a.zip"),
    ],
)
def test_entries_that_cannot_be_read_are_refused(matrix, annotation, word):
    table = {"file": "x.csv", "columns": {"a": "b"}} | annotation
    with pytest.raises(ValueError, match=word):
        source("mtx", SIDES | {"archive": "a.zip"} | matrix, annotations=[table])


# ---------------------------------------------------------------- optional annotations

OPTIONAL = {"file": "c.csv", "columns": {"kind": "kind", "more": "more"}, "optional": True}


@pytest.mark.parametrize("content", [None, b""])
def test_a_missing_optional_annotation_leaves_its_columns_empty(tmp_path, caplog, content):
    if content is not None:
        (tmp_path / "c.csv").write_bytes(content)
    obs = annotated(tmp_path, **OPTIONAL)
    assert obs["kind"].isna().all() and obs["more"].isna().all()
    assert "annotated" not in obs and len(obs) == 3
    assert "no such file; kind, more stay empty" in caplog.text
    entry = source("table", {"matrix": "t.txt"}, annotations=[OPTIONAL]).model_dump()
    study = Study.model_validate(entry | {"title": "Toy"})
    preprocess(read(study, tmp_path), study)[0].write_h5ad(tmp_path / "cells.h5ad")
    assert ad.read_h5ad(tmp_path / "cells.h5ad").obs["kind"].isna().all()
    (tmp_path / "c.csv").write_bytes(b"")
    with pytest.raises(InputError, match=r"c\.csv: empty file"):
        annotated(tmp_path, **OPTIONAL | {"optional": False})


def test_an_optional_table_of_an_archive_may_be_absent_but_not_damaged(tmp_path, caplog):
    optional = OPTIONAL | {"archive": "a.tar.gz"}
    pack(tmp_path / "a.tar.gz", {"top/other.csv": b"x"})
    assert annotated(tmp_path, **optional)["kind"].isna().all()
    assert "no member c.csv; kind, more stay empty" in caplog.text
    pack(tmp_path / "a.tar.gz", {"top/c.csv": b"cell,kind,more\nP1.A1,x,y\nP1.A2,z,y\n"})
    assert told(annotated(tmp_path, **optional)["kind"]) == ["x", "z", "-"]
    pack(tmp_path / "a.tar.gz", {"top/c.csv": b"cell,kind,more\n"})
    with pytest.raises(InputError, match=r"c\.csv: no row below the header"):
        annotated(tmp_path, **optional)


def test_the_second_source_is_read_without_the_first(tmp_path, caplog):
    caplog.set_level("INFO", "workflow")
    second = {"file": "second.csv", "barcode": "{name}", "columns": {"type": "kind"}}
    entry = {"file": "c.csv", "columns": {"kind": "kind"}, "otherwise": second}
    (tmp_path / "second.csv").write_text("n,type,name\n1,x,P1.A1\n2,y,P1.A2\n")
    obs = annotated(tmp_path, **entry)
    assert told(obs["kind"]) == ["x", "y", "-"] and obs["annotated"].tolist() == [True, True, False]
    assert "second.csv instead of" in caplog.text
    (tmp_path / "c.csv").write_text("cell,kind\nP1.A1,a\nP2.A1,c\n")
    assert told(annotated(tmp_path, **entry)["kind"]) == ["a", "-", "c"]
    for name in ("c.csv", "second.csv"):
        (tmp_path / name).unlink()
    assert annotated(tmp_path, **entry, optional=True)["kind"].isna().all()


def test_optional_files_are_those_that_a_study_can_do_without():
    second = {"file": "b.csv", "columns": {}}
    first = {"file": "a.csv", "columns": {}, "otherwise": second}
    entries = [first, {"file": "c.csv", "columns": {}}, OPTIONAL | {"file": "d.csv"}]
    study = source("table", {"matrix": "t.txt"}, annotations=entries)
    assert study.files == ["t.txt", "a.csv", "b.csv", "c.csv", "d.csv"]
    assert study.optional_files == {"a.csv", "b.csv", "d.csv"}
    both = source("table", {"matrix": "t.txt"}, annotations=[*entries, second])
    assert both.optional_files == {"a.csv", "d.csv"}
