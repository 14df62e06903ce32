"""Contrasts, latent tables and GSEA."""

import json

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import vega
from scripts.analyse.contrasts import groups
from scripts.analyse.differential import differential_tables
from scripts.analyse.embed import top_genes
from scripts.analyse.gsea import gsea_tables, prerank, wilcoxon_scores
from scripts.analyse.supplementary_data import top_gmvs
from scripts.common.tables import read_table, write_table
from scripts.train.train import choose_device, train_model
from vega.errors import InputError

QUESTIONS = {
    "contrasts": {
        "innate": {
            "within": {"cell_type": ["Mono", "DC"]},
            "column": "condition",
            "group": "stim",
            "reference": "ctrl",
            "by": None,
            "gsea": True,
        }
    },
    "one_vs_rest": "cell_type",
    "min_genes": 0,
    "max_genes": 5000,
}


@pytest.fixture
def latent():
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical(np.tile(["Mono", "T", "DC"], 40), ["T", "DC", "Mono"]),
            "condition": np.repeat(["ctrl", "stim"], 60),
        },
        index=[f"c{i}" for i in range(120)],
    )
    mean = rng.normal(size=(120, 4)).astype(np.float32)
    mean[:, 0] += 6 * ((obs["condition"] == "stim") & (obs["cell_type"] != "T"))
    mean[:, 1] += 6 * (obs["cell_type"] == "T")
    var = pd.DataFrame(
        {"n_genes": [5, 6, 7, 8], "n_genes_in_data": [4, 5, 6, 7]}, index=list("ABCD")
    )
    return AnnData(mean, obs=obs, var=var, layers={"variance": np.full((120, 4), 0.2, np.float32)})


def test_groups_are_those_asked_for(latent):
    found = list(groups(latent.obs, QUESTIONS))
    assert [(c, g, r) for c, g, r, _ in found] == [
        ("innate", "stim", "ctrl"),
        ("one_vs_rest", "T", "rest"),
        ("one_vs_rest", "DC", "rest"),
        ("one_vs_rest", "Mono", "rest"),
    ]
    innate = found[0][3]
    for side, row in zip(innate, latent.obs.itertuples(), strict=True):
        expected = {"stim": 1, "ctrl": -1}[row.condition] * (row.cell_type != "T")
        assert side == expected
    assert (found[1][3] == np.where(latent.obs["cell_type"] == "T", 1, -1)).all()


@pytest.mark.parametrize("kind", [int, bool, str])
@pytest.mark.parametrize("as_category", [False, True])
def test_labels_may_be_numbers_and_missing(kind, as_category):
    """A cell without a label is on no side; labels are those that the configuration writes."""
    values = [*map(kind, [1, 0, 1, 0]), None]
    obs = pd.DataFrame({"label": pd.Series(values, dtype=object), "in": list("xxyyx")})
    if as_category:
        obs["label"] = obs["label"].astype("category")
    zero, one = str(kind(0)), str(kind(1))
    contrast = {"column": "label", "group": one, "reference": zero, "by": None}
    asked = {
        "contrasts": {"c": contrast | {"within": {"in": ["x"]}}, "d": contrast | {"within": {}}},
        "one_vs_rest": "label",
    }
    asked["contrasts"]["e"] = asked["contrasts"]["d"] | {
        "by": "in",
        "within": {"label": [one, zero]},
    }
    found = [(name, group, list(side)) for name, group, _, side in groups(obs, asked)]
    assert found == [
        ("c", one, [1, -1, 0, 0, 0]),
        ("d", one, [1, -1, 1, -1, 0]),
        ("e", "x", [1, -1, 0, 0, 0]),
        ("e", "y", [0, 0, 1, -1, 0]),
        ("one_vs_rest", zero, [-1, 1, -1, 1, 0]),
        ("one_vs_rest", one, [1, -1, 1, -1, 0]),
    ]  # fmt: skip
    with pytest.raises(InputError, match=f"all cells have the same label, {zero}"):
        list(groups(obs.iloc[[1, 3, 4]], asked | {"contrasts": {}}))


