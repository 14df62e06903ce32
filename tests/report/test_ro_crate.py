"""The crate of a run links results to raw files and finds changed files."""

import shutil
from hashlib import sha256
from types import SimpleNamespace

import pytest
from helpers.checks import one_line_error
from rocrate.rocrate import ROCrate

from scripts.common.provenance import record
from scripts.report import ro_crate
from scripts.report.upstream_jobs import Job, recorded_jobs, select_upstream
from vega.description import write_description

FIGURE, TABLE, MODEL = "figures/fig 1.png", "tables/a.tsv", "models/m/seed1/model.json"
STATE = "0123abcd", ["vega/io.py"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of four jobs in results/x; `run.write()` writes and returns its crate."""
    monkeypatch.chdir(tmp_path)
    sources = {
        "Snakefile": "rule all:\n",
        "requirements.lock": "torch==1\n",
        "CITATION.cff": "license: BSD-3-Clause\n"
        "preferred-citation: {doi: 10.1/x, title: A <b>paper</b>}\n",
        "scripts/train/train.py": "pass\n",
        "vega/io.py": "pass\n",
    }
    results = {
        "raw/s/cells.gz": "raw",
        "models/m/seed1/weights.safetensors": "weights",
        TABLE: "a\tb\n",
        FIGURE: "picture",
        "figures/stray.png": "of an older run",
        "figures/.snakemake_timestamp": "",
    }  # fmt: skip
    folder = tmp_path.__class__("results/x")
    for name, text in sources.items() | {(str(folder / k), v) for k, v in results.items()}:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    training = {"device": "cuda", "precision": "float32", "threads": 3, "seed": 7, "seconds": 1.5}
    write_description(folder / MODEL, {"training": training})
    record(folder / "raw/s/cells.gz", "https://example.org/cells.gz", "pinned")

    def at(*names):
        return [str(folder / name) for name in names]

    raw = at("raw/s/cells.gz", "raw/s/.provenance/cells.gz.json")
    models = at(MODEL, "models/m/seed1/weights.safetensors")
    jobs = [
        Job("download", "", [], 10, 20, raw),
        Job("train", "scripts/train/train.py", [raw[0], "vega/io.py"], 20, 30, models),
        Job("embed", "scripts/train/train.py", models, 30, 40, at(TABLE)),
        Job("fig1", "", at(TABLE), 40, 50, at(FIGURE)),
    ]

    def write(jobs=jobs, **options):
        ro_crate.copy_workflow(sources, folder)
        options = {"state": STATE, "simulated": False, **options}
        ro_crate.write_ro_crate(folder, at(FIGURE), jobs, **options)
        return ROCrate(folder)

    return SimpleNamespace(folder=folder, write=write, jobs=jobs, at=at, sources=sources)


def ids(entity, property):
    values = entity.get(property, [])
    return {e.id for e in (values if isinstance(values, list) else [values])}


def test_the_steps_link_a_figure_to_its_raw_files(run):
    found = run.write()
    actions = [e for e in found.contextual_entities if e.id.startswith("#job/")]
    maker = {name: action for action in actions for name in ids(action, "result")}
    seen, asked = [], ["figures/fig%201.png"]
    while asked:
        name = asked.pop()
        seen.append(name)
        asked += ids(maker[name], "object") if name in maker else []
    assert {"raw/s/cells.gz", "workflow/vega/io.py"} <= set(seen)
    raw = found.get("raw/s/cells.gz")
    assert raw["url"] == "https://example.org/cells.gz"
    assert raw["description"] == "Raw file: pinned"
    training = maker[MODEL]
    assert training["instrument"].id == "workflow/scripts/train/train.py"
    assert training["startTime"] == "1970-01-01T00:00:20+00:00"
    assert {e["name"]: e["value"] for e in training["environment"]} == {
        "device": "cuda", "precision": "float32", "threads": "3", "seed": "7",
    }  # fmt: skip


def test_it_lists_the_files_of_the_jobs_with_size_and_checksum(run):
    found = run.write()
    files = {e.id: e for e in found.data_entities}
    assert "figures/stray.png" not in files
    expected = {o for job in run.jobs for o in job.outputs}
    kept = {f"workflow/{name}" for name in run.sources}
    assert len(files) == len(expected) + len(kept)
    for name, entity in files.items():
        content = (run.folder / name.replace("%20", " ")).read_bytes()
        assert entity["sha256"] == sha256(content).hexdigest()
        assert entity["contentSize"] == str(len(content))
    assert ids(found.root_dataset, "hasPart") == set(files)


def test_it_is_a_provenance_run_crate(run):
    found = run.write(simulated=True)
    assert "SIMULATED" in found.name
    assert "SIMULATED" in found.description
    assert ids(found.root_dataset, "conformsTo") == set(ro_crate.PROFILES)
    workflow = found.mainEntity
    assert workflow.id == "workflow/Snakefile"
    assert set(workflow.type) == {
        "File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo",
    }  # fmt: skip
    assert workflow["version"] == "0123abcd"
    assert workflow["description"] == "Changed since that commit: vega/io.py"
    assert [step["name"] for step in workflow["step"]] == ["download", "train", "embed", "fig1"]
    whole = found.get("#run")
    assert ids(whole, "result") == {"figures/fig%201.png"}
    assert ids(whole, "object") == {"workflow/vega/io.py"}
    organised = found.get("#organised")
    assert organised["result"].id == "#run"
    controlled = [c["object"]["name"] for c in organised["object"]]
    assert controlled == ["Job of download", "Job of train", "Job of embed", "Job of fig1"]


def test_it_names_no_machine_and_no_person(run, tmp_path):
    import getpass
    import socket

    run.write()
    text = (run.folder / ro_crate.NAME).read_text()
    for private in (str(tmp_path), socket.gethostname(), f"/{getpass.getuser()}/"):
        assert private not in text


def test_the_same_run_gives_the_same_bytes(run):
    run.write()
    first = (run.folder / ro_crate.NAME).read_bytes()
    run.write()
    assert (run.folder / ro_crate.NAME).read_bytes() == first


def test_without_records_of_jobs_it_lists_the_files(run):
    found = run.write(jobs=[])
    assert ids(found.get("#run"), "result") == {"figures/fig%201.png"}
    assert found.get("#run").get("startTime") is None


# ---------------------------------------------------------------- Snakemake's records


def test_records_of_outputs_become_jobs(run):
    at = run.at
    common = {"input": at("raw/s/cells.gz"), "job_hash": 1, "endtime": 9.0}
    code = '    "../scripts/train/train.py"\n'
    folder = {"rule": "fig1", "input": [], "job_hash": 2, "starttime": 8, "endtime": 9}
    records = {
        at(MODEL)[0]: {"rule": "train", "code": code, "starttime": 3.0, **common},
        at("models/m/seed1/weights.safetensors")[0]: {
            "rule": "train", "code": code, "starttime": 2.0, **common, "endtime": 11.0,
        },
        at("figures")[0]: {**folder, "code": None},
    }  # fmt: skip
    train, figure = recorded_jobs(run.folder, records.get)
    assert (train.rule, train.script) == ("train", "scripts/train/train.py")
    assert (train.start, train.end) == (2.0, 11.0)
    assert train.outputs == at(MODEL, "models/m/seed1/weights.safetensors")
    assert figure.outputs == at(FIGURE, "figures/stray.png")  # those of a folder
    assert figure.script == ""


def test_only_jobs_that_the_targets_depend_on_are_selected(run):
    other = Job("other", "", run.at(TABLE), 1, 2, run.at("tables/other.tsv"))
    assert select_upstream(run.at(FIGURE), [*run.jobs, other]) == run.jobs
    assert select_upstream(run.at(MODEL), [*run.jobs, other]) == run.jobs[:2]
    assert select_upstream(["elsewhere"], run.jobs) == []


# ---------------------------------------------------------------- verification


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


FAULTS = {
    "a flipped bit": flip,
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "emptied": lambda path: path.write_bytes(b""),
    "removed": lambda path: path.unlink(),
    "a folder in its place": lambda path: (path.unlink(), path.mkdir()),
}
CHANGED = [
    FIGURE, TABLE, MODEL, "models/m/seed1/weights.safetensors", "raw/s/.provenance/cells.gz.json",
    "workflow/vega/io.py",
]  # fmt: skip


@pytest.mark.parametrize("name", CHANGED)
@pytest.mark.parametrize("kind", FAULTS)
def test_a_changed_result_is_found(run, fault, kind, name):
    run.write()
    assert {check.status for check in ro_crate.verify(run.folder)} == {"ok"}
    with fault(f"result: {kind}"):
        FAULTS[kind](run.folder / name)
        (bad,) = [check for check in ro_crate.verify(run.folder) if check.status != "ok"]
        assert bad.name == name
        gone = kind in ("removed", "a folder in its place")
        assert bad.status == ("missing" if gone else "differs")


def test_it_names_the_raw_files_of_a_finished_run(run):
    """`verify` checks these and no others, whatever studies are configured."""
    assert ro_crate.raw_files(run.folder) == set()
    run.write()
    assert ro_crate.raw_files(run.folder) == {"s/cells.gz"}


def test_a_moved_run_is_unchanged(run, tmp_path):
    run.write()
    shutil.move(run.folder, tmp_path / "elsewhere")
    checks = ro_crate.verify(tmp_path / "elsewhere")
    assert len(checks) == 5 + len(run.sources)
    assert {check.status for check in checks} == {"ok"}


@pytest.mark.parametrize("text", ["", "[]", '{"@graph": 1}', '{"@graph": [{"sha256": 1}]}'])
def test_a_damaged_crate_is_named(run, fault, text):
    run.write()
    with fault("damaged crate"):
        (run.folder / ro_crate.NAME).write_text(text)
        with one_line_error(r"ro-crate-metadata\.json: not the crate of a run"):
            ro_crate.verify(run.folder)


def test_without_git_the_commit_is_unknown(tmp_path):
    assert ro_crate.code_state(tmp_path) == ("unknown", [])
