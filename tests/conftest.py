"""What the tests share: real cells where there are any, runs of the workflow, counted faults."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import yaml
from anndata import AnnData, read_h5ad

from scripts.download.download import fetch
from vega.errors import InputError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder of the real raw files; skips the test where there is none."""
    folder = Path(os.environ.get("VEGA_MIRROR", ROOT.parent / "shared" / "mirror"))
    if (folder / "SHA256SUMS").exists():
        return folder
    pytest.skip("no mirror of the real raw files (set VEGA_MIRROR)")


@pytest.fixture(scope="session")
def real() -> Path:
    """Folder of real labels, metadata and lists of genes; skips the test where there is none."""
    folder = Path(os.environ.get("VEGA_REAL", ROOT.parent / "shared" / "real"))
    if folder.is_dir():
        return folder
    pytest.skip("no real labels and metadata (set VEGA_REAL)")


# ---------------------------------------------------------------- faults

FAULTS = defaultdict(Counter)  # by kind of fault: how many were injected, survived, files lost


@pytest.fixture
def fault():
    """Counts a fault: `with fault("reset in mid-file", keeps=files): ...`.

    The block injects it and checks the result. The files of `keeps` must be there as before
    when it ends. `make test-faults` prints the account.
    """

    @contextmanager
    def inject(kind, keeps=()):
        before = {path: path.read_bytes() for path in keeps}
        FAULTS[kind]["injected"] += 1
        yield
        lost = [p for p, was in before.items() if not p.is_file() or p.read_bytes() != was]
        FAULTS[kind]["lost"] += len(lost)
        assert not lost, f"{kind}: lost {lost}"
        FAULTS[kind]["survived"] += 1

    return inject


@pytest.hookimpl(tryfirst=True)  # before those that -m does not want are sorted out
def pytest_collection_modifyitems(items):
    """Mark the tests that inject faults; put files with slow tests first.

    A slow file that starts last keeps one core busy while the others wait.
    """
    for item in items:
        if "fault" in item.fixturenames:
            item.add_marker("fault")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_terminal_summary(terminalreporter):
    """Print the account of all faults."""
    if FAULTS:
        account = pd.DataFrame(FAULTS, ["injected", "survived", "lost"]).T
        account = account.fillna(0).astype(int).sort_index()
        account.loc["all"] = account.sum()
        terminalreporter.section("faults")
        terminalreporter.write_line(account.to_string())


@pytest.fixture
def small_disk():
    """Mounts a disk of a few bytes at a folder; skips the test where we may not."""
    mounted = []

    def mount(folder, size):
        folder.mkdir(parents=True, exist_ok=True)
        words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
        result = subprocess.run(words, capture_output=True, text=True, check=False)
        if result.returncode:
            pytest.skip(f"a small disk cannot be mounted here ({' '.join(result.stderr.split())})")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