def test_contrasts_that_cannot_be_made_are_named(latent):
    obs = latent.obs.drop(columns="condition")
    with pytest.raises(
        InputError, match="innate: the study has no column condition; it has cell_type"
    ):
        list(groups(obs, QUESTIONS))
    with pytest.raises(InputError, match="contrast innate: no cell is stim"):
        list(groups(latent.obs[latent.obs["condition"] == "ctrl"], QUESTIONS))
    with pytest.raises(InputError, match="needs contrasts or one_vs_rest"):
        differential_tables(latent, {"contrasts": {}, "one_vs_rest": None}, 1)


def test_differential_tables_find_what_was_planted(latent):
    table = differential_tables(latent, QUESTIONS, seed=1)
    assert len(table) == 4 * 4
    best = table.loc[table.groupby(["contrast", "group"])["log_bf"].idxmax()].set_index(
        ["contrast", "group"]
    )["gmv"]
    assert best["innate", "stim"] == "A"
    assert best["one_vs_rest", "T"] == "B"
    planted = table[(table["contrast"] == "innate") & (table["gmv"] == "A")].iloc[0]
    assert planted["md"] == pytest.approx(6, abs=0.5)
    assert planted["md_exact"] == pytest.approx(6, abs=0.5)
    assert planted["log_bf_exact"] > 5
    assert (planted["n_genes"], planted["n_genes_in_data"]) == (5, 4)


def test_corrected_md_is_that_of_the_text(latent):
    published = differential_tables(latent, QUESTIONS, seed=1)
    corrected = differential_tables(latent, QUESTIONS, seed=1, fidelity="corrected")
    assert published["md_text"].equals(corrected["md"])
    assert published["log_bf"].equals(corrected["log_bf"])
    assert (published["md_text"] >= published["md"] - 0.2).all()
    assert not np.allclose(published["md_text"], published["md"], atol=0.2)


def test_top_gmvs_by_absolute_bayes_factor(latent):
    table = differential_tables(latent, QUESTIONS, seed=1)
    top = top_gmvs(table, n=2)
    assert list(top.columns[:3]) == ["T_gmv", "T_log_bf", "T_md"]
    rows = table[(table["contrast"] == "one_vs_rest") & (table["group"] == "DC")]
    assert list(top["DC_gmv"]) == list(rows.loc[rows["log_bf"].abs().nlargest(2).index, "gmv"])
    assert top["DC_log_bf"].min() < 0


