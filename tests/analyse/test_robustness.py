"""Rule `robustness`: claims under choices, on a run small enough to be trained here."""

import json

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from conftest import ROOT
from helpers.cells import log_cells, write_gmt
from helpers.drawn import panel, texts
from helpers.figure_runs import planted, robustness_table
from matplotlib.colors import to_rgb

import vega
from scripts.analyse import out_of_sample as oos
from scripts.analyse.differential import differential_tables
from scripts.analyse.embed import latent_space
from scripts.analyse.gsea import gsea_tables, shuffled_gsea
from scripts.analyse.robustness import DEPENDS, Changed, robustness
from scripts.analyse.silhouettes import silhouettes
from scripts.claims.judging import Verdict, evaluate, read_claims, shown
from scripts.claims.out_of_sample import TYPES
from scripts.claims.run_results import RunResults
from scripts.common import gmvs
from scripts.common.config.load import load
from scripts.common.config.robustness import COMPARED, HELD_OUT, Choice
from scripts.common.h5ad import read_cells, read_latent, write_cells
from scripts.common.tables import read_table, write_table
from scripts.figures.robustness import VERDICTS
from scripts.train.train import train_models
from vega.metrics import auc, silhouette

CLAIMS = read_claims(ROOT / "config" / "claims.tsv")
KANG_CLAIMS = CLAIMS[CLAIMS["id"].isin(DEPENDS)]
GENES = [f"G{i}" for i in range(150)]
SETS = [
    gmvs.INTERFERON_AB, gmvs.INTERFERON, gmvs.CYTOKINE, gmvs.TRYPTOPHAN, gmvs.B_CELL_RECEPTOR,
    gmvs.APOPTOSIS, *(f"SET_{i}" for i in range(56)),
]  # fmt: skip
ALSO = ["kang_latent_dropout", "kang_counts"]
CHOICES = {
    # Steps with the values that they have: everything is computed again, and nothing differs.
    "same": {"steps": {"normalise": "median"}, "also": ALSO},
    "half": {"steps": {"cell_share": 0.5}},
    "exact": {"exact": True},
    "shuffled": {"shuffled": True},
}
SMALL = {"n_hidden": 8, "n_layers": 1, "batch_size": 32, "max_epochs": 3, "learning_rate": 0.01}


def cells():
    """Return cells of all types and conditions; interferon raises the first 12 genes."""
    rng = np.random.default_rng(0)
    types, conditions = np.tile(TYPES, 28), np.repeat(["control", "stimulated"], 98)
    counts = rng.poisson(rng.gamma(1, 2, len(GENES)), (196, len(GENES)))
    counts[conditions == "stimulated", :12] += 20
    made = log_cells(
        counts, cell_type=pd.Categorical(types, TYPES), condition=pd.Categorical(conditions)
    )
    made.layers["counts"] = sp.csr_matrix(counts, dtype=np.float32)
    made.uns["provenance"] = json.dumps({"origin": "public"})
    return made


@pytest.fixture(scope="module", autouse=True)
def few_repeats():
    with pytest.MonkeyPatch.context() as patch:
        yield patch.setattr(oos, "REPEATS", 4)