# ---------------------------------------------------------------- downloads


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A run's raw folder, a lock, and the pauses before retries."""

    class Place:
        raw = tmp_path / "raw"
        target = raw / "toy" / "cells.gz"
        lock = tmp_path / "files.lock.tsv"
        pauses: list[float]

        def fetch(self, row, mirror=None):
            self.pauses = []
            monkeypatch.setattr("scripts.download.transfer.sleep", self.pauses.append)
            return fetch(row, self.target, mirror, self.lock)

        def fails(self, row, mirror=None) -> str:
            """Return the one line of the error; no file may have changed."""
            before = self.contents()
            with pytest.raises((InputError, OSError)) as caught:
                self.fetch(row, mirror)
            assert self.contents() == before
            message = str(caught.value)
            assert "\n" not in message
            return message

        def contents(self):
            return {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    return Place()


# ---------------------------------------------------------------- cells to learn from


@pytest.fixture
def cells_with_programmes():
    """Makes cells x genes with one programme per gene set, and the sets."""

    def make(n_cells, n_genes, n_sets, share, seed=0):
        """`share`: of the genes, in each set."""
        rng = np.random.default_rng(seed)
        genes = np.array([f"G{i}" for i in range(n_genes)])
        member = rng.random((n_sets, n_genes)) < share
        activity = rng.gamma(0.3, 2, (n_cells, n_sets))
        counts = rng.poisson(0.05 + activity @ (member * rng.random(member.shape)) / 3)
        x = sp.csr_matrix(np.log1p(counts).astype(np.float32))
        names = pd.Index([f"c{i}" for i in range(n_cells)])
        adata = AnnData(x, obs=pd.DataFrame(index=names), var=pd.DataFrame(index=genes))
        return adata, {f"S{k}": list(genes[row]) for k, row in enumerate(member)}

    return make


@pytest.fixture(scope="session")
def kang_cells(mirror, tmp_path_factory):
    """The real cells of Kang that the mirror holds, preprocessed by the workflow itself."""
    folder = tmp_path_factory.mktemp("kang")
    copy_parts(folder)
    snakemake(
        folder, "results/paper/data/kang.h5ad", "--config", f"mirror={mirror}", "studies=kang",
        profile=None,
    )  # fmt: skip
    return read_h5ad(folder / "results/paper/data/kang.h5ad")


@pytest.fixture(scope="session")
def reactome(mirror):
    from vega import read_gmt

    return read_gmt(mirror / "gene_sets" / "reactomes.gmt", max_genes=5000)


# ---------------------------------------------------------------- runs of the workflow

PARTS = [
    "Snakefile", "config", "docs", "envs", "profiles", "report", "rules", "scripts",
    "tools", "vega", "requirements.lock", "CITATION.cff",
]  # fmt: skip


@pytest.fixture
def repository(tmp_path):
    """A copy of what a run needs, with a small demo: one study, one model of it."""
    copy_parts(tmp_path)
    config = tmp_path / "config"
    edit(config / "simulations.yaml", lambda c: c["studies"]["kang"].update(cells=800))
    edit(config / "demo.yaml", lambda c: c.update(studies="kang"))
    edit(config / "demo.yaml", lambda c: c["training_overrides"].update(max_epochs=60))
    for file in ("config.yaml", "demo.yaml"):  # Snakemake merges both
        edit(config / file, lambda c: c.update(extra_seeds={}))
    edit(config / "models.yaml", lambda c: (c.pop("kang_holdout"), c.pop("kang_control")))
    return tmp_path


def keep_a_few_models(repository):
    """The model of Figure 1 and a small sweep; `make demo` runs all the others."""
    config = repository / "config"
    kept = {"kang", "kang_extra_nodes", "fig1", "sfig4", "sfig5", "sfig11"}
    for table in ("models", "figures", "baselines"):
        edit(config / f"{table}.yaml", lambda c: [c.pop(name) for name in c.keys() - kept])
    sweep = {"extra_nodes": [1, 64], "run": [1]}
    edit(config / "models.yaml", lambda models: models["kang_extra_nodes"].update(sweep=sweep))
    overrides = {"kang_extra_nodes": {"max_epochs": 2}}
    edit(config / "demo.yaml", lambda demo: demo.update(model_overrides=overrides))


def copy_parts(folder):
    """Copy what a run needs."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / part)


def edit(path, change):
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def command(*arguments, profile="profiles/demo"):
    return [
        str(Path(sys.executable).with_name("snakemake")),
        *("--cores", "2", *(("--profile", profile) if profile else ()), *arguments),
    ]


def environment(repository):
    return {**os.environ, "PYTHONPATH": str(repository), "MPLBACKEND": "agg"}


def snakemake(repository, *arguments, check=True, **options):
    """Run snakemake to its end, which is a failure unless `check`; return everything it says."""
    result = subprocess.run(
        command(*arguments, **options), cwd=repository, env=environment(repository),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert (result.returncode == 0) == check, result.stdout
    return result.stdout


def planned(repository, *arguments):
    """Return the rules that a run would execute now."""
    output = snakemake(repository, "--dry-run", "--quiet", "rules", *arguments)
    _, _, stats = output.partition("Job stats:")
    return set(re.findall(r"(?m)^(\S+) +\d+ *$", stats)) - {"total", "all"}
