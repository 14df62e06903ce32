"""Whatever a file holds: it is read, or one line says what is wrong; and none of it is run.

Each kind of file is damaged in a few ways, in more by `make test-faults` and in as many as one
wants by `FUZZ=10000 pytest tests/test_bad_input.py`.
"""

import ast
import json
import multiprocessing
import os
import pickle
import shutil
import string
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import anndata as ad
import fuzz_cases
import h5py
import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT, copy_parts, snakemake
from fuzz_cases import CASES, whole
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

import vega
from scripts.common.config.base import Name, Template
from scripts.common.config.load import load
from scripts.common.config.plain import read_yaml
from scripts.common.h5ad import read_cells
from vega.errors import InputError

WAYS = int(os.environ.get("FUZZ", "12"))


# ---------------------------------------------------------------- damaged files


@pytest.fixture(scope="module")
def process():
    """A process of its own: a library that a file brings down would take this one with it."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        yield pool


@pytest.mark.parametrize("name", CASES)
def test_a_damaged_file_is_read_or_named_in_one_line(process, fault, name):
    found = process.submit(fuzz_cases.outcomes, name, range(WAYS)).result(timeout=WAYS * 30)
    assert len(found) == WAYS
    folder = (whole() / CASES[name].file).parent
    files = {path.name for path in folder.iterdir()} | {"files.tsv"}
    for done, came in found:
        with fault(f"damaged {name}"):
            assert not came.startswith(("TRACEBACK", "CHANGED")), (done, came)
            assert "\n" not in came
            assert len(came) < 1000
            assert not came or any(file in came for file in files), (done, came)


# ---------------------------------------------------------------- any content

# The folder is the same for all examples; each writes its file anew.
anything = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
names = st.text(st.characters(blacklist_categories=["C", "Z"]), min_size=1, max_size=8)


@anything
@given(sets=st.dictionaries(names, st.lists(names, min_size=1, unique=True), min_size=1))
def test_gene_sets_come_back_as_they_were_written(tmp_path, sets):
    path = tmp_path / "sets.gmt"
    lines = ["\t".join((name, "http://x", *genes)) for name, genes in sets.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    try:
        assert vega.read_gmt(path) == sets
    except InputError as error:  # a name that is no name, such as one that begins a comment
        assert str(path) in str(error)


@anything
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@example(content=b"A SET\tof no genes")
@example(content=b"A SET\tof\tONE\t\tONE")
def test_any_bytes_are_gene_sets_or_refused(tmp_path, content):
    path = tmp_path / "sets.gmt"
    path.write_bytes(content)
    try:
        sets = vega.read_gmt(path)
    except InputError as error:
        assert str(path) in str(error)
    else:
        assert sets
        assert all(all(genes) and len(genes) == len(set(genes)) for genes in sets.values())


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=20,
)


@anything
@given(content=st.dictionaries(st.text(max_size=9), plain))
def test_yaml_is_read_as_the_plain_data_that_was_written(tmp_path, content):
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    try:
        found = read_yaml(path)
    except InputError as error:
        assert str(path) in str(error)
    else:
        assert repr(found) == repr(yaml.safe_load(path.read_text(encoding="utf-8")))


@settings(anything, max_examples=30)
@given(chosen=st.dictionaries(
    st.sampled_from(["run", "data", "mirror", "studies", "seeds", "device", "training_overrides"]),
    plain, min_size=1,
))  # fmt: skip
def test_any_setting_of_a_run_is_taken_or_named(chosen):
    try:
        config = load(chosen, ROOT / "config")
    except InputError as error:
        assert str(error).startswith(("config: ", str(ROOT / "config")))
        assert len(str(error)) < 1000
    else:
        assert (Path("results") / config.settings.run).resolve().parent.name == "results"


@given(name=st.text(st.sampled_from(string.printable + "é☃\u202e"), max_size=12))
def test_a_name_never_leads_out_of_its_folder(name):
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        return
    path = Path("/a/b") / name
    assert path.parent == Path("/a/b")
    assert path.name == name
    assert name.isprintable()
    assert not name.startswith((".", "-"))


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../a", "a/b", "/etc/passwd", "a\n", "a b", "-rf", "a\x00", "{a}", "~", "é"],
)
def test_names_that_lead_elsewhere_are_refused(name):
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(name)


@pytest.mark.parametrize(
    "text", ["{a.__class__}", "{a[0]}", "{a!r}", "{a:>9999999}", "{}", "{0", "}", "{a:{b}}"]
)
def test_a_template_names_columns_and_nothing_of_them(text):
    """`{a.__class__}` is a column of that very name, which no table has."""
    try:
        TypeAdapter(Template).validate_python(text)
    except ValidationError:
        return
    assert text in ("{a.__class__}", "{a[0]}")


@pytest.mark.parametrize("table", ["studies", "models", "baselines", "figures"])
@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "a\nb", "<b>", "$(touch x)"])
def test_an_entry_may_not_be_named_like_a_path(tmp_path, table, name):
    folder = tmp_path / "config"
    shutil.copytree(ROOT / "config", folder)
    path = folder / f"{table}.yaml"
    entries = yaml.safe_load(path.read_text())
    first = next(iter(entries))
    path.write_text(yaml.safe_dump({**entries, name: entries[first]}))
    with pytest.raises(InputError, match=rf"{table}\.yaml: .* is no name; it begins with a letter"):
        load({}, folder)


def test_aliases_that_multiply_are_refused(tmp_path):
    """Ten lines that stand for ten thousand million entries."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    path = tmp_path / "a.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match="aliases make more than 100,000 entries"):
        read_yaml(path)


