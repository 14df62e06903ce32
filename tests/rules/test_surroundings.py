"""The workflow in folders, accounts and calls of all kinds."""

import shlex
import subprocess
import sys

import pytest
import yaml
from conftest import copy_parts, environment, planned, snakemake

pytestmark = pytest.mark.slow
TARGET = "results/demo/config.yaml"


def words(folder, *arguments, cwd=None):
    """Run the interpreter of a folder's own environment; return exit code and what it says."""
    result = subprocess.run(
        [str(folder / ".venv/bin/python"), "-m", "snakemake", "--cores", "1", *arguments],
        cwd=cwd or folder, env=environment(folder) | {"PYTHONPATH": ""},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return result.returncode, result.stdout


@pytest.mark.parametrize("name", ["My Project", "O'Brien", "a$b"])
def test_a_checkout_may_be_in_any_folder(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    copy_parts(folder)
    (folder / ".venv").symlink_to(sys.prefix)
    code, said = words(folder, "--profile", "profiles/demo", TARGET)
    assert code == 0 and (folder / TARGET).exists(), said


def test_from_elsewhere_and_as_a_module_one_line_says_where_to_run_it(tmp_path):
    folder, other = tmp_path / "My checkout", tmp_path / "other"
    for each in (folder, other):
        each.mkdir()
    copy_parts(folder)
    (folder / ".venv").symlink_to(sys.prefix)
    (other / "Snakefile").write_text(
        f"module vega:\n    snakefile: {str(folder / 'Snakefile')!r}\nuse rule * from vega\n"
    )
    for arguments in (["--snakefile", str(folder / "Snakefile")], []):
        code, said = words(folder, "--dry-run", *arguments, cwd=other)
        (line,) = (line for line in said.splitlines() if line.startswith("error: "))
        assert code == 1 and "Traceback" not in said
        assert line.endswith(f"use `cd {shlex.quote(str(folder))} && snakemake`")
    assert not (other / "results").exists()


def test_a_name_that_looks_like_a_number_is_refused_with_the_quoting_that_works(repository):
    said = snakemake(repository, TARGET, "--config", "run=2023_10", check=False)
    (line,) = (line for line in said.splitlines() if line.startswith("error: "))
    assert "202310 was read as a number" in line and "Traceback" not in said
    assert not (repository / "results").exists()
    (option,) = shlex.split(line.split("--config ")[1].split(" got")[0].rstrip(","))
    assert option == "run= '2023_10' "
    target = TARGET.replace("demo", "2023_10")
    snakemake(repository, "--config", option, "--", target)
    written = yaml.safe_load((repository / target).read_text())
    assert written["settings"]["run"] == "2023_10"


def test_part_of_the_demo_is_planned_by_name(repository):
    assert {"train_kang", "claims"} <= planned(repository, "--config", "studies= 'kang' ")


def test_a_mirror_in_a_folder_with_braces_is_planned(repository):
    mirror = repository / "{my} mirror's"
    mirror.mkdir()
    given = f"mirror={mirror.as_uri()}"
    rules = planned(repository, "--config", "run=p", "data=public", "studies=kang", given)
    assert {"download", "preprocess"} <= rules
