"""Each kind of file that the project reads: a valid one, its reader, and ways to damage it."""

import gzip
import hashlib
import json
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import rdata
import yaml
from anndata import AnnData
from conftest import ROOT
from helpers.cells import log_cells, write_gmt
from helpers.raw_files import cell_ranger, market, soft_text
from helpers.two_matrices import CONTROL, COUNTS, GENES, STIMULATED, TABLE, study

import vega
from scripts.claims.judging import read_claims
from scripts.common import provenance
from scripts.common.config.figures import File
from scripts.common.config.load import load
from scripts.common.config.studies import Source
from scripts.common.h5ad import read_cells, read_latent, write_cells
from scripts.common.tables import read_table
from scripts.download.download import fetch
from scripts.download.sample_annotations import read_series
from scripts.download.verify import verify
from scripts.preprocess.orthologs import one_to_one
from scripts.preprocess.readers import read
from scripts.preprocess.readers.files import RawFile
from scripts.preprocess.readers.r_files import read_r
from scripts.report import ro_crate

CONFIG = ROOT / "config"
TABLES = ("one", "two")  # of an R file
SETS = {"A": ["G1", "G2", "G3"], "B": ["G4", "G5"]}
ROW = File(study="toy", file="cells.gz", url="http://x/y")
CONTENT = b"hello"


@dataclass(frozen=True)
class Case:
    """A file below the folder of valid ones, its kind (a key of `DAMAGES`) and its reader."""

    file: str
    kind: str
    reader: Callable[[Path], object]


def _read_matrix(format: str, path: Path, **matrix) -> AnnData:
    matrices, steps = [{"matrix": path.name, **matrix}], [{"normalise": "median"}]
    source = Source.model_validate({"format": format, "matrices": matrices, "steps": steps})
    return read(source, path.parent)


def _resume(folder: Path) -> None:
    checkpoint = folder / "state.safetensors"
    _model().fit(small_cells(), max_epochs=2, progress=False, checkpoint=checkpoint)


def _fetch(folder: Path) -> None:
    target = folder / "fetched" / "toy" / "cells.gz"
    shutil.rmtree(folder / "fetched", ignore_errors=True)
    lock = folder / "no.lock"
    fetch(ROW, target, str(folder / "mirror"), lock)


def _load(folder: Path) -> vega.VEGA:
    return vega.load(folder / "model")


def _configured(folder: Path) -> object:
    return load({}, folder / "config").selected_models


def _read_study(folder: Path) -> AnnData:
    return read(study(gz=""), folder / "study")


def _case(file: str, kind: str, read_path: Callable[[Path], object]) -> Case:
    """Return a case whose reader takes the path of the file."""
    return Case(file, kind, lambda folder: read_path(folder / file))


CASES = {
    "GMT": _case("sets.gmt", "text", vega.read_gmt),
    "studies": Case("config/studies.yaml", "yaml", _configured),
    "models": Case("config/models.yaml", "yaml", _configured),
    "baselines": Case("config/baselines.yaml", "yaml", _configured),
    "figures": Case("config/figures.yaml", "yaml", _configured),
    "simulations": Case("config/simulations.yaml", "yaml", _configured),
    "files table": Case("config/files.tsv", "text", _configured),
    "claims table": _case("config/claims.tsv", "text", read_claims),
    "lock": _case("files.lock.tsv", "text", lambda p: provenance.expected_checksum(ROW, p)),
    "record": Case(
        "raw/toy/.provenance/cells.gz.json", "json",
        lambda f: verify(f / "raw", [ROW], f / "files.lock.tsv"),
    ),
    "checksums": Case("mirror/SHA256SUMS", "text", _fetch),
    "ro_crate": _case(f"run/{ro_crate.NAME}", "json", lambda p: ro_crate.verify(p.parent)),
    "model.json": Case("model/model.json", "json", _load),
    "weights": Case("model/weights.safetensors", "binary", _load),
    "history": Case("model/history.tsv", "text", _load),
    "checkpoint": Case("state.safetensors", "binary", _resume),
    "Matrix Market": Case("study/a.mtx", "text", _read_study),
    "barcodes": Case("study/a_barcodes.tsv", "text", _read_study),
    "genes": Case("study/genes.tsv", "text", _read_study),
    "annotation": Case("study/cells.tsv", "text", _read_study),
    "delimited": _case("study/t.csv", "text", lambda p: _read_matrix("table", p)),
    "SOFT": _case("study/GSE1.soft", "text", read_series),
    "SOFT, packed": _case("study/GSE1.soft.gz", "binary", read_series),
    "R file": _case("study/x.rds", "binary", lambda p: read_r(RawFile(p), "two")),
    "orthologs": _case("study/orthologs.txt", "text", lambda p: one_to_one(RawFile(p))),
    "h5ad, raw": _case(
        "study/raw.h5ad", "binary",
        lambda p: _read_matrix("h5ad", p, columns={"cell_type": "cell_type"}),
    ),
    "Cell Ranger": _case("study/raw.h5", "binary", lambda p: _read_matrix("10x_h5", p)),
    "h5ad of a study": _case("toy.h5ad", "binary", read_cells),
    "h5ad of a study, backed": _case(
        "toy.h5ad", "binary", lambda p: read_cells(p, backed=True).file.close()
    ),
    "h5ad of a latent space": _case("latent.h5ad", "binary", read_latent),
    "table": _case("table.tsv", "text", read_table),
}  # fmt: skip