# ---------------------------------------------------------------- nothing is run


@pytest.fixture
def bait(tmp_path):
    """An object that leaves a file behind wherever it is unpickled."""
    mark = tmp_path / "mark"

    class Bait:
        def __reduce__(self):
            return Path.touch, (mark,)

    pickle.loads(pickle.dumps(Bait()))  # noqa: S301
    assert mark.exists(), "it works"
    mark.unlink()
    yield Bait()
    assert not mark.exists(), "code of a file was run"


@pytest.mark.parametrize("file", ["weights.safetensors", "model.json", "history.tsv"])
def test_a_pickle_in_a_model_is_not_run(tmp_path, bait, fault, file):
    folder = tmp_path / "model"
    shutil.copytree(whole() / "model", folder)
    with fault("pickle in a model"):
        torch.save({"weights": bait}, folder / file)
        with pytest.raises(InputError, match=file):
            vega.load(folder)


def test_a_pickle_in_place_of_a_checkpoint_is_not_run(tmp_path, bait, fault):
    with fault("pickle in place of a checkpoint"):
        torch.save({"state": bait}, tmp_path / "state.safetensors")
        cells = fuzz_cases._cells()
        said = []
        model = vega.VEGA(cells.var_names, fuzz_cases.SETS, n_hidden=8)
        model.fit(
            cells, max_epochs=1, progress=False, checkpoint=tmp_path / "state.safetensors",
            log=said.append,
        )  # fmt: skip
        assert "the checkpoint is damaged or of another run: from the start" in said


@pytest.mark.parametrize("place", ["uns/a", "obs/a", "obsm/a", "layers/a", "X"])
@pytest.mark.parametrize("kind", ["opaque", "bytes", "tagged"])
def test_a_pickle_in_an_h5ad_is_not_run(tmp_path, bait, fault, place, kind):
    path = tmp_path / "cells.h5ad"
    path.write_bytes((whole() / "toy.h5ad").read_bytes())
    packed = pickle.dumps(bait)
    with fault("pickle in an h5ad"):
        with h5py.File(path, "r+") as file:
            if place in file:
                del file[place]
            file[place] = np.frombuffer(packed, "u1") if kind == "bytes" else np.void(packed)
            if kind == "tagged":  # as objects were told apart in older files
                file[place].attrs["encoding-type"] = "pickle"
                file[place].attrs["encoding-version"] = "0.1.0"
        try:
            cells = read_cells(path)
        except InputError as error:
            assert str(path) in str(error)
        else:  # bytes are numbers like any other
            assert kind == "bytes"
            assert isinstance(cells, ad.AnnData)


