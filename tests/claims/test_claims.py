"""Claims: every published row is there, judged by its criterion, and nothing is hidden."""

import re

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from helpers.checks import one_line_error
from helpers.claim_runs import (
    CLAIMS,
    WRITERS,
    change_study,
    change_table,
    claims_of,
    evaluated,
    published,
    put,
    write_kang,
)

from scripts.claims.claims import load_measures
from scripts.claims.judging import COLUMNS, Measure, Verdict, judge, read_claims, shown
from scripts.claims.judging import published as numbers
from scripts.claims.out_of_sample import TYPES
from scripts.claims.run_results import SIMULATED, NotAvailable
from scripts.common.code_dependencies import code_of
from scripts.common.gmvs import INTERFERON_AB, TRYPTOPHAN
from scripts.report.forest import estimates
from vega.description import write_description
from vega.errors import InputError

DIFFERENTIAL, GSEA = "kang_seed1_differential", "kang_gsea"


@pytest.fixture
def run(tmp_path):
    """Results made by hand, in which every claim on Kang comes out as published."""
    write_kang(tmp_path)
    return tmp_path


def test_every_published_claim_is_listed_with_what_it_needs(mirror):
    path = mirror.parent / "paper" / "claims.tsv"
    facts = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, quoting=3)
    assert CLAIMS[list(facts)].reset_index(drop=True).equals(facts)


@pytest.mark.parametrize("id", CLAIMS["id"])
def test_numbers_are_those_of_the_published_text(id):
    text, values = CLAIMS.loc[id, "published"], published(id)
    expected = [float(n) for n in re.findall(r"(?<![\w.])-?(?:\d+\.?\d*|\.\d+)(?=\D|$)", text)]
    expected += [float(n) / 100 for n in re.findall(r"(\d+)%", text)]
    if id == "S08":  # a ratio of two seconds
        expected.append(round(expected[0] / expected[1], 2))
    assert set(values.values()) <= set(expected)
    assert values or "." not in text
    if len(values) == len(expected):
        assert list(values.values()) == expected
    if "NK" in values:  # in the order of the paper
        assert list(values)[:7] == TYPES


@pytest.mark.parametrize("id", CLAIMS["id"])
def test_tolerances_are_those_of_the_criterion(id):
    row = CLAIMS.loc[id]
    text = row["criterion"].partition("within")[2].replace("3 of in", "")  # I01 compares ours
    expected = re.findall(r"(?<!\w)(\d*\.?\d+)(%?)", text)
    if row["criterion"] in ("exact", "report both") and row["values"]:
        expected = [("0", "")]
    found = re.findall(r"[\d.]+", f"{row['within']} {row['share']}")
    assert set(map(float, found)) == {float(n) / (100 if sign else 1) for n, sign in expected}
    assert bool(row["share"]) == any(sign for _, sign in expected)


def test_a_value_without_a_name_in_the_table_or_here_is_not_within_tolerance():
    assert not numbers("", "0").tolerances
    found = numbers("a=2; b=10; c=5", "a=0.5", "b=0.1")
    assert found.tolerances == {"a": 0.5, "b": 1}
    assert found.within_tolerance({"a": 2.5, "b": 9.0, "other": 0})  # c is reported only
    assert not found.within_tolerance({"a": 2.6, "b": 9.0})
    assert not found.within_tolerance({"a": 2.5, "b": 11.1})
    assert not found.within_tolerance({"b": 9.0})


def test_a_broken_claims_table_is_named(tmp_path):
    path = tmp_path / "claims.tsv"
    header, row = "\t".join(COLUMNS), "K01" + "\t" * COLUMNS.index("values")
    for text, message in (
        ("id\tpanel\nK01\t1b", "missing column study, statement"),
        (f"{header}\n{row}\n{row}", "duplicate id K01"),
        (f"{header}\n{row}cells", "K01: expected `name=number; name=number`, found 'cells'"),
        (f"{header}\n{row}5", "K01: expected `name=number; name=number`, found '5'"),
        (f"{header}\n{row}cells=1; genes=x", "found 'cells=1; genes=x'"),
        (f"{header}\n{row}cells=1\tgene=1", "K01: unknown name 'gene'"),
        (f"{header}\n{row}\t\t1%", r"claims.tsv: K01: expected .* found '1%'"),
    ):
        path.write_text(f"{text}\n")
        with one_line_error(message):
            read_claims(path)


def test_every_claim_has_a_function_and_a_criterion():
    measures = load_measures()
    assert set(measures) == set(CLAIMS["id"])
    for id, measure in measures.items():
        assert measure.holds or CLAIMS.loc[id, "numbers"].tolerances, id


