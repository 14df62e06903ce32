"""Claims of several runs in one table."""

import pandas as pd

from tools.claims_of_runs import for_the_site, side_by_side

COLUMNS = ["id", "panel", "statement", "published", "reproduced", "verdict"]
CONTROL = {"control": ["0 ±1", None, None], "control_holds": ["0 of 20", None, None]}
SMALL = pd.DataFrame(
    [["K05", "1e", "|log BF|", "3.55", "5.6", "reproduced"],
     ["S04", "S2", "batches", ".1", None, "not run"],
     ["S10", "S11", "losses", "161", None, "not run"]], columns=COLUMNS,
).assign(**CONTROL)  # fmt: skip
LARGE = SMALL.assign(reproduced=["3.77", None, "158"], verdict=["reproduced", "not run", "differs"])


def test_runs_are_side_by_side_and_what_none_has_measured_is_left_out():
    assert side_by_side({"small": SMALL, "large": LARGE}).splitlines() == [
        "| claim | what | published | small | control | holds in | verdict "
        "| large | control | holds in | verdict |",
        "|" + " --- |" * 11,
        "| K05 | \\|log BF\\| | 3.55 | 5.6 | 0 ±1 | 0 of 20 | reproduced "
        "| 3.77 | 0 ±1 | 0 of 20 | reproduced |",
        "| S10 | losses | 161 |  |  |  | not run | 158 |  |  | differs |",
    ]


def test_claims_of_some_figures_are_chosen():
    lines = side_by_side({"small": SMALL, "large": LARGE}, ["S11"]).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| S10"]


def test_the_table_of_the_site_has_runs_by_their_cells_and_one_control():
    header, k05, s10 = for_the_site({"2000": SMALL, "14000": LARGE}).splitlines()
    assert header.split("\t") == [
        "claim", "statement", "published", "cells_2000", "verdict_2000", "cells_14000",
        "verdict_14000", "control", "control_holds",
    ]  # fmt: skip
    assert k05.split("\t") == [
        "K05", "|log BF|", "3.55", "5.6", "reproduced", "3.77", "reproduced", "0 ±1", "0 of 20",
    ]  # fmt: skip
    assert s10.split("\t") == ["S10", "losses", "161", "", "not run", "158", "differs", "", ""]
