"""A disk that fills under a run: one line names the file, and with room the run continues."""

import shutil
import subprocess

import pytest
from conftest import snakemake

DATA = "results/demo/data/kang.h5ad"
MODEL = "results/demo/models/kang/seed1"


def room(disk, size):
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


@pytest.mark.parametrize(
    ("target", "file", "stopped"),
    [
        (DATA, DATA, DATA),
        (
            f"{MODEL}/model.json",
            f"{MODEL}/weights.safetensors",
            f"{MODEL}/checkpoint/state.safetensors",  # which has the weights, too
        ),
    ],
    ids=["cells", "model"],
)
def test_a_full_disk_ends_in_one_line_and_with_room_the_run_goes_on(
    repository, fault, small_disk, target, file, stopped
):
    """The disk holds all but half of a file."""
    disk, file = repository / "results", repository / file
    small_disk(disk, "200m")
    before = None if target == DATA else DATA
    snakemake(repository, before or "results/demo/raw/kang/GSE96583_family.soft.gz")
    others = set(disk.rglob("*"))
    snakemake(repository, target)
    made = {p: p.read_bytes() for p in {*disk.rglob("*")} - others if p.is_file()}
    for path in made:
        path.unlink()
    used = shutil.disk_usage(disk).used
    room(disk, used + sum(map(len, made.values())) - len(made[file]) // 2)
    with fault("full disk under a job"):
        said = snakemake(repository, target, check=False)
        lines = [line for line in said.splitlines() if line.startswith("error: ")]
        assert lines == [
            f"error: {stopped}: No space left on device; make room and run again, what is finished "
            "stays"
        ], said
        assert "Traceback" not in said
        assert not (repository / stopped).exists()
        assert not list(disk.rglob(".part-*"))
        room(disk, "200m")
        snakemake(repository, target)
        for path, content in made.items():
            assert path.name == "model.json" or path.read_bytes() == content, path
