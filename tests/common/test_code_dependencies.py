"""The code of a script is all that it imports, and no import leads in a circle."""

import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from conftest import ROOT

from scripts.common import code_dependencies
from scripts.common.code_dependencies import code_of

LOADED = """
import sys, {module}
for module in list(sys.modules.values()):
    file = getattr(module, "__file__", None) or ""
    if file.startswith({root!r}) and "/.venv" not in file:
        print(file.removeprefix({root!r} + "/"))
"""


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize(
    "script",
    [
        "train/train.py", "train/baseline.py", "analyse/differential.py", "analyse/embed.py",
        "preprocess/preprocess.py", "claims/claims.py", "simulate/simulate_study.py",
    ],
)  # fmt: skip
def test_what_python_loads_for_a_script_is_among_its_code(script):
    module = f"scripts.{script.removesuffix('.py').replace('/', '.')}"
    code = LOADED.format(module=module, root=str(ROOT))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {line for line in run.stdout.split() if line.startswith(("scripts/", "vega/"))}
    assert f"scripts/{script}" in loaded
    # vega's own modules are loaded lazily: what a method needs is not needed to import it.
    assert loaded <= set(code_of(script))


def test_a_model_does_not_depend_on_what_is_asked_of_it_later():
    train, differential = code_of("train/train.py"), code_of("analyse/differential.py")
    assert {"vega/module.py", "vega/trainer.py", "vega/settings.py"} <= set(train)
    assert not {"vega/differential.py", "vega/all_pairs.py", "vega/metrics.py"} & set(train)
    assert {"vega/differential.py", "vega/all_pairs.py"} <= set(differential)
    assert "vega/module.py" not in differential


def test_a_figure_depends_on_its_own_module_only():
    code = code_of("figures/figure.py", "scripts.figures.sfig4")
    assert "scripts/figures/sfig4.py" in code and "scripts/figures/layout.py" in code
    assert "scripts/figures/fig2.py" not in code


@pytest.mark.parametrize("package", ["vega", "scripts", "tools"])
def test_no_import_leads_in_a_circle(package):
    def modules(file):
        found = code_dependencies._imported(file)
        return {name for name in found if name != file and not name.endswith("__init__.py")}

    graph = {str(path): modules(str(path)) for path in Path(package).rglob("*.py")}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert len(order) >= len(graph) > 10
