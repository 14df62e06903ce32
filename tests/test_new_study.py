"""A study of one's own: rows in the tables and files in a mirror, no code."""

import gzip
import hashlib

import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp
import yaml
from conftest import edit, planned, snakemake

from paper.errors import InputError
from paper.formats import check_namespace
from paper.tables import read_table
from vega import VEGA, read_gmt

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
        # Two embeddings, three volcanoes, the heatmap and GSEA.
        panels = {p.stem for p in (run / "figures" / "standard" / "tiny").glob(f"*.{suffix}")}
        assert panels == set("abcdefg")
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
    assert panels == {"a.png", "b.png"}  # the cells as they are, and why there is no volcano

    # A question that such a study cannot answer.
    edit(repository / "config" / "models.yaml", lambda c: c["tiny"].update(one_vs_rest="tissue"))
    output = snakemake(
        repository, *settings, "--", "results/new/figures/standard/tiny.png", check=False
    )
    (line,) = (line for line in output.splitlines() if line.startswith("error: "))
    assert "config/models.yaml: one_vs_rest: the study has no column tissue; it has" in line
    assert "Traceback" not in output


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
