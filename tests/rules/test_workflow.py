"""The workflow as its users run it: whole, interrupted, changed, without a network.

Each test works in a copy of the repository with a simulated study small enough for a minute.
"""

import fcntl
import json
import os
import re
import signal
import subprocess

import pytest
import yaml
from anndata import read_h5ad
from conftest import command, copy_parts, edit, environment, keep_a_few_models, planned, snakemake
from helpers.checks import every_panel_is_there
from helpers.file_server import sha256
from rocrate.rocrate import ROCrate

import vega
from scripts.common.config.load import load
from scripts.common.gmvs import INTERFERON_AB
from scripts.common.tables import read_table
from scripts.report.upstream_jobs import files_below
from scripts.simulate.genes import gmt, simulate_gene_sets
from scripts.simulate.simulate_study import simulate_study
from scripts.simulate.writers import raw_files, write

pytestmark = pytest.mark.slow
# Edited modules: rules that run again, and rules that do not.
EDITS = {
    "vega/layers.py": ({"train_kang", "embed", "differential", "claims", "figure"},
                       {"preprocess", "gsea", "simulate_kang", "simulate_gene_sets"}),
    "vega/all_pairs.py": ({"differential", "claims", "figure"}, {"train_kang", "embed", "gsea"}),
    "scripts/train/train.py": ({"train_kang", "embed"}, {"preprocess", "gsea"}),
    "scripts/preprocess/readers/matrices.py": ({"preprocess", "train_kang"}, {"simulate_kang"}),
    "scripts/train/baselines/scores.py": (set(), {"baseline", "train_kang"}),
    "scripts/analyse/gsea.py": ({"gsea", "figure"}, {"train_kang", "differential", "embed"}),
    "scripts/figures/sfig4.py": ({"figure", "report_page", "ro_crate"},
                                 {"claims", "differential"}),
    "scripts/common/contrasts.py": ({"differential", "gsea"}, {"train_kang"}),
    "scripts/report/forest.py": ({"report_page"}, {"figure", "claims"}),
    "tools/status.py": (set(), {"figure", "claims", "report_page"}),
}  # fmt: skip

MODEL = "results/demo/models/kang/seed1/model.json"