def expression():
    """100 genes, of which the first 10 are higher in the first half of the cells."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(80, 100)).astype(np.float32)
    x[:40, :10] += 2
    return AnnData(x, var=pd.DataFrame(index=[f"g{i}" for i in range(100)])), np.arange(80) < 40


def test_wilcoxon_scores_against_scipy():
    from scipy.stats import ranksums

    adata, in_group = expression()
    scores = wilcoxon_scores(adata, in_group)
    assert scores.is_monotonic_decreasing
    for gene in ("g0", "g5", "g50"):
        x = adata[:, gene].X.ravel()
        expected = ranksums(x[in_group], x[~in_group]).statistic
        assert scores[gene] == pytest.approx(expected, rel=1e-3)


def test_gsea_finds_the_shifted_set_and_passes_over_small_ones():
    adata, in_group = expression()
    gene_sets = {
        "UP": [f"g{i}" for i in range(8)],
        "FLAT": [f"g{i}" for i in range(40, 60)],
        "SMALL": ["g0", "g1"],
    }
    table = prerank(wilcoxon_scores(adata, in_group), gene_sets)
    assert list(table.index) == ["UP", "FLAT", "SMALL"]
    assert table.loc["UP", "nes"] > 1.5
    assert table.loc["UP", "neg_log10_fdr"] > -np.log10(0.05)
    assert table.loc["FLAT", "fdr"] > 0.05
    assert np.isnan(table.loc["SMALL", "fdr"])
    assert table.loc["SMALL", "neg_log10_fdr"] == 0
    assert (table["neg_log10_fdr"] <= 5).all()


def test_gsea_runs_for_the_contrasts_that_ask(latent):
    adata, _ = expression()
    data = AnnData(np.vstack([adata.X, adata.X[:40]]), obs=latent.obs, var=adata.var)
    sets = {"UP": [f"g{i}" for i in range(8)], "FLAT": [f"g{i}" for i in range(40, 60)]}
    table = gsea_tables(data, data.var_names, sets, QUESTIONS)
    assert set(table["contrast"]) == {"innate"}
    silent = {**QUESTIONS, "contrasts": {}}
    assert gsea_tables(data, data.var_names, sets, silent).empty


def test_gsea_ranks_all_filtered_genes_and_beside_them_the_models_own(latent, monkeypatch):
    """A set with 6 filtered genes, of which 3 vary most, is tested: erratum 11."""
    x = np.random.default_rng(3).normal(size=(120, 100)).astype(np.float32)
    x[(latent.obs["condition"] == "stim").to_numpy(), :10] += 2
    data = AnnData(x, obs=latent.obs, var=pd.DataFrame(index=[f"g{i}" for i in range(100)]))
    sets = {"SIX": [f"g{i}" for i in range(6)], "FLAT": [f"g{i}" for i in range(40, 60)]}
    variable = [f"g{i}" for i in range(3, 100)]
    scores = wilcoxon_scores(*_innate(data))
    table = gsea_tables(data, variable, sets, QUESTIONS).set_index("gmv")
    pd.testing.assert_series_equal(table["fdr"], prerank(scores, sets)["fdr"])
    assert table.loc["SIX", "fdr"] < 0.05
    assert np.isnan(table.loc["SIX", "fdr_variable"])  # fewer than 5 genes
    assert table.loc["SIX", "neg_log10_fdr_variable"] == 0
    monkeypatch.setattr("scripts.analyse.gsea.PUBLISHED_RANKING", 70)
    cut = gsea_tables(data, variable, sets, QUESTIONS).set_index("gmv")
    expected = prerank(scores.head(70), sets)["fdr"]
    assert not expected.equals(table["fdr"])
    pd.testing.assert_series_equal(cut["fdr_first"], expected, check_names=False)
    pd.testing.assert_series_equal(cut["fdr"], table["fdr"])


def _innate(data):
    """The cells of the contrast, and which of them are stimulated."""
    innate = data[data.obs["cell_type"].isin(["Mono", "DC"])]
    return innate, (innate.obs["condition"] == "stim").to_numpy()


def test_tables_keep_names_that_look_like_missing_values(tmp_path):
    table = pd.DataFrame({"gmv": ["NA", "None", "a b"], "x": [1 / 3, np.nan, 2]})
    write_table(table, tmp_path / "t.tsv")
    again = read_table(tmp_path / "t.tsv")
    assert list(again["gmv"]) == ["NA", "None", "a b"]
    assert again["x"].tolist()[0] == pytest.approx(1 / 3, rel=1e-7)
    assert np.isnan(again["x"][1])


def test_device_follows_what_the_job_was_given(monkeypatch, caplog):
    caplog.set_level("INFO", logger="workflow")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    assert choose_device("auto", given_gpu=False, require_gpu=True) == "cpu"
    assert not caplog.messages
    assert choose_device("auto", given_gpu=True, require_gpu=False) == "cpu"
    assert caplog.messages == [
        "no GPU on this machine: training on the CPU, which only takes longer"
    ]
    with pytest.raises(InputError, match="was given a GPU but finds none"):
        choose_device("auto", given_gpu=True, require_gpu=True)
    with pytest.raises(ValueError, match="device 'cuda' is not there"):
        choose_device("cuda", given_gpu=True, require_gpu=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert choose_device("auto", given_gpu=True, require_gpu=True) == "cuda"
    assert choose_device("auto", given_gpu=False, require_gpu=False) == "cpu"


def test_train_model_follows_its_entry_and_leaves_a_whole_folder(tmp_path):
    from scripts.common.config.models import ModelConfig

    rng = np.random.default_rng(0)
    data = AnnData(
        rng.random((60, 12)).astype(np.float32),
        obs=pd.DataFrame(
            {"run": np.tile(["r1", "r2", "r3"], 20)}, index=[str(i) for i in range(60)]
        ),
        var=pd.DataFrame(index=[f"g{i}" for i in range(12)]),
    )
    gmt = tmp_path / "sets.gmt"
    gmt.write_text("SMALL\t-\tg1\tg2\nLARGE\t-\t" + "\t".join(f"g{i}" for i in range(9)) + "\n")
    entry = ModelConfig(
        data={"study": "x", "gene_sets": "sets.gmt", "max_genes": 5, "batch_key": "run"},
        model={"extra_nodes": 2, "n_hidden": 8, "n_layers": 1, "nonnegative": False},
        train={"max_epochs": 3, "batch_size": 20},
    ).training_settings() | {"seed": 4}
    # What a killed attempt may leave is no obstacle, and is gone afterwards.
    (tmp_path / "m" / "checkpoint").mkdir(parents=True)
    for stale in (
        ".part-x-weights.safetensors",
        "checkpoint/.tmp1",
        "checkpoint/state.safetensors",
    ):
        (tmp_path / "m" / stale).write_bytes(b"half")
    model = train_model(data, gmt, tmp_path / "m", entry, say=print)
    assert model.gmvs == ["SMALL", "UNANNOTATED_1", "UNANNOTATED_2"]
    assert model.batches == ["r1", "r2", "r3"]
    described = json.loads((tmp_path / "m" / "model.json").read_text())
    assert described["training"]["batch_size"] == 20
    assert described["training"]["seed"] == described["seed"] == 4
    assert described["settings"]["n_layers"] == 1
    assert described["settings"]["nonnegative"] is False
    assert described["losses"]["epochs"] == 3
    left = {path.name for path in (tmp_path / "m").rglob("*") if path.is_file()}
    assert left == {"weights.safetensors", "model.json", "history.tsv", "state.safetensors"}
    with pytest.raises(InputError, match="batch_key: the study has no column lane; it has run"):
        entry["data"]["batch_key"] = "lane"
        train_model(data, gmt, tmp_path / "n", entry, say=print)
    gmt.write_text("OTHER\t-\tx1\tx2\n")
    with pytest.raises(InputError, match="none of the 12 genes"):
        entry["data"]["batch_key"] = None
        train_model(data, gmt, tmp_path / "n", entry, say=print)


def test_top_genes_are_the_largest_weights_of_each_gmv():
    sets = {"ONE": ["g0", "g1", "g2"], "TWO": ["g3", "g4"]}
    genes = [f"g{i}" for i in range(8)]
    model = vega.VEGA(genes, sets, extra_nodes=1, n_hidden=4, nonnegative=False)
    weights = model.weights()
    table = top_genes(model, 3)
    for gmv in model.gmvs:
        rows = table[table["gmv"] == gmv]
        expected = weights[gmv][weights[gmv] != 0].abs().sort_values(ascending=False).index[:3]
        assert list(rows["gene"]) == list(expected)
        assert list(rows["rank"]) == list(range(1, len(rows) + 1))
        assert np.allclose(rows["weight"], weights.loc[rows["gene"], gmv])
        assert rows["in_set"].all()
    assert len(table[table["gmv"] == "TWO"]) == 2  # it reaches no more
    soft = top_genes(vega.VEGA(genes, sets, n_hidden=4, decoder="soft", nonnegative=False), 8)
    of_one = soft[soft["gmv"] == "ONE"]
    assert set(of_one.loc[of_one["in_set"], "gene"]) == set(sets["ONE"])
    assert not of_one["in_set"].all()
    assert top_genes(vega.VEGA(genes, sets, n_hidden=4, decoder="deep")).empty
