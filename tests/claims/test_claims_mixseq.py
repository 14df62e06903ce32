"""Claims on MIX-seq and glioblastoma: effects that the data have are found, and no others."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from helpers.claim_runs import (
    change_latent,
    change_study,
    change_table,
    claims_of,
    published,
    put,
    write_drugs,
    write_study,
)
from helpers.drugs import planted_results
from scipy.sparse import csr_matrix
from scipy.stats import pearsonr

from scripts.claims.mixseq import longest_run
from scripts.common.clustering import clustered
from scripts.common.mixseq import DRUGS
from vega.values import values_of

IDS = "[MG]|D0[4567]"
IFN = [f"HALLMARK_INTERFERON_{which}_RESPONSE" for which in ("ALPHA", "GAMMA")]


@pytest.fixture(scope="module")
def models():
    return planted_results()


@pytest.fixture
def run(tmp_path, models):
    """The planted results as the files of a run."""
    write_drugs(tmp_path, models)
    return tmp_path


def table_of(drug):
    return f"{DRUGS[drug]}_seed1_differential"


def values(table, id):
    pairs = (part.rsplit(" ", 1) for part in table.loc[id, "reproduced"].split("; "))
    return {name: float(value) for name, value in pairs}


def test_what_is_planted_is_reproduced_with_the_values_of_the_tables(run, models):
    table = claims_of(run, IDS)
    assert table.loc["M01":"G02", "verdict"].eq("reproduced").all()
    assert table.loc["D04":"D07", "verdict"].eq("differs").all()  # these cells are but a few
    assert "Trametinib: cell lines with fewer than 10 cells: 1" in table.loc["M03", "note"]
    latent = models[DRUGS["Trametinib"]].latent
    activity = values_of(latent, "HALLMARK_G2M_CHECKPOINT")
    treated = (latent.obs["condition"] == "Trametinib").to_numpy()
    expected = np.median(activity[treated]) - np.median(activity[~treated])
    assert values(table, "M01")["difference"] == pytest.approx(expected, rel=1e-2)

    rows = models[DRUGS["Dabrafenib"]].differential
    rows = rows[rows["gmv"].str.startswith("HALLMARK")]
    mutant = rows["group"].isin([f"L{i}_SKIN" for i in range(8)])
    found = values(table, "M04")
    for name, part in (("melanoma", rows[mutant]), ("others", rows[~mutant])):
        assert found[f"mean: {name}"] == pytest.approx(part["log_bf"].mean(), rel=1e-2)
        absolute = found[f"mean of absolute values: {name}"]
        assert absolute == pytest.approx(part["log_bf"].abs().mean(), rel=1e-2)
    absolute = rows["log_bf"].abs().mean()
    assert values(table, "M02")["Dabrafenib"] == pytest.approx(absolute, rel=1e-2)
    assert values(table, "M05")["BRAF-mutant lines"] == 8
    order = clustered(rows.pivot(index="gmv", columns="group", values="log_bf"))
    places = sorted(order.index(f"L{i}_SKIN") for i in range(8))
    together = longest_run(np.isin(np.arange(27), places))
    assert values(table, "M05")["adjacent"] == together >= 5

    gbm = models["gbm"].latent
    tumour = gbm[gbm.obs["cell_type"] == "Neoplastic"]
    r = pearsonr(values_of(tumour, "STAT3"), values_of(tumour, "OLIG2")).statistic
    assert values(table, "G01")["r"] == pytest.approx(r, rel=1e-2)
    assert values(table, "G02")["rank of OPC"] == 1


@pytest.mark.parametrize(
    ("id", "drug", "fault", "verdict"),
    [
        ("M02", "Trametinib", put("log_bf", lambda log_bf: log_bf / 100), "differs"),
        ("M03", "Trametinib", put("log_bf", np.negative, gmv=IFN[0]), "differs"),
        ("M03", "Navitoclax", put("log_bf", np.negative, gmv=IFN[1]), "direction only"),
        ("M04", "Dabrafenib", put("log_bf", 1.0), "differs"),
    ],
)
def test_a_miss_is_reported_as_one(run, id, drug, fault, verdict):
    change_table(run, table_of(drug), fault)
    assert claims_of(run, id).loc[id, "verdict"] == verdict


def test_scattered_mutants_are_not_adjacent(run):
    """The same responses with other lines mutant: every third of the columns as drawn."""

    def scatter(latent):
        lines = [f"L{i}_" for i in range(8, 27, 3)]
        mutant = latent.obs["cell_line"].astype(str).str.startswith(tuple(lines))
        latent.obs["braf_mutant"] = np.where(mutant, "mutant", "wild type")

    change_latent(run, DRUGS["Dabrafenib"], scatter)
    table = claims_of(run, IDS)
    assert table.loc["M05", "verdict"] == "differs"
    assert table.loc["M04", "verdict"] == "not run"  # none of them is a melanoma
    assert "no BRAF-mutant melanoma" in table.loc["M04", "note"]


def test_mutations_that_could_not_be_had_are_the_reason(run):
    def forget(latent):
        latent.obs["braf_mutant"] = pd.Categorical([None] * latent.n_obs)

    change_latent(run, DRUGS["Dabrafenib"], forget)
    files = [{"file": "x.rds", "identity": "not available", "reason": "x.rds: no such file"}]
    change_study(run, DRUGS["Dabrafenib"], files=files)
    table = claims_of(run, IDS)
    for id in ("M04", "M05"):
        assert table.loc[id, "verdict"] == "not run"
        reason = "the cell lines' mutations are not known: x.rds: no such file"
        assert table.loc[id, "note"] == reason
    assert table.loc["M01":"M03", "verdict"].eq("reproduced").all()


def test_regulons_that_rise_together_differ(run):
    def together(latent):
        latent.X[:, 1] = latent.X[:, 0]

    change_latent(run, "gbm", together)
    table = claims_of(run, IDS)
    assert table.loc["G01", "verdict"] == "differs"
    assert table.loc["G02", "verdict"] == "differs"
    assert values(table, "G02")["rank of OPC"] > 1
    assert "highest of the others: Neoplastic" in table.loc["G02", "note"]


def test_published_dimensions_are_reproduced(run):
    """Data of the published sizes, within the tolerances of the claims, and one cell too few."""
    cells = {drug: int(n) for drug, n in published("D04").items()}
    cells["Trametinib"] += 160
    cells["BRD3379"] -= 150
    for drug, study in DRUGS.items():
        n = cells[drug]
        lines = [f"L{i % 97}" for i in range(n)]
        obs = pd.DataFrame({"condition": np.resize(["DMSO", drug], n), "cell_line": lines})
        obs.index = [f"c{i}" for i in range(n)]
        write_study(run, study, AnnData(csr_matrix((n, 5000), dtype="float32"), obs=obs))
    write_study(run, "darmanis", (3566, 6999))
    table = claims_of(run, "D")
    assert table.loc["D04":"D07", "verdict"].eq("reproduced").all()
    assert table.loc["D06", "reproduced"] == "cell lines 97; drugs 4"
    write_study(run, "darmanis", (3565, 6999))
    few = AnnData(csr_matrix((14998, 4990), dtype="float32"), obs=obs.iloc[:14998])
    write_study(run, DRUGS["BRD3379"], few)
    table = claims_of(run, "D")
    assert table.loc[["D04", "D05", "D07"], "verdict"].eq("differs").all()


def test_a_missing_drug_leaves_the_claims_on_others(run):
    (run / "tables" / f"{DRUGS['Navitoclax']}_seed1_differential.tsv").unlink()
    table = claims_of(run, IDS)
    for id in ("M02", "M03"):
        assert table.loc[id, "verdict"] == "not run"
        assert "mixseq_navitoclax_seed1_differential.tsv is not part" in table.loc[id, "note"]
    assert table.loc[["M01", "M04", "M05"], "verdict"].eq("reproduced").all()


def test_missing_regulons_types_and_lines_are_reasons(run):
    def rename(latent):
        latent.obs["cell_type"] = "Immune cell"

    change_latent(run, "gbm", rename)
    for drug in DRUGS:
        change_table(run, table_of(drug), lambda t: t.drop(t.index))
    table = claims_of(run, IDS)
    assert table.loc[["M02", "M03", "M04", "M05", "G01", "G02"], "verdict"].eq("not run").all()
    assert table.loc["G02", "note"] == "there are no OPC cells"
    assert "no cell line has cells with Trametinib" in table.loc["M02", "note"]


@pytest.mark.parametrize(
    ("flags", "longest"), [([1, 1, 0, 1, 1, 1, 0], 3), ([0, 0], 0), ([1], 1), ([], 0)]
)
def test_longest_run(flags, longest):
    assert longest_run(np.array(flags, dtype=bool)) == longest
