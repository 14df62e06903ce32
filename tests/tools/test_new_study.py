"""A study of one's own: rows in the tables and files in a mirror, no code."""

import gzip
import hashlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp
import yaml
from anndata import AnnData, read_h5ad
from cell_ranger import cell_ranger
from conftest import edit, environment, planned, snakemake

from scripts.common.config.load import load
from scripts.common.config.studies import Source
from scripts.common.tables import read_table
from scripts.preprocess.readers import check_namespace, read
from tools.new_study.given import of_file
from tools.new_study.look import columns_of, look
from tools.new_study.propose import guessed, propose, reference
from vega import VEGA, read_gmt
from vega.errors import InputError

GENES = [f"GENE{i}" for i in range(240)]
SETS = {f"TOY_SET_{i}": GENES[20 * i : 20 * i + 20] for i in range(12)}
OF_ALPHA, OF_DRUG = "TOY_SET_0", "TOY_SET_5"  # active in one type, and under treatment

STUDY = yaml.safe_load("""
title: Cells made in a test (Nobody 2031)
format: mtx
matrices:
  - {matrix: tiny.mtx.gz, barcodes: tiny_barcodes.tsv, genes: tiny_genes.tsv}
annotations:
  - file: tiny_cells.tsv
    barcode: "{cell}"
    columns: {kind: cell_type, drug: condition}
steps:
  - gene_min_cells: 3
  - normalise: median
cell_types: [alpha, beta]
conditions: [none, some]
""")
MODEL = yaml.safe_load("""
study: tiny
gene_sets: tiny.gmt
n_hidden: 64
dropout: 0.1
latent_dropout: 0.1
learning_rate: 3.0e-3
batch_size: 16
max_epochs: 60
one_vs_rest: cell_type
contrasts:
  drug: {column: condition, group: some, reference: none, gsea: true}
""")


def write_gmt(path, gene_sets):
    path.write_text("".join("\t".join([n, "toy", *genes]) + "\n" for n, genes in gene_sets.items()))


