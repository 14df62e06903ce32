"""Describe a run as a Provenance Run Crate: `ro-crate-metadata.json` in its folder.

The crate lists the steps from the raw files to the figures and claims, and the size and checksum of
each file, so that `make verify` finds files that have changed since.

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
from rocrate.model.computerlanguage import get_lang
from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from scripts.common.provenance import Check, Checksums, measure, provenance
from scripts.common.run import log, run
from scripts.report.upstream_jobs import Job, files_below, upstream_jobs
from vega.description import read_description
from vega.files import atomic_write, read_errors

NAME = "ro-crate-metadata.json"
WORKFLOW = "workflow"  # folder of the run with the code and the configuration that made it
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
TOOL = ["File", "SoftwareSourceCode"]
COMPLETED = "http://schema.org/CompletedActionStatus"
ENVIRONMENT = ("device", "precision", "threads", "seed")  # entries of model.json


def copy_workflow(sources: Iterable[str], folder: Path) -> None:
    """Copy code and configuration into the folder of the run."""
    for source in sources:
        target = folder / WORKFLOW / source
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def code_state(folder: Path) -> tuple[str, list[str]]:
    """Return the git commit of a folder and its changed files; "unknown" without git."""
    commands = ["rev-parse", "HEAD"], ["status", "--porcelain", "--", "."]
    try:
        commit, status = (
            subprocess.check_output(["git", "-C", folder, *c], stderr=subprocess.DEVNULL, text=True)
            for c in commands
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown", []
    return commit.strip(), [line[3:] for line in status.splitlines()]


def write_ro_crate(
    folder: Path,
    targets: Sequence[str],
    jobs: Sequence[Job],
    *,
    state: tuple[str, list[str]],
    simulated: bool,
) -> None:
    """Write the crate of a run, after `copy_workflow`.

    `targets` are the requested files, `jobs` and `state` those of `upstream_jobs` and `code_state`.
    """
    crate = ROCrate(version="1.1")
    crate.metadata.extra_contexts.append(TERMS)
    outputs = {output for job in jobs for output in job.outputs}
    files = _add_files(crate, folder, outputs | set(targets), {job.script for job in jobs})
    workflow = _add_workflow(crate, files, jobs, state)
    actions = [_add_job(crate, n, job, files) for n, job in enumerate(jobs)]
    inputs = dict.fromkeys(i for job in jobs for i in job.inputs if i in files.keys() - outputs)
    end = _time(max(Path(target).stat().st_mtime for target in targets))
    whole = _add(
        crate, "#run", "CreateAction",
        name=f"The run {folder.name}",
        instrument=workflow,
        object=[files[name] for name in inputs],
        result=[files[target] for target in targets],
        environment=[_add_setting(crate, "platform", platform.platform())],
        startTime=_time(min(job.start for job in jobs)) if jobs else None,
        endTime=end,
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
    _describe_root(crate, folder, simulated)
    crate.root_dataset["mentions"] = [whole, organised, *actions]
    crate.datePublished = end
    with atomic_write(folder / NAME) as part:
        part.write_text(json.dumps(crate.metadata.generate(), indent=1, sort_keys=True) + "\n")


def _add(crate: ROCrate, id: str, type: str, **properties: Any) -> Entity:
    """Add an entity other than a file, without its empty properties."""
    given = {name: value for name, value in properties.items() if value}
    return crate.add(ContextEntity(crate, id, properties={"@type": type, **given}))


def _add_setting(crate: ROCrate, name: str, value: Any) -> Entity:
    id = f"#environment/{name}/{value}"
    return _add(crate, id, "PropertyValue", name=name, value=str(value))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _describe_root(crate: ROCrate, folder: Path, simulated: bool) -> None:
    """Add title, licence, the paper and the profiles of the crate."""
    cited = yaml.safe_load((folder / WORKFLOW / "CITATION.cff").read_text())
    paper = cited["preferred-citation"]
    crate.name = f"{paper['title']}, regenerated: run {folder.name}" + " (SIMULATED)" * simulated
    crate.description = "Figures and claims of the paper, made again from " + (
        "SIMULATED raw files with planted activity." if simulated else "its public raw data."
    )
    crate.isBasedOn = _add(
        crate, f"https://doi.org/{paper['doi']}", "ScholarlyArticle", name=paper["title"]
    )
    crate.license = _add(
        crate, "#licence", "CreativeWork", name=f"{cited['license']} for the code",
        description="Data and gene sets stay under the terms of their sources.",
    )  # fmt: skip
    for url, name in PROFILES.items():
        profile = _add(crate, url, "CreativeWork", name=name, version=url.rsplit("/", 1)[1])
        crate.root_dataset.append_to("conformsTo", profile)


def _add_files(
    crate: ROCrate, folder: Path, results: Iterable[str], scripts: Iterable[str]
) -> dict[str, Entity]:
    """Add the results and the workflow; return their entities by path in the repository."""
    types = dict.fromkeys(scripts, TOOL)
    types["Snakefile"] = [*TOOL, "ComputationalWorkflow", "HowTo"]
    paths = {name: Path(name) for name in sorted(results)}
    copied = folder / WORKFLOW
    paths |= {str(path.relative_to(copied)): path for path in files_below(copied)}
    raw = {
        str(parent / record.file): record
        for parent in sorted({path.parent for path in paths.values()})
        for record in provenance(parent)
    }
    with ThreadPoolExecutor() as pool:  # hashing releases the interpreter's lock
        measures = pool.map(measure, paths.values())
    files = {}
    for (name, path), found in zip(paths.items(), measures, strict=True):
        about = {
            "@type": types.get(name, "File"),
            "contentSize": str(found["bytes"]),
            "sha256": found["sha256"],
        }
        if record := raw.get(name):
            about["description"] = f"Raw file: {record.identity}"
            if "://" in record.source:
                about["url"] = record.source
        files[name] = crate.add_file(dest_path=path.relative_to(folder), properties=about)
    return files


def _add_workflow(
    crate: ROCrate, files: Mapping[str, Entity], jobs: Sequence[Job], state: tuple[str, list[str]]
) -> Entity:
    """Add the workflow with its engine, tools (the scripts) and steps (the rules)."""
    from snakemake import __version__

    _add(crate, "#snakemake", "SoftwareApplication", name="Snakemake", softwareVersion=__version__)
    scripts = {job.script: files[job.script] for job in jobs if job.script in files}
    for script, tool in scripts.items():
        tool["name"] = script
    commit, changed = state
    workflow = crate.mainEntity = files["Snakefile"]
    for name, value in {
        "name": "VEGA, regenerated",
        "programmingLanguage": crate.add(get_lang(crate, "snakemake")),
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
    return workflow


def _add_job(crate: ROCrate, number: int, job: Job, files: Mapping[str, Entity]) -> Entity:
    """Add a job with its inputs, outputs and, of trainings, the environment."""
    models = [read_description(path) for o in job.outputs if (path := Path(o)).name == "model.json"]
    settings = [(name, model["training"][name]) for model in models for name in ENVIRONMENT]
    return _add(
        crate, f"#job/{number}", "CreateAction",
        name=f"Job of {job.rule}",
        instrument=files.get(job.script),
        object=[files[name] for name in job.inputs if name in files],
        result=[files[name] for name in job.outputs],
        environment=[_add_setting(crate, *setting) for setting in dict.fromkeys(settings)],
        startTime=_time(job.start),
        endTime=_time(job.end),
        actionStatus=COMPLETED,
    )  # fmt: skip


# ---------------------------------------------------------------- verification


def verify(folder: Path) -> list[Check]:
    """Compare the files of a run, except raw ones, with its crate; return [] if there is none."""
    expected = {name: sha for name, sha in _checksums(folder).items() if not _is_raw(name)}
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda item: _check(folder, *item), expected.items()))


def raw_files(folder: Path) -> set[str]:
    """Return the raw files in the crate of a run, as `<study>/<file>`; empty without a crate."""
    return {name.removeprefix("raw/") for name in _checksums(folder) if _is_raw(name)}


def _checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of all files in the crate of a run."""
    path = folder / NAME
    if not path.exists():
        return {}
    with read_errors(path, "the crate of a run", "remove it and run again"):
        entities = json.loads(path.read_text(encoding="utf-8"))["@graph"]
        return {unquote(e["@id"]): e["sha256"] for e in entities if "sha256" in e}


def _is_raw(name: str) -> bool:
    return name.startswith("raw/") and ".provenance" not in name


def _check(folder: Path, name: str, expected: str) -> Check:
    path = folder / name
    if not path.is_file():
        return Check(name, "missing", f"no file {path}")
    if difference := Checksums(NAME, {"sha256": expected}).difference(measure(path)):
        return Check(name, "differs", difference)
    return Check(name, "ok", "unchanged since the run")


def main(snakemake):
    """Rule `ro_crate`."""
    folder, targets = Path(snakemake.output.metadata).parent, list(snakemake.input.results)
    copy_workflow(snakemake.input.workflow, folder)
    jobs = upstream_jobs(targets, folder)
    simulated = snakemake.params.simulated
    write_ro_crate(folder, targets, jobs, state=code_state(Path()), simulated=simulated)
    log.info("%s: %d jobs made %d results", snakemake.output.metadata, len(jobs), len(targets))


if __name__ == "__main__":
    run(main, snakemake)
