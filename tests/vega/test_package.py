"""The package `vega` on its own: installed without the workflow, used as the tutorial says."""

import ast
import json
import os
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

TUTORIAL = ROOT / "docs" / "tutorial.ipynb"
IMPORTED_AS = {"scikit-learn": "sklearn"}  # where the package is not called as its module


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with what `pip install .` installs, and nothing else of the repository."""
    folder, source = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("source")
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    for package in ("vega", "scripts"):
        shutil.copytree(ROOT / package, source / package)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*command, "--wheel-dir", folder, source], check=True, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    place = folder / "site"
    zipfile.ZipFile(wheel).extractall(place)
    return place


def imports_of(source):
    """Modules that a file imports, by the names of their packages."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


def test_it_is_the_package_alone_and_needs_what_it_says(installed):
    top = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert top == {"vega"}
    assert (installed / "vega" / "plot" / "volcano.py").exists()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.match(r"[\w-]+", text)[0] for text in project["dependencies"]}
    modules = {IMPORTED_AS.get(name, name) for name in needed}
    imported = {
        name for path in (installed / "vega").rglob("*.py") for name in imports_of(path.read_text())
    }
    assert imported - set(sys.stdlib_module_names) - {"vega"} == modules


USE = """
import importlib.abc, sys

class Without(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in ("scripts", "snakemake", "scanpy", "gseapy", "GEOparse", "rdata"):
            raise ImportError(f"{name} is not part of this")

sys.meta_path.insert(0, Without())
import anndata, numpy as np
from pathlib import Path
import matplotlib; matplotlib.use("Agg")
import vega, vega.plot
assert Path(vega.__file__).is_relative_to(sys.argv[1])
rng = np.random.default_rng(0)
cells = anndata.AnnData(rng.poisson(1.0, (60, 12)).astype("float32"))
cells.obs["group"] = np.repeat(["a", "b"], 30)
sets = {"one": ["0", "1", "2"], "two": ["3", "4", "5"]}
model = vega.VEGA(cells.var_names, sets, n_hidden=8)
model.fit(cells, max_epochs=2, progress=False)
model.save(sys.argv[2])
table = vega.load(sys.argv[2]).differential_activity(cells, "group", "a")
axes = vega.plot.volcano(table)
print(*model.latent(cells).var_names, type(axes).__name__)
"""


def test_it_works_where_the_workflow_is_not(installed, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", USE, installed, tmp_path / "model"],
        env=os.environ | {"PYTHONPATH": str(installed)}, cwd=tmp_path, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == ["Axes", "UNANNOTATED_1", "one", "two"]


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(TUTORIAL, as_version=4)


def test_the_notebook_in_git_has_no_outputs(notebook):
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


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
    assert found["top"]["B cells"] == "CD19+ B"
    assert found["top"]["Cytotoxic cells"] == "CD56+ NK"
    assert found["top"]["Monocytes"] == "CD14+ Monocyte"
    assert found["top"]["MHC class II"] == "Dendritic"
    assert (found["b"], found["genes"]) == ("B cells", ["CD79A", "CD79B"])
    assert found["bf"] > 3
    assert found["outside"] == 0
    assert found["same"]
