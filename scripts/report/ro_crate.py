"""What a run was made of and how, as a Provenance Run Crate: `ro-crate-metadata.json`.

The folder of the run is the crate. Its steps lead from the figures and claims that were asked for
back to the raw files. The sizes and checksums of all files stand in it, so that `make verify` can
tell later whether they are what they were.

Profile: Workflow Run RO-Crate 0.5, on RO-Crate 1.1 (https://w3id.org/ro/wfrun/provenance/0.5).
"""

import json
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml
from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from scripts.common.provenance import Check, Checksums, measure, provenance
from scripts.common.run import log, run
from scripts.report.upstream_jobs import Job, files_below, jobs_behind
from vega.description import read_description
from vega.files import reading, written_whole

NAME = "ro-crate-metadata.json"
WORKFLOW = "workflow"  # folder of the run with the code and the configuration that made it
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
SNAKEMAKE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
TOOL = ["File", "SoftwareSourceCode"]
MAIN = [*TOOL, "ComputationalWorkflow", "HowTo"]
COMPLETED = "http://schema.org/CompletedActionStatus"
TRAINED = ("device", "precision", "threads", "seed")  # of model.json: what a training depends on


def keep_workflow(sources: Iterable[str], run: Path) -> None:
    """Copy code and configuration into the run, so that they are there after their next edit."""
    for source in sources:
        kept = run / WORKFLOW / source
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, kept)


def state_of_code(folder: Path) -> tuple[str, list[str]]:
    """The git commit of a folder and the files that differ from it; "unknown" without git."""
    words = ["rev-parse", "HEAD"], ["status", "--porcelain", "--", "."]
    try:
        commit, status = (
            subprocess.run(
                ["git", "-C", folder, *w], capture_output=True, text=True, check=True
            ).stdout
            for w in words
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown", []
    return commit.strip(), [line[3:] for line in status.splitlines()]


# ---------------------------------------------------------------- the crate


def write_crate(
    run: Path,
    targets: Sequence[str],
    jobs: Sequence[Job],
    *,
    state: tuple[str, list[str]],
    simulated: bool,
) -> None:
    """Describe a run in its folder.

    Parameters
    ----------
    run
        Folder of the run, with its results and its workflow (`keep_workflow`).
    targets
        Files that were asked for.
    jobs
        Those that the targets come from, see `jobs.leading_to`.
    state
        Of the code, see `state_of_code`.
    simulated
        Whether the raw files are.
    """
    crate = ROCrate(version="1.1")
    crate.metadata.extra_contexts.append(TERMS)
    files = _add_files(crate, run, {*targets, *(o for job in jobs for o in job.outputs)}, jobs)
    workflow = _add_workflow(crate, files, jobs, state)
    actions = [_add_action(crate, n, job, files) for n, job in enumerate(jobs)]
    made = {output for job in jobs for output in job.outputs}
    given = dict.fromkeys(i for job in jobs for i in job.inputs if i not in made and i in files)
    ended = _time(max(Path(target).stat().st_mtime for target in targets))
    whole = _add(
        crate, "#run", "CreateAction",
        name=f"The run {run.name}",
        instrument=workflow,
        object=[files[name] for name in given],
        result=[files[target] for target in targets],
        environment=[_setting(crate, "platform", platform.platform())],
        startTime=_time(min(job.start for job in jobs)) if jobs else None,
        endTime=ended,
        actionStatus=COMPLETED,
    )  # fmt: skip
    organised = _add(
        crate, "#organised", "OrganizeAction",
        name="Snakemake ran the workflow",
        instrument=crate.get("#snakemake"),
        object=[
            _add(crate, f"#control/{n}", "ControlAction", name=f"Step {job.rule}",
                 instrument=crate.get(f"#step/{job.rule}"), object=action)
            for n, (job, action) in enumerate(zip(jobs, actions, strict=True))
        ],
        result=whole,
    )  # fmt: skip
    _add_root(crate, run, simulated, [whole, organised, *actions])
    crate.datePublished = ended
    with written_whole(run / NAME) as part:
        part.write_text(json.dumps(crate.metadata.generate(), indent=1, sort_keys=True) + "\n")


def _add(crate: ROCrate, id: str, type: str, **properties: Any) -> Entity:
    """Something that is no file; properties that are empty are left out."""
    entity = crate.add(ContextEntity(crate, id, properties={"@type": type}))
    for name, value in properties.items():
        if value:
            entity[name] = value
    return entity


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _setting(crate: ROCrate, name: str, value: Any) -> Entity:
    id = f"#environment/{name}/{value}"
    return _add(crate, id, "PropertyValue", name=name, value=str(value))


def _add_root(crate: ROCrate, run: Path, simulated: bool, actions: list[Entity]) -> None:
    """Say what the crate is about."""
    cited = yaml.safe_load((run / WORKFLOW / "CITATION.cff").read_text())
    paper = cited["preferred-citation"]
    crate.name = f"{paper['title']}, regenerated: run {run.name}" + " (SIMULATED)" * simulated
    crate.description = "Figures and claims of the paper, made again from " + (
        "SIMULATED raw files with planted truth." if simulated else "its public raw data."
    )
    crate.root_dataset["isBasedOn"] = _add(
        crate, f"https://doi.org/{paper['doi']}", "ScholarlyArticle", name=paper["title"]
    )
    crate.license = _add(
        crate, "#licence", "CreativeWork", name=f"{cited['license']} for the code",
        description="Data and gene sets stay under the terms of their sources.",
    )  # fmt: skip
    crate.root_dataset["conformsTo"] = [
        *crate.root_dataset.get("conformsTo", []),
        *(
            _add(crate, url, "CreativeWork", name=name, version=url.rsplit("/", 1)[1])
            for url, name in PROFILES.items()
        ),
    ]
    crate.root_dataset["mentions"] = actions


def _add_files(
    crate: ROCrate, run: Path, results: Iterable[str], jobs: Iterable[Job]
) -> dict[str, Entity]:
    """The files of the run and of its workflow, by their names in the repository."""
    types = {job.script: TOOL for job in jobs} | {"Snakefile": MAIN}
    names = {name: Path(name) for name in sorted(results)}
    kept = run / WORKFLOW
    names |= {str(path.relative_to(kept)): path for path in files_below(kept)}
    raw = {
        str(folder / record.file): record
        for folder in sorted({path.parent for path in names.values()})
        for record in provenance(folder)
    }
    with ThreadPoolExecutor() as pool:  # hashing lets other threads run
        measures = pool.map(measure, names.values())
    files = {}
    for (name, path), found in zip(names.items(), measures, strict=True):
        about = {
            "@type": types.get(name, "File"),
            "contentSize": str(found["bytes"]),
            "sha256": found["sha256"],
        }
        if record := raw.get(name):
            about["description"] = f"Raw file: {record.identity}"
            if "://" in record.source:
                about["url"] = record.source
        place = path.relative_to(run).as_posix()
        files[name] = crate.add_file(dest_path=place, properties=about)
    return files


def _add_workflow(
    crate: ROCrate, files: Mapping[str, Entity], jobs: Sequence[Job], state: tuple[str, list[str]]
) -> Entity:
    """The workflow with its engine, its tools (the scripts) and its steps (the rules)."""
    from snakemake import __version__

    _add(crate, "#snakemake", "SoftwareApplication", name="Snakemake", softwareVersion=__version__)
    language = _add(
        crate, SNAKEMAKE, "ComputerLanguage", name="Snakemake", url="https://snakemake.github.io"
    )
    scripts = {job.script: files[job.script] for job in jobs if job.script in files}
    for script, tool in scripts.items():
        tool["name"] = script
    commit, changed = state
    workflow = files["Snakefile"]
    for name, value in {
        "name": "VEGA, regenerated",
        "programmingLanguage": language,
        "version": commit,
        "description": "Changed since that commit: " + (", ".join(changed) or "nothing"),
        "softwareRequirements": files["requirements.lock"],
        "hasPart": list(scripts.values()),
        "step": [
            _add(crate, f"#step/{rule}", "HowToStep", name=rule, workExample=scripts.get(script))
            for rule, script in {job.rule: job.script for job in jobs}.items()
        ],
    }.items():
        workflow[name] = value
    crate.mainEntity = workflow
    return workflow


def _add_action(crate: ROCrate, number: int, job: Job, files: Mapping[str, Entity]) -> Entity:
    """What a job did."""
    models = [read_description(path) for o in job.outputs if (path := Path(o)).name == "model.json"]
    settings = [(name, model["training"][name]) for model in models for name in TRAINED]
    return _add(
        crate, f"#job/{number}", "CreateAction",
        name=f"Job of {job.rule}",
        instrument=files.get(job.script),
        object=[files[name] for name in job.inputs if name in files],
        result=[files[name] for name in job.outputs],
        environment=[_setting(crate, *setting) for setting in dict.fromkeys(settings)],
        startTime=_time(job.start),
        endTime=_time(job.end),
        actionStatus=COMPLETED,
    )  # fmt: skip


# ---------------------------------------------------------------- whether it still is


def verify(run: Path) -> list[Check]:
    """Hash the files of a run and compare them with its crate; without a crate there are none.

    Raw files are left out: they have their own check against their record (`provenance.verify`),
    and the record stands in the crate.

    Raises
    ------
    InputError
        If the crate is not one.
    """
    expected = _checksums(run)
    names = [name for name in expected if not _is_raw(name)]
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda name: _check(run / name, name, expected[name]), names)
    return list(found)


