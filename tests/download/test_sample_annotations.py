"""Sample annotations come out of a SOFT family file as they were put in, or not at all."""

import gzip
import logging

import pandas as pd
import pytest

from scripts.download.sample_annotations import read_series
from vega.errors import InputError

SUPPLEMENT = "ftp://ftp.example.org/GSE1_data.csv.gz"
COUNTS = "ftp://ftp.example.org/GSM1_matrix.mtx.gz"
# Like Darmanis et al.: GEO's spelling of a cell type, a value with a colon, a key twice, a key
# that only some samples have, one named like a fixed column, and one entry without a key.
SAMPLES = {
    "GSM1": ("cell A", ["tissue: Tumor", "cell type: Astocyte", "patient id: BT_S2"]),
    "GSM2": ("cell B", ["tissue: Periphery", "cell type: Neoplastic", "marker: HEPACAM: high"]),
    "GSM3": ("cell C", ["cell type: OPC", "cell type: Oligodendrocyte", "title: x", "frozen"]),
}
EXPECTED = pd.DataFrame(
    {
        "accession": ["GSM1", "GSM2", "GSM3"],
        "title": ["cell A", "cell B", "cell C"],
        "source": ["brain"] * 3,
        "organism": ["Homo sapiens"] * 3,
        "tissue": ["Tumor", "Periphery", None],
        "cell type": ["Astocyte", "Neoplastic", "OPC; Oligodendrocyte"],
        "patient id": ["BT_S2", None, None],
        "marker": [None, "HEPACAM: high", None],
        "title (characteristic)": [None, None, "x"],
        "characteristic": [None, None, "frozen"],
    }
)


def soft_text(samples=SAMPLES) -> str:
    lines = [
        "^DATABASE = GeoMiame",
        "!Database_name = GEO",
        "^SERIES = GSE1",
        "!Series_title = toy",
    ]
    lines += [f"!Series_sample_id = {name}" for name in samples]
    lines += [f"!Series_supplementary_file = {SUPPLEMENT}", "!Series_supplementary_file = NONE"]
    lines += ["^PLATFORM = GPL1", "!Platform_title = sequencer"]
    for name, (title, characteristics) in samples.items():
        lines += [f"^SAMPLE = {name}", f"!Sample_title = {title}"]
        lines += ["!Sample_source_name_ch1 = brain", "!Sample_organism_ch1 = Homo sapiens"]
        lines += [f"!Sample_characteristics_ch1 = {text}" for text in characteristics]
        own = COUNTS if name == "GSM1" else "NONE"
        lines += [f"!Sample_supplementary_file_1 = {own}", "!Sample_data_row_count = 0"]
    return "\n".join(lines) + "\n"


def write(folder, data: bytes, name="GSE1_family.soft.gz"):
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["GSE1_family.soft.gz", "GSE1_family.soft", "other.soft"])
def test_annotations_as_written(tmp_path, name, capfd):
    text = soft_text().encode()
    soft = write(tmp_path, gzip.compress(text) if name.endswith("gz") else text, name)
    series = read_series(soft)
    pd.testing.assert_frame_equal(series.samples, EXPECTED, check_dtype=False)
    assert series.title == "toy"
    assert series.files == [SUPPLEMENT]
    assert series.sample_files == {"GSM1": [COUNTS], "GSM2": [], "GSM3": []}
    assert capfd.readouterr() == ("", ""), "GEOparse keeps quiet"


def test_a_first_sample_without_title_does_not_move_the_columns(tmp_path):
    text = soft_text().replace("!Sample_title = cell A\n", "", 1)
    got = read_series(write(tmp_path, gzip.compress(text.encode()))).samples
    assert list(got) == list(EXPECTED)
    assert got["title"].isna().tolist() == [True, False, False]


def test_the_log_of_others_is_left_alone(tmp_path):
    before = logging.getLogger().level
    read_series(write(tmp_path, gzip.compress(soft_text().encode())))
    assert logging.getLogger().level == before


def damaged(position_from_end: int) -> bytes:
    whole = bytearray(gzip.compress(soft_text().encode(), mtime=0))
    whole[-position_from_end] ^= 0xFF
    return bytes(whole)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<html><body>Not found</body></html>", "a web page instead of data"),
        (b"no gzip at all", "not a gzip file"),
        (gzip.compress(soft_text().encode(), mtime=0)[:-20], "the gzip file breaks off"),
        (damaged(8), "damaged gzip file"),  # its CRC
        (damaged(60), "damaged gzip file"),  # its content
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "not a SOFT file"),
        (gzip.compress(b"", mtime=0), "empty file"),
        (gzip.compress(soft_text({}).encode(), mtime=0), "no samples"),
        (gzip.compress(soft_text().split("^SAMPLE = GSM3")[0].encode(), mtime=0), "GSM3"),
    ],
)
def test_what_is_no_whole_soft_file_is_named(tmp_path, data, said):
    soft = write(tmp_path, data)
    with pytest.raises(InputError) as caught:
        read_series(soft)
    message = str(caught.value)
    assert said in message
    assert message.startswith(str(soft))
    assert "\n" not in message


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_series(tmp_path / "GSE1_family.soft.gz")
