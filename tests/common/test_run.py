"""How scripts end, and how a run sums up what went wrong."""

import subprocess
import sys

import pytest
from conftest import ROOT

from scripts.common.log_errors import log_errors, print_left_out
from vega.files import atomic_write

SCRIPT = """
from types import SimpleNamespace
from vega.errors import InputError
from scripts.common.run import run
def main(snakemake):
    raise {error}
run(main, SimpleNamespace(log=[{log!r}], rule="download"))
"""


def end_of(error, log):
    code = SCRIPT.format(error=error, log=str(log))
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_bad_input_ends_in_one_line_on_terminal_and_in_the_log(tmp_path):
    result = end_of("InputError('a.gz: truncated; download it again')", tmp_path / "x" / "a.log")
    assert result.returncode == 1
    assert result.stderr.endswith("download: error: a.gz: truncated; download it again\n")
    assert "Traceback" not in result.stderr
    assert (tmp_path / "x" / "a.log").read_text() == result.stderr


def test_a_fault_of_ours_keeps_its_traceback(tmp_path):
    result = end_of("ZeroDivisionError('x')", tmp_path / "a.log")
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError: x" in (tmp_path / "a.log").read_text()


def test_errors_that_differ_only_in_the_file_share_a_line(tmp_path):
    for name in ("kang/a.gz", "kang/b.gz"):
        log = tmp_path / "download" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"12:00:00 a\n12:00:01 download: error: no way to {name}; use a mirror\n")
    (tmp_path / "claims.log").write_text("12:00:00 claims: error: claims.tsv: lacks a column\n")
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "kang.log").write_text("12:00:00 fine: no error\n")
    assert log_errors(tmp_path, 0) == [
        "claims.tsv: lacks a column",
        "no way to kang/a.gz and 1 more; use a mirror",
    ]
    assert log_errors(tmp_path, 2e10) == []


def test_a_file_is_whole_or_not_there(tmp_path):
    target = tmp_path / "deep" / "file.txt"
    with atomic_write(target) as temporary:
        temporary.write_text("one")
        assert not target.exists()
        assert temporary.suffix == ".txt"
    with pytest.raises(RuntimeError), atomic_write(target) as temporary:
        temporary.write_text("half of tw")
        raise RuntimeError
    assert target.read_text() == "one"
    assert list(target.parent.iterdir()) == [target]
    (tmp_path / "plain").touch()
    assert target.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_a_killed_writer_leaves_goes_with_the_next(tmp_path, fault):
    target = tmp_path / "file.txt"
    target.write_text("one")
    elsewhere = tmp_path / ".part-1@elsewhere-abc-file.txt"  # whose writer may be alive
    elsewhere.touch()
    code = (
        "import os, sys; from vega.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as part: part.write_text('tw'); os.kill(os.getpid(), 9)"
    )
    with fault("killed while writing", keeps=[target, elsewhere]):
        writer = subprocess.run([sys.executable, "-c", code, target], cwd=ROOT, check=False)
        assert writer.returncode == -9
    (left,) = {*tmp_path.iterdir()} - {target, elsewhere}
    assert left.read_text() == "tw"
    with atomic_write(target) as first, atomic_write(target) as second:
        assert not left.exists()
        first.write_text("first")
        second.write_text("second")
    assert target.read_text() == "first"
    assert {*tmp_path.iterdir()} == {target, elsewhere}


def test_what_was_left_out_is_printed_by_name(tmp_path, capsys):
    log = tmp_path / "gsea" / "mine.log"
    log.parent.mkdir()
    log.write_text("12:00:00 left out: GSEA of mine, drug: no gene\n12:00:01 wrote a table\n")
    print_left_out(tmp_path)
    assert capsys.readouterr().err == "left out: GSEA of mine, drug: no gene\n"
