"""A study of a user's own: rows in the tables and files in a mirror, no code."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import partial

import pytest
import yaml
from conftest import edit, environment, planned, snakemake
from helpers.own_study import (
    OF_ALPHA,
    OF_DRUG,
    SETS,
    new_study,
    write_own,
)

from scripts.common.config.figures import File
from scripts.common.config.load import load
from scripts.common.provenance import measure
from scripts.common.tables import read_table
from tools.new_study.__main__ import _at_hand
from vega.errors import InputError

STUDY = yaml.safe_load("""
title: Cells made in a test (Nobody 2031)
format: mtx
matrices:
  - {matrix: matrix.mtx.gz, barcodes: barcodes.tsv, genes: features.tsv}
annotations:
  - file: cells.csv
    columns: {Cell.Type: cell_type, treatment: condition, patient: patient}
steps:
  - gene_min_cells: 3
  - normalise: median
cell_types: [alpha, beta]
conditions: [Ctrl, treated]
""")
MODEL = yaml.safe_load("""
data: {study: tiny, gene_sets: own.gmt}
model: {n_hidden: 64, dropout: 0.1, latent_dropout: 0.1}
train: {learning_rate: 3.0e-3, batch_size: 16, max_epochs: 60}
analyses:
  one_vs_rest: cell_type
  contrasts:
    drug: {column: condition, group: treated, reference: Ctrl, gsea: true}
""")


@pytest.fixture
def own(tmp_path):
    write_own(tmp_path / "own")
    return tmp_path / "own"


@pytest.fixture
def mirror_of_tiny(repository, own, tmp_path):
    """The study's rows in the tables of the repository; the mirror of its files."""
    mirror, config = tmp_path / "mirror", repository / "config"
    cells = ("matrix.mtx.gz", "barcodes.tsv", "features.tsv", "cells.csv")
    for study, files in {"gene_sets": ["own.gmt"], "tiny": cells}.items():
        (mirror / study).mkdir(parents=True)
        for file in files:
            sha256 = measure(shutil.copy(own / file, mirror / study / file))["sha256"]
            with (mirror / "SHA256SUMS").open("a") as sums:
                sums.write(f"{sha256}  {study}/{file}\n")
            # What a user adds: rows in three tables, and nothing else.
            with (config / "files.tsv").open("a") as table:
                table.write(f"{study}\t{file}\thttps://example.org/{file}\t\t\t\n")
    edit(config / "studies.yaml", lambda c: c.update(tiny=STUDY))
    edit(config / "models.yaml", lambda c: c.update(tiny=MODEL))
    return mirror


