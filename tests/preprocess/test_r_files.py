"""Tables in R files: those that R wrote are read, others end in one line."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rdata
from rdata.conversion import ConverterFromPythonToR
from rdata.unparser import unparse_data

from scripts.preprocess.readers.files import RawFile
from scripts.preprocess.readers.r_files import read_r
from vega.errors import InputError

BY_R = Path(rdata.__file__).parent / "tests" / "data" / "generated"  # rdata's own test files
FORMS = [f"{kind}__version_{v}" for kind in ("xdr", "ascii", "binary") for v in (2, 3)]


def by_r(name, form="xdr__version_3", element=None):
    return read_r(RawFile(BY_R / f"{name}__{form}.rds"), element)


def put(folder, content, packed=True):
    path = folder / "x.rds"
    path.write_bytes(gzip.compress(content) if packed else content)
    return RawFile(path)


def saved(value, names=None, **attributes):
    """Return what saveRDS would write, with attributes that the converter does not set."""
    converter = ConverterFromPythonToR()
    whole = converter.convert_to_r_data(value)
    attributes |= {} if names is None else {"names": np.array(names, dtype=object)}
    if attributes:
        whole.object.attributes = converter.convert_to_r_attributes(attributes)
        whole.object.info.attributes = True
    return unparse_data(whole)


@pytest.mark.parametrize("form", FORMS)
def test_data_frames_of_every_form_of_r(form):
    table = by_r("test_dataframe_dtypes_with_na", form)
    told = table.astype(object).where(table.notna(), None)
    assert told[["int", "float", "string", "bool"]].to_dict("list") == {
        "int": ["10", "20", "30", None],
        "float": ["1.1", "2.2", "3.3", None],
        "string": ["x", "y", "z", None],
        "bool": ["TRUE", "FALSE", "TRUE", None],
    }
    table = by_r("test_dataframe_rownames", form)
    assert table.to_dict("list") == {"class": ["a", "b", "b"], "value": ["1", "2", "3"]}
    assert list(table.index) == ["Madrid", "Frankfurt", "Herzberg am Harz"]
    assert list(by_r("test_dataframe_int_rownames", form).index) == ["3", "6", "9"]


def test_named_vectors_become_a_column_of_values(tmp_path):
    texts = np.array(["a", None, "b"], dtype=object)
    table = read_r(put(tmp_path, saved(texts, list("xyz"))))
    assert list(table) == ["value"] and list(table.index) == list("xyz")
    assert table["value"].fillna("-").tolist() == ["a", "-", "b"]
    levels = np.array(["RBC", "BC1A"], dtype=object)
    factor = saved(np.array([2, 1, 2]), list("xyz"), levels=levels)
    assert read_r(put(tmp_path, factor))["value"].tolist() == ["BC1A", "RBC", "BC1A"]
    logical = saved(np.array([True, False]), ["x", "y"])
    assert read_r(put(tmp_path, logical, packed=False))["value"].tolist() == ["TRUE", "FALSE"]


def test_one_table_of_a_list_is_read_by_its_name(tmp_path):
    tables = {
        name: pd.DataFrame({"n": [i, i + 0.5]}, index=pd.RangeIndex(1, 3))
        for i, name in enumerate(["one", "two"])
    }
    file = put(tmp_path, saved(tables))
    assert read_r(file, "two")["n"].tolist() == ["1", "1.5"]
    for element, words in (
        ("three", "no element three (it has one, two); correct element in studies.yaml"),
        (None, "a list of one, two; name one of them by element"),
    ):
        with pytest.raises(InputError, match=r"x\.rds") as error:
            read_r(file, element)
        assert words in str(error.value)
    with pytest.raises(InputError, match=r"no list of tables.*take element out"):
        read_r(put(tmp_path, saved(tables["one"])), "one")


@pytest.mark.parametrize(
    "name", ["test_function", "test_environment_global_default", "test_logical", "test_matrix"]
)
def test_objects_that_are_no_table_are_named(name):
    with pytest.raises(InputError, match=f"{name}.*neither a data frame nor a vector") as error:
        by_r(name)
    assert "\n" not in str(error.value)


def test_every_cut_of_a_file_ends_in_one_line(tmp_path, fault):
    content = saved(np.array(["abc", "d"], dtype=object), ["x", "yz"])
    whole = read_r(put(tmp_path, content, packed=False))
    for end in range(1, len(content)):
        with fault("R file cut off"):
            try:
                table = read_r(put(tmp_path, content[:end], packed=False))
            except InputError as error:
                assert "x.rds" in str(error) and "\n" not in str(error)
            else:  # the end of the list of attributes is not needed
                pd.testing.assert_frame_equal(table, whole)


@pytest.mark.parametrize("content", [b"RDX3\nX\n", b"BZh91AY", b"text", b"X\n" + bytes(40)])
def test_files_that_are_not_of_r_are_named_with_the_remedy(tmp_path, content):
    with pytest.raises(InputError, match=r"x.rds: not a table or a named vector.*delete it"):
        read_r(put(tmp_path, content, packed=False))