# ---------------------------------------------------------------- valid files


def small_cells() -> AnnData:
    labels = {"cell_type": ["T"] * 12 + ["B"] * 12, "condition": ["control", "stimulated"] * 12}
    cells = log_cells(np.random.default_rng(0).poisson(1, (24, 8)), **labels)
    cells.layers["counts"] = cells.X.copy()
    cells.uns["provenance"] = json.dumps({"study": "toy", "origin": "public"})
    return cells


def _model() -> vega.VEGA:
    return vega.VEGA(small_cells().var_names, SETS, n_hidden=8)


@cache
def valid_files() -> Path:
    """Return a folder with a valid file of each case."""
    folder = Path(tempfile.mkdtemp(prefix="valid-"))
    write_gmt(folder / "sets.gmt", SETS)
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
    model, cells = _model(), small_cells()
    model.fit(cells, max_epochs=2, progress=False)
    model.save(folder / "model")
    write_cells(cells, folder / "toy.h5ad")
    latent = model.latent(cells)
    latent.uns["provenance"] = cells.uns["provenance"]
    write_cells(latent, folder / "latent.h5ad")


def _write_study(folder: Path) -> None:
    folder.mkdir()
    for name, barcodes in (("a", CONTROL), ("b", STIMULATED)):
        (folder / f"{name}.mtx").write_bytes(market(COUNTS[name].T))
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
    counts = small_cells()
    counts.X.data = np.rint(np.expm1(counts.X.data)).astype(np.float32)
    del counts.layers["counts"]
    counts.write_h5ad(folder / "raw.h5ad")
    (folder / "raw.h5").write_bytes(
        cell_ranger(counts.X.toarray(), counts.obs_names.to_list(), counts.var_names.to_list())
    )


# ---------------------------------------------------------------- damage

ODD = [None, True, -1, 1.5, 10**40, float("nan"), "", "nan", "../up", "a\nb", "é", [], {"a": {}}]


def _binary(content: bytes) -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "HTML page", b"<!DOCTYPE html><html><body>not found</body></html>"
    for share in (0.1, 0.5, 0.9):
        yield f"cut off at {share}", content[: int(share * len(content))]
    yield "other bytes", random.Random(1).randbytes(1000)
    middle = len(content) // 2
    yield "nulls", content[: middle - 8] + bytes(16) + content[middle + 8 :]


def _text(content: bytes) -> Iterator[tuple[str, bytes]]:
    yield from _binary(content)
    yield "UTF-16", content.decode().encode("utf-16")
    lines = content.splitlines(keepends=True)
    for i in {0, 1, len(lines) - 1} & {*range(len(lines))}:
        before, line, after = lines[:i], lines[i].rstrip(b"\n"), lines[i + 1 :]
        mark = next((mark for mark in (b"\t", b",", b" ") if mark in line), b"\t")
        *fields, last = line.split(mark)
        for what, changed in {
            f"line {i} lost": [],
            f"line {i} twice": [line, line],
            f"field of line {i} lost": [mark.join(fields)],
            f"field of line {i} twice": [mark.join([*fields, last, last])],
            f"quote in line {i}": [mark.join([*fields, b'"' + last])],
            f"odd field in line {i}": [mark.join([*fields, b"nan"])],
        }.items():
            yield what, b"".join([*before, *(text + b"\n" for text in changed), *after])


def _tree(load: Callable, dump: Callable) -> Callable[[bytes], Iterator[tuple[str, bytes]]]:
    def damaged(content: bytes) -> Iterator[tuple[str, bytes]]:
        yield from _binary(content)
        rng = random.Random(1)
        for odd in [*ODD, KeyError]:
            tree = load(content)
            node, key = rng.choice(_places(tree))
            if odd is KeyError:
                del node[key]
            else:
                node[key] = odd
            yield f"{key}: {odd!r}", dump(tree).encode()

    return damaged


def _places(node: object) -> list[tuple]:
    """Return every container of a tree with each of its keys."""
    keys = [*node] if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
    return [place for key in keys for place in [(node, key), *_places(node[key])]]


DAMAGES = {
    "binary": _binary,
    "text": _text,
    "yaml": _tree(yaml.safe_load, yaml.safe_dump),
    "json": _tree(json.loads, json.dumps),
}


def damaged(case: Case) -> Iterator[tuple[str, Path]]:
    """Damage the case's file in each way; yield a description and the folder to read it from."""
    folder = valid_files()
    path = folder / case.file
    content = path.read_bytes()
    case.reader(folder)
    try:
        path.unlink()
        yield "missing", folder
        path.unlink(missing_ok=True)  # a new checkpoint
        path.mkdir()
        yield "a folder", folder
        path.rmdir()
        for what, new in DAMAGES[case.kind](content):
            path.write_bytes(new)
            yield what, folder
    finally:
        if path.is_dir():
            path.rmdir()
        path.write_bytes(content)
