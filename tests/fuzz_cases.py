"""Each kind of file that the project reads: a whole one, and who reads it.

`outcomes(case, seeds)` damages it in so many ways and says what came of each. It runs in a process
of its own, since a library that a file brings down takes its process with it.
"""

import gzip
import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import rdata
import scipy.sparse as sp
import torch
from anndata import AnnData
from fuzz import damage
from helpers.raw_files import cell_ranger, soft_text
from test_formats import CONTROL, COUNTS, GENES, STIMULATED, TABLE, market, study

import vega
from scripts.analyse.encoded import encoded
from scripts.claims.judging import read_claims
from scripts.common import provenance
from scripts.common.config.figures import File
from scripts.common.config.load import load
from scripts.common.config.studies import Source
from scripts.common.h5ad import read_cells, read_latent, write_cells
from scripts.common.tables import read_table
from scripts.download import download as download
from scripts.download.sample_annotations import read_series
from scripts.preprocess.orthologs import one_to_one
from scripts.preprocess.readers import read
from scripts.preprocess.readers.files import RawFile
from scripts.preprocess.readers.r_files import read_r
from scripts.report import ro_crate
from vega.errors import InputError

CONFIG = Path(__file__).resolve().parent.parent / "config"
TABLES = ("one", "two")  # of an R file
SETS = {"A": ["G1", "G2", "G3"], "B": ["G4", "G5"]}
ROW = File(study="toy", file="cells.gz", url="http://x/y")
CONTENT = b"hello"


@dataclass(frozen=True)
class Case:
    """A file below the folder of whole ones, how it may be damaged (`fuzz.KINDS`), its reader."""

    file: str
    kind: str
    reader: Callable[[Path], object]


def _source(format: str, **matrix) -> Source:
    return Source.model_validate(
        {"format": format, "matrices": [matrix], "steps": [{"normalise": "median"}]}
    )


def _resume(folder: Path) -> None:
    _model().fit(_cells(), max_epochs=2, progress=False, checkpoint=folder / "state.safetensors")


def _fetch(folder: Path) -> None:
    target = folder / "fetched" / "toy" / "cells.gz"
    shutil.rmtree(folder / "fetched", ignore_errors=True)
    lock = folder / "no.lock"
    download.fetch(ROW, target, str(folder / "mirror"), lock, sleep=lambda _: None)


def _load(folder: Path) -> vega.VEGA:
    return vega.load(folder / "model")


def _configured(folder: Path) -> object:
    return load({}, folder / "config").selected_models


def _read_study(folder: Path) -> AnnData:
    return read(_plain_study(), folder / "study")


CASES = {
    "GMT": Case("sets.gmt", "text", lambda f: vega.read_gmt(f / "sets.gmt")),
    "studies": Case("config/studies.yaml", "yaml", _configured),
    "models": Case("config/models.yaml", "yaml", _configured),
    "peers": Case("config/baselines.yaml", "yaml", _configured),
    "figures": Case("config/figures.yaml", "yaml", _configured),
    "simulations": Case("config/simulations.yaml", "yaml", _configured),
    "files table": Case("config/files.tsv", "text", _configured),
    "claims table": Case(
        "config/claims.tsv", "text", lambda f: read_claims(f / "config/claims.tsv")
    ),
    "lock": Case(
        "files.lock.tsv", "text", lambda f: provenance.known(ROW, f / "files.lock.tsv")
    ),
    "record": Case(
        "raw/toy/.provenance/cells.gz.json", "json",
        lambda f: provenance.verify(f / "raw", [ROW], f / "files.lock.tsv"),
    ),
    "checksums": Case("mirror/SHA256SUMS", "text", _fetch),
    "ro_crate": Case(f"run/{ro_crate.NAME}", "json", lambda f: ro_crate.verify(f / "run")),
    "model.json": Case("model/model.json", "json", _load),
    "weights": Case("model/weights.safetensors", "tensors", _load),
    "history": Case("model/history.tsv", "text", _load),
    "checkpoint": Case("state.safetensors", "tensors", _resume),
    "Matrix Market": Case("study/a.mtx", "text", _read_study),
    "barcodes": Case("study/a_barcodes.tsv", "text", _read_study),
    "genes": Case("study/genes.tsv", "text", _read_study),
    "annotation": Case("study/cells.tsv", "text", _read_study),
    "delimited": Case(
        "study/t.csv", "text", lambda f: read(_source("table", matrix="t.csv"), f / "study")
    ),
    "SOFT": Case("study/GSE1.soft", "text", lambda f: read_series(f / "study/GSE1.soft")),
    "SOFT, packed": Case(
        "study/GSE1.soft.gz", "bytes", lambda f: read_series(f / "study/GSE1.soft.gz")
    ),
    "R file": Case("study/x.rds", "bytes", lambda f: read_r(RawFile(f / "study/x.rds"), "two")),
    "orthologs": Case(
        "study/orthologs.txt", "text", lambda f: one_to_one(RawFile(f / "study/orthologs.txt"))
    ),
    "h5ad, raw": Case(
        "study/raw.h5ad", "h5ad",
        lambda f: read(
            _source("h5ad", matrix="raw.h5ad", columns={"cell_type": "cell_type"}), f / "study"
        ),
    ),
    "Cell Ranger": Case(
        "study/raw.h5", "h5ad", lambda f: read(_source("10x_h5", matrix="raw.h5"), f / "study")
    ),
    "h5ad of a study": Case("toy.h5ad", "h5ad", lambda f: read_cells(f / "toy.h5ad")),
    "h5ad of a latent space": Case(
        "latent.h5ad", "h5ad", lambda f: read_latent(f / "latent.h5ad")
    ),
    "table": Case("table.tsv", "text", lambda f: read_table(f / "table.tsv")),
}  # fmt: skip