def raw_files(run: Path) -> set[str]:
    """Raw files of a finished run, `<study>/<file>`; without a crate there are none."""
    return {name.removeprefix("raw/") for name in _checksums(run) if _is_raw(name)}


def _checksums(run: Path) -> dict[str, str]:
    """SHA-256 of all files that the crate of a run has, by name."""
    path = run / NAME
    if not path.exists():
        return {}
    with reading(path, "the crate of a run", "remove it and run again"):
        entities = json.loads(path.read_text(encoding="utf-8"))["@graph"]
        expected = {unquote(e["@id"]): e["sha256"] for e in entities if "sha256" in e}
        if outside := [n for n in expected if Path(n).is_absolute() or ".." in Path(n).parts]:
            raise ValueError(f"{outside[0]} is outside")
    return expected


def _is_raw(name: str) -> bool:
    return name.startswith("raw/") and ".provenance" not in name


def _check(path: Path, name: str, expected: str) -> Check:
    if not path.is_file():
        return Check(name, "missing", f"no file {path}")
    if difference := Checksums(NAME, {"sha256": expected}).difference(measure(path)):
        return Check(name, "differs", difference)
    return Check(name, "ok", "as the run left it")


def main(snakemake):
    """Rule `ro_crate`."""
    folder, targets = Path(snakemake.output.crate).parent, list(snakemake.input.results)
    keep_workflow(snakemake.input.workflow, folder)
    jobs = jobs_behind(targets, folder)
    write_crate(
        folder,
        targets,
        jobs,
        state=state_of_code(Path()),
        simulated=snakemake.params.simulated,
    )
    log.info("%s: %d jobs led to %d results", snakemake.output.crate, len(jobs), len(targets))


if __name__ == "__main__":
    run(main, snakemake)
