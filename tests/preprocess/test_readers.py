"""Readers of the other formats: tables, h5ad files, archives, and annotations of every kind."""

import gzip
import io
import tarfile
import warnings
import zipfile

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from cell_ranger import cell_ranger
from test_formats import COUNTS, GENES, market

from scripts.common.config.studies import Source, Study
from scripts.preprocess.preprocess import preprocess
from scripts.preprocess.readers import read
from scripts.preprocess.readers.matrices import _numbers, _whole_numbers
from tools.new_study.look import look
from vega.errors import InputError

CELLS = ["AAAC-1", "AAAG-1"]
MEMBERS = {
    "matrix.mtx": market(COUNTS["a"]).encode(),
    "barcodes.tsv": "\n".join(CELLS).encode(),
    "genes.tsv": "\n".join("\t".join(gene) for gene in GENES).encode(),
    "cells.csv": b"barcode,singlet_ID,cell_quality\nAAAG-1,A375_SKIN,normal\n"
    b"AAAC-1,T47D_BREAST,doublet\n",
}
SIDES = {"matrix": "matrix.mtx", "barcodes": "barcodes.tsv", "genes": "genes.tsv"}


def source(format, *matrices, annotations=(), steps=({"normalise": "median"},)):
    return Source.model_validate(
        {"format": format, "matrices": matrices, "annotations": annotations, "steps": steps}
    )