# ---------------------------------------------------------------- whole files


def _cells() -> AnnData:
    rng = np.random.default_rng(0)
    x = sp.csr_matrix(np.log1p(rng.poisson(1, (24, 8))).astype(np.float32))
    names = [f"c{i}" for i in range(24)]
    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical(np.repeat(["T", "B"], 12)),
            "condition": pd.Categorical(["control", "stimulated"] * 12),
        },
        index=names,
    )
    var = pd.DataFrame(index=[f"G{i}" for i in range(8)])
    cells = AnnData(x, obs=obs, var=var, layers={"counts": x.copy()})
    cells.uns["provenance"] = json.dumps({"study": "toy", "origin": "public"})
    return cells


def _model() -> vega.VEGA:
    return vega.VEGA(_cells().var_names, SETS, n_hidden=8)


def _plain_study() -> Source:
    """The study of the tests of formats, with files that are not packed."""
    entry = study()
    return type(entry).model_validate_json(
        entry.model_dump_json(exclude_none=True).replace(".gz", "")
    )


@cache
def whole() -> Path:
    """The folder with a whole file of each case."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    lines = (f"{name}\thttp://x\t" + "\t".join(genes) for name, genes in SETS.items())
    (folder / "sets.gmt").write_text("\n".join(lines) + "\n")
    shutil.copytree(CONFIG, folder / "config")
    raw = folder / "raw/toy/cells.gz"
    for path in (raw, folder / "mirror/toy/cells.gz", folder / "run/tables/a.tsv"):
        path.parent.mkdir(parents=True)
        path.write_bytes(CONTENT)
    digest = hashlib.sha256(CONTENT).hexdigest()
    (folder / "mirror/SHA256SUMS").write_text(f"{digest}  toy/cells.gz\n")
    provenance.record(raw, "http://x", "pinned")
    provenance.pin(ROW, provenance.measure(raw), folder / "files.lock.tsv")
    described = [{"@id": "./", "@type": "Dataset"}, {"@id": "tables/a.tsv", "sha256": digest}]
    (folder / "run" / ro_crate.NAME).write_text(json.dumps({"@graph": described}))
    _write_models(folder)
    _write_study(folder / "study")
    table = {"contrast": ["a", "b"], "gmv": ["A", "B"], "log_bf": [1.0, 2.0]}
    pd.DataFrame(table).to_csv(folder / "table.tsv", sep="\t", index=False)
    return folder


def _write_models(folder: Path) -> None:
    _resume(folder)
    model, cells = _model(), _cells()
    model.fit(cells, max_epochs=2, progress=False)
    model.save(folder / "model")
    write_cells(cells, folder / "toy.h5ad")
    write_cells(encoded(model, cells), folder / "latent.h5ad")


def _write_study(folder: Path) -> None:
    folder.mkdir()
    for name, barcodes in (("a", CONTROL), ("b", STIMULATED)):
        (folder / f"{name}.mtx").write_text(market(COUNTS[name]))
        (folder / f"{name}_barcodes.tsv").write_text("\n".join(barcodes) + "\n")
    (folder / "genes.tsv").write_text("".join(f"{i}\t{symbol}\n" for i, symbol in GENES))
    (folder / "cells.tsv").write_text(TABLE)
    rows = [f"{symbol}{n},{n},{n + 1}\n" for n, (_, symbol) in enumerate(GENES)]
    (folder / "t.csv").write_text("gene," + ",".join(CONTROL) + "\n" + "".join(rows))
    (folder / "GSE1.soft").write_text(soft_text())
    (folder / "GSE1.soft.gz").write_bytes(gzip.compress(soft_text().encode()))
    tables = {name: pd.DataFrame({"n": [1, 2], "s": ["a", "b"]}, ["x", "y"]) for name in TABLES}
    rdata.write_rds(folder / "x.rds", tables, compression=None)
    (folder / "orthologs.txt").write_text(
        "Gene name\tHuman gene name\tHuman homology type\n"
        "abc\tABC\tortholog_one2one\nd\tD\tortholog_one2one\n"
    )
    counts = _cells()
    counts.X.data = np.rint(np.expm1(counts.X.data)).astype(np.float32)
    del counts.layers["counts"]
    counts.write_h5ad(folder / "raw.h5ad")
    (folder / "raw.h5").write_bytes(
        cell_ranger(counts.X.toarray(), counts.obs_names.to_list(), counts.var_names.to_list())
    )


# ---------------------------------------------------------------- damaged files


def outcomes(name: str, seeds: Iterable[int]) -> list[tuple[str, str]]:
    """What was done, and what came of it: "" if it was read, the line of an InputError, or else."""
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    case, folder = CASES[name], whole()
    path = folder / case.file
    original = path.read_bytes()
    case.reader(folder)
    found = []
    for seed in seeds:
        done = damage(path, case.kind, seed)
        damaged = path.read_bytes() if path.is_file() else None
        try:
            case.reader(folder)
            came = ""
        except InputError as error:
            came = str(error)
        except Exception as error:
            came = f"TRACEBACK {type(error).__name__}: {error}"
        if name != "checkpoint" and damaged != (path.read_bytes() if path.is_file() else None):
            came = "CHANGED BY ITS READER"
        found.append((done, came))
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
        path.write_bytes(original)
    return found