TAGS = [
    "!!python/object/apply:os.system ['touch {mark}']",
    "!!python/object/new:os.system ['touch {mark}']",
    "!!python/name:os.system",
    "!!python/module:os",
    "!<tag:yaml.org,2002:python/object/apply:pathlib.Path.touch> ['{mark}']",
]


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("file", ["studies.yaml", "models.yaml", "figures.yaml"])
def test_a_tag_in_yaml_is_not_obeyed(tmp_path, fault, file, tag):
    mark, path = tmp_path / "mark", tmp_path / file
    with fault("tag in YAML"):
        path.write_text("kang: " + tag.format(mark=mark))
        with pytest.raises(InputError, match=rf"{file}: not YAML .*could not determine a constr"):
            read_yaml(path)
        assert not mark.exists()


def test_a_template_in_the_configuration_is_not_obeyed(tmp_path, fault):
    """Snakemake itself would run it, before it reads anything of ours."""
    mark = tmp_path / "mark"
    copy_parts(tmp_path)
    path = tmp_path / "config" / "config.yaml"
    with fault("template in the configuration"):
        path.write_text(
            f"__use_yte__: true\n__variables__:\n  a: ?open({str(mark)!r}, 'w')\n{path.read_text()}"
        )
        said = snakemake(tmp_path, "--dry-run", profile=None, check=False)
        assert "error: config/config.yaml: __use_yte__: templates run code" in said
        assert "Traceback" not in said
        assert not mark.exists()


def test_a_file_that_makes_its_library_loop_is_left(tmp_path, monkeypatch, fault):
    """Where a heap of texts is all zeros, HDF5 looks for its end for ever."""
    monkeypatch.setattr("scripts.common.h5ad.SECONDS", 2)
    path = tmp_path / "cells.h5ad"
    content = (whole() / "toy.h5ad").read_bytes()
    heap = content.index(b"GCOL")
    with fault("h5ad without end"):
        path.write_bytes(content[: heap + 16] + bytes(4000) + content[heap + 4016 :])
        with pytest.raises(InputError, match=r"cells\.h5ad: not an h5ad file of cells"):
            read_cells(path)


def test_a_sweep_without_end_is_refused(tmp_path):
    folder = tmp_path / "config"
    shutil.copytree(ROOT / "config", folder)
    models = yaml.safe_load((folder / "models.yaml").read_text())
    models["kang_soft"]["sweep"] = {"l1_lambda": list(range(1, 300)), "run": list(range(1, 300))}
    (folder / "models.yaml").write_text(yaml.safe_dump(models))
    with pytest.raises(InputError, match=r"kang_soft\.sweep: more than 10,000 models"):
        load({}, folder)


def test_templates_and_markup_in_names_stay_text(tmp_path):
    gmt = tmp_path / "a.gmt"
    name = "{{ 7 * 7 }}${IFS}<script>alert(1)</script>"
    gmt.write_text(f"{name}\thttp://x\tG1\tG2\n")
    assert list(vega.read_gmt(gmt)) == [name]


FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CALLS = {
    "eval", "exec", "os.system", "os.popen", "torch.load", "yaml.load", "yaml.unsafe_load",
    "pd.read_pickle", "np.load", "sc.read",
}  # fmt: skip


@pytest.mark.parametrize("folder", ["vega", "scripts", "tools", "bench"])
def test_our_sources_run_nothing_that_they_read(folder):
    sources = sorted((ROOT / folder).rglob("*.py"))
    assert sources
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                used = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                used = {node.module or ""}
            elif isinstance(node, ast.Call):
                used = {ast.unparse(node.func)} & CALLS
                assert not any(
                    word.arg == "shell" or (word.arg == "allow_pickle" and word.value.value)
                    for word in node.keywords
                ), path
            else:
                continue
            assert not {name.split(".")[0] for name in used} & FORBIDDEN, path
            assert not used & CALLS, path


def test_json_of_any_depth_is_refused_or_read(tmp_path):
    path = tmp_path / "model.json"
    path.write_text("[" * 10**6)
    with pytest.raises(InputError, match=r"model\.json: not JSON"):
        vega.load(tmp_path)
    assert json.loads("[" * 10 + "]" * 10)
