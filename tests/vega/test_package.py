"""The package `vega` on its own: its wheel, and the tutorial."""

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
from conftest import ROOT, command
from helpers.cells import write_gmt
from matplotlib import pyplot as plt

import vega

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
    assert wheel.name.startswith("vega_gmv-")
    assert files == {"vega/py.typed", *(str(path.relative_to(ROOT)) for path in sources)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.match(r"[\w-]+", text)[0] for text in project["dependencies"]}
    imported = set().union(*map(imports_of, sources)) - set(sys.stdlib_module_names) - {"vega"}
    assert imported == {IMPORTED_AS.get(name, name) for name in needed}


def test_every_public_function_has_an_example():
    """That it runs is tested by `--doctest-modules`."""
    public = [*map(vega.__getattr__, vega._PUBLIC), *map(vega.plot.__dict__.get, vega.plot.__all__)]
    methods = {name: value for name, value in vars(vega.VEGA).items() if not name.startswith("_")}
    for name in ("describe", "from_description", "device", "save"):  # of files; see `load`
        del methods[name]
    public = [each for each in public if each.__module__ != "vega.settings"]  # which do nothing
    undocumented = [o.__name__ for o in (*public, *methods.values()) if ">>>" not in o.__doc__]
    assert not undocumented


def notebook(name):
    return nbformat.read(ROOT / "docs" / f"{name}.ipynb", as_version=4)


@pytest.mark.parametrize("name", ["tutorial", "new-cells"])
def test_the_notebook_in_git_has_no_outputs(name):
    cells = notebook(name).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def run_with(name, probe, monkeypatch):
    """What a notebook shows, and what a probe at its end prints as JSON."""
    # A small network: more threads only wait for each other where the machine is busy.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    cells = notebook(name)
    cells = nbformat.from_dict({**cells, "cells": [*cells.cells, nbformat.v4.new_code_cell(probe)]})
    nbclient.NotebookClient(cells, timeout=300, kernel_name="python3").execute(cwd=ROOT / "docs")
    outputs = [output for cell in cells.cells for output in cell.get("outputs", ())]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    return outputs, json.loads(outputs[-1]["text"])


TUTORIAL = """
import json
means = latent.to_df().groupby(adata.obs["bulk_labels"].to_numpy()).mean()
of_b = model.weights()["B cells"]
print(json.dumps({
    "top": means.idxmax().to_dict(),
    "b": b_cells.iloc[0][["gmv", "log_bf"]].to_list(),
    "called": pair.loc[pair["significant"], "gmv"].to_list(),
    "agreed": agreed.iloc[0][["gmv", "share_significant"]].to_list(),
    "genes": genes.loc[genes["gmv"] == "B cells", "gene"].to_list(),
    "outside": float(of_b.drop(gene_sets["B cells"], errors="ignore").abs().max()),
    "same": bool((again.embed(adata) == adata.obsm["X_vega"]).all()),
}))
"""


@pytest.mark.slow
def test_the_tutorial_runs_and_finds_what_it_says(monkeypatch):
    outputs, found = run_with("tutorial", TUTORIAL, monkeypatch)
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 5
    expected = {
        "B cells": "CD19+ B", "Cytotoxic cells": "CD56+ NK", "Monocytes": "CD14+ Monocyte",
        "MHC class II": "Dendritic",
    }  # fmt: skip
    assert found["top"].items() >= expected.items()
    assert found["b"][0] == "B cells" and found["b"][1] > 3
    assert {"Monocytes", "Cytotoxic cells"} <= set(found["called"]) and found["agreed"] == [
        "B cells",
        1,
    ]
    assert found["genes"][:2] == ["CD79A", "CD79B"]
    assert found["outside"] == 0 and found["same"]


NEW_CELLS = """
import json
print(json.dumps({
    "accuracies": list(accuracies.values()),
    "unchanged": np.array_equal(again.embed(reference), known),
    "told": str(told[0].message),
}))
"""


@pytest.mark.slow
def test_new_cells_are_mapped_as_the_second_notebook_says(monkeypatch):
    _, found = run_with("new-cells", NEW_CELLS, monkeypatch)
    same, panel, other, extended = found["accuracies"]
    assert min(same, panel) > 0.7 and other < same - 0.1 and extended > other + 0.05
    assert found["unchanged"]
    assert "of the model's 765 genes are not in the data and count as zero" in found["told"]


@pytest.mark.slow
def test_the_script_of_the_readme_goes_from_counts_to_a_volcano(tmp_path, monkeypatch):
    (script,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len([line for line in script.splitlines() if line]) <= 12
    counts = vega.examples.counts()
    counts.write_h5ad(tmp_path / "counts.h5ad")
    write_gmt(tmp_path / "reactomes.gmt", vega.examples.GENE_SETS)
    monkeypatch.chdir(tmp_path)
    for_few_cells = "batch_size=32, max_epochs=60, learning_rate=5e-3, patience=30, progress=False"
    for old, new in (
        ("n_top_genes=4000", "n_top_genes=70"),
        (
            "min_genes_in_data=5",
            "min_genes_in_data=4, n_hidden=32, dropout=0.0, latent_dropout=0.0",
        ),
        ("model.fit(adata)", f"model.fit(adata, {for_few_cells})"),
    ):
        assert old in script
        script = script.replace(old, new)
    names = {}
    exec(script, names)
    table = names["table"]
    assert table["gmv"].iloc[0] == "Interferon" and table["significant"].iloc[0]
    assert "Eye" not in set(table["gmv"])
    assert names["model"].target_sum == 1e4
    assert len(plt.gca().collections)


def test_another_package_of_the_name_ends_the_workflow_in_one_line(tmp_path):
    (tmp_path / "vega").mkdir()
    (tmp_path / "vega" / "__init__.py").write_text("raise RuntimeError('a Jupyter widget')")
    where = os.pathsep.join([str(tmp_path), str(ROOT)])
    result = subprocess.run(
        command("--dry-run", profile=None), cwd=ROOT, env={**os.environ, "PYTHONPATH": where},
        capture_output=True, text=True,
    )  # fmt: skip
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("error: "))
    assert f"`import vega` finds {tmp_path / 'vega' / '__init__.py'}, expected {ROOT}" in line
    assert result.returncode == 1 and "Traceback" not in result.stderr