@pytest.mark.slow
def test_a_new_study_gets_its_summary_page_from_rows_in_tables(repository, mirror_of_tiny):
    settings = ("--config", "run=new", "data=public", f"mirror={mirror_of_tiny}", "studies=tiny")
    run, models = repository / "results" / "new", repository / "config" / "models.yaml"
    # The configuration has no list of the patients, so that only the cells can tell.
    contrast = {"column": "patient", "group": "p3", "reference": "p1"}
    edit(models, lambda c: c["tiny"]["analyses"]["contrasts"].update(patient=contrast))
    said = snakemake(repository, *settings, check=False)
    assert "tiny.patient: no cell has patient p3; there are p1, p2" in said
    assert not [*run.glob("models/**/*.safetensors")]
    edit(models, lambda c: c["tiny"]["analyses"]["contrasts"]["patient"].update(group="p2"))
    snakemake(repository, *settings)
    for suffix in ("png", "pdf"):
        assert (run / "figures" / "summary" / f"tiny.{suffix}").stat().st_size > 10_000
        # Two embeddings, four volcanoes, the heatmap, GSEA and the top genes.
        panels = {p.stem for p in (run / "figures" / "summary" / "tiny").glob(f"*.{suffix}")}
        assert panels == set("abcdefghi")
    table = read_table(run / "tables" / "tiny_seed1_differential.tsv")
    for group, planted in (("alpha", OF_ALPHA), ("treated", OF_DRUG)):
        rows = table[(table["group"] == group) & table["gmv"].isin(SETS)]
        assert rows.loc[rows["log_bf"].idxmax(), "gmv"] == planted
        assert rows["log_bf"].max() > 3
    gsea = read_table(run / "tables" / "tiny_gsea.tsv")
    assert gsea.loc[gsea["fdr"].idxmin(), "gmv"] == OF_DRUG
    # The paper's own figures need other studies; its claims are listed all the same.
    assert not list((run / "figures").glob("*.png"))
    assert (read_table(run / "claims.tsv")["verdict"] == "not run").sum() > 50
    assert planned(repository, *settings) == set()

    # A study without types and conditions: some entries less in each table.
    def bare(content):
        for key in ("annotations", "cell_types", "conditions"):
            del content["tiny"][key]

    edit(repository / "config" / "models.yaml", lambda c: c["tiny"].pop("analyses"))
    edit(repository / "config" / "studies.yaml", bare)
    snakemake(repository, *settings, "--", "results/new/figures/summary/tiny.png")
    panels = {p.name for p in (run / "figures" / "summary" / "tiny").glob("*.png")}
    assert panels == {"a.png", "b.png", "c.png"}  # cells, why there is no volcano, genes

    # An analysis that such a study does not allow.
    impossible = {"one_vs_rest": "tissue"}
    edit(repository / "config" / "models.yaml", lambda c: c["tiny"].update(analyses=impossible))
    page = "results/new/figures/summary/tiny.png"
    output = snakemake(repository, *settings, "--", page, check=False)
    (line,) = (line for line in output.splitlines() if line.startswith("error: "))
    assert "config/models.yaml: one_vs_rest: obs has no column tissue; it has" in line
    assert "Traceback" not in output


@pytest.fixture
def command(repository, monkeypatch, capsys, caplog):
    """The command in a repository."""
    monkeypatch.chdir(repository)
    caplog.set_level("INFO", "workflow")  # restored after the command has changed it
    return partial(new_study, monkeypatch, capsys)


def test_rows_are_shown_and_added_only_on_request(repository, own, command):
    config = repository / "config"
    tables = [config / name for name in ("files.tsv", "studies.yaml", "models.yaml")]
    before = [path.read_bytes() for path in tables]
    words = (own / "mine.h5ad", "--gene-sets", own / "own.gmt")
    code, said, error = command(*words)
    assert code == 0 and "160 cells, 243 genes, counts" in said and "nothing was added" in said
    assert [path.read_bytes() for path in tables] == before

    code, said, error = command(*words, "--yes")
    assert code == 0 and "now run: make paper STUDIES=mine" in said, error
    after = [path.read_bytes() for path in tables]
    assert all(new.startswith(old) for new, old in zip(after, before, strict=True))
    loaded = load({}, config)
    assert loaded.studies["mine"].cell_types == ["alpha", "beta"]
    assert loaded.file("mine", "mine.h5ad").url == f"file:{own / 'mine.h5ad'}"
    assert loaded.file("gene_sets", "own.gmt").sha256
    assert "mine" in loaded.selected_studies
    demo = set(load({"data": "simulated"}, config).selected_studies)  # published studies only
    assert {"kang", "zheng", "shekhar"} <= demo and "mine" not in demo
    with pytest.raises(InputError, match="data: simulated, but study 'mine' is not among kang"):
        load({"data": "simulated", "studies": "mine"}, config)

    # Another study: the gene sets are known, and are the same.
    code, _, error = command(*words, "--name", "second", "--yes")
    assert code == 0, error
    assert tables[0].read_text().count("\n") == after[0].count(b"\n") + 1


