"""Each panel is drawn from its table in the folder of the figure, and from nothing else."""

import gzip

import numpy as np
import pandas as pd
import pytest
from helpers.drawn import TITLES, contents, module, pixels
from helpers.figure_runs import planted

from scripts.common.tables import read_table, write_table
from scripts.figures.layout import panel_figure
from scripts.figures.source_data import COLUMNS, meaning, read_source_data, write_source_data

SCHEMATICS = {("fig1", "a"), ("sfig1", "a")}


@pytest.mark.parametrize("name", TITLES)
def test_a_panel_drawn_from_its_described_file_alone_is_the_same_picture(name, tmp_path):
    data = planted(name)
    made = contents(name, data)
    write_source_data(made, tmp_path)
    dictionary = read_table(tmp_path / "columns.tsv")
    described = dictionary.groupby("panel")["column"].agg(list).to_dict()
    assert described == {letter: list(table) for letter, table in made.items()}
    for letter, table in made.items():
        (path,) = tmp_path.glob(f"{letter}.tsv*")
        assert path.suffixes == [".tsv", ".gz"][: 1 + (len(table) > 5000)]
        assert list(read_table(path)) == list(table)
    read = read_source_data(tmp_path)
    for letter, panel in module(name).PANELS.items():
        assert (letter in read) == ((name, letter) not in SCHEMATICS)
        size = module(name).LAYOUT.size(letter)
        from_results, from_file = (
            pixels(panel_figure(panel, tables.get(letter), size, data.tag))
            for tables in (made, read)
        )
        assert (np.abs(from_results - from_file) > 0.02).mean() < 1e-4, letter


def test_labels_keep_their_order_and_what_is_missing(tmp_path):
    labels = pd.Categorical(["2", None, "10", "NA"], ["10", "2", "NA", "no cell"])
    table = pd.DataFrame({"cell": list("abcd"), "batch": labels, "umap_1": [1 / 3, 2, 3, 4]})
    write_source_data({"a": table}, tmp_path)
    read = read_source_data(tmp_path)["a"]
    pd.testing.assert_frame_equal(read, table, rtol=1e-7)
    assert "0.33333333\n" in (tmp_path / "a.tsv").read_text()
    with pytest.raises(KeyError, match="column colour: not described"):
        write_source_data({"a": table.rename(columns={"batch": "colour"})}, tmp_path)


def test_a_compressed_table_has_the_same_bytes_each_time(tmp_path):
    table = pd.DataFrame({"x": np.arange(9)})
    for name in ("a.tsv.gz", "b.tsv.gz"):
        write_table(table, tmp_path / name)
    content = (tmp_path / "a.tsv.gz").read_bytes()
    assert content == (tmp_path / "b.tsv.gz").read_bytes()
    assert gzip.decompress(content) == table.to_csv(sep="\t", index=False).encode()


def test_every_described_column_is_in_some_table():
    tables = [t for name in TITLES for t in contents(name, planted(name)).values()]
    of_summary_pages = {"comparison"}
    used = {meaning(column) for column in of_summary_pages.union(*tables)}
    assert set(COLUMNS.values()) == used