def test_the_whole_demo_brings_its_planted_truth_back_and_reruns_only_what_changed(repository):
    keep_a_few_models(repository)
    edit(repository / "config" / "demo.yaml", lambda c: c.update(extra_seeds={"kang": [2]}))
    snakemake(repository)
    run = repository / "results" / "demo"
    figures = yaml.safe_load((repository / "config" / "figures.yaml").read_text())
    shown = {name: entry for name, entry in figures.items() if entry["studies"] == ["kang"]}
    assert set(shown) == {"fig1", "sfig4", "sfig5", "sfig11"}
    every_panel_is_there(run, shown)
    claims = read_table(run / "claims.tsv").set_index("id")
    assert claims.loc[["K02", "K05"], "verdict"].eq("reproduced").all(), claims
    assert claims.loc["K11", "reproduced"].startswith("rank 1;"), claims.loc["K11"]
    assert "simulated data" in claims.loc["D01", "note"]
    consensus = read_table(run / "tables" / "kang_consensus.tsv").set_index(["contrast", "gmv"])
    assert (consensus.loc[("innate", INTERFERON_AB), "share_significant"] == 1).all()
    effective = yaml.safe_load((run / "config.yaml").read_text())["settings"]
    assert effective["data"] == "simulated"
    # A model tells how it was made.
    model = json.loads((run / "models" / "kang" / "seed2" / "model.json").read_text())
    training, overrides = model["training"], effective["training_overrides"]
    assert (training["seed"], training["device"]) == (2, "cpu")
    assert training["learning_rate"] == overrides["learning_rate"]
    assert set(model["versions"]) >= {"python", "torch", "vega"}

    assert planned(repository) == set()
    assert "SIMULATED DATA" in (run / "report.html").read_text(encoding="utf-8")
    described_and_verified(repository, run)

    # An edit of a module runs what depends on it, and nothing else.
    for edited, (runs, stays) in EDITS.items():
        source = repository / edited
        text, state = source.read_text(), source.stat()
        source.write_text(text + "\n# an edit\n")
        rules = planned(repository)
        assert runs <= rules, edited
        assert not rules & stays, edited
        source.write_text(text)
        os.utime(source, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert planned(repository) == set()

    # An analysis is repeated without training; a filter of the study changes everything after.
    edit(
        repository / "config" / "models.yaml",
        lambda c: c["kang"]["analyses"]["contrasts"]["innate"].update(
            within={"cell_type": ["CD14+Mono"]}
        ),
    )  # fmt: skip
    rules = planned(repository)
    assert {"differential", "gsea"} <= rules
    assert not rules & {"train_kang", "preprocess"}


def described_and_verified(repository, run):
    """The crate lists each step and each file; changed files are found."""
    described = ROCrate(run)
    steps = {step["name"] for step in described.mainEntity["step"]}
    assert steps >= {
        "simulate_kang", "preprocess", "train_kang", "embed", "gsea", "figure", "claims",
    }  # fmt: skip
    made = {str(path.relative_to(run)) for path in files_below(run)}
    assert made - {e.id for e in described.data_entities} == {"ro-crate-metadata.json"}
    said = snakemake(repository, "verify")
    assert "ok " in said and "differs" not in said
    names = ("raw/kang/GSM2560248_barcodes.tsv.gz", "tables/kang_gsea.tsv")
    whole = {run / name: (run / name).read_bytes() for name in names}
    for path, content in whole.items():
        path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    said = snakemake(repository, "verify", check=False)
    found = "kang/GSM2560248_barcodes.tsv.gz, tables/kang_gsea.tsv"
    assert re.search(rf"2 of \d+ files differ or are missing: {found}", said)
    for path, content in whole.items():
        path.write_bytes(content)
    snakemake(repository, "verify")


def test_extra_seeds_are_of_their_entries_alone(tmp_path):
    copy_parts(tmp_path)
    said = snakemake(tmp_path, "--dry-run", "--config", "studies=kang zheng", "seeds=[7]")

    def models(pattern):
        return set(re.findall(pattern, said))

    of_seed = {n: models(rf"models/(\w+)/seed{n}/weights.safetensors") for n in (7, 2, 3)}
    assert of_seed[7] > {"kang", "kang_control", "kang_holdout_NK", "kang_binary"}
    assert of_seed[2] == {"kang", "kang_control"} and of_seed[3] == {"kang"}
    assert models(r"tables/(\w+_seed[23])_differential.tsv") == {"kang_seed2", "kang_seed3"}
    assert models(r"tables/(\w+)_consensus.tsv") == {"kang"}
    assert models(r"models/(\w+)/seed2/latent.h5ad") == {"kang"}


def test_a_killed_training_resumes_and_ends_where_an_unbroken_one_does(repository):
    snakemake(repository, MODEL)
    unbroken = vega.load(repository / MODEL.rsplit("/", 1)[0]).weights()
    for file in (repository / MODEL).parent.iterdir():
        file.unlink()

    log = repository / "logs" / "demo" / "train" / "kang.log"
    log.unlink()
    process = subprocess.Popen(
        command(MODEL), cwd=repository, env=environment(repository), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    for line in process.stdout:  # ends when training says that its first checkpoint is written
        if "epoch 10 " in line:
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait()
    process.stdout.close()
    assert not (repository / MODEL).exists()

    snakemake(repository, MODEL)  # the lock of the dead run is not in the way
    assert "resumed after epoch" in log.read_text()
    assert vega.load(repository / MODEL.rsplit("/", 1)[0]).weights().equals(unbroken)
    left = {p.name for p in (repository / MODEL).parent.iterdir()}
    assert left == {"weights.safetensors", "model.json", "history.tsv"}


def test_a_choice_of_steps_has_cells_models_and_gsea_of_its_own(tmp_path):
    copy_parts(tmp_path)
    edit(tmp_path / "config" / "demo.yaml", lambda c: c.update(robustness=["half_of_cells"]))
    jobs = snakemake(tmp_path, "--dry-run", "--", "results/demo/figures/robustness.pdf")
    for study in ("kang-half_of_cells", "kang_counts-half_of_cells"):
        assert f"output: results/demo/data/{study}.h5ad," in jobs
    assert "output: results/demo/data/kang-half_of_cells_all_genes.h5ad" in jobs
    own = "results/demo/models/robustness/half_of_cells"
    assert {f"{own}/kang/model.json", f"{own}/kang_counts/model.json"} <= set(
        re.split(r"[\s,]+", jobs)
    )
    assert "output: results/demo/tables/robustness.tsv" in jobs


def test_a_run_beside_a_living_one_is_refused(repository):
    locks = repository / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("results/demo/config.yaml\n")
    with (repository / ".snakemake" / "alive").open("w") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        output = snakemake(repository, "results/demo/config.yaml", check=False)
    assert "lock" in output.lower()
    snakemake(repository, "results/demo/config.yaml")


def test_without_network_and_mirror_one_line_says_what_to_do(repository):
    table = repository / "config" / "files.tsv"
    # A port where nobody listens, so that the test is the same with and without a network.
    table.write_text(table.read_text().replace("https://", "http://127.0.0.1:9/"))
    options = "--config", "run=p", "data=public", "--", "results/p/claims.tsv"
    output = snakemake(repository, *options, check=False)
    last = [line for line in output.splitlines() if line.startswith("error: ")]
    assert len(last) == 1
    assert "could not reach 127.0.0.1 for gene_sets/reactomes.gmt and 6 more" in last[0]
    assert "make paper MIRROR=" in last[0]
    assert "make demo" in last[0]
    assert "Traceback" not in output


def test_a_changed_raw_file_is_found_by_verify(repository):
    target = "results/demo/raw/kang/GSM2560248_barcodes.tsv.gz"
    snakemake(repository, target, "results/demo/raw/gene_sets/reactomes.gmt")
    assert "differs" not in snakemake(repository, "verify")
    raw = bytearray((repository / target).read_bytes())
    raw[100] ^= 1
    (repository / target).write_bytes(raw)
    output = snakemake(repository, "verify", check=False)
    assert "GSM2560248_barcodes.tsv.gz" in output
    assert "differs" in output


def test_a_mirror_without_the_mutations_gives_cells_whose_mutations_are_not_known(tmp_path):
    """The simulated files serve as the mirror: raw data in the sources' own formats."""
    repository, mirror = tmp_path / "repository", tmp_path / "mirror"
    repository.mkdir()
    copy_parts(repository)
    config = load({"data": "simulated"}, repository / "config")
    source = config.raw_source("mixseq")
    drawn = simulate_study("mixseq", source, config.simulations)
    files = dict(raw_files(source, drawn, config.simulations.studies["mixseq"]))
    mutations = {name: files.pop(name) for name in ["all_CL_features.rds"]}
    write(files.items(), mirror / "mixseq", "test")
    sets = simulate_gene_sets(config.simulations, "hallmarks.gmt")
    write([("hallmarks.gmt", gmt(sets))], mirror / "gene_sets", "test")

    def run(*options):
        sums = [
            f"{sha256(p.read_bytes())}  {p.parent.name}/{p.name}" for p in mirror.glob("*/[!.]*")
        ]
        (mirror / "SHA256SUMS").write_text("\n".join(sums) + "\n")
        data = "results/paper/data/mixseq_trametinib.h5ad"
        snakemake(
            repository, data, "--config", f"mirror={mirror}", "studies=mixseq_trametinib",
            *options, profile=None,
        )  # fmt: skip
        return read_h5ad(repository / data)

    cells = run()
    assert cells.obs[["braf_mutant", "kras_mutant"]].isna().all(axis=None)
    facts = json.loads(cells.uns["provenance"])
    [absent] = [file for file in facts["files"] if file["identity"] == "not available"]
    assert absent["file"] == "all_CL_features.rds" and "no such file" in absent["reason"]
    log = (repository / "logs/paper/preprocess/mixseq_trametinib.log").read_text()
    assert "braf_mutant, kras_mutant stay empty" in log

    # As the message says.
    write(mutations.items(), mirror / "mixseq", "test")
    empty = "results/paper/raw/mixseq/all_CL_features.rds"
    assert f'ARGS="--forcerun {empty}"' in log
    cells = run("--forcerun", empty)
    lines = cells.obs.groupby("braf_mutant", observed=True)["cell_line"].nunique()
    assert lines.to_dict() == {"mutant": 4, "wild type": 8}
