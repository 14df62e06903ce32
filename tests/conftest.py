"""What the tests share: the real cells, where there are any, and runs of the workflow."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder of the real raw files; skips the test where there is none."""
    folder = Path(os.environ.get("VEGA_MIRROR", ROOT.parent / "shared" / "mirror"))
    if not (folder / "SHA256SUMS").exists():
        pytest.skip("no mirror of the real raw files (set VEGA_MIRROR)")
    return folder


# ---------------------------------------------------------------- runs of the workflow

PARTS = [
    "Snakefile", "config", "envs", "paper", "profiles", "report", "rules", "scripts", "vega",
]  # fmt: skip


@pytest.fixture
def repository(tmp_path):
    """A copy of what a run needs, with a small demo: one study, one model of it."""
    for part in PARTS:
        source = ROOT / part
        ignore = shutil.ignore_patterns("__pycache__")
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, tmp_path / part, **({"ignore": ignore} if source.is_dir() else {}))
    edit(tmp_path / "config" / "simulations.yaml", lambda c: c["studies"]["kang"].update(cells=800))
    edit(tmp_path / "config" / "demo.yaml", lambda c: c.update(studies="kang"))
    edit(tmp_path / "config" / "demo.yaml", lambda c: c["training"].update(max_epochs=60))
    for model in ("kang_holdout", "kang_control"):
        edit(tmp_path / "config" / "models.yaml", lambda c, model=model: c.pop(model))
    return tmp_path


def edit(path, change):
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def command(*arguments):
    return [
        str(Path(sys.executable).with_name("snakemake")),
        *("--cores", "2", "--profile", "profiles/demo", *arguments),
    ]


def environment(repository):
    return {**os.environ, "PYTHONPATH": str(repository), "MPLBACKEND": "agg"}


def snakemake(repository, *arguments, check=True):
    """Run snakemake to its end; everything it says."""
    result = subprocess.run(
        command(*arguments),
        cwd=repository,
        env=environment(repository),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if check:
        assert result.returncode == 0, result.stdout
    else:
        assert result.returncode != 0, result.stdout
    return result.stdout


def planned(repository, *arguments):
    """Rules that a run would execute now."""
    output = snakemake(repository, "--dry-run", "--quiet", "rules", *arguments)
    lines = output.split("Job stats:", 1)[-1].splitlines() if "Job stats:" in output else []
    words = (line.split() for line in lines)
    return {w[0] for w in words if len(w) == 2 and w[1].isdigit()} - {"total", "all"}
