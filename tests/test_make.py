"""What `make` hands to commands: values as they are typed, and only variables that it knows."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from conftest import ROOT
from snakemake.cli import parse_config

STUB = """#!{python}
import json, os, sys
print(json.dumps([sys.argv[1:], {{n: os.environ.get(n) for n in {names}}}]))
"""
# Without the variables of a make that runs the tests.
ALONE = {name: os.environ[name] for name in ("HOME", "PATH")}
SEEN = ("HOME", "PYTHONPATH", "SNAKEMAKE_PROFILE")


@pytest.fixture
def make(tmp_path):
    """Run make with commands that print their words; return these, or the error."""
    folder = tmp_path / "My O'Project"
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("requirements.lock", "pyproject.toml", ".venv/.ready"):
        (folder / name).touch()
    os.utime(folder / ".venv/.ready", times=(time.time() + 60,) * 2)  # newer than the lock
    for name in ("snakemake", "python"):
        (programs / name).write_text(STUB.format(python=sys.executable, names=SEEN))
        (programs / name).chmod(0o755)

    def run(*words, **environment):
        result = subprocess.run(
            ["make", "--silent", *words], cwd=folder, env={**ALONE, **environment},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if result.returncode:
            return result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    return run


def settings(calls):
    """Return what Snakemake reads from the first call."""
    words = calls[0][0]
    return parse_config(words[words.index("--config") + 1 :])


@pytest.mark.parametrize("name", ["2023_10", "1e5", "True", "my study", "it's", '"b" {c}', "a: b"])
def test_a_value_reaches_the_workflow_as_text(make, name):
    calls = make("paper", f"RUN={name}", f"STUDIES={name}", f"MIRROR=/data/{name}", "ARGS=-n")
    expected = {"run": name, "studies": name, "mirror": f"/data/{name}"}
    assert settings(calls) == expected


def test_settings_may_have_blanks_quotes_and_braces(make):
    changes = "{max_epochs: 5, likelihood: 'x'}"
    for given in (f"training_overrides={changes}", f'"training_overrides={changes}"'):
        found = settings(make("paper", f"SET={given} device=cpu", "SEEDS=1,2", "ARGS=-n"))
        assert found == {
            "training_overrides": {"max_epochs": "5", "likelihood": "x"}, "device": "cpu",
            "seeds": ["1", "2"],
        }  # fmt: skip
    assert settings(make("paper", "SET=run= '2023_10' ", "ARGS=-n")) == {"run": "2023_10"}


@pytest.mark.parametrize("name", ["my cells.h5ad", "it's.h5ad", '"a" {b}.h5ad', "a$$b.h5ad"])
def test_a_file_is_one_word(make, name):
    words = ("-m", "tools.new_study", name.replace("$$", "$$"), "--name", "a b")
    assert make("new-study", f"FILE={name}", "ARGS=--name 'a b'")[0][0] == list(words)
    assert make("activities", f"MODEL={name}", f"FILE={name}")[0][0][2:] == [name, name]
    assert make("status", f"RUN={name}")[0][0][2:] == [name]
    assert make("compare", f"RUN={name}", f"WITH={name}")[0][0][2:] == [name, name]


@pytest.mark.parametrize("word", ["studies=kang", "STUDY=kang", "Run=x"])
def test_an_unknown_variable_is_refused_in_one_line(make, word):
    (line,) = make("demo", word).splitlines()
    assert f"unknown variable {word.split('=')[0]}; expected one of PYTHON VENV" in line
    assert "STUDIES" in line


def test_a_missing_variable_is_named(make):
    assert "make new-study needs FILE=." in make("new-study")
    assert "make compare needs WITH=." in make("compare")


def test_the_surroundings_do_not_matter(make, tmp_path):
    strange = {"PYTHONPATH": "/x", "SNAKEMAKE_PROFILE": "mine", "HOME": str(tmp_path / "none")}
    seen = make("status", **strange)[0][1]
    assert seen["PYTHONPATH"] is seen["SNAKEMAKE_PROFILE"] is None
    assert seen["HOME"] == str(tmp_path / "My O'Project" / ".snakemake" / "home")
    assert make("status", HOME=str(tmp_path))[0][1]["HOME"] == str(tmp_path)


def test_the_report_is_that_of_the_run_and_what_was_left_out_comes_last(make):
    calls = [words for words, _ in make("paper", "RUN=1e5")]
    assert calls[1][-2:] == ["--report", "results/1e5/snakemake.html"]
    assert calls[2] == ["-m", "scripts.common.log_errors", "logs/1e5"]
    assert make("demo")[1][0][-1] == "results/demo/snakemake.html"
    assert make("demo")[2][0][-1] == "logs/demo"
