"""Files as spreadsheets, R and other programs write them give the same cells, or one line."""

import codecs
import gzip
import re

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from helpers.raw_files import cell_ranger, market
from helpers.readers import labels, says, source

from scripts.preprocess.readers import read
from scripts.preprocess.readers.annotations import table_of
from scripts.preprocess.readers.files import RawFile
from scripts.preprocess.readers.tables import MISSING
from vega.errors import InputError

COUNTS = np.array([[0, 3, 0, 1], [12, 0, 1, 0], [0, 0, 2, 2]])  # cells x genes
CELLS = ["AAAC-1", "AAAG-1", "AAAT-1"]
SYMBOLS = ["CD3D", "LYZ", "LYZ", "MT-ND1"]
NUMBERED = ["CD3D", "LYZ", "LYZ-1", "MT-ND1"]
IDS = [f"ENSG{i:011d}" for i in range(4)]
TABLE = {"matrix": "t.txt"}
MARKET = {"matrix": "m.mtx", "barcodes": "b.tsv", "genes": "g.tsv"}


def text(separator="\t", end="\n", corner="", tail="", last="") -> str:
    """COUNTS as a table with genes down."""
    rows = [[corner, *CELLS], *([g, *map(str, c)] for g, c in zip(SYMBOLS, COUNTS.T, strict=True))]
    return "".join(separator.join(row) + tail + end for row in rows) + last


def lists(folder, barcodes=None, genes=None, matrix=None):
    """Write COUNTS in Matrix Market with its lists; return the cells."""
    (folder / "m.mtx").write_bytes(matrix or market(COUNTS))
    both = "".join(f"{i}\t{s}\n" for i, s in zip(IDS, SYMBOLS, strict=True))
    for name, content in (("b.tsv", barcodes or "\n".join(CELLS)), ("g.tsv", genes or both)):
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(source("mtx", MARKET), folder)


def assert_same(adata):
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS)
    assert adata.obs_names.tolist() == CELLS
    assert adata.var_names.tolist() == NUMBERED


# ---------------------------------------------------------------- tables of counts


@pytest.mark.parametrize(
    "content",
    [
        text(";"),
        text("|", corner="gene"),
        text(",", end="\r\n"),
        codecs.BOM_UTF8 + text(";").encode(),
        codecs.BOM_UTF16_LE + text("\t", corner="gene").encode("utf-16-le"),
        text("\t", tail="\t", corner="gene"),
        text(";", tail=";;", last=";;;;;;\n\n"),
        text("\t", last="\n\t\t\t\n\n"),
        text("\t").replace("\n", "\t\n", 1),  # the header alone
        text("\t", corner="gene").replace("\n", "\t\n").replace("\t\n", "\n", 1),  # all others
        "# made, by a program\n#\n" + text(","),
        text(";", corner="#gene"),
        "#version 2\n" + text("\t", corner="#gene"),
        re.sub("[^,\n]+", r'"\g<0>"', text(",")),  # numbers in quotes, too
    ],
)
def test_tables_of_counts(tmp_path, caplog, content):
    caplog.set_level("INFO", "workflow")
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "t.txt").write_bytes(content)
    assert_same(read(source("table", TABLE), tmp_path))
    assert "t.txt: 1 names of genes repeat, as LYZ" in caplog.text
    (tmp_path / "t.txt").write_bytes(gzip.compress(content))
    assert_same(read(source("table", TABLE), tmp_path))


@pytest.mark.parametrize(
    ("separator", "one"), [(";", "12,5"), ("\t", "12,5"), (",", '"12,5"'), ("|", "1,200")]
)
def test_decimal_commas_are_named(tmp_path, separator, one):
    (tmp_path / "t.txt").write_text(text(separator).replace("12", one))
    says(source("table", TABLE), tmp_path, "t.txt: line 2", "write numbers with a point, not a")


