"""The profiles plan the whole run, name one set of versions, and say in a line what is missing."""

import os
import re
import shutil
import subprocess

import pytest
import yaml
from conftest import ROOT, snakemake

PROFILES = sorted(p.name for p in (ROOT / "profiles").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_plans_the_whole_run(repository, profile):
    shutil.copytree(ROOT / "config", repository / "config", dirs_exist_ok=True)
    snakemake(repository, "--dry-run", "--quiet", profile=f"profiles/{profile}")


@pytest.mark.parametrize("profile", ["slurm", "kubernetes"])
def test_a_cluster_requires_a_gpu_whatever_the_command_line_sets(repository, profile):
    snakemake(
        repository, "results/p/config.yaml", "--executor", "local", "--cores", "1", "--config",
        "run=p", "data=simulated", profile=f"profiles/{profile}",
    )  # fmt: skip
    written = (repository / "results" / "p" / "config.yaml").read_text()
    settings = yaml.safe_load(written)["settings"]
    assert (settings["require_gpu"], settings["data"]) == (True, "simulated")


def test_jobs_grow_with_each_attempt():
    """Whatever memory or time a rule asks for, since a cluster ends jobs that take more."""
    for rules in (ROOT / "rules").glob("*.smk"):
        for resource, amount in re.findall(r"\b(mem_mb|runtime)=(.+?),", rules.read_text()):
            assert re.fullmatch(r"scale_with_attempt\(.+\)", amount), (rules.name, resource, amount)


def test_the_image_the_conda_file_and_the_lock_name_the_same_versions():
    lock = (ROOT / "requirements.lock").read_text()
    pins = set(re.findall(r"(?m)^[A-Za-z0-9_.-]+==.+", lock))
    conda = yaml.safe_load((ROOT / "envs" / "vega.yaml").read_text())["dependencies"]
    image = (ROOT / "envs" / "Containerfile").read_text()
    assert set(conda[-1]["pip"]) == pins
    python = re.search(r"(?m)^FROM python:([\d.]+)", image)[1]
    assert f"python={python}" in conda
    assert re.findall(r"pip install (.*)", image) == ["--no-cache-dir -r /tmp/requirements.lock"]
    assert "COPY requirements.lock /tmp/requirements.lock" in image
    assert "==" not in image  # no version but the lock's
    named = {name.lower() for name in re.findall(
        r"(?m)^([A-Za-z0-9_-]+)", (ROOT / "requirements.in").read_text()
    )}  # fmt: skip
    assert named <= {pin.split("==")[0].lower() for pin in pins}


def test_make_takes_the_environment_of_the_image_and_installs_nothing(tmp_path):
    image = (ROOT / "envs" / "Containerfile").read_text()
    stamp = re.search(r"touch -t (\d+) \$VENV/.ready", image)[1]
    subprocess.run(["touch", "-t", stamp, tmp_path / ".ready"], check=True)
    # Apart from the `make` that runs the tests.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    make = subprocess.run(
        ["make", "--dry-run", "demo"], cwd=ROOT, env={**environment, "VENV": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    commands = make.stdout.splitlines()
    programs = [line.split()[0] for line in commands]
    assert programs == [f"{tmp_path}/bin/{name}" for name in ("snakemake", "snakemake", "python")]
    assert "ENV VENV=/opt/vega PATH=/opt/vega/bin:$PATH" in image


def test_without_slurm_one_line_says_so(repository, tmp_path_factory, monkeypatch):
    path = tmp_path_factory.mktemp("path")
    for program in ("bash", "which"):  # all that Snakemake needs
        (path / program).symlink_to(shutil.which(program))
    monkeypatch.setenv("PATH", str(path))
    said = snakemake(
        repository, "results/p/config.yaml", "--config", "run=p", "data=simulated",
        profile="profiles/slurm", check=False,
    )  # fmt: skip
    (line,) = (line for line in said.splitlines() if "error" in line.lower())
    assert line.startswith("error: profiles/slurm: there is no sbatch on this machine; run")
    assert "Traceback" not in said
