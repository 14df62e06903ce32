"""`make compare`: what is the same in two runs, what is not, and by how much."""

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from tools.compare import Difference, compare, report
from vega.errors import InputError


@pytest.fixture
def runs(tmp_path):
    for name in "ab":
        run = tmp_path / name
        (run / "tables").mkdir(parents=True)
        (run / "figures" / "fig1").mkdir(parents=True)
        claims = {"id": ["K01", "K02"], "verdict": ["reproduced"] * 2, "reproduced": ["1.5", "2"]}
        pd.DataFrame(claims).to_csv(run / "claims.tsv", sep="\t", index=False)
        table = {
            "gmv": ["x", "NA", "y"],
            "p": [0.5, 0.25, None],
            "significant": [True, False, True],
        }
        pd.DataFrame(table).to_csv(run / "tables" / "t.tsv", sep="\t", index=False)
        matplotlib.image.imsave(run / "figures" / "fig1" / "a.png", np.zeros((10, 20)))
    return tmp_path / "a", tmp_path / "b"


def test_equal_runs_differ_in_nothing(runs):
    differences, compared = compare(*runs)
    assert differences == []
    assert compared == {"claims": 2, "tables": 1, "figures": 1}
    assert report(differences, compared).splitlines() == [
        "claims: 2 identical, 0 different",
        "tables: 1 identical, 0 different",
        "figures: 1 identical, 0 different",
    ]


def test_a_moved_number_verdict_and_pixel_are_each_named_with_their_size(runs):
    b = runs[1]
    (b / "claims.tsv").write_text((b / "claims.tsv").read_text().replace("1.5", "1.6"))
    table = (b / "tables" / "t.tsv").read_text().replace("0.25", "0.2").replace("x", "z")
    (b / "tables" / "t.tsv").write_text(table)
    image = np.zeros((10, 20))
    image[0, :4] = 1
    matplotlib.image.imsave(b / "figures" / "fig1" / "a.png", image)
    assert compare(*runs)[0] == [
        Difference("claims", "K01", "reproduced 1.5 -> reproduced 1.6"),
        Difference(
            "tables", "tables/t.tsv", "1 of 9 cells by at most 0.2 of their size; 1 of 9 texts"
        ),
        Difference("figures", "figures/fig1/a.png", "2.00% of the pixels"),
    ]


def test_a_number_that_came_or_went_counts_whole(runs):
    b = runs[1] / "tables" / "t.tsv"
    b.write_text(b.read_text().replace("y\t", "y\t0.125"))
    assert compare(*runs)[0][0].what == "1 of 9 cells by at most 1 of their size"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda t: t.rename(columns={"p": "q"}), "columns: p, q"),
        (lambda t: t[["p", "gmv", "significant"]], "columns: their order"),
        (lambda t: t.iloc[:1], "3 -> 1 rows"),
    ],
)
def test_other_columns_or_rows_are_told(runs, change, what):
    path = runs[1] / "tables" / "t.tsv"
    change(pd.read_csv(path, sep="\t")).to_csv(path, sep="\t", index=False)
    assert compare(*runs)[0] == [Difference("tables", "tables/t.tsv", what)]


def test_what_one_run_alone_has_is_told(runs):
    a, b = runs
    (a / "tables" / "t.tsv").unlink()
    (b / "claims.tsv").unlink()
    found = {d.name: d.what for d in compare(a, b)[0]}
    assert found["tables/t.tsv"] == f"only in {b}"
    assert found["K01"] == f"only in {a}"


def test_a_run_that_is_not_there_is_told_in_one_line(runs):
    with pytest.raises(InputError, match=r"c: not found; expected the folder of a run"):
        compare(runs[0], runs[0].parent / "c")
