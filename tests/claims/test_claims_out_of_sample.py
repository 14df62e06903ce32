"""Claims I01 to I12, on cells that a model has not learnt from (Figure 4)."""

import numpy as np
import pandas as pd
import pytest
from helpers.claim_runs import (
    change_study,
    change_table,
    claims_of,
    out_of_sample_tables,
    put,
    write_out_of_sample,
)

from scripts.analyse import out_of_sample as oos
from scripts.common.shuffles import SHUFFLES
from scripts.common.tables import write_table


@pytest.fixture
def run(tmp_path):
    """Results as published."""
    write_out_of_sample(tmp_path)
    return tmp_path


def verdicts(run, **settings):
    return claims_of(run, "I", **{"studies": "kang zheng"} | settings)


def change(run, table, column, value, **where):
    change_table(run, f"out_of_sample_{table}", put(column, value, **where))


def test_the_published_numbers_are_reproduced(run):
    table = verdicts(run)
    assert list(table.index) == [f"I{i:02}" for i in range(1, 13)]
    assert set(table["verdict"]) == {"reproduced"}
    assert table.loc["I01", "reproduced"] == "control -3.36; out 4.35; in 2.79"
    assert table.loc["I05", "reproduced"].endswith("mean drop 0.0227")
    assert table.loc["I12", "reproduced"].startswith("types 4;")
    assert (
        table.loc["I02", "reproduced"] == "mean overlap 0.714; by chance 0.0700; seed alone 0.664"
    )
    assert table.loc["I03", "note"].endswith("Dendritic 0.705, NK 0.710; lowest: CD4T")
    assert table.loc["I08", "note"].startswith("seed alone: CD8T 0.590, CD14+Mono 0.510,")


def by(amount):
    return lambda values: values + amount


NK = {"cell_type": "NK"}
OF_HELD_OUT, OF_OTHER_STUDY = {"experiment": oos.HELD_OUT}, {"experiment": oos.OTHER_STUDY}


@pytest.mark.parametrize(
    ("claim", "table", "where", "value", "verdict"),
    [
        ("I01", "activity", {"sample": "control"}, by(9), "differs"),
        ("I01", "activity", {"sample": "stimulated, out-of-sample"}, by(2), "direction only"),
        ("I02", "overlap", OF_HELD_OUT, by(-0.1), "direction only"),
        ("I03", "overlap", NK | OF_HELD_OUT, 0.56, "direction only"),
        ("I03", "overlap", NK | OF_HELD_OUT, 0.05, "differs"),
        ("I04", "r2", NK | {"sample": oos.IN_SAMPLE}, 0.7, "direction only"),
        ("I04", "r2", {"sample": oos.IN_SAMPLE}, 0.7, "differs"),
        ("I05", "r2", {"sample": oos.CONTROL_MEAN}, 0.95, "differs"),
        ("I05", "r2", {"sample": oos.OUT_OF_SAMPLE}, by(-0.05), "direction only"),
        ("I06", "activity", {"sample": "control, study B"}, by(2), "direction only"),
        ("I06", "activity", {"sample": "control, study B"}, by(9), "differs"),
        ("I07", "overlap", OF_OTHER_STUDY, by(-0.2), "direction only"),
        ("I08", "overlap", NK | OF_OTHER_STUDY, 0.5, "direction only"),
        ("I09", "r2", NK | {"sample": oos.STUDY_A}, 0.7, "direction only"),
        ("I10", "r2", {"sample": oos.STUDY_B}, by(0.2), "differs"),
        ("I11", "r2", NK | {"sample": oos.BASELINE}, 0.74, "direction only"),
        ("I12", "r2", {"sample": oos.STUDY_B}, by(-0.1), "differs"),
    ],
)
def test_a_claim_that_does_not_hold_is_not_reproduced(run, claim, table, where, value, verdict):
    change(run, table, "activity" if table == "activity" else "mean", value, **where)
    assert verdicts(run).loc[claim, "verdict"] == verdict


@pytest.mark.parametrize("floor", [0, 1, np.nan])
def test_the_noise_floor_is_not_judged(run, floor):
    change(run, "overlap", "noise_floor", floor, experiment=[oos.HELD_OUT, oos.OTHER_STUDY])
    table = verdicts(run)
    assert set(table["verdict"]) == {"reproduced"}
    assert ("seed alone" in table.loc["I02", "reproduced"]) == (not np.isnan(floor))
    assert ("seed alone" in table.loc["I08", "note"]) == (not np.isnan(floor))
    change(run, "overlap", "mean", 0.3, experiment=oos.HELD_OUT)
    assert (verdicts(run).loc[["I02", "I03"], "verdict"] == "direction only").all()