@pytest.fixture(scope="module")
def config():
    settings = {
        "studies": "kang", "robustness": "all", "training_overrides": SMALL, "extra_seeds": {},
    }  # fmt: skip
    about = {"label": "a choice", "heading": "of all"}
    choices = {name: Choice(**about, **choice) for name, choice in CHOICES.items()}
    return load(settings, ROOT / "config").model_copy(update={"robustness": choices})


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    """The files of a run, as its rules write them; of genes that vary there are 120."""
    run = tmp_path_factory.mktemp("run")
    made = cells()
    for study in ("kang", "kang_counts", "kang-same", "kang_counts-same", "kang-half"):
        some = made[::2] if "half" in study else made
        write_cells(some[:, :120].copy(), run / "data" / f"{study}.h5ad")
        write_cells(some.copy(), run / "data" / f"{study}_all_genes.h5ad")
    sets = {name: GENES[2 * i : 2 * i + 12 + i % 5] for i, name in enumerate(SETS)}
    gmt = run / "raw" / "gene_sets" / "reactomes.gmt"
    gmt.parent.mkdir(parents=True)
    write_gmt(gmt, sets)
    entries = ["kang", "kang_holdout", *ALSO]
    trainings = {
        run / "models" / name: training
        for entry in entries
        for name, training in config.trainings(entry).items()
        if name.split("/")[0] in COMPARED
    }
    own = {run / "models" / "robustness" / n: t for n, t in config.choice_trainings.items()}
    studies = {t["data"]["study"] for t in [*trainings.values(), *own.values()]}
    train_models(
        {study: read_cells(run / "data" / f"{study}.h5ad") for study in studies}, gmt.parent,
        trainings | own, device="cpu", models_per_gpu=1, given_gpu=False, require_gpu=False,
        threads=2,
    )  # fmt: skip
    kang = read_cells(run / "data" / "kang.h5ad")
    shown_models = sorted({*COMPARED} - {"kang_control"})
    models = {name: vega.load(run / "models" / name / "seed1") for name in shown_models}
    for name, model in models.items():
        latent = latent_space(model, kang, sets, "none")
        write_cells(latent, run / "models" / name / "seed1" / "latent.h5ad")
    asked = config.model("kang").comparisons()
    latent = read_latent(run / "models" / "kang" / "seed1" / "latent.h5ad")
    how = config.model("kang").analyses.model_dump()["silhouettes"]
    full, unseen = oos.encode(models["kang"], kang), dict.fromkeys(TYPES, models[HELD_OUT])
    control = [row for n in range(1, 21) for row in oos.shuffled(full, unseen, None, None, 1, n)]
    ranked = read_cells(run / "data" / "kang_all_genes.h5ad")
    row, shuffled = silhouettes(latent, how, 1, 20)
    tables = {
        "kang_seed1_differential": differential_tables(latent, asked, 1),
        "kang_gsea": gsea_tables(ranked, kang.var_names, sets, asked),
        "kang_gsea_control": shuffled_gsea(ranked, sets, asked, 20),
        "kang_silhouettes": pd.DataFrame([row]).assign(seed=1),
        "kang_silhouettes_control": pd.DataFrame(shuffled).assign(seed=1),
    }
    for suffix, found in (
        ("", oos.tables(oos.held_out(full, unseen, 1))),
        ("_control", oos.tables(control, ["shuffle"])),
    ):
        tables |= {f"out_of_sample_{n}{suffix}": t for n, t in found.items()}
    for name, table in tables.items():
        write_table(table, run / "tables" / f"{name}.tsv")
    return run


@pytest.fixture(scope="module")
def table(run, config):
    return robustness(run, config, CLAIMS).set_index(["choice", "claim"])


def test_an_unchanged_choice_gives_what_the_run_itself_gives(table, run, config):
    """All its models are trained again, and all that claims read is computed again."""
    published, same = table.loc["this_run"], table.loc["same"]
    assert set(published.index) == set(same.index) == set(DEPENDS)
    assert published["value"].notna().all(), published["note"]
    np.testing.assert_allclose(same["value"], published["value"], rtol=1e-6)
    columns = ["measure", "verdict", "reproduced", "statement", "control_holds", "caution", "note"]
    pd.testing.assert_frame_equal(same[columns], published[columns])
    # The run's own claims, where they are not means over held-out types.
    own = evaluate(KANG_CLAIMS, RunResults(run, config), [1])[0].set_index("id")
    whole = published.index.drop(["I02", "I05"])
    for column in ("verdict", "reproduced", "control_holds"):
        pd.testing.assert_series_equal(
            published.loc[whole, column], own.loc[whole, column], check_names=False
        )


def test_held_out_claims_are_of_cd4_t_cells_alone(table, run):
    rows = read_table(run / "tables" / "out_of_sample_overlap.tsv").set_index("cell_type")
    assert table.loc[("this_run", "I02"), "value"] == rows.loc["CD4T", "mean"]
    assert table.loc[("this_run", "I02"), "value"] != rows["mean"].mean()


def test_models_of_a_choice_see_its_cells(table, run):
    model = vega.load(run / "models" / "robustness" / "half" / "kang")
    half = read_cells(run / "data" / "kang-half.h5ad")
    assert model.training["n_cells"] == half.n_obs == 98
    expected = silhouette(model.embed(half), half.obs["condition"])
    assert table.loc[("half", "K01"), "value"] == pytest.approx(expected)
    assert set(table.loc["half"].index) == set(DEPENDS) - {"S06", "S12"}


def test_exact_bayes_factors_take_the_place_of_drawn_ones(table, run):
    rows = read_table(run / "tables" / "kang_seed1_differential.tsv")
    rows = rows[rows["contrast"] == "innate"].set_index("gmv")
    exact = table.loc["exact"]
    assert set(exact.index) == {"K04", "K05", "K06", "K08", "K10", "K11", "K12"}
    row = rows.loc[gmvs.TRYPTOPHAN]
    assert exact.loc["K05", "value"] == row["log_bf_exact"] != row["log_bf"]
    assert exact.loc["K05", "reproduced"].endswith(f"MD {shown(row['md_exact'])}")
    expected = ((rows["log_bf_exact"].abs() > 3) & (rows["md_exact"] > 5)).sum()
    assert exact.loc["K06", "value"] == expected


