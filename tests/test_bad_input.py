"""Damaged files give one line, names stay in their folder, and no code of a file is run."""

import ast
import pickle
import shutil
import string
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pytest
import torch
from conftest import ROOT, copy_parts, snakemake
from helpers.checks import one_line_error
from helpers.damaged_files import CASES, SETS, damaged, small_cells, valid_files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

import vega
from scripts.common.config.base import Name, Template
from scripts.common.config.load import load
from scripts.common.config.plain import read_yaml
from scripts.common.h5ad import read_cells
from vega.errors import InputError


@pytest.mark.parametrize("name", CASES)
def test_a_damaged_file_is_read_or_named_in_one_line(fault, name):
    case = CASES[name]
    files = {path.name for path in (valid_files() / case.file).parent.iterdir()} | {"files.tsv"}
    for what, folder in damaged(case):
        with fault(f"damaged {name}"):
            try:
                case.reader(folder)
            except InputError as error:
                message = str(error)
                assert "\n" not in message and len(message) < 1000, what
                assert any(file in message for file in files), (what, message)


# ---------------------------------------------------------------- values and names

any_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=20,
)
names = st.text(st.characters(blacklist_categories=["C", "Z"]), min_size=1, max_size=8)


@settings(
    deadline=None,
    # The folder is the same for all examples; each writes its file again.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(sets=st.dictionaries(names, st.lists(names, min_size=1, unique=True), min_size=1))
def test_gene_sets_are_the_same_after_reading(tmp_path, sets):
    path = tmp_path / "sets.gmt"
    lines = ["\t".join((name, "http://x", *genes)) for name, genes in sets.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    try:
        assert vega.read_gmt(path) == sets
    except InputError as error:  # an invalid name, such as one that begins a comment
        assert str(path) in str(error)


@settings(deadline=None, max_examples=30)
@given(chosen=st.dictionaries(
    st.sampled_from(["run", "data", "mirror", "studies", "seeds", "device", "training_overrides"]),
    any_value, min_size=1,
))  # fmt: skip
def test_any_setting_of_a_run_is_valid_or_named(chosen):
    try:
        config = load(chosen, ROOT / "config")
    except InputError as error:
        assert str(error).startswith(("config: ", str(ROOT / "config")))
        assert len(str(error)) < 1000
    else:
        assert (Path("results") / config.settings.run).resolve().parent.name == "results"


@given(name=st.text(st.sampled_from(string.printable + "é☃\u202e"), max_size=12))
def test_a_valid_name_stays_in_its_folder(name):
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        return
    path = Path("/a/b") / name
    assert path.parent == Path("/a/b") and path.name == name
    assert name.isprintable() and not name.startswith((".", "-"))


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a", "a/b", "/etc/passwd", "a\n", "a b", "-rf", "{a}", "~", "é"]
)
def test_invalid_names(name):
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(name)


@pytest.mark.parametrize("text", ["{a!r}", "{a:>9}", "{}", "{0", "}", "{a:{b}}"])
def test_a_template_has_only_names_of_columns(text):
    with pytest.raises(ValidationError):
        TypeAdapter(Template).validate_python(text)


def test_a_duplicate_entry_is_refused(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\nb:\n  c: 1\n  c: 2\n")
    with one_line_error(r"a\.yaml: .*duplicate c in the entry of line 3"):
        read_yaml(path)


# ---------------------------------------------------------------- no code is run


@pytest.fixture
def bait(tmp_path):
    """An object that leaves a file behind when it is unpickled."""
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
def test_a_pickle_in_a_model_is_not_loaded(tmp_path, bait, fault, file):
    folder = tmp_path / "model"
    shutil.copytree(valid_files() / "model", folder)
    with fault("pickle in a model"):
        torch.save({"weights": bait}, folder / file)
        with one_line_error(file):
            vega.load(folder)


def test_a_pickle_in_place_of_a_checkpoint_is_not_loaded(tmp_path, bait, fault):
    with fault("pickle in place of a checkpoint"):
        checkpoint, lines, cells = tmp_path / "state.safetensors", [], small_cells()
        torch.save({"state": bait}, checkpoint)
        model = vega.VEGA(cells.var_names, SETS, n_hidden=8)
        model.fit(cells, max_epochs=1, progress=False, checkpoint=checkpoint, log=lines.append)
        assert "the checkpoint is damaged or of another run: from the start" in lines


@pytest.mark.parametrize("place", ["uns/a", "obs/a", "X"])
@pytest.mark.parametrize("tagged", [False, True])
def test_a_pickle_in_an_h5ad_is_not_loaded(tmp_path, bait, fault, place, tagged):
    path = tmp_path / "cells.h5ad"
    path.write_bytes((valid_files() / "toy.h5ad").read_bytes())
    with fault("pickle in an h5ad"):
        with h5py.File(path, "r+") as file:
            if place in file:
                del file[place]
            file[place] = np.void(pickle.dumps(bait))
            if tagged:  # as older files mark objects
                file[place].attrs["encoding-type"] = "pickle"
                file[place].attrs["encoding-version"] = "0.1.0"
        try:
            assert isinstance(read_cells(path), ad.AnnData)
        except InputError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['touch {mark}']", "!!python/name:os.system"]
)
def test_a_tag_in_yaml_is_not_obeyed(tmp_path, fault, tag):
    mark, path = tmp_path / "mark", tmp_path / "studies.yaml"
    with fault("tag in YAML"):
        path.write_text("kang: " + tag.format(mark=mark))
        with one_line_error(r"studies\.yaml: not YAML .*could not determine a con"):
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
        output = snakemake(tmp_path, "--dry-run", profile=None, check=False)
        assert "error: config/config.yaml: __use_yte__: templates run code" in output
        assert "Traceback" not in output
        assert not mark.exists()


FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CALLS = {
    "eval", "exec", "os.system", "os.popen", "torch.load", "yaml.load", "yaml.unsafe_load",
    "pd.read_pickle", "np.load", "sc.read",
}  # fmt: skip


@pytest.mark.parametrize("folder", ["vega", "scripts", "tools", "bench"])
def test_our_code_runs_nothing_that_it_reads(folder):
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
