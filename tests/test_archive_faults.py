"""Archives that mean harm: nothing is written outside, no link is followed, and all ends."""

import gzip
import io
import struct
import tarfile
import tempfile
import zipfile

import numpy as np
import pytest
from helpers.raw_files import pack
from helpers.readers import ARCHIVES, MEMBERS, SIDES, says, source
from test_formats import COUNTS, market

from scripts.preprocess.readers import read
from scripts.preprocess.readers.files import RawFile

NULLS = bytes(3 * 10**6)
HUGE = 2**43


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the archive is, beside a file that it is after, and a place for temporary files."""
    for name in ("raw", "temporary"):
        (tmp_path / name).mkdir()
    (tmp_path / "secret.mtx").write_bytes(MEMBERS["matrix.mtx"])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "raw"


@pytest.fixture
def harmless(folder, fault):
    """Counts a fault after which all files are as before, and no others are there."""

    def inject(kind):
        return fault(kind, keeps=[p for p in folder.parent.rglob("*") if p.is_file()])

    yield inject
    assert {p.relative_to(folder.parent).parts[0] for p in folder.parent.rglob("*")} == {
        "raw",
        "temporary",
        "secret.mtx",
    }
    assert list((folder.parent / "temporary").iterdir()) == []


@pytest.fixture
def bounds(monkeypatch):
    """Bounds of a megabyte."""
    monkeypatch.setattr("scripts.preprocess.readers.bounded.MOST_BYTES", 10**6)
    monkeypatch.setattr("scripts.preprocess.readers.bounded.MOST_AT_ONCE", 10**5)


def entry(archive):
    return source("mtx", SIDES | {"archive": archive})


def tar(path, *entries, others=MEMBERS):
    """A tar of (name, changes of its header, content), and of `others`."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, header, content in (*entries, *((n, {}, c) for n, c in others.items())):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in header.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))


WITHOUT = {name: content for name, content in MEMBERS.items() if name != "matrix.mtx"}

# ---------------------------------------------------------------- names and links


@pytest.mark.parametrize("archive", ARCHIVES)
@pytest.mark.parametrize("prefix", ["{outside}/", "../../", "a/../../../", "/" + "deep/" * 300])
def test_names_that_lead_elsewhere(folder, harmless, archive, prefix):
    pack(folder / archive, MEMBERS, prefix.format(outside=folder.parent))
    with harmless("names that lead out of an archive"):
        assert read(entry(archive), folder).shape == (2, 3)


@pytest.mark.parametrize("archive", ["a.tar", "a.tar.gz"])
@pytest.mark.parametrize(
    "header",
    [
        {"type": tarfile.SYMTYPE, "linkname": "../secret.mtx"},
        {"type": tarfile.LNKTYPE, "linkname": "../secret.mtx"},
        {"type": tarfile.LNKTYPE, "linkname": "barcodes.tsv"},
        {"type": tarfile.SYMTYPE, "linkname": "matrix.mtx"},
        {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5},  # /dev/zero
        {"type": tarfile.FIFOTYPE},
        {"type": tarfile.DIRTYPE},
    ],
)
def test_what_is_no_file_is_no_member(folder, harmless, archive, header):
    tar(folder / archive, ("matrix.mtx", header, b""), others=WITHOUT)
    with harmless("link or device as a member"):
        says(entry(archive), folder, archive, "no members matrix.mtx", "(it has barcodes.tsv")


def test_links_in_a_ring(folder, harmless):
    ring = [
        (name, {"type": tarfile.SYMTYPE, "linkname": to}, b"")
        for name, to in (("matrix.mtx", "x"), ("x", "y"), ("y", "matrix.mtx"))
    ]
    tar(folder / "a.tar", *ring, others=WITHOUT)
    with harmless("links in a ring"):
        says(entry("a.tar"), folder, "no members matrix.mtx")