def test_shuffled_labels_are_those_of_other_cells(table, run, config):
    kang, other = (
        cells(),
        Changed("shuffled", config.robustness["shuffled"], run, config).cells("kang"),
    )
    assert (other.X != kang[:, :120].X).nnz == 0 and other.obs_names.equals(kang.obs_names)
    pairs = [made.obs.value_counts().sort_index() for made in (kang, other)]
    pd.testing.assert_series_equal(*pairs)
    for column in ("condition", "cell_type"):
        assert (other.obs[column] != kang.obs[column]).mean() > 0.3
    shuffled = table.loc["shuffled"]
    assert set(shuffled.index) == set(DEPENDS) - {"S12", "T01"}
    latent = read_latent(run / "models" / "kang" / "seed1" / "latent.h5ad")
    treated = (other.obs["condition"] == "stimulated").to_numpy()
    expected = auc(latent[:, gmvs.INTERFERON_AB].X.ravel(), treated)
    assert shuffled.loc["K02", "value"] == pytest.approx(expected)
    assert abs(shuffled.loc["K02", "value"] - 0.5) < 0.2 < table.loc[("this_run", "K02"), "value"]
    assert set(shuffled.loc[["K01", "K02", "K03", "K04", "K05", "I01", "S06"], "verdict"]) == {
        "differs"
    }


# ---------------------------------------------------------------- the choices that are shipped

ALL = set(DEPENDS)
GSEA = {"K07", "K09"}
ASKED = {
    "seed_2": ALL - GSEA,
    "seed_5": ALL - GSEA - {"S06"},
    "beta_1": ALL - GSEA - {"S06"},
    "float32": ALL - GSEA - {"S06", "S12"},
    "half_of_cells": ALL,
    "labels": ALL - {"S06", "S12"},
    "hvg_3000": ALL - GSEA - {"S06", "S12"},
    "exact": {"K04", "K05", "K06", "K08", "K10", "K11", "K12"},
    "negative_control": ALL - {"S12", "T01"},
}


@pytest.mark.parametrize("name", ASKED)
def test_claims_are_asked_of_the_choices_that_they_depend_on(name):
    config = load({"robustness": "all"}, ROOT / "config")
    parts = Changed(name, config.choices[name], ROOT, config).parts
    assert {claim for claim in DEPENDS if DEPENDS[claim] & parts} == ASKED[name]


# ---------------------------------------------------------------- the figure


def test_the_figure_has_a_cell_for_each_verdict_and_no_other():
    data, rows = planted("robustness"), robustness_table()
    (axes,) = panel("robustness", "a", data).axes
    columns, claims = list(rows["label"].unique()), list(rows["claim"].unique())
    expected = {(columns.index(r.label), claims.index(r.claim)): r for r in rows.itertuples()}
    drawn = {patch.get_xy(): patch for patch in axes.patches}
    assert set(drawn) == set(expected) and len(axes.patches) == len(rows)
    written = {(t.get_position(), t.get_text()) for t in axes.texts}
    for (x, y), row in expected.items():
        sign, colour = VERDICTS[row.verdict]
        assert drawn[x, y].get_facecolor()[:3] == to_rgb(colour)
        middles = {(round(a - x, 3), words) for (a, b), words in written if y < b < y + 1}
        assert (0.5, sign + " ⚠" * pd.notna(row.caution)) in middles
        here = [words.replace("−", "-") for at, words in middles if at == 0.5]
        numbers = [words for words in here if words[-1:].isdigit()]
        expected_number = [] if np.isnan(row.value) else [row.value]
        assert list(map(float, numbers)) == pytest.approx(expected_number, rel=0.005, abs=0.0005)
    said = texts(panel("robustness", "a", data))
    assert {*columns, *rows["heading"]} <= set(said)


def test_verdicts_look_as_in_the_report():
    assert list(VERDICTS) == [verdict.value for verdict in Verdict]
    page, style = ((ROOT / "report" / f).read_text() for f in ("report.html.jinja", "report.css"))
    names = dict(zip(VERDICTS, ("good", "half", "bad", "none"), strict=True))
    for verdict, (sign, colour) in VERDICTS.items():
        assert f'"{verdict}": "{sign}"' in page
        assert f"--{names[verdict]}: light-dark({colour}," in style
