"""The summary of a run says in words what its table of claims says."""

import pandas as pd
import pytest

from scripts.claims.judging import UNINFORMATIVE, Verdict
from scripts.report.summary import what_it_shows, words_of

ROWS = [
    ("K01", "Figure 1", "cells separate", "reproduced", "0 of 20", ""),
    ("K02", "Figure 1", "AUC", "reproduced", "1 of 20", ""),
    ("K07", "Figure 1", "GSEA finds it", "reproduced", "9 of 20", UNINFORMATIVE),
    ("K10", "Figure S4", "size matters", "differs", "0 of 20", ""),
    ("I02", "Figure 4", "overlap", "direction only", "0 of 20", ""),
    ("I03", "Figure 4", "overlap by type", "direction only", "", ""),
    ("I04", "Figure 4", "R2", "differs", "", ""),
    ("I05", "Figure 4", "R2 out", "reproduced", "", ""),
    ("D01", "", "cells", "not run", "", ""),
]
COLUMNS = ["id", "label", "statement", "verdict", "control_holds", "caution"]


@pytest.fixture
def claims():
    return pd.DataFrame(ROWS, columns=COLUMNS)


def test_verdicts_are_counted_and_named_by_figure(claims):
    assert what_it_shows(claims, simulated=False) == [
        "8 of the paper’s 9 claims were judged: 4 are reproduced, 2 have the published direction "
        "only and 2 differ.",
        "All judged claims of Figure 1 are reproduced.",
        "Figure S4: 0 of 1 claims are reproduced; not K10 (size matters).",
        "Figure 4: 1 of 4 claims are reproduced; not I02, I03 and I04.",
        "The criterion of K07 also holds on shuffled labels, so that its verdict says little.",
        "4 of these claims were also measured on 20 shuffles of the labels; their criterion holds "
        "in at most one shuffle.",
    ]


def test_nothing_is_reproduced_on_simulated_data(claims):
    sentences = what_it_shows(claims, simulated=True)
    assert sentences[0] == (
        "8 of the paper’s 9 claims were judged on simulated data: 4 hold, 2 have the published "
        "direction only and 2 do not hold."
    )
    assert sentences[1] == "All judged claims of Figure 1 hold."
    assert "says nothing about biology" in sentences[-1]
    assert "reproduced" not in " ".join([*sentences, *words_of(simulated=True).values()])
    assert words_of(simulated=False) == {v: v for v in Verdict}


def test_one_claim_is_said_in_the_singular(claims):
    one = claims[claims["id"].isin(["K10", "D01"])]
    assert what_it_shows(one, simulated=False)[0] == (
        "1 of the paper’s 2 claims were judged: 1 differs."
    )
    none = claims[claims["id"] == "D01"]
    assert what_it_shows(none, simulated=False) == [
        "No claim of the paper could be judged on this run; the table says why."
    ]