def says(entry, folder, *words):
    """The one line that reading ends with."""
    with pytest.raises(InputError) as error:
        read(entry, folder)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def pack(path, members, prefix=""):
    """An archive of the kind that its name says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(prefix + name, content)
        return
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


# ---------------------------------------------------------------- archives

ARCHIVES = ["a.zip", "a.tar.gz", "a.tar"]


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("prefix", ["", "./", "expt3/", "some/where/"])
def test_members_are_read_where_they_are(tmp_path, name, prefix):
    members = {f"{prefix}{member}": content for member, content in MEMBERS.items()}
    pack(tmp_path / name, {"__MACOSX/x/matrix.mtx": b"no"} | members)
    before = sorted(tmp_path.rglob("*"))
    adata = read(source("mtx", SIDES | {"archive": name}), tmp_path)
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS["a"].T)
    assert list(adata.obs_names) == CELLS and list(adata.var_names) == ["CD3D", "LYZ", "LYZ-1"]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_name_that_leads_out_of_the_archive_is_a_member_like_others(tmp_path, name):
    folder = tmp_path / "raw"
    folder.mkdir()
    pack(folder / name, MEMBERS, "../../")
    assert read(source("mtx", SIDES | {"archive": name}), folder).shape == (2, 3)
    assert [path.name for path in tmp_path.rglob("*")] == ["raw", name]


def test_an_exact_name_goes_before_others(tmp_path):
    others = {f"other/{name}": b"no" for name in MEMBERS}
    pack(tmp_path / "a.zip", others | MEMBERS)
    assert read(source("mtx", SIDES | {"archive": "a.zip"}), tmp_path).shape == (2, 3)


@pytest.mark.parametrize("name", ARCHIVES)
def test_members_that_cannot_be_told(tmp_path, name):
    entry = source("mtx", SIDES | {"archive": name})
    pack(tmp_path / name, {"x/matrix.mtx": b"1", "y/matrix.mtx": b"1"})
    says(
        entry, tmp_path, name, "2 members matrix.mtx", "x/matrix.mtx, y/matrix.mtx", "studies.yaml"
    )
    pack(tmp_path / name, {"counts.mtx": b"1"})
    says(entry, tmp_path, "no members matrix.mtx", "(it has counts.mtx)")


@pytest.mark.parametrize("name", ARCHIVES)
def test_damaged_archives(tmp_path, name):
    entry = source("mtx", SIDES | {"archive": name})
    path = tmp_path / name
    says(entry, tmp_path, name, "No such file")
    pack(path, {"other": np.random.default_rng(1).bytes(40_000)} | MEMBERS)
    whole = path.read_bytes()
    for content, words in (
        (whole[:5000], ["delete it and run again"]),
        (b"", ["empty file", "delete it"]),
        (b"<!DOCTYPE html><html>", ["a web page instead of data"]),
        (b"plain text", ["damaged archive", "delete it"]),
    ):
        path.write_bytes(content)
        says(entry, tmp_path, name, *words)


def test_a_flipped_byte_in_a_zip(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in MEMBERS.items():
            archive.writestr(name, content)
    path.write_bytes(path.read_bytes().replace(b"AAAC-1", b"AAAT-1", 1))
    says(source("mtx", SIDES | {"archive": "a.zip"}), tmp_path, "damaged archive", "CRC")


def test_a_zip_with_a_password(tmp_path):
    path = tmp_path / "a.zip"
    pack(path, MEMBERS)
    content = bytearray(path.read_bytes())
    for start, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the bit that says encrypted
        content[content.index(start) + flags] |= 1
    path.write_bytes(content)
    says(source("mtx", SIDES | {"archive": "a.zip"}), tmp_path, "cannot be unpacked", "password")


def test_each_archive_has_its_own_annotation(tmp_path):
    other = MEMBERS | {"cells.csv": MEMBERS["cells.csv"].replace(b"T47D_BREAST", b"HT29_COLON")}
    pack(tmp_path / "a.zip", MEMBERS)
    pack(tmp_path / "b.zip", other)
    (tmp_path / "lines.csv").write_text(
        "CCLE_ID,BRAF_MUT\nHT29_COLON,1.0\nA375_SKIN,1.0\nA375_SKIN,1.0\nT47D_BREAST,0.0\n,1.0\n,0.0\n"
    )
    columns = {"singlet_ID": "cell_line", "cell_quality": "quality"}
    own = [
        {"archive": f"{m}.zip", "matrix": f"{m}.zip", "file": "cells.csv", "columns": columns}
        for m in "ab"
    ]
    lines = {
        "file": "lines.csv",
        "columns": {"CCLE_ID": "cell_line", "BRAF_MUT": "braf"},
        "values": {"braf": {"0.0": "wild type", "1.0": "mutant"}},
        "match": ["cell_line"],
    }
    pair = [SIDES | {"archive": f"{m}.zip", "obs": {"condition": m.upper()}} for m in "ab"]
    says(
        source("mtx", *pair, annotations=[*own, lines]),
        tmp_path,
        "lines.csv",
        "A375_SKIN stands twice",
    )
    text = (tmp_path / "lines.csv").read_text().replace("A375_SKIN,1.0\n", "", 1)
    (tmp_path / "lines.csv").write_text(text.replace("T47D", "MCF7"))
    adata = read(source("mtx", *pair, annotations=[*own, lines]), tmp_path)
    lines_of_cells = ["T47D_BREAST", "A375_SKIN", "HT29_COLON", "A375_SKIN"]
    assert adata.obs["cell_line"].tolist() == lines_of_cells
    assert adata.obs["quality"].tolist() == ["doublet", "normal"] * 2
    # A line without a mutation status stays in the study.
    assert adata.obs["braf"].fillna("-").tolist() == ["-", "mutant", "mutant", "mutant"]
    assert adata.obs["annotated"].all()


def test_a_table_that_matches_no_cell(tmp_path):
    pack(tmp_path / "a.zip", MEMBERS)
    (tmp_path / "lines.csv").write_text("CCLE_ID,BRAF_MUT\nHELA,1\n")
    entry = source(
        "mtx",
        SIDES | {"archive": "a.zip", "obs": {"cell_line": "A375_SKIN"}},
        annotations=[
            {
                "file": "lines.csv",
                "columns": {"CCLE_ID": "cell_line", "BRAF_MUT": "braf"},
                "match": ["cell_line"],
            }
        ],
    )
    says(entry, tmp_path, "lines.csv", "none of the cells' cell_line", "match")


# ---------------------------------------------------------------- delimited tables

TABLE = np.array([[0, 2, 1], [3, 0, 0], [0, 0, 7], [1, 1, 1]])
NAMES = ["P1.A1", "P1.A2", "P2.A1"]
ROWS = ["Gad1", "Rho", "Opn 4", "no_feature"]


def table_text(separator, quote="", corner=None):
    """TABLE as text; with `corner` the header counts the column of names."""

    def quoted(names):
        return [f"{quote}{name}{quote}" for name in names]

    head = quoted([corner, *NAMES] if corner is not None else NAMES)
    rows = ([name, *map(str, row)] for name, row in zip(quoted(ROWS), TABLE, strict=True))
    return "".join(separator.join(fields) + "\n" for fields in [head, *rows])


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
def test_tables(tmp_path, text):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text.encode()))
    adata = read(source("table", {"matrix": "t.csv.gz", "no_genes": "(__)?no_feature"}), tmp_path)
    np.testing.assert_array_equal(adata.X.toarray(), TABLE[:3].T)
    assert adata.X.format == "csr" and adata.X.dtype == np.float32
    assert list(adata.obs_names) == NAMES and list(adata.var_names) == ROWS[:3]
    assert list(adata.var["gene_id"]) == ROWS[:3]


def test_parts_of_cell_names(tmp_path):
    (tmp_path / "t.txt").write_text(table_text("\t"))
    pattern = r"(?P<plate>(?P<batch>P\d))\.(?:A)(\d)"
    matrix = {"matrix": "t.txt", "cell_name": pattern, "values": {"batch": {"P1": "0", "P2": "1"}}}
    adata = read(source("table", matrix), tmp_path)
    assert adata.obs["plate"].tolist() == ["P1", "P1", "P2"]
    assert adata.obs["batch"].tolist() == ["0", "0", "1"]
    assert list(adata.obs) == ["plate", "batch"]
    bad = source("table", matrix | {"cell_name": r"P1\.(?P<well>.+)"})
    says(bad, tmp_path, "t.txt", "cell P2.A1 (1 such cells)", "correct cell_name")
    bad = source("table", matrix | {"values": {"batch": {"P1": "0"}}})
    says(bad, tmp_path, "no meaning is given for 'P2'", "values.batch")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.replace("\t7\n", "\tNA\n"), ["line 4", "name and 3 counts", "Opn 4"]),
        (lambda t: t.replace("\t7\n", "\t\n"), ["line 4", "name and 3 counts"]),
        (lambda t: t.replace("\t7\n", "\n"), ["line 4", "name and 3 counts"]),
        (lambda t: t.replace("\t7\n", "\t7\t8\n"), ["line 4", "name and 3 counts"]),
        (lambda t: t.replace("\t7\n", "\t1.5\n"), ["gene Opn 4", "P2.A1", "1.5 is no count"]),
        (lambda t: t.replace("\t7\n", "\t-7\n"), ["-7 is no count"]),
        (lambda t: t.replace("\t7\n", "\tnan\n"), ["nan is no count"]),
        (lambda t: t.replace("\t", ";"), ["line 2", "counts", "Gad1;0"]),
        (lambda t: t.replace("P1.A2", "P1.A1"), ["cell P1.A1 stands twice"]),
        (lambda t: t.replace("P1.A2\t", ""), ["line 2", "name and 2 counts"]),
        (lambda t: t + "\n", ["line 6", "name and 3 counts"]),
        (lambda t: t.splitlines()[0] + "\n", ["no row below the header"]),
    ],
)
def test_damaged_tables(tmp_path, change, words):
    text = change(table_text("\t"))
    (tmp_path / "t.txt").write_text(text)
    says(source("table", {"matrix": "t.txt"}), tmp_path, "t.txt", *words)


@pytest.mark.parametrize("separator", ["\t", ",", " "])
def test_whole_numbers_are_read_as_any_numbers_are(separator):
    rng = np.random.default_rng(1)
    for _ in range(50):
        numbers = rng.integers(0, 10 ** rng.integers(1, 10, 60)) * (rng.random(60) < 0.3)
        text = separator.join(map(str, numbers)).encode()
        fast, slow = _whole_numbers(text, separator.encode()), _numbers(text.decode(), separator)
        assert fast.width == slow.width == 60
        np.testing.assert_array_equal(fast.places, np.flatnonzero(numbers))
        for part in ("places", "values"):
            assert getattr(fast, part).dtype == getattr(slow, part).dtype
            np.testing.assert_array_equal(getattr(fast, part), getattr(slow, part))


@pytest.mark.parametrize(
    "text",
    ["", "1,", ",1", "1,,2", "1.0", "-1", "+1", "1e3", '"1"', "1, 2", "NA", "1234567890", "1\r2"],
)
def test_what_is_more_than_digits_is_left_to_the_other_way(text):
    assert _whole_numbers(text.encode(), b",") is None


def test_numbers_of_other_forms(tmp_path):
    text = table_text("\t").replace("\t7\n", "\t7e0\n").replace("\t2\t", "\t 2.0\t")
    (tmp_path / "t.txt").write_text(text.replace("\n", "\r\n"))
    adata = read(source("table", {"matrix": "t.txt"}), tmp_path)
    np.testing.assert_array_equal(adata.X.toarray(), TABLE.T)
    assert adata.X.nnz == np.count_nonzero(TABLE)


def test_genes_of_a_table_that_repeat_are_numbered(tmp_path, caplog):
    caplog.set_level("INFO", "workflow")
    (tmp_path / "t.txt").write_text(table_text("\t").replace("Rho", "Gad1"))
    adata = read(source("table", {"matrix": "t.txt"}), tmp_path)
    assert adata.var_names.tolist() == [
        name if i != ROWS.index("Rho") else "Gad1-1" for i, name in enumerate(ROWS)
    ]
    np.testing.assert_array_equal(adata.X.toarray(), TABLE.T)
    assert "t.txt: 1 names of genes repeat, as Gad1" in caplog.text


# ---------------------------------------------------------------- h5ad


def write_h5ad(path, counts=TABLE.T, obs=None, names=NAMES, **parts):
    obs = pd.DataFrame(obs or {}, index=names)
    ad.AnnData(
        counts, obs=obs, var=pd.DataFrame(index=ROWS[: counts.shape[1]]), **parts
    ).write_h5ad(path)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix, sp.csc_matrix])
def test_h5ad(tmp_path, kind):
    write_h5ad(
        tmp_path / "x.h5ad",
        kind(TABLE.T.astype(float)),
        obs={"Cluster": [1.0, 2.0, np.nan], "Cell Type": pd.Categorical(["a", "b", "a"]), "n": 1},
    )
    columns = {"Cluster": "cell_type", "Cell Type": "kind", "n": "n"}
    matrix = {"matrix": "x.h5ad", "columns": columns, "values": {"cell_type": {"1": "A", "2": "B"}}}
    adata = read(source("h5ad", matrix), tmp_path)
    np.testing.assert_array_equal(adata.X.toarray(), TABLE.T)
    assert adata.X.format == "csr" and adata.X.dtype == np.float32
    assert adata.obs["cell_type"].fillna("-").tolist() == ["A", "B", "-"]
    assert adata.obs["kind"].tolist() == ["a", "b", "a"] and adata.obs["n"].tolist() == ["1"] * 3
    says(
        source("h5ad", matrix | {"columns": {"type": "cell_type"}}),
        tmp_path,
        "x.h5ad",
        "no column type (it has Cluster, Cell Type, n)",
        "correct columns",
    )
    says(
        source("h5ad", matrix | {"values": {"cell_type": {"1": "A"}}}), tmp_path, "'2'", "cell_type"
    )


def test_counts_of_a_layer_of_a_member(tmp_path):
    write_h5ad(tmp_path / "x.h5ad", np.log1p(TABLE.T), layers={"count": TABLE.T})
    pack(tmp_path / "a.tar.gz", {"x.h5ad": (tmp_path / "x.h5ad").read_bytes()}, "data/")
    matrix = {"archive": "a.tar.gz", "matrix": "x.h5ad", "layer": "count"}
    adata = read(source("h5ad", matrix), tmp_path)
    np.testing.assert_array_equal(adata.X.toarray(), TABLE.T)
    bad = source("h5ad", matrix | {"layer": "counts"})
    says(bad, tmp_path, "a.tar.gz", "no layer counts (it has count)", "studies.yaml")
    says(source("h5ad", matrix | {"layer": None}), tmp_path, "is no count")


def test_processed_values_and_names_that_stand_twice(tmp_path):
    write_h5ad(
        tmp_path / "x.h5ad", np.log1p(TABLE.T), names=["A", "A", "B"], obs={"c": list("xyz")}
    )
    matrix = {"matrix": "x.h5ad", "columns": {"c": "condition"}}
    adata = read(source("h5ad", matrix, steps=[{"processed": True}]), tmp_path)
    np.testing.assert_allclose(adata.X.toarray(), np.log1p(TABLE.T), rtol=1e-6)
    assert list(adata.obs_names) == ["A", "A-1", "B"]
    assert adata.obs["condition"].tolist() == ["x", "y", "z"]


@pytest.mark.parametrize("look_first", [False, True])
def test_genes_of_an_h5ad_file_that_repeat_are_numbered(tmp_path, look_first):
    with pytest.warns(UserWarning, match="not unique"):
        genes = pd.DataFrame(index=["A", "B", "A", "A-1"])
        ad.AnnData(np.ones((3, 4)), obs=pd.DataFrame(index=NAMES), var=genes).write_h5ad(
            tmp_path / "x.h5ad"
        )
    with warnings.catch_warnings():
        # The remedy that it names cannot be taken.
        warnings.filterwarnings("error", ".* names are not unique", UserWarning)
        if look_first:
            found = look(tmp_path / "x.h5ad", ()).adata
        else:
            found = read(source("h5ad", {"matrix": "x.h5ad"}), tmp_path)
    assert found.var_names.is_unique and list(found.var_names[:2]) == ["A", "B"]
    assert list(found.var["gene_id"]) == ["A", "B", "A", "A-1"]


def test_a_word_that_is_known_by_its_beginning(tmp_path):
    kinds = ["Glia", "Glia cell 1", "Glia cells"]
    write_h5ad(tmp_path / "x.h5ad", obs={"kind": kinds})
    values = {"Glia*": "glia", "Glia cell*": "one", "Glia cells": "many"}
    matrix = {"matrix": "x.h5ad", "columns": {"kind": "kind"}, "values": {"kind": values}}
    adata = read(source("h5ad", matrix), tmp_path)
    assert adata.obs["kind"].tolist() == ["glia", "one", "many"]
    del values["Glia*"]
    says(source("h5ad", matrix), tmp_path, "no meaning is given for 'Glia'")


def test_the_first_archive_that_has_a_file(tmp_path):
    for number, name in enumerate(("a", "b")):
        write_h5ad(tmp_path / "x.h5ad", TABLE.T + number)
        members = {f"{name}.h5ad": b"", "x.h5ad": (tmp_path / "x.h5ad").read_bytes()}
        pack(tmp_path / f"{name}.tar.gz", members, "data/")
    pack(tmp_path / "none.zip", {"data/other.h5ad": b"", "__MACOSX/x.h5ad": b""})
    cells = "\n".join(["cell\tkind", *(f"{name}\tT" for name in NAMES)])
    (tmp_path / "cells.tsv").write_text(cells)

    def of(*archives):
        return source(
            "h5ad",
            {"archive": list(archives), "matrix": "x.h5ad"},
            annotations=[
                # An annotation is of the matrix, wherever that was found.
                {"file": "cells.tsv", "matrix": archives[0], "columns": {"kind": "kind"}}
            ],
        )

    for archives, added in ((("none.zip", "b.tar.gz", "a.tar.gz"), 1), (("a.tar.gz",), 0)):
        entry = of(*archives)
        assert entry.files == [*archives, "cells.tsv"]
        adata = read(entry, tmp_path)
        np.testing.assert_array_equal(adata.X.toarray(), TABLE.T + added)
        assert adata.obs["kind"].tolist() == ["T"] * 3
    says(of("none.zip"), tmp_path, "none of none.zip has a member x.h5ad", "studies.yaml")


@pytest.mark.parametrize("content", [b"text", b"\x89HDF\r\n\x1a\n" + bytes(64)])
def test_what_is_no_h5ad(tmp_path, content):
    (tmp_path / "x.h5ad").write_bytes(content)
    says(source("h5ad", {"matrix": "x.h5ad"}), tmp_path, "x.h5ad", "not an h5ad file", "delete it")


def test_an_hdf5_file_of_another_kind(tmp_path):
    with h5py.File(tmp_path / "x.h5ad", "w") as file:
        file["numbers"] = [1, 2]
    says(source("h5ad", {"matrix": "x.h5ad"}), tmp_path, "x.h5ad")


def test_counts_of_cell_ranger(tmp_path):
    kinds = ["Gene Expression"] * (len(TABLE) - 1) + ["Antibody Capture"]
    symbols = ["TWICE", "TWICE", *(f"G{i}" for i in range(len(TABLE) - 2))]
    content = cell_ranger(TABLE.T, NAMES, symbols, kinds=kinds)
    (tmp_path / "x.h5").write_bytes(content)
    entry = {"matrix": "x.h5", "obs": {"sample": "s1"}}
    adata = read(source("10x_h5", entry), tmp_path)
    np.testing.assert_array_equal(adata.X.toarray(), TABLE.T[:, :-1])  # no antibodies
    assert adata.X.format == "csr" and adata.X.dtype == np.float32
    assert list(adata.var_names[:3]) == ["TWICE", "TWICE-1", "G0"]
    assert list(adata.var["gene_id"][:2]) == ["ENSG00000000000", "ENSG00000000001"]
    assert list(adata.obs_names) == NAMES
    assert set(adata.obs["sample"]) == {"s1"}
    pack(tmp_path / "a.tar", {"x.h5": content}, "GSM1_")
    packed = read(source("10x_h5", {"archive": "a.tar", "matrix": "GSM1_x.h5"}), tmp_path)
    np.testing.assert_array_equal(packed.X.toarray(), adata.X.toarray())


def damage_indices(file):
    file["matrix/indices"][0] = 10**6


@pytest.mark.parametrize(
    "damage",
    [
        damage_indices,
        lambda file: file.__delitem__("matrix/barcodes"),
        lambda file: file.__delitem__("matrix"),
        lambda file: file.__setitem__("matrix/more", h5py.ExternalLink("/etc/passwd", "/")),
    ],
    ids=["index", "barcodes", "all", "link"],
)
def test_damaged_counts_of_cell_ranger(tmp_path, damage):
    path = tmp_path / "x.h5"
    path.write_bytes(cell_ranger(TABLE.T, NAMES, [f"G{i}" for i in range(len(TABLE))]))
    with h5py.File(path, "r+") as file:
        damage(file)
    says(source("10x_h5", {"matrix": "x.h5"}), tmp_path, "x.h5", "not Cell Ranger's HDF5")
    (tmp_path / "x.h5").write_bytes(b"text")
    says(source("10x_h5", {"matrix": "x.h5"}), tmp_path, "x.h5", "not Cell Ranger's HDF5")


# ---------------------------------------------------------------- annotations


def annotated(folder, **annotation):
    (folder / "t.txt").write_text(table_text("\t"))
    return read(source("table", {"matrix": "t.txt"}, annotations=[annotation]), folder)


def test_annotation_of_an_h5ad_file(tmp_path):
    write_h5ad(tmp_path / "labels.h5ad", np.empty((2, 0)), {"louvain": ["b", "a"]}, NAMES[2:0:-1])
    adata = annotated(tmp_path, file="labels.h5ad", columns={"louvain": "cell_type"})
    assert adata.obs["cell_type"].fillna("-").tolist() == ["-", "a", "b"]
    assert adata.obs["annotated"].tolist() == [False, True, True]


def test_annotation_with_two_headers(tmp_path):
    (tmp_path / "c.txt").write_text(
        "NAME\tCLUSTER\nTYPE\tgroup\nP1.A2\tRBC (Rod)\nP2.A1\tNA\nP1.A1\tMG\n"
    )
    entry = {
        "file": "c.txt",
        "skip_rows": 1,
        "barcode": "{NAME}",
        "columns": {"CLUSTER": "cell_type"},
        "values": {"cell_type": {"RBC (Rod)": "RBC", "MG": "glia"}},
    }
    adata = annotated(tmp_path, **entry)
    assert adata.obs["cell_type"].fillna("-").tolist() == ["glia", "RBC", "-"]
    assert adata.obs["annotated"].all()
    with pytest.raises(InputError, match="no meaning is given for 'group'"):
        annotated(tmp_path, **entry | {"skip_rows": 0})
    with pytest.raises(InputError, match=r"no column name \(it has NAME, CLUSTER"):
        annotated(tmp_path, **entry | {"barcode": "{name}"})


def soft(samples):
    """A family file: characteristics by sample."""
    lines = ["^SERIES = GSE1", *(f"!Series_sample_id = {name}" for name in samples)]
    for name, characteristics in samples.items():
        lines += [f"^SAMPLE = {name}", f"!Sample_title = {name}", "!Sample_organism_ch1 = Homo"]
        lines += [
            f"!Sample_characteristics_ch1 = {key}: {value}"
            for key, value in characteristics.items()
        ]
    return gzip.compress("".join(f"{line}\n" for line in lines).encode())


def test_annotation_of_a_geo_series(tmp_path):
    samples = {
        "GSM1": {"plate id": "P2", "well": "A1", "cell type": "Astocyte"},
        "GSM2": {"plate id": "P1", "well": "A1", "cell type": "OPC"},
        "GSM3": {"plate id": "P9", "well": "A9", "cell type": "OPC"},
    }
    (tmp_path / "GSE1_family.soft.gz").write_bytes(soft(samples))
    adata = annotated(
        tmp_path,
        file="GSE1_family.soft.gz",
        barcode="{plate id}.{well}",
        columns={"cell type": "cell_type"},
        values={"cell_type": {"Astocyte": "Astrocyte", "OPC": "OPC"}},
    )
    assert adata.obs["cell_type"].fillna("-").tolist() == ["OPC", "-", "Astrocyte"]
    assert adata.obs["annotated"].tolist() == [True, False, True]


def test_a_later_annotation_adds_to_an_earlier_one(tmp_path):
    (tmp_path / "t.txt").write_text(table_text("\t"))
    (tmp_path / "one.csv").write_text("cell,kind\nP1.A1,a\nP1.A2,b\nP2.A1,c\n")
    (tmp_path / "two.csv").write_text("cell,kind,more\nP1.A2,B,x\nP2.A1,C,y\n")
    entries = [
        {"file": "one.csv", "columns": {"kind": "kind"}},
        {"file": "two.csv", "columns": {"kind": "kind", "more": "more"}},
    ]
    adata = read(source("table", {"matrix": "t.txt"}, annotations=entries), tmp_path)
    assert adata.obs["kind"].tolist() == ["a", "B", "C"]
    assert adata.obs["more"].fillna("-").tolist() == ["-", "x", "y"]
    assert adata.obs["annotated"].tolist() == [False, True, True]  # known to both


# ---------------------------------------------------------------- entries that cannot be


@pytest.mark.parametrize(
    ("matrix", "annotation", "word"),
    [
        ({"barcodes": None}, {}, "mtx needs files of barcodes and of genes"),
        ({"cell_name": "(a"}, {}, "not a regular expression"),
        ({}, {"matrix": "c.zip"}, "c.zip is not among a.zip"),
    ],
)
def test_entries_that_cannot_be(matrix, annotation, word):
    table = {"file": "x.csv", "columns": {"a": "b"}} | annotation
    with pytest.raises(ValueError, match=word.replace("(", r"\(")):
        source("mtx", SIDES | {"archive": "a.zip"} | matrix, annotations=[table])


# ---------------------------------------------------------------- annotations one can do without


OPTIONAL = {"file": "c.csv", "columns": {"kind": "kind", "more": "more"}, "optional": True}


@pytest.mark.parametrize("content", [None, b""])
def test_an_optional_annotation_that_cannot_be_had_leaves_its_columns_empty(
    tmp_path, caplog, content
):
    if content is not None:
        (tmp_path / "c.csv").write_bytes(content)
    adata = annotated(tmp_path, **OPTIONAL)
    assert adata.obs["kind"].isna().all() and adata.obs["more"].isna().all()
    assert "annotated" not in adata.obs and adata.n_obs == 3
    assert "no such file; kind, more stay empty" in caplog.text
    (tmp_path / "c.csv").write_bytes(b"")
    needed = OPTIONAL | {"optional": False}
    with pytest.raises(InputError, match=r"c\.csv: empty file"):
        annotated(tmp_path, **needed)


def test_an_archive_without_an_optional_table_leaves_its_columns_empty(tmp_path, caplog):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(__file__, "top/other.csv")
    adata = annotated(tmp_path, **OPTIONAL, archive="a.tar.gz")
    assert adata.obs["kind"].isna().all()
    assert "no member c.csv; kind, more stay empty" in caplog.text
    (tmp_path / "c.csv").write_text("cell,kind,more\nP1.A1,x,y\nP1.A2,z,y\n")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "c.csv", "top/c.csv")
    found = annotated(tmp_path, **OPTIONAL, archive="a.tar.gz")
    assert found.obs["kind"].fillna("-").tolist() == ["x", "z", "-"]


def test_cells_without_an_optional_column_are_preprocessed(tmp_path):
    (tmp_path / "t.txt").write_text(table_text("\t"))
    steps = [{"normalise": "median"}]
    entry = {"title": "Toy", "format": "table", "matrices": [{"matrix": "t.txt"}]}
    study = Study.model_validate(entry | {"annotations": [OPTIONAL], "steps": steps})
    cells, _ = preprocess(read(study, tmp_path), study)
    cells.write_h5ad(tmp_path / "cells.h5ad")
    assert ad.read_h5ad(tmp_path / "cells.h5ad").obs["kind"].isna().all()


def test_a_damaged_optional_annotation_is_no_absent_one(tmp_path):
    (tmp_path / "c.csv").write_text("cell,kind,more\n")
    with pytest.raises(InputError, match=r"c\.csv: no row below the header"):
        annotated(tmp_path, **OPTIONAL)


def test_the_second_source_is_read_in_place_of_the_first(tmp_path, caplog):
    caplog.set_level("INFO", "workflow")
    second = {"file": "second.csv", "barcode": "{name}", "columns": {"type": "kind"}}
    entry = {"file": "c.csv", "columns": {"kind": "kind"}, "otherwise": second}
    (tmp_path / "second.csv").write_text("n,type,name\n1,x,P1.A1\n2,y,P1.A2\n")
    adata = annotated(tmp_path, **entry)
    assert adata.obs["kind"].fillna("-").tolist() == ["x", "y", "-"]
    assert adata.obs["annotated"].tolist() == [True, True, False]
    assert "second.csv instead of" in caplog.text
    (tmp_path / "c.csv").write_text("cell,kind\nP1.A1,a\nP2.A1,c\n")
    assert annotated(tmp_path, **entry).obs["kind"].fillna("-").tolist() == ["a", "-", "c"]
    for name in ("c.csv", "second.csv"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=r"none of the files.*c\.csv: no such.*second\.csv: no"):
        annotated(tmp_path, **entry)
    assert annotated(tmp_path, **entry, optional=True).obs["kind"].isna().all()


def test_files_that_a_study_can_do_without():
    second = {"file": "b.csv", "columns": {}}
    first = {"file": "a.csv", "columns": {}, "otherwise": second}
    entries = [first, {"file": "c.csv", "columns": {}}, OPTIONAL | {"file": "d.csv"}]
    study = source("table", {"matrix": "t.txt"}, annotations=entries)
    assert study.files == ["t.txt", "a.csv", "b.csv", "c.csv", "d.csv"]
    assert study.optional_files == {"a.csv", "b.csv", "d.csv"}
    both = source("table", {"matrix": "t.txt"}, annotations=[*entries, second])
    assert both.optional_files == {"a.csv", "d.csv"}


def test_rows_of_some_values_alone(tmp_path):
    (tmp_path / "c.csv").write_text(
        "cell,kind,pool,n\nP1.A1,a,TRUE,1\nP1.A1,b,FALSE,1\nP1.A2,c,TRUE,2\nP2.A1,d,NA,1\n"
    )
    entry = {"file": "c.csv", "columns": {"kind": "kind"}, "rows": {"pool": ["TRUE", "1"]}}
    assert annotated(tmp_path, **entry).obs["kind"].fillna("-").tolist() == ["a", "c", "-"]
    for rows, words in (
        ({"pool": ["1"]}, r"no row with pool 1 \(it has FALSE, TRUE\); correct rows"),
        ({"in_pool": ["1"]}, "no column in_pool"),
    ):
        with pytest.raises(InputError, match=words):
            annotated(tmp_path, **entry | {"rows": rows})