@pytest.mark.slow
def test_from_a_plain_table_to_its_page(repository, own):
    files = [own / "down.csv", "--annotation", own / "cells.csv", "--gene-sets", own / "own.gmt"]
    words = [sys.executable, "-m", "tools.new_study", *files, "--name", "mine", "--yes"]
    subprocess.run(words, cwd=repository, env=environment(repository), check=True)
    small = {"n_hidden": 64, "dropout": 0.1, "latent_dropout": 0.1, "learning_rate": 3e-3,
             "batch_size": 16, "max_epochs": 60}  # fmt: skip
    settings = ("--config", "run=new", "data=public", "studies=mine", f"training_overrides={small}")
    snakemake(repository, *settings, "--", "results/new/figures/summary/mine.png")
    raw = repository / "results" / "new" / "raw" / "mine" / "down.csv"
    assert raw.read_bytes() == (own / "down.csv").read_bytes()
    # The file is pinned: another one in its place is refused.
    with (own / "down.csv").open("a") as file:
        file.write("AAAC9999-1" + ",1" * 243 + "\n")
    raw.unlink()
    said = snakemake(repository, *settings, "--", str(raw.relative_to(repository)), check=False)
    (line,) = (line for line in said.splitlines() if line.startswith("error: "))
    assert "down.csv: bytes expected" in line
    assert not raw.exists()


def test_four_studies_at_once_are_all_added(repository, own):
    names = ["a", "b", "c", "d"]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tools.new_study", own / "mine.h5ad", "--name", name,
             "--gene-sets", own / "own.gmt", "--yes"],
            cwd=repository, env=environment(repository), stderr=subprocess.PIPE, text=True,
        )
        for name in names
    ]  # fmt: skip
    assert [process.communicate()[1] for process in running] == [""] * 4
    config = load({}, repository / "config")
    assert set(names) <= set(config.studies) & set(config.models)
    rows = [(file.study, file.file) for file in config.files]
    assert rows.count(("gene_sets", "own.gmt")) == 1
    assert {(name, "mine.h5ad") for name in names} <= set(rows)


@pytest.mark.slow
def test_a_changed_file_of_ones_own_stops_the_next_run_until_it_is_accepted(
    repository, own, command, fault
):
    gmt = own / "own.gmt"
    assert command(own / "mine.h5ad", "--gene-sets", gmt, "--yes")[0] == 0
    raw = [f"results/m/raw/{file}" for file in ("gene_sets/own.gmt", "mine/mine.h5ad")]
    settings = ("--config", "run=m", "data=public", "studies=mine")
    snakemake(repository, *settings, "--", *raw)
    # No other collection and no network is needed.
    jobs = snakemake(repository, "--dry-run", *settings)
    assert "gbm_aracne" not in jobs and "https://" not in jobs
    assert "nothing to be done" in snakemake(repository, *settings, "--", *raw).lower()

    gmt.touch()  # the same content
    assert "nothing to be done" in snakemake(repository, *settings, "--", *raw).lower()
    with fault("own file edited", keeps=[own / "mine.h5ad", repository / raw[0]]):
        text = gmt.read_text()
        gmt.write_text(text.replace("GENE1\t", "GENE2\t"))  # of the same size
        os.utime(gmt, (0, 0))
        said = snakemake(repository, *settings, "--", *raw, check=False)
        (line,) = (line for line in said.splitlines() if line.startswith("error: "))
        assert line.startswith(f"error: {gmt}: md5 expected ") and "restore it, or" in line
    remedy = re.search("make accept FILE=(.*)", line)[1]
    accept = [sys.executable, "-m", "tools.accept", *shlex.split(remedy)]
    subprocess.run(accept, cwd=repository, env=environment(repository), check=True)
    snakemake(repository, *settings, "--", *raw)
    assert (repository / raw[0]).read_bytes() == gmt.read_bytes()
    said = subprocess.run(
        [*accept[:-1], own / "cells.csv"], cwd=repository, env=environment(repository),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.returncode == 1 and "cells.csv: no row of config/files.tsv has this" in said.stderr


def test_genes_are_compared_with_the_public_gene_sets_not_with_those_of_the_demo(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for run, gene in (("demo", "SIMULATED"), ("paper", "ISG15")):
        folder = tmp_path / "results" / run / "raw" / "gene_sets"
        folder.mkdir(parents=True)
        (folder / "sets.gmt").write_text(f"A\t\t{gene}\n")
    row = File(study="gene_sets", file="sets.gmt", **measure(folder / "sets.gmt"))
    assert _at_hand(row) == ({"A": ["ISG15"]}, "")
    (folder / "sets.gmt").write_text("A\t\tCHANGED\n")
    assert _at_hand(row)[0] is None