@pytest.mark.parametrize("pattern", WRITERS)
def test_functions_return_the_names_of_the_table(pattern, tmp_path):
    WRITERS[pattern](tmp_path)
    _, values = evaluated(tmp_path, pattern)
    found = values.groupby("claim")["value"].agg(set).to_dict()
    assert set(found) == set(CLAIMS.index[CLAIMS["id"].str.match(pattern)])
    for id, names in found.items():
        assert set(published(id)) <= names, id
        if CLAIMS.loc[id, "criterion"] == "exact":
            assert set(published(id)) == names, id


def test_no_drawing_code_is_needed(monkeypatch):
    monkeypatch.chdir(ROOT)
    files = code_of("claims/claims.py")
    assert "scripts/claims/kang.py" in files and "scripts/common/variants.py" in files
    assert not [file for file in files if file.startswith(("scripts/figures/", "vega/plot/"))]


def test_what_comes_out_as_published_is_reproduced_and_every_not_run_has_a_reason(run):
    table = claims_of(run)
    assert list(table.index) == list(CLAIMS["id"])
    assert set(table.loc["K01":"K12", "verdict"]) == {"reproduced"}
    assert table.loc["T01", "verdict"] == "reproduced"
    assert table.loc["K04", "reproduced"] == "IFN alpha/beta 8.50; IFN 8.50; cytokine 8.50"
    assert table.loc["K05", "note"] == "mean absolute difference, as the text defines MD: 9.00"
    assert set(table["verdict"]) <= {str(v) for v in Verdict}
    assert (table.loc[table["verdict"] == "not run", "note"] != "").all()
    assert (table.loc[table["verdict"] != "not run", "reproduced"] != "").all()


def test_seeds_give_mean_and_spread_and_values_that_are_compared_with_the_published_ones(run):
    table, values = evaluated(run, seeds=(1, 2))
    shown = table.set_index("id")
    assert shown.loc["K04", "reproduced"].startswith("IFN alpha/beta 8.55")
    assert shown.loc["K04", "spread"].startswith("IFN alpha/beta ±0.0707")
    assert shown.loc["K07", "spread"] == ""  # GSEA has no seeds
    numbers = ["published", "reproduced", "deviation", "control", "control_sd"]
    assert values.select_dtypes(float).columns.tolist() == numbers
    assert set(values["claim"]) == set(table.loc[table["reproduced"] != "", "id"])
    k04 = values[(values["claim"] == "K04") & (values["value"] == "IFN")].set_index("seed")
    assert k04["published"].tolist() == [8.51, 8.51]
    assert k04["reproduced"].tolist() == pytest.approx([8.5, 8.6])
    assert k04["deviation"].tolist() == pytest.approx([-0.01 / 8.51, 0.09 / 8.51])
    assert values.loc[values["claim"] == "K07", "seed"].isna().all()
    k02 = values[values["claim"] == "K02"]  # published as a picture
    assert k02["published"].isna().all()
    assert k02["deviation"].isna().all()
    estimate = {e.name: e for e in estimates(values)["K04"]}["IFN"]
    assert (estimate.published, estimate.here) == ("8.51", "8.55 ± 0.0707")
    assert estimate.deviation == pytest.approx(0.04 / 8.51)
    assert estimate.spread == pytest.approx(np.sqrt(0.005) / 8.51)
    assert {e.spread for e in estimates(values)["K07"]} == {None}
    assert "K02" not in estimates(values)


def test_numbers_near_zero_are_compared_with_the_largest_of_their_claim():
    s01, i01 = (CLAIMS.loc[id, "numbers"] for id in ("S01", "I01"))
    assert s01.deviation("sparse-sparse", 0.0795, near_zero=True) == pytest.approx(0.5)
    assert s01.deviation("VEGA", 0.0565, near_zero=True) == pytest.approx(-0.5)
    assert i01.deviation("control", -6.72) == pytest.approx(-1)
    assert np.isnan(i01.deviation("AUC", 1.0))
    assert load_measures()["S01"].near_zero and not load_measures()["I01"].near_zero


@pytest.mark.parametrize(
    ("id", "fault", "verdict"),
    [
        ("K04", put("log_bf", 2.0, gmv=INTERFERON_AB), "direction only"),
        ("K05", put("md", 2.0), "direction only"),
        ("K06", put("significant", False), "differs"),
        ("K12", put("log_bf", np.negative), "differs"),
    ],
)
def test_a_miss_is_reported_as_one(run, id, fault, verdict):
    change_table(run, DIFFERENTIAL, fault)
    assert claims_of(run, id).loc[id, "verdict"] == verdict


