"""Claims: every published row is there, judged by its criterion, and nothing is hidden."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from conftest import ROOT

from scripts.claims.claims import evaluate, load_measures
from scripts.claims.judging import COLUMNS, MEASURES, Measure, Verdict, read_claims, shown
from scripts.claims.run_results import NotAvailable, RunResults
from scripts.common.config.load import load
from scripts.common.tables import write_table
from scripts.report.forest import estimates
from vega.description import write_description
from vega.errors import InputError

AB = "REACTOME_INTERFERON_ALPHA_BETA_SIGNALING"
TRP = "REACTOME_TRYPTOPHAN_CATABOLISM"
GMVS = [
    AB,
    "REACTOME_INTERFERON_SIGNALING",
    "REACTOME_CYTOKINE_SIGNALING_IN_IMMUNE_SYSTEM",
    TRP,
    "REACTOME_SIGNALING_BY_THE_B_CELL_RECEPTOR_BCR",
    "REACTOME_INTRINSIC_PATHWAY_FOR_APOPTOSIS",
    *(f"SET_{i}" for i in range(20)),
]
TYPES = ["NK", "Dendritic", "CD4T", "B", "FCGR3A+Mono", "CD14+Mono", "CD8T"]
KANG = ["K01", "K02", "K03", "K04", "K05", "K06", "K07", "K08", "K09", "K10", "K11", "K12"]


@pytest.fixture
def config():
    return load({"run": "t"}, ROOT / "config")


@pytest.fixture
def run(tmp_path):
    """Results made by hand, in which every claim on Kang comes out as published."""
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {
            "cell_type": np.tile(TYPES, 40),
            "condition": np.repeat(["control", "stimulated"], 140),
        },
        index=[f"c{i}" for i in range(280)],
    )
    treated = (obs["condition"] == "stimulated").to_numpy()
    innate = obs["cell_type"].isin(["CD14+Mono", "FCGR3A+Mono", "Dendritic"]).to_numpy()
    z = rng.normal(size=(280, len(GMVS))).astype(np.float32)
    z[:, 0] += np.where(treated, 6, -6)
    z[:, 3] += 10 * (treated & innate)
    provenance = json.dumps({"origin": "public"})
    data = AnnData(np.zeros((280, 5), np.float32), obs=obs, uns={"provenance": provenance})
    (tmp_path / "data").mkdir()
    data.write_h5ad(tmp_path / "data" / "kang.h5ad")
    for seed in (1, 2):
        folder = tmp_path / "models" / "kang" / f"seed{seed}"
        folder.mkdir(parents=True)
        latent = AnnData(z + seed / 10, obs=obs, var=pd.DataFrame(index=GMVS), uns=data.uns)
        latent.write_h5ad(folder / "latent.h5ad")
        losses = {"train_loss": 180.0, "validation_loss": 167.0, "epochs": 271}
        write_description(folder / "model.json", {"losses": losses})
        write_table(differential(seed), tmp_path / "tables" / f"kang_seed{seed}_differential.tsv")
    gsea = pd.DataFrame({"contrast": "innate", "gmv": GMVS, "fdr": 0.9})
    gsea.loc[:14, "fdr"] = 0.01
    gsea.loc[3, "fdr"] = 0.56
    gsea["neg_log10_fdr"] = -np.log10(gsea["fdr"])
    for other in ("first", "variable"):
        gsea[f"fdr_{other}"], gsea[f"neg_log10_fdr_{other}"] = gsea["fdr"], gsea["neg_log10_fdr"]
    write_table(gsea, tmp_path / "tables" / "kang_gsea.tsv")
    return tmp_path


def differential(seed):
    rng = np.random.default_rng(seed)
    tables = []
    for contrast, group in [("innate", "stimulated"), *(("one_vs_rest", t) for t in TYPES)]:
        log_bf = rng.uniform(-0.5, 0.5, len(GMVS))
        if contrast == "innate":
            log_bf[:3] = 8.4 + seed / 10
            log_bf[[3, *range(8, 26, 2)]] = 3.55  # of all sizes
        log_bf[4] = 4.68 if group == "B" else log_bf[4]
        log_bf[5] = 3.63 if group == "NK" else log_bf[5]
        tables.append(
            pd.DataFrame(
                {
                    "contrast": contrast,
                    "group": group,
                    "gmv": GMVS,
                    "log_bf": log_bf,
                    "md": np.where(np.abs(log_bf) > 3, 8.45, 1.0),
                    "md_text": 9.0,
                    "significant": np.abs(log_bf) > 3,
                    # Sizes that follow GSEA's significance and not VEGA's.
                    "n_genes": [*range(200, 185, -1), *range(1, 12)],
                }
            )
        )
    return pd.concat(tables)


def table_of(run, config, seeds=(1,)):
    claims = read_claims(ROOT / "config" / "claims.tsv")
    return evaluate(claims, RunResults(run, config), seeds)[0].set_index("id")


def change(path, function):
    table = pd.read_csv(path, sep="\t")
    changed = function(table)
    write_table(table if changed is None else changed, path)


def test_every_published_claim_is_listed_with_what_it_needs(mirror):
    ours = read_claims(ROOT / "config" / "claims.tsv")
    facts = read_claims(mirror.parent / "paper" / "claims.tsv")
    assert ours.equals(facts)


def test_published_numbers_are_those_of_the_table():
    """Measures hold them as numbers, for criteria and the report; the table as it is read."""
    claims = read_claims(ROOT / "config" / "claims.tsv").set_index("id")
    for id, measure in load_measures().items():
        text = claims.loc[id, "published"]
        told = [float(n) for n in re.findall(r"(?<![\w.])-?(?:\d+\.?\d*|\.\d+)(?=\D|$)", text)]
        told += [float(n) / 100 for n in re.findall(r"(\d+)%", text)]
        if id == "S08":  # a ratio of two seconds
            told.append(round(told[0] / told[1], 2))
        assert set(measure.published.values()) <= set(told), id
        assert measure.published or "." not in text, id


def test_values_stand_beside_the_published_ones_by_seed(run, config):
    claims = read_claims(ROOT / "config" / "claims.tsv")
    table, values = evaluate(claims, RunResults(run, config), [1, 2])
    assert values.select_dtypes(float).columns.tolist() == ["published", "reproduced", "deviation"]
    assert set(values["claim"]) == set(table.loc[table["reproduced"] != "", "id"])
    k04 = values[(values["claim"] == "K04") & (values["value"] == "IFN")].set_index("seed")
    assert k04["published"].tolist() == [8.51, 8.51]
    assert k04["reproduced"].tolist() == pytest.approx([8.5, 8.6])
    assert k04["deviation"].tolist() == pytest.approx([-0.01 / 8.51, 0.09 / 8.51])
    (k08,) = values[values["claim"] == "K08"].itertuples()  # GSEA knows no seeds
    assert pd.isna(k08.seed)
    k02 = values[values["claim"] == "K02"]  # published as a picture
    assert k02["published"].isna().all()
    assert k02["deviation"].isna().all()
    shown_here = {e.name: e for e in estimates(values)["K04"]}["IFN"]
    assert (shown_here.published, shown_here.here) == ("8.51", "8.55 ± 0.0707")
    assert shown_here.deviation == pytest.approx(0.04 / 8.51)
    assert shown_here.spread == pytest.approx(np.sqrt(0.005) / 8.51)
    assert {e.spread for e in estimates(values)["K08"]} == {None}
    assert "K02" not in estimates(values)


def test_numbers_near_zero_are_compared_with_the_largest_of_their_claim():
    s01 = load_measures()["S01"]
    assert s01.deviation("sparse-sparse", 0.0795) == pytest.approx(0.5)
    assert s01.deviation("VEGA", 0.0565) == pytest.approx(-0.5)
    i01 = load_measures()["I01"]
    assert i01.deviation("control", -6.72) == pytest.approx(-1)
    assert np.isnan(load_measures()["K02"].deviation("AUC", 1.0))


def test_every_row_has_a_verdict_and_every_not_run_a_reason(run, config):
    table = table_of(run, config)
    claims = read_claims(ROOT / "config" / "claims.tsv")
    assert list(table.index) == list(claims["id"])
    assert set(table["verdict"]) <= {str(v) for v in Verdict}
    assert (table.loc[table["verdict"] == "not run", "note"] != "").all()
    assert (table.loc[table["verdict"] != "not run", "reproduced"] != "").all()


def test_every_function_belongs_to_a_published_claim():
    assert set(load_measures()) <= set(read_claims(ROOT / "config" / "claims.tsv")["id"])


def test_what_comes_out_as_published_is_reproduced(run, config):
    table = table_of(run, config)
    assert list(table.loc[KANG, "verdict"]) == ["reproduced"] * len(KANG)
    assert table.loc["T01", "verdict"] == "reproduced"
    assert table.loc["K04", "reproduced"] == "IFN alpha/beta 8.50; IFN 8.50; cytokine 8.50"
    assert table.loc["K05", "note"] == "mean absolute difference, as the text defines MD: 9.00"


@pytest.mark.parametrize(
    ("id", "fault", "verdict"),
    [
        ("K04", lambda t: t.loc[t["gmv"] == AB, "log_bf"].__setitem__(slice(None), 2), None),
        ("K05", lambda t: t.__setitem__("md", 2.0), "direction only"),
        ("K06", lambda t: t.__setitem__("significant", False), "differs"),
        ("K12", lambda t: t.__setitem__("log_bf", -t["log_bf"]), "differs"),
    ],
)
def test_a_miss_is_reported_as_one(run, config, id, fault, verdict):
    def apply(table):
        if verdict is None:
            table.loc[table["gmv"] == AB, "log_bf"] = 2.0
        else:
            fault(table)

    change(run / "tables" / "kang_seed1_differential.tsv", apply)
    assert table_of(run, config).loc[id, "verdict"] == (verdict or "direction only")


def test_seeds_give_mean_and_spread(run, config):
    table = table_of(run, config, seeds=(1, 2))
    assert table.loc["K04", "reproduced"].startswith("IFN alpha/beta 8.55")
    assert table.loc["K04", "spread"].startswith("IFN alpha/beta ±0.0707")
    assert table.loc["K07", "spread"] == ""  # GSEA knows no seed


def test_exact_numbers_are_not_judged_on_less_than_the_public_data(run, config):
    path = run / "data" / "kang.h5ad"
    data = AnnData(
        np.zeros((280, 5), np.float32),
        obs=pd.DataFrame({"cell_type": TYPES * 40}, index=[f"c{i}" for i in range(280)]),
        uns={"provenance": json.dumps({"origin": "mirror subset"})},
    )
    data.write_h5ad(path)
    table = table_of(run, config)
    for id in ("D01", "D02", "T01", "K09"):
        assert table.loc[id, "verdict"] == "not run"
        assert "subset of kang from a mirror (280 cells)" in table.loc[id, "note"]
        assert table.loc[id, "reproduced"]  # still shown
    assert table.loc["K01", "verdict"] == "reproduced"
    simulated = load({"run": "t", "data": "simulated"}, ROOT / "config")
    assert table_of(run, simulated).loc["D01", "note"].startswith("simulated data")


@pytest.mark.parametrize(("points", "verdict"), [(True, "direction only"), (False, "differs")])
def test_the_direction_of_an_exact_claim_is_judged_on_a_subset(
    run, config, monkeypatch, points, verdict
):
    measure = Measure(
        lambda e, s: {"x": 1}, lambda v: True, lambda v: points, exact=True, seeded=False
    )
    monkeypatch.setitem(load_measures(), "T01", measure)
    simulated = load({"run": "t", "data": "simulated"}, ROOT / "config")
    assert table_of(run, simulated).loc["T01", "verdict"] == "not run"
    (run / "data" / "kang.h5ad").unlink()  # it may still be open
    subset = AnnData(
        np.zeros((7, 1), np.float32),
        obs=pd.DataFrame({"cell_type": TYPES}, index=[f"c{i}" for i in range(7)]),
        uns={"provenance": json.dumps({"origin": "mirror subset"})},
    )
    subset.write_h5ad(run / "data" / "kang.h5ad")
    row = table_of(run, config).loc["T01"]
    assert row["verdict"] == verdict
    assert row["note"].startswith("subset of kang from a mirror (7 cells)")


def test_wrong_dimensions_of_the_public_data_differ(run, config):
    table = table_of(run, config)
    assert table.loc["D01", "verdict"] == "differs"
    assert table.loc["D01", "reproduced"] == "cells 280; genes 5"
    assert table.loc["D02", "verdict"] == "differs"


def test_what_is_missing_is_not_run_and_breaks_nothing(run, config):
    (run / "tables" / "kang_gsea.tsv").unlink()
    change(
        run / "tables" / "kang_seed1_differential.tsv",
        lambda t: t.drop(t.index[t["gmv"] == TRP]),
    )
    table = table_of(run, config)
    assert table.loc["K07", "note"] == "tables/kang_gsea.tsv is not part of this run"
    assert table.loc["K05", "note"] == f"the gene sets have no {TRP}"
    assert table.loc["M01", "verdict"] == "not run"
    assert table.loc["K04", "verdict"] == "reproduced"


def test_a_study_left_out_is_the_reason(run, monkeypatch):
    measure = Measure(lambda evidence, seed: {"x": 1}, lambda v: True, seeded=False)
    monkeypatch.setitem(MEASURES, "I06", measure)
    kang = load({"run": "t", "studies": "kang"}, ROOT / "config")
    assert table_of(run, kang).loc["I06", "note"] == "zheng is not part of this run"


def test_gsea_passing_over_a_set_is_said(run, config):
    def untested(table):
        table.loc[table["gmv"] == TRP, ["fdr", "neg_log10_fdr"]] = [np.nan, 0.0]

    change(run / "tables" / "kang_gsea.tsv", untested)
    row = table_of(run, config).loc["K08"]
    assert row["verdict"] == "reproduced"
    assert "too few genes in the data for GSEA" in row["note"]


def test_gene_set_claims_on_the_real_files(run, config, mirror):
    (run / "raw").mkdir()
    (run / "raw" / "gene_sets").symlink_to(mirror / "gene_sets")
    table = table_of(run, config)
    assert list(table.loc[["D12", "D13", "D14"], "verdict"]) == ["reproduced"] * 3
    assert table.loc["D14", "reproduced"] == (
        "Kang 675; MIX-seq 55; GBM 6061; organoid 682; retina 677"
    )


def test_a_broken_claims_table_is_named(tmp_path):
    path = tmp_path / "claims.tsv"
    path.write_text("id\tpanel\nK01\t1b\n")
    with pytest.raises(InputError, match="lacks the column study, statement"):
        read_claims(path)
    path.write_text(
        "\t".join(COLUMNS) + "\n" + "\t".join(["K01"] * 7) + "\n" + "\t".join(["K01"] * 7)
    )
    with pytest.raises(InputError, match="K01 stands twice"):
        read_claims(path)


def test_numbers_as_shown():
    assert [shown(v) for v in (18868, 0.20526, 8.517, -0.92, 1234.5, 0, 1e-5)] == [
        "18868", "0.205", "8.52", "-0.920", "1234", "0", "1.00e-05",
    ]  # fmt: skip


def test_missing_is_not_an_input_error():
    assert not issubclass(NotAvailable, InputError)
