"""The package `vega` on its own: its wheel, and the tutorial."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

import nbclient
import nbformat
import pytest
from conftest import ROOT

IMPORTED_AS = {"scikit-learn": "sklearn"}  # where the package is not called as its module


def imports_of(file):
    """Packages that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


def test_the_wheel_is_the_package_alone_and_needs_what_it_declares(tmp_path):
    for name in ("vega", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", "wheel"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, "."], check=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("wheel/*.whl")
    files = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = list((ROOT / "vega").rglob("*.py"))
    assert files == {str(path.relative_to(ROOT)) for path in sources}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.match(r"[\w-]+", text)[0] for text in project["dependencies"]}
    imported = set().union(*map(imports_of, sources)) - set(sys.stdlib_module_names) - {"vega"}
    assert imported == {IMPORTED_AS.get(name, name) for name in needed}


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4)


def test_the_notebook_in_git_has_no_outputs(notebook):
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)


PROBE = """
import json
means = latent.to_df().groupby(adata.obs["bulk_labels"].to_numpy()).mean()
of_b = weights["B cells"]
print(json.dumps({
    "top": means.idxmax().to_dict(),
    "b": b_cells.index[0],
    "bf": float(b_cells["log_bf"].iloc[0]),
    "genes": list(of_b.nlargest(2).index),
    "outside": float(of_b.drop(gene_sets["B cells"], errors="ignore").abs().max()),
    "same": bool((again.embed(adata) == adata.obsm["X_vega"]).all()),
}))
"""


@pytest.mark.slow
def test_the_tutorial_runs_and_finds_what_it_says(notebook, monkeypatch):
    # A small network: more threads only wait for each other where the machine is busy.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    probe = nbformat.v4.new_code_cell(PROBE)
    notebook = nbformat.from_dict({**notebook, "cells": [*notebook.cells, probe]})
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=ROOT / "docs")
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 5
    found = json.loads(outputs[-1]["text"])
    expected = {
        "B cells": "CD19+ B", "Cytotoxic cells": "CD56+ NK", "Monocytes": "CD14+ Monocyte",
        "MHC class II": "Dendritic",
    }  # fmt: skip
    assert found["top"].items() >= expected.items()
    assert (found["b"], found["genes"]) == ("B cells", ["CD79A", "CD79B"])
    assert found["bf"] > 3 and found["outside"] == 0 and found["same"]