@pytest.mark.parametrize("separator", ["\t", ",", ";"])
@pytest.mark.parametrize("blank", ["", " ", '""'])
@pytest.mark.parametrize("everywhere", [False, True])
def test_a_blank_in_place_of_a_count_is_refused(tmp_path, separator, blank, everywhere):
    """Also a whole column of blanks, which would move the others by one cell."""
    header, *rows = text(separator).splitlines()
    fields = [row.split(separator) for row in rows]
    for row in fields if everywhere else fields[:1]:
        row[2] = blank
    (tmp_path / "t.txt").write_text("\n".join([header, *map(separator.join, fields)]))
    says(source("table", TABLE), tmp_path, "t.txt: line 2", "write 0 where a count is missing")


# ---------------------------------------------------------------- Matrix Market


@pytest.mark.parametrize(
    "barcodes",
    [
        "x\n" + "\n".join(CELLS),
        '"x"\n' + "".join(f'"{cell}"\n' for cell in CELLS),
        '"","x"\n' + "".join(f'"{i}","{cell}"\n' for i, cell in enumerate(CELLS, 1)),
        "bc_wells,tscp_count\nAAAC-1,4\nAAAG-1,13\nAAAT-1,4\n",
        "0,AAAC-1\n1,AAAG-1\n2,AAAT-1\n",
        codecs.BOM_UTF8 + b"barcode\tn\nAAAC-1\t4\nAAAG-1\t13\nAAAT-1\t4\n\n\n",
        "AAAC-1\t\r\nAAAG-1\t\r\nAAAT-1\t\r\n\r\n",
    ],
)
def test_lists_of_barcodes(tmp_path, barcodes):
    assert_same(lists(tmp_path, barcodes))


@pytest.mark.parametrize(
    "genes",
    [
        "\n".join(SYMBOLS),
        "gene\n" + "\n".join(SYMBOLS) + "\n\n",
        "".join(f"{symbol}\t\n" for symbol in SYMBOLS),
        '"","symbol"\n' + "".join(f'"{i}","{s}"\n' for i, s in enumerate(SYMBOLS, 1)),
    ],
)
def test_lists_of_symbols_alone(tmp_path, genes):
    adata = lists(tmp_path, genes=genes)
    assert_same(adata)
    assert adata.var["gene_id"].tolist() == SYMBOLS


def test_lists_of_ids_and_symbols(tmp_path):
    both = [*zip(IDS, SYMBOLS, strict=True)]
    for genes in (
        "gene_id\tgene_name\n" + "".join(f"{i}\t{s}\n" for i, s in both),
        "".join(f"{i},{s}\n" for i, s in both),
        "".join(f"{i}\t{s}\tchr1\n" for i, s in both),
    ):
        adata = lists(tmp_path, genes=genes)
        assert_same(adata)
        assert adata.var["gene_id"].tolist() == IDS
    adata = lists(tmp_path, genes=f"{IDS[0]}\t\n" + "".join(f"{i}\t{s}\n" for i, s in both[1:]))
    assert adata.var_names.tolist() == [IDS[0], *NUMBERED[1:]]


def test_a_list_that_is_one_line_longer_without_a_header_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"3 cells, but b\.tsv has 4; the files are not of the"):
        lists(tmp_path, "AACC-1\n" + "\n".join(CELLS))


def test_cells_may_be_down_in_matrix_market(tmp_path, caplog):
    caplog.set_level("INFO", "workflow")
    assert_same(lists(tmp_path, "barcodes\n" + "\n".join(CELLS), matrix=market(COUNTS.T)))
    assert "m.mtx: cells are down in it" in caplog.text


# ---------------------------------------------------------------- the same in all formats

KINDS = ["Gene Expression", "Antibody Capture", "Gene Expression", "Peaks"]


@pytest.mark.parametrize("format", ["mtx", "10x_h5", "h5ad"])
def test_features_that_are_no_genes_are_left_out(tmp_path, caplog, format):
    caplog.set_level("INFO", "workflow")
    if format == "mtx":
        rows = zip(IDS, SYMBOLS, KINDS, strict=True)
        adata = lists(tmp_path, genes="".join("\t".join(row) + "\n" for row in rows))
    else:
        if format == "10x_h5":
            (tmp_path / "x").write_bytes(cell_ranger(COUNTS, CELLS, SYMBOLS, kinds=KINDS))
        else:
            var = pd.DataFrame({"gene_ids": IDS, "feature_types": KINDS}, NUMBERED)
            cells = ad.AnnData(sp.csr_matrix(COUNTS), pd.DataFrame(index=CELLS), var)
            cells.write_h5ad(tmp_path / "x")
        adata = read(source(format, {"matrix": "x"}), tmp_path)
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS[:, [0, 2]])
    assert adata.var["gene_id"].tolist() == [IDS[0], IDS[2]]
    assert adata.var_names[0] == "CD3D"
    assert "2 features are no genes (Antibody Capture, Peaks): left out" in caplog.text


