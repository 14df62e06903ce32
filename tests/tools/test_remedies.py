"""The remedy of each refusal of `make new-study`, followed: the study is then added."""

import gzip
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData, read_h5ad
from helpers.own_study import COMMON, GENES, SETS, new_study, write_gmt, write_own

# What the user types, a part of what is said, and what it leads the user to type.
FOLLOWED = [
    # options
    ("mine.h5ad --layer cts", "it has none.; correct --layer, or leave it out", "mine.h5ad"),
    ("layer.h5ad --layer cts", "it has counts.; correct", "layer.h5ad --layer counts"),
    ("mine.h5ad --raw", "no raw; leave out --raw", "mine.h5ad"),
    ("mine.h5ad --symbols name", "it has none.; correct --symbols, or leave it", "mine.h5ad"),
    ("types.h5ad --symbols x", "it has alias.; correct --symbols", "types.h5ad --symbols alias"),
    ("down.csv --layer x", "--layer is not for table files; leave it out", "down.csv"),
    ("mine.h5ad --genes features.tsv", "--genes is not for h5ad files; leave it", "mine.h5ad"),
    ("mine.h5ad --cell-type x", "there are Cell.Type, t", "mine.h5ad --cell-type Cell.Type"),
    ("mine.h5ad --batch score", "such a column has two val", "mine.h5ad --batch patient"),
    (
        "mine.h5ad --cell-type patient --condition patient",
        "--cell-type and --condition are both patient; name another column, or - for none",
        "mine.h5ad --cell-type patient --condition -",
    ),
    (
        "mine.h5ad --contrast a",
        "--contrast a: give two conditions as A:B; there are",
        "mine.h5ad --contrast treated:Ctrl",
    ),
    ("mine.h5ad --contrast a:b", "there are Ctrl, treated", "mine.h5ad --contrast Ctrl:treated"),
    (
        "mine.h5ad --condition - --contrast treated:Ctrl",
        "no column of conditions; name it by --condition",
        "mine.h5ad --condition treatment --contrast treated:Ctrl",
    ),
    ("mine.h5ad --name all", "reserved name; choose another --name", "mine.h5ad --name any"),
    ("mine.h5ad --name kang", "an entry kang; choose another --name", "mine.h5ad --name any"),
    ("mine.h5ad --name ../x", "'../x' is no name; .* give another --name", "mine.h5ad --name x"),
    ("mine.h5ad --gene-sets no.gmt", "no.gmt: no such file, and not one of", "mine.h5ad"),
    (
        "mine.h5ad --gene-sets reactomes.gmt",
        "other gene sets of this name .*; rename the file",
        "mine.h5ad --gene-sets renamed.gmt",
    ),
    # files
    ("none.h5ad", "none.h5ad: cannot be read .*; check its name", "mine.h5ad"),
    ("own.gmt", ".*/own.gmt: not a file of counts; give an h5ad file", "mine.h5ad"),
    ("seurat.rds", "not a file of counts; give .* a table", "down.csv"),
    ("words.csv", "words.csv: not a file of counts; give an h5ad file", "mine.h5ad"),
    ("folder.tar.gz", "an archive; unpack it and give its file or folder", "whole"),
    ("multi.h5mu", "HDF5 of another program .*; convert the counts to h5ad", "mine.h5ad"),
    ("other.h5", "HDF5 of another program .*; convert the counts to h5ad", "mine.h5ad"),
    (
        "cells.csv",
        "cells.csv: line 2: expected a name and .*check that this is the file",
        "down.csv",
    ),
    ("book.xlsx", "an Excel workbook; save the sheet as a CSV file", "down.csv"),
    ("two.zip", "a zip of 2 files, expected one: unpack it", "down.csv"),
    ("plain.csv.gz", "not a gzip file in spite of its name; check that this", "down.csv"),
    ("cut.tsv.gz", "breaks off before its end; check that this is the file", "across.tsv.gz"),
    ("empty.csv", "empty file; check that this is the file you mean", "down.csv"),
    ("page.csv", "a web page instead of data.*; check that this is the file", "down.csv"),
    ("comma.csv", "line 2: .*write numbers with a point", "point.csv"),
    (
        "lone",
        "needs its list of barcodes .* or name it by --barcodes",
        "lone --barcodes barcodes.tsv --genes features.tsv",
    ),
    ("lone --barcodes barcodes.tsv", "its list of genes in its folder, named genes.tsv", "whole"),
    (
        "lone --barcodes no.tsv --genes features.tsv",
        "no.tsv: cannot be .*; check its name",
        "whole",
    ),
    (
        "whole --genes short.tsv",
        "has 3; .*name the lists by --barcodes and --genes",
        "whole --genes features.tsv",
    ),
    (
        "mine.h5ad --annotation no.csv",
        "no.csv: cannot be .*; check its name",
        "mine.h5ad --annotation cells.csv",
    ),
    (
        "mine.h5ad --annotation strangers.csv",
        "only 0 of the 160 .*table of these cells by --ann",
        "mine.h5ad --annotation cells.csv",
    ),
    (
        "down.csv --annotation d/down.csv",
        "the same name in a run; rename one",
        "down.csv --annotation cells.csv",
    ),
    # values
    ("nan.h5ad", "gene GENE5, cell AAAC0003-1: nan .* write 0 in place of missing", "mine.h5ad"),
    ("scaled.h5ad", "found negative values; give a file of the counts", "mine.h5ad"),
    (
        "ids.h5ad",
        "the data have Ensembl ids .* take gene sets of Ensembl ids",
        "ids.h5ad --gene-sets ids.gmt",
    ),
    (
        "ids.h5ad",
        "name the column of their symbols .symbols, --symbols",
        "types.h5ad --symbols alias",
    ),
]