def test_a_link_in_a_zip_is_its_text(folder, harmless):
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("matrix.mtx")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "../secret.mtx")
        for name, content in WITHOUT.items():
            archive.writestr(name, content)
    with harmless("link or device as a member"):
        says(entry("a.zip"), folder, "matrix.mtx: expected a first line '%%MatrixMarket")


@pytest.mark.parametrize("archive", ["a.tar", "a.tar.gz"])
def test_a_folder_that_is_a_link_leads_nowhere(folder, harmless, archive):
    link = ("d", {"type": tarfile.SYMTYPE, "linkname": ".."}, b"")
    tar(folder / archive, link, ("d/secret.mtx", {}, MEMBERS["matrix.mtx"]))
    matrix = SIDES | {"archive": archive, "matrix": "secret.mtx"}
    (folder.parent / "secret.mtx").write_bytes(b"not to be read")
    with harmless("folder that is a link"):
        adata = read(source("mtx", matrix), folder)
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS["a"].T)


@pytest.mark.parametrize("archive", ARCHIVES)
@pytest.mark.parametrize("prefix", ["", "x/"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice(folder, harmless, archive, prefix):
    members = [(prefix + name, content) for name, content in MEMBERS.items()]
    members.append((f"{prefix}matrix.mtx", market(COUNTS["b"]).encode()))
    if archive.endswith(".zip"):
        with zipfile.ZipFile(folder / archive, "w") as file:
            for name, content in members:
                file.writestr(name, content)
    else:
        tar(folder / archive, *((name, {}, content) for name, content in members), others={})
    with harmless("member that is there twice"):
        says(entry(archive), folder, archive, "2 members matrix.mtx", "correct the name")


@pytest.mark.parametrize("archive", ARCHIVES)
def test_names_that_are_no_text(folder, harmless, archive):
    pack(folder / archive, {"two\nlines\x1b[31m": b"", "long" * 10_000: b""})
    with harmless("names that are no text"):
        says(entry(archive), folder, "(it has two?lines?[31m, longlong")


def test_an_archive_in_an_archive_is_a_member_like_others(folder, harmless):
    pack(folder / "inner.zip", MEMBERS)
    pack(folder / "a.tar.gz", {"a.zip": (folder / "inner.zip").read_bytes()})
    with harmless("archive in an archive"):
        says(entry("a.tar.gz"), folder, "no members matrix.mtx", "(it has a.zip)")


# ---------------------------------------------------------------- what unpacks without end


BOMB = MEMBERS["matrix.mtx"].split(b"\n")[0] + b"\n%" + b" " * len(NULLS)


@pytest.mark.parametrize("archive", ARCHIVES)
def test_a_member_that_is_a_bomb(folder, harmless, bounds, archive):
    pack(folder / archive, MEMBERS | {"matrix.mtx": BOMB})
    with harmless("bomb in an archive"):
        says(entry(archive), folder, archive, "unpacks to more than 1,000,000 bytes", "bounded.py")


@pytest.mark.parametrize("archive", ARCHIVES)
def test_a_packed_member_that_is_a_bomb(folder, harmless, bounds, archive):
    pack(folder / archive, MEMBERS | {"matrix.mtx": gzip.compress(BOMB)})
    with harmless("bomb in an archive"):
        says(entry(archive), folder, "matrix.mtx: it unpacks to more than 1,000,000 bytes")


def test_a_bomb_before_the_member(folder, harmless, bounds):
    tar(folder / "a.tar.gz", ("other", {}, NULLS))
    with harmless("bomb before a member"):
        says(entry("a.tar.gz"), folder, "a.tar.gz: it unpacks to more than 1,000,000 bytes")


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_packing_that_unpacks_at_one_go(folder, harmless, packing):
    with zipfile.ZipFile(folder / "a.zip", "w", packing) as archive:
        archive.writestr("matrix.mtx", BOMB)
    with harmless("bomb in an archive"):
        says(entry("a.zip"), folder, "a.zip: matrix.mtx: cannot be unpacked", "stored nor deflated")


@pytest.mark.parametrize("claimed", [len(NULLS), 100])
def test_a_zip_that_says_less_than_it_holds(folder, harmless, bounds, claimed):
    """What a zip says of a member's size stands in its directory."""
    path = folder / "a.zip"
    pack(path, MEMBERS | {"matrix.mtx": BOMB})
    content = path.read_bytes()
    directory = content.index(b"PK\x01\x02")
    size = struct.pack("<L", len(BOMB))
    changed = content[directory:].replace(size, struct.pack("<L", claimed), 1)
    path.write_bytes(content[:directory] + changed)
    words = ["damaged"] if claimed == 100 else ["unpacks to more than 1,000,000 bytes"]
    with harmless("sizes that are not true"):
        says(entry("a.zip"), folder, "a.zip", *words)


def test_a_sparse_file_of_almost_nothing(folder, harmless, bounds):
    with tarfile.open(folder / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("matrix.mtx")
        info.size = 512
        info.pax_headers = {
            "GNU.sparse.map": "0,512", "GNU.sparse.size": str(HUGE), "GNU.sparse.numblocks": "1",
        }  # fmt: skip
        archive.addfile(info, io.BytesIO(BOMB[:512]))
    with harmless("sizes that are not true"):
        says(entry("a.tar"), folder, "a.tar", "unpacks to more than 1,000,000 bytes")


FILES = {"matrix": "m.mtx.gz", "barcodes": "b.tsv.gz", "genes": "g.tsv.gz"}


@pytest.mark.parametrize(
    ("bomb", "content", "most"),
    [
        ("m.mtx.gz", BOMB, "1,000,000"),
        ("b.tsv.gz", b"AAAC-1\n" * 10**5, "100,000"),
        ("b.tsv.gz", NULLS, "100,000"),
        ("g.tsv.gz", b"ENSG1\tCD3D\n" * 10**5, "100,000"),
        ("cells.csv.gz", b"barcode,type\n" + b"AAAC-1,B\n" * 10**5, "100,000"),
        ("cells.csv.gz", NULLS, "100,000"),
        ("GSE1_family.soft.gz", b"^" + NULLS, "100,000"),
    ],
)
def test_a_file_that_is_a_bomb(folder, harmless, bounds, bomb, content, most):
    files = dict(zip(FILES.values(), MEMBERS.values(), strict=False)) | {bomb: content}
    for name, text in files.items():
        (folder / name).write_bytes(gzip.compress(text))
    annotation = {"file": bomb, "columns": {"type": "cell_type"}}
    entry = source("mtx", FILES, annotations=[] if bomb in FILES.values() else [annotation])
    with harmless("bomb of a file"):
        says(entry, folder, f"{bomb}: it unpacks to more than {most} bytes")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\t".join([b"C"] * 10**4) + (b"\n" + b"0\t" * 10**4 + b"0") * 60, "unpacks to more"),
        (b"A\tB\nCD3D\t" + NULLS, "line 2: expected a name and 2 counts"),
        (NULLS, "line 1: not names of cells"),
    ],
)
def test_a_table_that_is_a_bomb(folder, harmless, bounds, monkeypatch, content, said):
    """Lines are read one by one: what has no end of line fails on its own bound."""
    monkeypatch.setattr("scripts.preprocess.readers.matrices.LONGEST_LINE", 2 * 10**5)
    (folder / "t.txt.gz").write_bytes(gzip.compress(content))
    with harmless("bomb of a file"):
        says(source("table", {"matrix": "t.txt.gz"}), folder, "t.txt.gz", said)


def test_what_is_just_not_too_much(folder, monkeypatch):
    """The bounds are exact, and keep nothing from being read."""
    for name, content in MEMBERS.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    sizes = {name: len(content) for name, content in MEMBERS.items()}
    files = {key: f"{name}.gz" for key, name in SIDES.items()}
    for less in (0, 1):
        monkeypatch.setattr(
            "scripts.preprocess.readers.bounded.MOST_BYTES", sizes["matrix.mtx"] - less
        )
        if less:
            says(source("mtx", files), folder, "matrix.mtx.gz: it unpacks to more than")
        else:
            assert read(source("mtx", files), folder).shape == (2, 3)


# ---------------------------------------------------------------- headers of a tar


def header(name, size, kind=tarfile.REGTYPE):
    """A header that claims a size, whatever follows it."""
    info = tarfile.TarInfo(name)
    info.size, info.type = abs(size), kind
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    if size < 0:
        block[124:136] = b"\xff" * 4 + struct.pack(">q", size)
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def extra(text):
    """A header that says more of the next one."""
    record = next(r for n in range(99) if len(r := f"{n} {text}\n") == n)
    return header("x", len(record), tarfile.XHDTYPE) + record.encode().ljust(512, b"\0")


FIRST = header("other", 512) + bytes(512)
CLAIMS = {
    "more than there is": header("matrix.mtx", HUGE),
    "less than nothing": header("matrix.mtx", -512),
    "less than nothing, later": FIRST + header("x", -512),
    "less than nothing, in an extra header": FIRST + extra("size=-1536") + header("x", 512),
    "more than there is, in an extra header": extra(f"size={HUGE}") + header("matrix.mtx", 512),
    "an extra header of no numbers": extra("GNU.sparse.map=x,y") + header("matrix.mtx", 512),
    "a huge extra header": header("x", HUGE, tarfile.XHDTYPE),
    "a huge name": header("././@LongLink", HUGE, tarfile.GNUTYPE_LONGNAME),
    "a name of less than nothing": header("././@LongLink", -512, tarfile.GNUTYPE_LONGNAME),
    "names upon names": header("x", 5, tarfile.GNUTYPE_LONGNAME).ljust(1024, b"a") * 5000,
}


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("archive", ["a.tar", "a.tar.gz"])
def test_headers_that_claim_what_cannot_be(folder, harmless, archive, claim):
    content = CLAIMS[claim] + bytes(2048)
    (folder / archive).write_bytes(gzip.compress(content) if archive[-1] == "z" else content)
    with harmless("headers that claim what cannot be"):
        says(entry(archive), folder, archive)


def test_members_without_end(folder, harmless, monkeypatch):
    monkeypatch.setattr("scripts.preprocess.readers.archives.MOST_MEMBERS", 50)
    (folder / "a.tar.gz").write_bytes(gzip.compress(header("x", 0) * 51))
    with harmless("members without end"):
        says(entry("a.tar.gz"), folder, "a.tar.gz: damaged archive", "members without end")


# ---------------------------------------------------------------- the disk for temporary files


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("archive", ARCHIVES)
def test_no_room_to_unpack_a_member(folder, harmless, small_disk, archive, packed):
    """The size is known before, unless the member is packed again."""
    small_disk(folder.parent / "temporary", "1m")
    content = np.random.default_rng(0).bytes(3 * 10**6)
    pack(folder / archive, {"x.h5ad": gzip.compress(content, 1) if packed else content})
    matrix = {"archive": archive, "matrix": "x.h5ad"}
    with harmless("no room to unpack"):
        needs = "needs 1,048,576 bytes" if packed else "needs 3,000,000 bytes"
        says(source("h5ad", matrix), folder, "x.h5ad: unpacking it into", needs, "TMPDIR")


def test_a_member_is_whole_on_disk_and_then_gone(folder, harmless):
    content = np.random.default_rng(0).bytes(3 * 10**6)
    pack(folder / "a.tar.gz", {"x": gzip.compress(content, 1)})
    with RawFile(folder / "a.tar.gz", "x").on_disk() as path:
        assert path.read_bytes() == content
    assert not path.exists()