def write_study(folder):
    """A tiny study with planted activity, in the formats that its entry names."""
    rng = np.random.default_rng(0)
    n = 160
    kind, drug = np.tile(["alpha", "beta"], n // 2), np.repeat(["none", "some"], n // 2)
    mean = np.full((n, len(GENES)), 2.0)
    for gmv, cells in ((OF_ALPHA, kind == "alpha"), (OF_DRUG, drug == "some")):
        mean[np.ix_(cells, [GENES.index(g) for g in SETS[gmv]])] *= 6
    folder.mkdir(parents=True)
    with gzip.open(folder / "tiny.mtx.gz", "wb") as file:
        scipy.io.mmwrite(file, sp.coo_matrix(rng.poisson(mean).T), field="integer")
    barcodes = [f"cell{i}" for i in range(n)]
    (folder / "tiny_barcodes.tsv").write_text("\n".join(barcodes) + "\n")
    ids = [f"ENSG{i:011d}\t{gene}" for i, gene in enumerate(GENES)]
    (folder / "tiny_genes.tsv").write_text("\n".join(ids) + "\n")
    cells = pd.DataFrame({"cell": barcodes, "kind": kind, "drug": drug})
    cells.to_csv(folder / "tiny_cells.tsv", sep="\t", index=False)


@pytest.fixture
def mirror_of_tiny(repository, tmp_path):
    """The study's rows in the tables of the repository; the mirror that holds its files."""
    mirror = tmp_path / "mirror"
    write_study(mirror / "tiny")
    (mirror / "gene_sets").mkdir()
    table = repository / "config" / "files.tsv"
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    for file in ("tiny.gmt", *(row[1] for row in rows if row[0] == "gene_sets")):
        write_gmt(mirror / "gene_sets" / file, SETS)
    files = sorted(path for path in mirror.rglob("*") if path.is_file())
    sums = (hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    names = [str(path.relative_to(mirror)) for path in files]
    (mirror / "SHA256SUMS").write_text(
        "".join(f"{s}  {name}\n" for s, name in zip(sums, names, strict=True))
    )
    # What a user adds: rows in three tables, and nothing else.
    with table.open("a") as handle:
        for name in names:
            study, file = name.split("/")
            if "tiny" in name:
                handle.write(f"{study}\t{file}\thttps://example.org/{file}\t\t\t\n")
    edit(repository / "config" / "studies.yaml", lambda c: c.update(tiny=STUDY))
    edit(repository / "config" / "models.yaml", lambda c: c.update(tiny=MODEL))
    return mirror


@pytest.mark.slow
def test_a_new_study_gets_its_standard_page_from_rows_in_tables(repository, mirror_of_tiny):
    settings = ("--config", "run=new", "data=public", f"mirror={mirror_of_tiny}", "studies=tiny")
    snakemake(repository, *settings)
    run = repository / "results" / "new"
    for suffix in ("png", "pdf"):
        assert (run / "figures" / "standard" / f"tiny.{suffix}").stat().st_size > 10_000
        # Two embeddings, three volcanoes, the heatmap, GSEA and the top genes.
        panels = {p.stem for p in (run / "figures" / "standard" / "tiny").glob(f"*.{suffix}")}
        assert panels == set("abcdefgh")
    table = read_table(run / "tables" / "tiny_seed1_differential.tsv")
    for contrast, group, planted in (
        ("one_vs_rest", "alpha", OF_ALPHA), ("drug", "some", OF_DRUG),
    ):  # fmt: skip
        rows = table[(table["contrast"] == contrast) & (table["group"] == group)]
        rows = rows[rows["gmv"].isin(SETS)]
        assert rows.loc[rows["log_bf"].idxmax(), "gmv"] == planted
        assert rows["log_bf"].max() > 3
    gsea = read_table(run / "tables" / "tiny_gsea.tsv")
    assert gsea.loc[gsea["fdr"].idxmin(), "gmv"] == OF_DRUG
    # The paper's own figures need other studies; its claims are listed all the same.
    assert not list((run / "figures").glob("*.png"))
    assert (read_table(run / "claims.tsv")["verdict"] == "not run").sum() > 50
    assert planned(repository, *settings) == set()

    # A study without types and conditions: one entry less in each table.
    def bare(content):
        del content["tiny"]["annotations"], content["tiny"]["cell_types"]
        del content["tiny"]["conditions"]

    def unasked(content):
        del content["tiny"]["contrasts"], content["tiny"]["one_vs_rest"]

    edit(repository / "config" / "models.yaml", unasked)
    edit(repository / "config" / "studies.yaml", bare)
    snakemake(repository, *settings, "--", "results/new/figures/standard/tiny.png")
    panels = {p.name for p in (run / "figures" / "standard" / "tiny").glob("*.png")}
    assert panels == {"a.png", "b.png", "c.png"}  # cells, why there is no volcano, genes

    # A question that such a study cannot answer.
    edit(repository / "config" / "models.yaml", lambda c: c["tiny"].update(one_vs_rest="tissue"))
    output = snakemake(
        repository, *settings, "--", "results/new/figures/standard/tiny.png", check=False
    )
    (line,) = (line for line in output.splitlines() if line.startswith("error: "))
    assert "config/models.yaml: one_vs_rest: the study has no column tissue; it has" in line
    assert "Traceback" not in output


# ---------------------------------------------------------------- rows that are proposed


COMMON = ["RPL13A", "GAPDH", "ACTB"]  # by which a table shows where its genes are


@pytest.fixture
def own(tmp_path):
    """Files of somebody's own: the same cells in each format, with planted activity."""
    folder = tmp_path / "own"
    folder.mkdir()
    rng = np.random.default_rng(0)
    n, genes = 160, [*GENES, *COMMON]
    kind, drug = np.tile(["alpha", "beta"], n // 2), np.repeat(["treated", "Ctrl"], n // 2)
    mean = np.full((n, len(genes)), 2.0)
    for gmv, cells in ((OF_ALPHA, kind == "alpha"), (OF_DRUG, drug == "treated")):
        mean[np.ix_(cells, [genes.index(g) for g in SETS[gmv]])] *= 6
    counts = rng.poisson(mean)
    names = [f"AAAC{i:04d}-1" for i in range(n)]
    obs = pd.DataFrame({"Cell.Type": kind, "treatment": drug, "patient": "p1"}, index=names)
    obs.loc[names[::3], "patient"] = "p2"
    obs["score"] = rng.random(n)
    obs.to_csv(folder / "cells.csv")
    pd.DataFrame(counts, names, genes).to_csv(folder / "down.csv")
    pd.DataFrame(counts.T, genes, names).to_csv(folder / "across.tsv.gz", sep="\t")
    var = pd.DataFrame(index=genes)
    AnnData(sp.csr_matrix(counts, dtype=np.float32), obs=obs, var=var).write_h5ad(
        folder / "mine.h5ad"
    )
    with gzip.open(folder / "matrix.mtx.gz", "wb") as file:
        scipy.io.mmwrite(file, sp.coo_matrix(counts.T), field="integer")
    (folder / "barcodes.tsv").write_text("\n".join(names) + "\n")
    lines = [f"ENSG{i:011d}\t{gene}" for i, gene in enumerate(genes)]
    (folder / "features.tsv").write_text("\n".join(lines) + "\n")
    (folder / "filtered_feature_bc_matrix.h5").write_bytes(cell_ranger(counts, names, genes))
    write_gmt(folder / "own.gmt", SETS)
    return folder


def new_study(repository, *words):
    """Run the command in a repository; what it says."""
    command = [sys.executable, "-m", "tools.new_study", *map(str, words)]
    return subprocess.run(
        command, cwd=repository, env=environment(repository), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("file", "format"),
    [("mine.h5ad", "h5ad"), ("filtered_feature_bc_matrix.h5", "10x_h5"),
     ("down.csv", "table"), ("across.tsv.gz", "table"), ("matrix.mtx.gz", "mtx")],
)  # fmt: skip
def test_each_format_is_read_as_the_workflow_will(own, file, format):
    found = look(own / file, ())
    assert found.format == format
    assert (len(found.cells), len(found.genes)) == (160, 243)
    assert found.cells[1] == "AAAC0001-1"
    assert list(found.genes[-3:]) == COMMON
    assert found.counts
    assert found.matrices[0].get("cells_down", False) == (file == "down.csv")
    assert len(found.files) == (3 if format == "mtx" else 1)


def test_rows_that_are_no_genes_are_left_out(own):
    table = pd.read_csv(own / "across.tsv.gz", sep="\t", index_col=0)
    others = ["ERCC-00002", "ERCC-00171", "__no_feature", "alignment_not_unique"]
    more = pd.DataFrame(7, others, table.columns)
    genes = ["ERCC1", "ERCC6L2"]
    table = pd.concat([pd.DataFrame(1, genes, table.columns), table, more])
    table.to_csv(own / "spiked.tsv", sep="\t")
    found = look(own / "spiked.tsv", ())
    assert list(found.genes) == [*genes, *GENES, *COMMON]
    matrices = proposal(own, "spiked.tsv").study["matrices"]
    study = Source(format="table", matrices=matrices, steps=[{"normalise": "median"}])
    assert list(read(study, own).var_names) == list(found.genes)
    assert "no_genes" not in proposal(own, "across.tsv.gz").study["matrices"][0]


def test_columns_that_group_cells_are_told_apart_from_others(own):
    expected = {
        "Cell.Type": {"alpha": 80, "beta": 80},
        "treatment": {"Ctrl": 80, "treated": 80},
        "patient": {"p1": 106, "p2": 54},
    }
    assert columns_of(own / "cells.csv") == expected  # and not score
    assert look(own / "mine.h5ad", ()).columns == expected


def test_columns_and_references_are_guessed_by_their_names():
    assert guessed(["Cell.Type", "Treatment", "patient", "n"]) == {
        "cell_type": "Cell.Type", "condition": "Treatment", "batch": "patient",
    }  # fmt: skip
    assert guessed(["louvain", "cell_type"]) == {"cell_type": "cell_type"}
    assert guessed(["x"]) == {}
    assert reference(["stim", "CTRL"]) == "CTRL"
    assert reference(["a", "b"]) is None


def proposal(own, file="mine.h5ad", **options):
    given = of_file("mine", own / file, own / "cells.csv", ())
    options = {"columns": guessed(list(given.columns)), **options}
    return propose("mine", given, title="Mine", gene_sets="own.gmt", **options)


def test_conditions_are_compared_with_their_reference(own):
    rows = proposal(own)
    assert rows.model["analyses"]["contrasts"] == {
        "treated": {"column": "condition", "group": "treated", "reference": "Ctrl", "gsea": True}
    }
    assert rows.study["conditions"] == ["Ctrl", "treated"]
    assert rows.model["analyses"]["one_vs_rest"] == "cell_type"
    assert "batch_key" not in rows.model
    asked = proposal(own, contrast=("Ctrl", "treated"), batch=True)
    assert asked.model["analyses"]["contrasts"]["Ctrl"]["reference"] == "treated"
    assert asked.model["data"]["batch_key"] == "batch"
    with pytest.raises(InputError, match="no condition drug; there are Ctrl, treated"):
        proposal(own, contrast=("drug", "Ctrl"))
    with pytest.raises(InputError, match="no column tissue that groups the cells; there are Cell"):
        proposal(own, columns={"cell_type": "tissue"})


def test_values_that_are_no_counts_are_taken_as_they_are(own):
    cells = read_h5ad(own / "mine.h5ad")
    cells.X.data = np.log1p(cells.X.data)
    cells.write_h5ad(own / "mine.h5ad")
    rows = proposal(own)
    assert rows.study["steps"] == [{"processed": True}]
    assert any("no counts" in note for note in rows.notes)


def test_rows_are_shown_and_only_added_when_they_are_wanted(repository, own):
    tables = [repository / "config" / f for f in ("files.tsv", "studies.yaml", "models.yaml")]
    before = [path.read_bytes() for path in tables]
    shown = new_study(repository, own / "mine.h5ad", "--gene-sets", own / "own.gmt")
    assert shown.returncode == 0, shown.stderr
    assert "160 cells, 243 genes, counts" in shown.stdout
    assert "nothing was added" in shown.stdout
    assert [path.read_bytes() for path in tables] == before

    added = new_study(repository, own / "mine.h5ad", "--gene-sets", own / "own.gmt", "--yes")
    assert added.returncode == 0, added.stderr
    assert "now run: make paper STUDIES=mine" in added.stdout
    assert [path.read_bytes()[: len(b)] for path, b in zip(tables, before, strict=True)] == before
    config = load({}, repository / "config")
    assert config.studies["mine"].cell_types == ["alpha", "beta"]
    assert config.file("mine", "mine.h5ad").url == f"file:{own / 'mine.h5ad'}"
    assert config.file("gene_sets", "own.gmt").sha256
    assert "mine" in config.selected_studies
    # The demo is of the published studies, and goes on being so.
    demo = load({"data": "simulated"}, repository / "config")
    assert "mine" not in demo.selected_studies
    assert {"kang", "zheng", "shekhar"} <= set(demo.selected_studies)
    with pytest.raises(InputError, match="data: simulated, but study 'mine' is not among kang"):
        load({"data": "simulated", "studies": "mine"}, repository / "config")

    after = [path.read_bytes() for path in tables]
    again = new_study(repository, own / "mine.h5ad", "--gene-sets", own / "own.gmt", "--yes")
    assert again.returncode == 1
    assert again.stderr.startswith("error: config/studies.yaml: there is an entry mine; choose")
    assert [path.read_bytes() for path in tables] == after


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.h5ad"], "none.h5ad: no such file"),
        (["cells.csv"], "cells.csv: line 2: expected a name and"),
        (["own.gmt"], "own.gmt: not a file of counts; give an h5ad file"),
        (["mine.h5ad", "--contrast", "a"], "--contrast a: give two conditions as A:B"),
        (["mine.h5ad", "--name", "../x"], "'../x' is no name"),
        (["mine.h5ad", "--gene-sets", "no.gmt"], "no.gmt: no such file, and not one of"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_added(repository, own, words, message):
    table = repository / "config" / "studies.yaml"
    before = table.read_bytes()
    said = new_study(repository, own / words[0], *words[1:], "--yes")
    assert said.returncode == 1
    assert said.stderr.startswith("error: ")
    assert message in said.stderr
    assert len(said.stderr.splitlines()) == 1
    assert "get it anew" not in said.stderr
    assert table.read_bytes() == before


@pytest.mark.slow
def test_from_a_plain_table_to_its_page(repository, own):
    files = [own / "down.csv", "--annotation", own / "cells.csv", "--gene-sets", own / "own.gmt"]
    assert new_study(repository, *files, "--name", "mine", "--yes").returncode == 0
    small = {"n_hidden": 64, "dropout": 0.1, "latent_dropout": 0.1, "learning_rate": 3e-3,
             "batch_size": 16, "max_epochs": 60}  # fmt: skip
    settings = ("--config", "run=new", "data=public", "studies=mine", f"training={small}")
    snakemake(repository, *settings, "--", "results/new/figures/standard/mine.png")
    table = read_table(repository / "results" / "new" / "tables" / "mine_seed1_differential.tsv")
    for group, planted in (("alpha", OF_ALPHA), ("treated", OF_DRUG)):
        rows = table[(table["group"] == group) & table["gmv"].isin(SETS)]
        assert rows.loc[rows["log_bf"].idxmax(), "gmv"] == planted
    raw = repository / "results" / "new" / "raw" / "mine" / "down.csv"
    assert raw.read_bytes() == (own / "down.csv").read_bytes()
    # The file is pinned: another one in its place is not taken for it.
    with (own / "down.csv").open("a") as file:
        file.write("AAAC9999-1" + ",1" * 243 + "\n")
    raw.unlink()
    said = snakemake(repository, *settings, "--", str(raw.relative_to(repository)), check=False)
    (line,) = (line for line in said.splitlines() if line.startswith("error: "))
    assert "down.csv: bytes expected" in line
    assert not raw.exists()


# ---------------------------------------------------------------- names of genes


def test_gene_sets_that_share_no_gene_with_the_data_are_named():
    with pytest.raises(InputError) as error:
        check_namespace(["PROBE_1", "PROBE_2"], SETS, "tiny with tiny.gmt")
    assert "tiny with tiny.gmt: only 0 of 2 genes are in the gene sets" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"none of the 2 genes .* is in any gene set"):
        VEGA(["PROBE_1", "PROBE_2"], SETS)


def test_mouse_symbols_with_a_human_collection_are_recognised(mirror):
    sets = read_gmt(mirror / "gene_sets" / "reactomes.gmt")
    human = sorted({gene for genes in sets.values() for gene in genes})
    mouse = [gene.capitalize() for gene in human if gene.isalpha()]
    check_namespace(human, sets, "human")
    with pytest.raises(InputError, match=r"mouse symbols .*: map them to human orthologs"):
        check_namespace(mouse, sets, "mouse with reactomes.gmt")