MISSING = ("none.h5ad", "no.gmt", "no.tsv", "no.csv")
IDS = {gene: f"ENSG{i:011d}" for i, gene in enumerate([*GENES, *COMMON])}


def faulty(own):
    """Write files of the same study with one fault each."""
    cells = read_h5ad(own / "mine.h5ad")
    down, page = (own / "down.csv").read_text(), "<!DOCTYPE html><html></html>"

    def save(name, X=None, **changes):
        changed = cells.copy()
        changed.X = cells.X if X is None else X
        for field, value in changes.items():
            setattr(changed, field, value)
        changed.write_h5ad(own / name)

    dense = cells.X.toarray()
    save("scaled.h5ad", (dense - dense.mean(0)) / dense.std(0))
    dense[3, 5] = np.nan
    save("nan.h5ad", dense)
    layer = AnnData(obs=cells.obs, var=cells.var, layers={"counts": cells.X})
    layer.write_h5ad(own / "layer.h5ad")
    save("ids.h5ad", var_names=[*IDS.values()])
    save("types.h5ad", var=pd.DataFrame({"alias": [*IDS]}, index=[*IDS.values()]))
    strangers = pd.read_csv(own / "cells.csv", index_col=0)
    strangers.set_axis([f"z{i}" for i in range(160)]).to_csv(own / "strangers.csv")
    for name, text in {
        "empty.csv": "",
        "page.csv": page,
        "comma.csv": down.replace(",", ";").replace(";13;", ";13,5;"),
        "point.csv": down.replace(",", ";").replace(";13;", ";13.0;"),
        "words.csv": ",a\n0,x\n1,y\n",
        "short.tsv": "GENE0\nGENE1\nGENE2\n",
        "plain.csv.gz": down,
    }.items():
        (own / name).write_text(text)
    (own / "cut.tsv.gz").write_bytes((own / "across.tsv.gz").read_bytes()[:2000])
    (own / "seurat.rds").write_bytes(gzip.compress(b"X\n\0\0\0\3"))
    for name, groups in {"other.h5": ["weights"], "multi.h5mu": ["mod", "obs", "var"]}.items():
        with h5py.File(own / name, "w") as file:
            for group in groups:
                file.create_group(group)
    for name, members in {"book.xlsx": ["xl/workbook.xml"], "two.zip": ["a.csv", "b.csv"]}.items():
        with zipfile.ZipFile(own / name, "w") as archive:
            for member in ("[Content_Types].xml", *members) if "xl" in name else members:
                archive.writestr(member, down)
    for folder, files in {
        "lone": ["matrix.mtx.gz"],
        "whole": ["matrix.mtx.gz", "barcodes.tsv", "features.tsv"],
        "d": ["down.csv"],
    }.items():
        (own / folder).mkdir()
        for file in files:
            shutil.copy(own / file, own / folder)
    with tarfile.open(own / "folder.tar.gz", "w:gz") as archive:
        archive.add(own / "whole", "whole")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    own = tmp_path_factory.mktemp("remedies") / "own"
    write_own(own)
    write_gmt(own / "ids.gmt", {name: [IDS[gene] for gene in SETS[name]] for name in SETS})
    for name in ("reactomes.gmt", "renamed.gmt"):
        shutil.copy(own / "own.gmt", own / name)
    faulty(own)
    return own


@pytest.mark.parametrize(("typed", "said", "then"), FOLLOWED, ids=[typed for typed, *_ in FOLLOWED])
def test_what_a_refusal_advises_works(repository, own, monkeypatch, capsys, typed, said, then):
    def command(words):
        paths = {word for word in words.split() if (own / word).exists() or word in MISSING}
        words = [own / word if word in paths else word for word in words.split()]
        words += [] if "--gene-sets" in words else ["--gene-sets", own / "own.gmt"]
        return new_study(monkeypatch, capsys, *words, "--yes")

    monkeypatch.chdir(repository)
    before = {path: path.read_bytes() for path in Path("config").glob("*.*")}
    code, _, error = command(typed)
    assert code == 1 and re.match(f"error: .*{said}", error) and "\n" not in error
    assert {path: path.read_bytes() for path in Path("config").glob("*.*")} == before
    code, out, error = command(then)
    assert code == 0 and "added; now run: make paper" in out, error