def annotated(folder, content, *, columns=None, barcodes=None):
    """Return obs of the cells with a table of this content."""
    (folder / "c.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    lists(folder, barcodes and "\n".join(barcodes))
    entry = {"file": "c.txt", "columns": columns or {"kind": "kind"}}
    return read(source("mtx", MARKET, annotations=[entry]), folder).obs


@pytest.mark.parametrize("word", MISSING)
def test_the_same_words_are_missing_values_in_all_formats(tmp_path, word):
    kinds = ["T", word, "B"]
    rows = "".join(f"{c},{k}\n" for c, k in zip(CELLS, kinds, strict=True))
    obs = annotated(tmp_path, f"cell,kind\n{rows}")
    assert obs["kind"].fillna("-").tolist() == ["T", "-", "B"]
    obs = pd.DataFrame({"kind": pd.Categorical(kinds)}, CELLS)
    cells = ad.AnnData(sp.csr_matrix(COUNTS), obs, pd.DataFrame(index=NUMBERED))
    cells.write_h5ad(tmp_path / "x.h5ad")
    matrix = {"matrix": "x.h5ad", "columns": {"kind": "kind"}}
    assert labels(read(source("h5ad", matrix), tmp_path), "kind") == ["T", None, "B"]
    entry = {"file": "x.h5ad", "columns": {"kind": "kind"}}
    obs = read(source("mtx", MARKET, annotations=[entry]), tmp_path).obs
    assert obs["kind"].fillna("-").tolist() == ["T", "-", "B"]


# ---------------------------------------------------------------- annotations


@pytest.mark.parametrize(
    "content",
    [
        "cell;kind\nAAAC-1;T, CD4\nAAAG-1;\nAAAT-1;B\n",
        "cell|kind\nAAAC-1|T, CD4\nAAAG-1|NA\nAAAT-1|B\n\n",
        codecs.BOM_UTF8 + b"cell\tkind\r\nAAAC-1\tT, CD4\r\nAAAG-1\t\r\nAAAT-1\tB\r\n\t\r\n",
        codecs.BOM_UTF16_LE + "cell\tkind\nAAAC-1\tT, CD4\nAAAT-1\tB\n".encode("utf-16-le"),
        "cell\tkind\t\nAAAC-1\tT, CD4\t\nAAAG-1\t\t\nAAAT-1\tB\t\n\n",
        "cell\tkind\nAAAC-1\tT, CD4\t\nAAAG-1\t\t\nAAAT-1\tB\t\n",
        'kind\n"AAAC-1","T, CD4"\n"AAAG-1",NA\n"AAAT-1","B"\n',  # as R writes row names
        "cell,kind\nAAAC-1,\"T, CD4\"\nAAAT-1,B\nAAAT-1,B\nAAAC-1,\"T, CD4\"\n",
        ',cell,kind\n0,AAAC-1,"T, CD4"\n1,AAAG-1,\n2,AAAT-1,B\n',
        'cell,kind\n"1","AAAC-1","T, CD4"\n"2","AAAG-1",NA\n"3","AAAT-1","B"\n',
        'n,kind,barcode\n9,"T, CD4",AAAC-1\n7,B,AAAT-1\n7,B,\n',
        '# cells, of 2020\ncell,kind\nAAAC-1,"T, CD4 "\nAAAG-1, \nAAAT-1, B\n',
    ],
)  # fmt: skip
def test_annotations(tmp_path, content):
    obs = annotated(tmp_path, content)
    assert obs["kind"].fillna("-").tolist() == ["T, CD4", "-", "B"]


def test_rows_that_repeat_are_told_and_those_that_differ_refused(tmp_path, caplog):
    caplog.set_level("INFO", "workflow")
    rows = "cell,kind,n\nAAAC-1,T,1\nAAAG-1,B,1\nAAAG-1,B,2\n"  # n is not asked for
    assert annotated(tmp_path, rows)["kind"].fillna("-").tolist() == ["T", "B", "-"]
    assert "c.txt: 1 rows repeat others: left out" in caplog.text
    with pytest.raises(ValueError, match=r"AAAG-1 is a duplicate .*: keep one of the rows"):
        annotated(tmp_path, rows, columns={"kind": "kind", "n": "n"})


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["AAAC.1", "AAAG.1", "CCCC.1"], "barcodes are its row names, with - for ."),
        (["AAAC", "AAAG", "CCCC"], "barcodes are its row names, without the number at the end"),
    ],
)
def test_barcodes_in_another_form_are_matched_and_told(tmp_path, caplog, names, told):
    caplog.set_level("INFO", "workflow")
    rows = "".join(f"{name},{kind}\n" for name, kind in zip(names, "TBX", strict=True))
    obs = annotated(tmp_path, f"cell,kind\n{rows}")
    assert obs["kind"].fillna("-").tolist() == ["T", "B", "-"]
    assert obs["annotated"].tolist() == [True, True, False]
    assert told in caplog.text
    rows = "".join(f"{i},{name},{kind}\n" for i, (name, kind) in enumerate(zip(names, "TBX")))  # noqa: B905
    obs = annotated(tmp_path, f",cell,kind\n{rows}")
    assert obs["kind"].fillna("-").tolist() == ["T", "B", "-"]
    assert "its column cell" in caplog.text


