"""Archives: nothing is written outside the folder, no link is followed, a full disk is named."""

import gzip
import io
import tarfile
import tempfile
import zipfile

import numpy as np
import pytest
from helpers.raw_files import pack
from helpers.readers import ARCHIVES, MEMBERS, SIDES, says, source

from scripts.preprocess.readers import read
from scripts.preprocess.readers.files import RawFile


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Folder of the archive, next to a file outside and a folder for temporary files."""
    for name in ("raw", "temporary"):
        (tmp_path / name).mkdir()
    (tmp_path / "outside.mtx").write_bytes(MEMBERS["matrix.mtx"])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "raw"


@pytest.fixture
def harmless(folder, fault):
    """Count a fault after which all files are as before, and no others are there."""

    def inject(kind):
        return fault(kind, keeps=[p for p in folder.parent.rglob("*") if p.is_file()])

    yield inject
    top = {path.name for path in folder.parent.iterdir()}
    assert top == {"raw", "temporary", "outside.mtx"}
    assert list((folder.parent / "temporary").iterdir()) == []


def entry(archive):
    return source("mtx", SIDES | {"archive": archive})


@pytest.mark.parametrize("archive", ARCHIVES)
@pytest.mark.parametrize("prefix", ["{outside}/", "../../", "a/../../../"])
def test_names_that_lead_out_of_the_archive_are_only_names(folder, harmless, archive, prefix):
    pack(folder / archive, MEMBERS, prefix.format(outside=folder.parent))
    with harmless("names that lead out of an archive"):
        assert read(entry(archive), folder).shape == (2, 3)


@pytest.mark.parametrize("archive", ["a.tar", "a.tar.gz"])
@pytest.mark.parametrize(
    "header",
    [
        {"type": tarfile.SYMTYPE, "linkname": "../outside.mtx"},
        {"type": tarfile.LNKTYPE, "linkname": "barcodes.tsv"},
        {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5},  # /dev/zero
        {"type": tarfile.DIRTYPE},
    ],
)
def test_links_and_devices_are_not_members(folder, harmless, archive, header):
    with tarfile.open(folder / archive, "w:gz" if archive.endswith("gz") else "w") as packed:
        link = tarfile.TarInfo("matrix.mtx")
        for key, value in header.items():
            setattr(link, key, value)
        barcodes = tarfile.TarInfo("barcodes.tsv")
        barcodes.size = len(MEMBERS["barcodes.tsv"])
        packed.addfile(link)
        packed.addfile(barcodes, io.BytesIO(MEMBERS["barcodes.tsv"]))
    with harmless("link or device as a member"):
        says(entry(archive), folder, archive, "no members matrix.mtx", "(it has barcodes.tsv")


def test_a_link_in_a_zip_is_read_as_its_text(folder, harmless):
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("matrix.mtx")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "../outside.mtx")
        for name in ("barcodes.tsv", "genes.tsv"):
            archive.writestr(name, MEMBERS[name])
    with harmless("link or device as a member"):
        says(entry("a.zip"), folder, "matrix.mtx: expected a first line '%%MatrixMarket")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("archive", ARCHIVES)
def test_no_room_to_unpack_a_member(folder, harmless, small_disk, archive, packed):
    small_disk(folder.parent / "temporary", "1m")
    content = np.random.default_rng(0).bytes(3 * 10**6)
    pack(folder / archive, {"x.h5ad": gzip.compress(content, 1) if packed else content})
    matrix = {"archive": archive, "matrix": "x.h5ad"}
    with harmless("no room to unpack"):
        says(source("h5ad", matrix), folder, "x.h5ad: cannot be unpacked", "No space", "TMPDIR")


def test_an_unpacked_member_is_removed_after_use(folder, harmless):
    content = np.random.default_rng(0).bytes(3 * 10**6)
    pack(folder / "a.tar.gz", {"x": gzip.compress(content, 1)})
    with RawFile(folder / "a.tar.gz", "x").on_disk() as path:
        assert path.read_bytes() == content
    assert not path.exists()
