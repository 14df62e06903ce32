"""Families of models: how they are trained, and what is made of them."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from anndata import AnnData
from sklearn.metrics import silhouette_score

import vega
from scripts.analyse.silhouettes import silhouettes
from scripts.analyse.sweep import summary
from scripts.analyse.trained_models import trained
from scripts.analyse.weights import LARGEST, weights
from scripts.common.config.models import ModelConfig
from scripts.train.train import CHECKPOINT, fold_of, train_models, without_genes
from vega.errors import InputError

SMALL = {"n_hidden": 8, "max_epochs": 3, "batch_size": 32}


@pytest.fixture(scope="module")
def adata():
    rng = np.random.default_rng(0)
    x = rng.poisson(0.8, (160, 150)).astype(np.float32)
    x[:80, :5] += 3
    obs = pd.DataFrame(
        {
            "condition": np.repeat(["stimulated", "control"], 80),
            "cell_type": rng.choice(["A", "B", "C"], 160, p=[0.6, 0.3, 0.1]),
        },
        index=[f"c{i}" for i in range(160)],
    )
    var = pd.DataFrame(index=[f"G{i}" for i in range(150)])
    return AnnData(sp.csr_matrix(np.log1p(x)), obs=obs, var=var, uns={"provenance": "{}"})


@pytest.fixture
def gmt(tmp_path):
    path = tmp_path / "sets.gmt"
    path.write_text("FIRST\t\tG0\tG1\tG2\tG3\tG4\nSECOND\t\tG3\tG8\tG9\n")
    return path


def settings(seed=1, **changed):
    entry = ModelConfig(data={"study": "s", "gene_sets": "sets.gmt"}).with_settings(SMALL)
    return {**entry.training_settings(overrides=changed), "seed": seed}


def train(adata, gmt, configs, threads=2, **options):
    train_models(
        adata, gmt, configs, device="cpu", precision="float32", models_per_gpu=1,
        given_gpu=False, require_gpu=False, threads=threads, **options,
    )  # fmt: skip


# ---------------------------------------------------------------- training


def files_of(folder):
    return {
        p.name: p.read_bytes()
        for p in sorted(folder.iterdir())
        if p.is_file() and p.name != "model.json"  # which says how long it took
    }


def test_side_by_side_each_model_is_what_it_is_alone(adata, gmt, tmp_path):
    configs = {
        Path(f"m{n}", f"seed{seed}"): settings(seed, extra_nodes=n)
        for n in (1, 2)
        for seed in (1, 7)
    }
    train(adata, gmt, {tmp_path / "together" / at: each for at, each in configs.items()}, threads=4)
    for at, config in configs.items():
        folder, alone = tmp_path / "together" / at, tmp_path / "alone" / at
        train(adata, gmt, {alone: config}, threads=1)
        assert vega.load(folder).seed == config["seed"]
        assert files_of(folder) == files_of(alone)
        assert not (folder / CHECKPOINT.parent).exists()


def test_a_family_that_was_killed_goes_on_model_by_model(adata, gmt, tmp_path, monkeypatch, caplog):
    """Finished members are not trained again, even where Snakemake has removed their files."""
    configs = {tmp_path / f"m{n}" / "seed1": settings(extra_nodes=n) for n in (1, 2, 3)}
    unbroken = {tmp_path / "u" / f"m{n}" / "seed1": config for n, config in enumerate(
        configs.values(), 1
    )}  # fmt: skip
    train(adata, gmt, unbroken, threads=1)
    saves, save = [], vega.VEGA.save

    def killed_at_the_third(model, folder):
        saves.append(folder)
        if len(saves) == 3:
            raise KeyboardInterrupt
        save(model, folder)

    monkeypatch.setattr(vega.VEGA, "save", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        train(adata, gmt, configs, threads=1)
    monkeypatch.undo()
    for folder in configs:
        for file in folder.iterdir():
            if file.is_file():
                file.unlink()
    with caplog.at_level(logging.INFO):
        train(adata, gmt, configs, threads=1)
    resumed = [record.getMessage() for record in caplog.records if "resumed" in record.message]
    assert resumed == [f"m{n}/seed1: resumed after epoch 3" for n in (1, 2, 3)]
    assert not any(": epoch" in record.message for record in caplog.records)
    for ours, expected in zip(configs, unbroken, strict=True):
        assert files_of(ours) == files_of(expected)
        assert not (ours / CHECKPOINT.parent).exists()


def test_a_member_that_cannot_be_trained_stops_the_rest(adata, gmt, tmp_path):
    configs = {
        tmp_path / "m1" / "seed1": settings(remove_genes={"THIRD": ["G0"]}),
        tmp_path / "m2" / "seed1": settings(),
    }
    with pytest.raises(InputError, match="remove_genes: no gene set THIRD"):
        train(adata, gmt, configs, threads=1)
    assert not (tmp_path / "m2" / "seed1" / "model.json").exists()


def test_a_device_that_is_not_there_is_named(adata, gmt, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(InputError, match="device 'cuda' is not there; use auto or cpu"):
        train_models(
            adata, gmt, {tmp_path / "m": settings()}, models_per_gpu=2, device="cuda",
            given_gpu=True, require_gpu=False, threads=1,
        )  # fmt: skip
    assert not (tmp_path / "m").exists()


def test_runs_start_from_other_weights_and_share_the_split(adata, gmt, tmp_path):
    configs = {tmp_path / f"m{n}" / "seed1": settings(run=n, max_epochs=1) for n in (1, 2)}
    train(adata, gmt, configs)
    first, second = (vega.load(folder) for folder in configs)
    assert (first.seed, second.seed) == (1, 1001)
    assert first.training["split_seed"] == second.training["split_seed"]
    assert not first.weights().equals(second.weights())


def test_folds_are_alike_and_cover_every_cell_once(adata):
    folds = [fold_of(adata.obs, {"n": 4, "column": "cell_type"}, k) for k in range(1, 5)]
    assert (np.sum(folds, axis=0) == 1).all()
    counts = pd.DataFrame([adata.obs["cell_type"][fold].value_counts() for fold in folds])
    assert (counts.max() - counts.min() <= 1).all()
    assert fold_of(adata.obs, None, 1) is None
    with pytest.raises(InputError, match="folds: the study has no column kind; it has condition"):
        fold_of(adata.obs, {"n": 4, "column": "kind"}, 1)
    with pytest.raises(InputError, match="fold 5 of 4"):
        fold_of(adata.obs, {"n": 4, "column": "cell_type"}, 5)


def test_genes_are_taken_out_of_their_set_alone():
    sets = {"A": ["x", "y", "z"], "B": ["x", "q"]}
    assert without_genes(sets, {"A": ["x", "z", "other"]}) == {"A": ["y"], "B": ["x", "q"]}
    assert sets["A"] == ["x", "y", "z"]
    with pytest.raises(InputError, match="remove_genes: B has none of y"):
        without_genes(sets, {"B": ["y"]})


# ---------------------------------------------------------------- silhouettes


def latent_of(adata):
    rng = np.random.default_rng(5)
    mean = rng.normal(size=(160, 3)).astype(np.float32)
    mean[:80] += 1
    latent = AnnData(mean, obs=adata.obs.copy())
    latent.layers["variance"] = np.full((160, 3), 4, dtype=np.float32)
    latent.var_names = ["FIRST", "SECOND", "UNANNOTATED_1"]
    return latent


def asked(column, within=None, of="mean", extra_nodes=True):
    return {"column": column, "within": within or {}, "of": of, "extra_nodes": extra_nodes}


def test_silhouettes_are_those_of_the_cells_and_the_space_asked_for(adata):
    latent = latent_of(adata)
    control = (latent.obs["condition"] == "control").to_numpy()
    found = silhouettes(
        latent,
        {
            "condition": asked("condition"),
            "type": asked("cell_type", {"condition": ["control"]}),
            "annotated": asked("condition", extra_nodes=False),
            "nothing": asked("condition", {"condition": ["control"]}),
        },
        seed=1,
    )
    assert found["silhouette_condition"] == pytest.approx(
        silhouette_score(latent.X, latent.obs["condition"]), abs=1e-6
    )
    assert found["silhouette_type"] == pytest.approx(
        silhouette_score(latent.X[control], latent.obs["cell_type"][control]), abs=1e-6
    )
    assert found["silhouette_annotated"] == pytest.approx(
        silhouette_score(latent.X[:, :2], latent.obs["condition"]), abs=1e-6
    )
    assert np.isnan(found["silhouette_nothing"])


def test_a_sample_of_the_posterior_is_more_scattered_than_its_mean(adata):
    """Variance 4 around means 1 apart: compared with draws of our own."""
    latent = latent_of(adata)
    both = {"sample": asked("condition", of="sample"), "mean": asked("condition")}
    found = silhouettes(latent, both, seed=1)
    drawn = latent.X + 2 * np.random.default_rng(9).normal(size=latent.shape)
    expected = silhouette_score(drawn, latent.obs["condition"])
    assert found["silhouette_sample"] == pytest.approx(expected, abs=0.02)
    assert found["silhouette_sample"] < found["silhouette_mean"] / 2
    assert found == silhouettes(latent, both, seed=1)


def test_a_missing_column_is_one_line(adata):
    with pytest.raises(InputError, match=r"silhouettes.x: the study has no column batch; it has"):
        silhouettes(latent_of(adata), {"x": asked("batch")}, seed=1)


# ---------------------------------------------------------------- tables


@pytest.fixture
def family(adata, gmt, tmp_path):
    removed = {"FIRST": ["G1", "G4"]}
    by = {f"m_extra-nodes-{n}": {"extra_nodes": n} for n in (1, 2)}
    configs = {
        tmp_path / name / "seed1": settings(decoder="soft", remove_genes=removed, **values)
        for name, values in by.items()
    }
    train(adata, gmt, configs)
    about = {
        name: {"by": values, "folder": str(tmp_path / name), "removed": removed}
        for name, values in by.items()
    }
    return list(trained(about, [1]))


def test_the_summary_of_a_family_is_that_of_its_models(adata, family):
    table = summary(family, adata, {"condition": asked("condition")})
    assert list(table.columns) == [
        "model", "seed", "extra_nodes", "n_cells", "epochs", "train_loss", "validation_loss",
        "silhouette_condition",
    ]  # fmt: skip
    for row, member in zip(table.itertuples(), family, strict=True):
        model = vega.load(member.folder)
        assert row.model == Path(member.folder).parent.name
        assert (row.extra_nodes, row.epochs, row.n_cells) == (member.by["extra_nodes"], 3, 160)
        assert row.validation_loss == model.history["validation_loss"].min()
        expected = silhouette_score(model.embed(adata), adata.obs["condition"])
        assert row.silhouette_condition == pytest.approx(expected, abs=1e-6)


def test_weights_are_ranked_among_all_genes_and_say_which_were_taken_out(family):
    table = weights(family, ["FIRST"])
    for member in family:
        rows = table[table["model"] == member.name].set_index("gene")
        all_weights = vega.load(member.folder).weights()["FIRST"]
        assert set(all_weights.nlargest(LARGEST).index) <= set(rows.index)
        assert set(rows.index[rows["in_set"]]) == {"G0", "G2", "G3"}
        assert set(rows.index[rows["removed"]]) == {"G1", "G4"}
        for gene, row in rows.iterrows():
            assert row["weight"] == pytest.approx(all_weights[gene])
            assert row["rank"] >= 1 + (all_weights > all_weights[gene]).sum()
        assert rows["rank"].is_unique
    with pytest.raises(InputError, match="weights_of: m_extra-nodes-1 has no GMV THIRD"):
        weights(family, ["THIRD"])