def test_ranks_are_noted_with_another_seed_if_there_is_one(run):
    other = "kang_seed2_differential"
    change_table(run, other, put("log_bf", 9.0, gmv=[INTERFERON_AB, TRYPTOPHAN], group="B"))
    table = claims_of(run, "K1[12]")
    assert list(table["note"]) == ["rank with seed 2: 3", "rank with seed 2: 1"]
    (run / "tables" / f"{other}.tsv").unlink()
    table = claims_of(run, "K1[12]")
    assert list(table["note"]) == ["", ""] and set(table["verdict"]) == {"reproduced"}


def test_exact_numbers_are_not_judged_on_less_than_the_public_data(run):
    table = claims_of(run, "D0[12]")  # of cells made by hand
    assert list(table["verdict"]) == ["differs"] * 2
    assert table.loc["D01", "reproduced"] == "cells 280; genes 5"
    change_study(run, "kang", origin="mirror subset")
    table = claims_of(run)
    for id in ("D01", "D02", "T01", "K09"):
        assert table.loc[id, "verdict"] == "not run"
        assert "subset of kang from a mirror (280 cells)" in table.loc[id, "note"]
        assert table.loc[id, "reproduced"]  # still shown
    assert table.loc["K01", "verdict"] == "reproduced"
    assert claims_of(run, "D01", data="simulated").loc["D01", "note"].startswith("simulated data")


@pytest.mark.parametrize(("points", "verdict"), [(True, "direction only"), (False, "differs")])
def test_the_direction_of_an_exact_claim_is_judged_on_a_subset(points, verdict):
    def verdicts(**options):
        measure = Measure(lambda r, s: {}, lambda v: True, exact=True, **options)
        return [judge(measure, numbers(""), {"x": 1}, kind) for kind in ("", "subset", SIMULATED)]

    assert verdicts(effect=lambda v: float(points)) == ["reproduced", verdict, "not run"]
    assert verdicts() == ["reproduced", "not run", "not run"]


def test_what_is_not_available_is_not_run_and_breaks_nothing(run):
    (run / "tables" / f"{GSEA}.tsv").unlink()
    change_table(run, DIFFERENTIAL, lambda t: t.drop(t.index[t["gmv"] == TRYPTOPHAN]))
    table = claims_of(run)
    assert table.loc["K07", "note"] == "tables/kang_gsea.tsv is not part of this run"
    assert table.loc["K05", "note"] == f"the gene sets have no {TRYPTOPHAN}"
    assert table.loc["M01", "verdict"] == "not run"
    assert table.loc["K04", "verdict"] == "reproduced"
    assert not issubclass(NotAvailable, InputError)  # which would end the rule


def test_a_set_that_gsea_does_not_test_is_not_missed_by_it(run):
    change_table(run, GSEA, put(["fdr", "neg_log10_fdr"], [np.nan, 0.0], gmv=TRYPTOPHAN))
    row = claims_of(run, "K08").loc["K08"]
    assert row["verdict"] == "not run"
    assert "has fewer than 5 genes in the data" in row["note"]


def test_gene_set_claims_on_the_real_files(tmp_path, mirror):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "gene_sets").symlink_to(mirror / "gene_sets")
    assert list(claims_of(tmp_path, "D1[23]")["verdict"]) == ["reproduced"] * 2


@pytest.mark.parametrize(("extra", "verdict"), [(3, "reproduced"), (1, "differs")])
def test_latent_variables_are_those_of_the_trained_models(tmp_path, extra, verdict):
    sizes = {"kang": 675, "mixseq_trametinib": 55, "gbm": 6061, "organoid": 682, "retina": 674}
    for model, size in sizes.items():
        gmvs = [str(i) for i in range(size + extra * (model == "retina"))]
        path = tmp_path / "models" / model / "seed1" / "model.json"
        write_description(path, {"gmvs": gmvs})
    assert claims_of(tmp_path, "D14").loc["D14", "verdict"] == verdict
    path.unlink()
    assert claims_of(tmp_path, "D14").loc["D14", "verdict"] == "not run"


def test_numbers_as_shown():
    assert [shown(v) for v in (18868, 0.20526, 8.517, -0.92, 1234.5, 0, 1e-5)] == [
        "18868", "0.205", "8.52", "-0.920", "1234", "0", "1.00e-05",
    ]  # fmt: skip