def test_subsets_are_judged_by_direction_and_simulated_numbers_are_not_judged(run):
    change_study(run, "kang", origin="mirror subset")
    change(run, "r2", "mean", by(-0.2), experiment=oos.OTHER_STUDY, sample=oos.STUDY_A)
    table = verdicts(run)
    assert list(table.index[table["verdict"] == "reproduced"]) == ["I01", "I05", "I06", "I12"]
    assert list(table.index[table["verdict"] == "differs"]) == ["I09", "I10", "I11"]
    assert (table.loc[["I02", "I03", "I04", "I07"], "verdict"] == "direction only").all()
    assert table.loc["I02", "note"].startswith("subset of kang from a mirror (9 cells): exact")
    simulated = verdicts(run, data="simulated")
    not_run = " ".join(simulated.index[simulated["verdict"] == "not run"])
    assert not_run == "I02 I03 I04 I07 I08 I09 I10 I11"
    assert (simulated["reproduced"] != "").all()


def test_a_type_left_out_is_noted_and_keeps_a_claim_from_being_reproduced(run):
    note = "left out, fewer than 10 cells: 3 cells of study B"
    for table in ("overlap", "r2"):
        change(run, table, "note", note, **NK, **OF_OTHER_STUDY)
        change(run, table, "mean", np.nan, **NK, **OF_OTHER_STUDY)
    found = verdicts(run)
    assert f"NK {note}" in found.loc["I08", "note"]
    assert "NK" not in found.loc["I08", "reproduced"]
    assert found.loc["I08", "verdict"] == found.loc["I10", "verdict"] == "direction only"
    assert "of 6 types" in found.loc["I12", "note"]


def test_kang_alone_is_judged_without_zheng(run):
    for table in ("overlap", "r2", "activity"):
        change_table(run, f"out_of_sample_{table}", lambda t: t[t["experiment"] == oos.HELD_OUT])
    table = verdicts(run, studies="kang")
    assert (table.loc["I01":"I05", "verdict"] == "reproduced").all()
    assert (table.loc["I06":, "note"] == "zheng is not part of this run").all()


def test_claims_on_activities_that_are_not_there_say_why(run):
    change_table(run, "out_of_sample_activity", lambda t: t.iloc[:0])
    table = verdicts(run)
    assert table.loc["I01", "verdict"] == table.loc["I06", "verdict"] == "not run"
    assert "too few cells, or no such gene set" in table.loc["I06", "note"]


def write_controls(run):
    """Write what shuffled labels give: groups that are alike, and overlaps near chance."""
    rng = np.random.default_rng(0)
    tables = out_of_sample_tables()
    tables["out_of_sample_overlap"]["mean"] = 0.1
    r2 = tables["out_of_sample_r2"]  # the baselines: real means of two halves of the same cells
    r2["mean"] = np.where(r2["sample"].isin([oos.CONTROL_MEAN, oos.BASELINE]), 0.98, 0.9)
    tables["out_of_sample_activity"]["activity"] = 0.0
    for name, table in tables.items():
        column = "mean" if "mean" in table else "activity"
        table = table.merge(pd.DataFrame({"shuffle": range(1, 21)}), how="cross")
        table[column] += rng.normal(0, 0.01, len(table))
        ending = "tsv.gz" if column == "activity" else "tsv"
        write_table(table, run / "tables" / f"{name}_control.{ending}")


def test_no_claim_holds_on_shuffled_labels(run):
    write_controls(run)
    table = claims_of(run, "I", studies="kang zheng", shuffles=SHUFFLES)
    assert set(table["verdict"]) == {"reproduced"}
    assert set(table["control_holds"]) <= {"0 of 20", "1 of 20"}
    change_study(run, "kang", origin="mirror subset")
    part = claims_of(run, "I", studies="kang zheng", shuffles=SHUFFLES)
    assert set(part["verdict"]) == {"reproduced", "direction only"}
    assert set(part["control_holds"]) <= {"0 of 20", "1 of 20"}