@pytest.mark.parametrize(
    ("barcodes", "rows"),
    [
        (["AAAC-1", "AAAC-2", "AAAG-1"], ["AAAC", "AAAG"]),
        (["AAAC", "AAAG", "AAAT"], ["AAAC-1", "AAAC-2", "AAAG-1"]),
    ],
)
def test_barcodes_of_two_samples_without_their_numbers_are_refused(tmp_path, barcodes, rows):
    same = "row names, without the number.*AAAC-1 and AAAC-2 would be the same; write them as"
    with pytest.raises(InputError, match=rf"c\.txt: the cells' barcodes are its {same}"):
        annotated(tmp_path, "cell,kind\n" + "".join(f"{r},x\n" for r in rows), barcodes=barcodes)


BASES = ["AAACATACAACCAC-1", "AAACATTGAGCTAC-1", "AAACGCACTGGTAC-1"]


@pytest.mark.parametrize(
    "names", [[f"S1_{b}" for b in BASES], [f"{b[:-2]}_1" for b in BASES], [f"a#{b}" for b in BASES]]
)
def test_names_of_samples_around_barcodes_are_left_out_and_told(tmp_path, caplog, names):
    caplog.set_level("INFO", "workflow")
    rows = "cell,kind\n" + "".join(f"{names[i]},{'TBN'[i]}\n" for i in (2, 0, 1))
    assert annotated(tmp_path, rows, barcodes=BASES)["kind"].tolist() == ["T", "B", "N"]
    assert "barcodes are its row names, by their bases alone" in caplog.text
    # The same bases in two samples: which one is meant cannot be known.
    with pytest.raises(InputError, match="would be the same; write them as"):
        annotated(tmp_path, rows + f"S2_{BASES[0]},X\n", barcodes=BASES)


def test_a_table_of_cells_is_read_whatever_its_name(tmp_path):
    obs = pd.DataFrame({"kind": ["T", "B", "T"]}, CELLS)
    ad.AnnData(sp.csr_matrix(COUNTS), obs).write_h5ad(tmp_path / "cells.dat")
    assert table_of(RawFile(tmp_path / "cells.dat"))["kind"].tolist() == ["T", "B", "T"]
    (tmp_path / "m").write_bytes(market(COUNTS))
    with pytest.raises(ValueError, match="expected a table of cells, found mtx; give another"):
        table_of(RawFile(tmp_path / "m"))
