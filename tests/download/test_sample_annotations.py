"""Sample annotations are read from a SOFT family file as they were written, or not at all."""

import gzip
import logging

import pandas as pd
import pytest
from helpers.raw_files import COUNTS, SUPPLEMENT, soft_text

from scripts.download.sample_annotations import read_series
from vega.errors import InputError

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


def write(folder, data: bytes, name="GSE1_family.soft.gz"):
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["GSE1_family.soft.gz", "GSE1_family.soft", "other.soft"])
def test_annotations_are_read_as_written(tmp_path, name, capfd):
    level = logging.getLogger().level
    text = soft_text().encode()
    soft = write(tmp_path, gzip.compress(text) if name.endswith("gz") else text, name)
    series = read_series(soft)
    pd.testing.assert_frame_equal(series.samples, EXPECTED, check_dtype=False)
    assert series.title == "toy"
    assert series.files == [SUPPLEMENT]
    assert series.sample_files == {"GSM1": [COUNTS], "GSM2": [], "GSM3": []}
    assert (
        capfd.readouterr() == ("", "") and logging.getLogger().level == level
    )  # GEOparse is silent


def test_a_first_sample_without_title_does_not_move_the_columns(tmp_path):
    text = soft_text().replace("!Sample_title = cell A\n", "", 1)
    got = read_series(write(tmp_path, gzip.compress(text.encode()))).samples
    assert list(got) == list(EXPECTED)
    assert got["title"].isna().tolist() == [True, False, False]


def damaged(position_from_end: int) -> bytes:
    whole = bytearray(gzip.compress(soft_text().encode(), mtime=0))
    whole[-position_from_end] ^= 0xFF
    return bytes(whole)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<html><body>Not found</body></html>", "a web page instead of data"),
        (None, "No such file"),
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
def test_files_that_are_not_a_whole_soft_file_are_named(tmp_path, data, said):
    soft = tmp_path / "GSE1_family.soft.gz" if data is None else write(tmp_path, data)
    with pytest.raises(InputError) as caught:
        read_series(soft)
    message = str(caught.value)
    assert said in message
    assert message.startswith(str(soft))
    assert "\n" not in message
