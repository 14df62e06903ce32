"""Claims on shuffled labels: no criterion holds there, and the published numbers meet each."""

import numpy as np
import pandas as pd
import pytest
from helpers.claim_runs import (
    CLAIMS,
    WRITERS,
    change_latent,
    claims_of,
    config,
    published,
    write_kang,
)
from scipy.stats import mannwhitneyu

from scripts.claims.claims import load_measures
from scripts.claims.judging import UNINFORMATIVE, Measure, holds_by_chance, judge
from scripts.claims.judging import published as numbers
from scripts.claims.run_results import SIMULATED, RunResults
from scripts.claims.shuffled_results import ShuffledResults, shuffle_weights
from scripts.common.shuffles import SHUFFLES, shuffle_labels

# What the figures show beyond the numbers of the table, and for I05 a value of 13,999 real cells.
SHOWN = {
    "K01": {"silhouette": 0.091},  # Fig. S11, of one extra node
    "K03": {"difference": 10, "response": 10},
    "K06": {"negative": 0},
    "K07": {"NES": 2},
    "K08": {"log BF of VEGA": 3.55},
    "K11": {"rank": 1},
    "K12": {"rank": 1},
    "D13": {"sets with MKI67": 0},
    "O02": {"largest": 2.9, "least of the own": 4.83},
    "O03": {"slope": 3},
    **{id: {"by chance": 50 / 675} for id in ("I02", "I03", "I07", "I08")},
    "I04": {"above control mean": 0.1},
    "I05": {"above control mean": 0.1},
    "I06": {"study A, stimulated": 3},
    "I09": {"above study A vs study B": 0.15},
    "I10": {"below study A": 0.15},
    "I11": {"below study A": 0.15},
    "S10": {"rises beyond noise": 0},
    "I12": {"mean difference": 0.0044},
}
PICTURES = ["K02", "K10", "M01", "M02", "M03", "G01", "G02", "S06"]  # without numbers


@pytest.mark.parametrize("id", [id for id in CLAIMS["id"] if id not in PICTURES])
def test_the_published_numbers_meet_the_criterion(id):
    values = {**published(id), **SHOWN.get(id, {})}
    others = [{name: 0.0 for name in values}]  # a shuffle without any effect
    measure = load_measures()[id]
    controls = others if measure.shuffle else []
    assert judge(measure, CLAIMS.loc[id, "numbers"], values, controls=controls) == "reproduced"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "least"), zip([p for p in WRITERS if p != "I"], (7, 7, 3, 5), strict=True)
)
def test_no_claim_holds_on_shuffled_labels(pattern, least, tmp_path):
    """Those whose control is a table of another rule are tested with that rule."""
    WRITERS[pattern](tmp_path)
    table = claims_of(tmp_path, pattern, shuffles=SHUFFLES)
    controlled = table[table["control"] != ""]
    assert len(controlled) >= least
    judged = controlled[controlled["verdict"] != "not run"]
    assert judged["verdict"].isin(["reproduced", "direction only"]).all()
    assert set(judged["control_holds"]) <= {"0 of 20", "1 of 20"}
    assert (judged["caution"] == "").all()


def test_labels_are_shuffled_among_cells_that_are_alike_otherwise():
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {"cell_type": rng.choice(["B", "NK"], 200), "condition": rng.choice(["a", "b"], 200)}
    )
    found = shuffle_labels(obs, "condition", 1)
    assert found["cell_type"].equals(obs["cell_type"])
    assert (found["condition"] != obs["condition"]).mean() > 0.3
    assert found.value_counts().equals(obs.value_counts())
    assert found.equals(shuffle_labels(obs, "condition", 1))
    assert not found.equals(shuffle_labels(obs, "condition", 2))


def test_bayes_factors_of_shuffled_groups_are_those_of_all_pairs(tmp_path):
    write_kang(tmp_path)
    results = RunResults(tmp_path, config())
    latent = results.latent("kang", 1)
    shuffled = ShuffledResults(results, "condition", 3)
    obs = shuffled.latent("kang", 1).obs
    innate = obs["cell_type"].isin(["CD14+Mono", "FCGR3A+Mono", "Dendritic"]).to_numpy()
    treated = (obs["condition"] == "stimulated").to_numpy()
    sd = np.sqrt(latent.layers["variance"][innate])
    sample = latent.X[innate] + sd * np.random.default_rng(1).standard_normal(sd.shape)
    a, b = sample[treated[innate]], sample[~treated[innate]]
    p = mannwhitneyu(a, b).statistic / (len(a) * len(b))
    table = shuffled.contrast("kang", 1, "innate", "stimulated")
    np.testing.assert_allclose(table["log_bf"], np.log(p / (1 - p)), rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(table["md"], np.abs(a.mean(0) - b.mean(0)), rtol=1e-4)


def test_weights_are_shuffled_within_a_set_and_outside_of_it():
    table = pd.DataFrame({"gmv": "A", "in_set": [True] * 5 + [False] * 30})
    table["weight"] = [*range(105, 100, -1), *range(30)]
    found = shuffle_weights(table, 1)
    assert sorted(found["weight"][:5]) == [101, 102, 103, 104, 105]
    assert found["weight"].tolist() != table["weight"].tolist()
    assert found["rank"].tolist() == found["weight"].rank(ascending=False).tolist()


def test_a_criterion_that_holds_by_chance_is_marked(tmp_path, monkeypatch):
    write_kang(tmp_path)
    weak = Measure(load_measures()["K02"].function, lambda v: v["AUC"] > 0.4, shuffle="condition")
    monkeypatch.setitem(load_measures(), "K02", weak)
    row = claims_of(tmp_path, "K02", shuffles=SHUFFLES).loc["K02"]
    assert row["verdict"] == "reproduced"
    assert (row["control_holds"], row["caution"]) == ("20 of 20", UNINFORMATIVE)
    assert row["control"].startswith("AUC 0.501 ±0.0280")


def test_a_direction_has_to_be_beyond_all_shuffles(tmp_path):
    """Without any response the AUC is on either side of 0.5."""
    write_kang(tmp_path)
    assert claims_of(tmp_path, "K02", shuffles=SHUFFLES).loc["K02", "verdict"] == "reproduced"

    def forget(latent):
        rng = np.random.default_rng(4)
        latent.X[:] = rng.normal(size=latent.shape)

    change_latent(tmp_path, "kang", forget)
    assert claims_of(tmp_path, "K02", shuffles=SHUFFLES).loc["K02", "verdict"] == "differs"


def test_only_what_can_be_judged_is_counted():
    def by_chance(partial="", **options):
        controls = [{"x": float(x)} for x in range(1, 6)]
        measure = Measure(lambda r, s: {}, **options)
        return holds_by_chance(measure, numbers("x=5", "1"), partial, controls)

    exact = {"effect": lambda v: v["x"], "exact": True}
    assert by_chance(**exact) == 2  # 4 and 5 are within the tolerance
    assert by_chance("a subset", **exact) == 1  # 5 is beyond the others
    assert by_chance(SIMULATED, **exact) is None
    assert by_chance(holds=lambda v: v["x"] > 4, **exact | {"exact": False}) == 1
