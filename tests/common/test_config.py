"""The configuration: what it selects, and how it says what is wrong."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, edit
from helpers.checks import one_line_error

from scripts.common.config.load import load
from scripts.common.config.models import ModelConfig
from scripts.common.config.studies import Relabel
from tools.reference import derived_files


@pytest.fixture
def folder(tmp_path):
    """A copy of config/ to damage."""
    return shutil.copytree(ROOT / "config", tmp_path / "config")


def test_the_shipped_configuration_is_valid_and_complete():
    config = load(yaml.safe_load((ROOT / "config" / "config.yaml").read_text()), ROOT / "config")
    assert config.selected_studies == list(config.studies)
    assert next(iter(config.studies)) == "kang" and "mixseq_brd3379" in config.studies
    # Only simulated cells have a truth to be held against, and no choice is asked for.
    left_out = [f for f in config.figures if f not in config.selected_figures]
    assert left_out == ["robustness", "recovery"] and not config.choices
    assert len(config.selected_figures) == 4 + 12
    assert ("kang", "GSM2560249_2.2.mtx.gz") in config.raw_files
    assert {f for s, f in config.raw_files if s == "gene_sets"} == {
        "reactomes.gmt", "hallmarks.gmt", "gbm_aracne.gmt", "reactomes_organoid_ct.gmt",
    }  # fmt: skip


def test_a_study_left_out_leaves_out_its_figures_only():
    config = load({"studies": "kang zheng"}, ROOT / "config")
    assert set(config.selected_figures) == {
        "fig1", "fig4", "sfig1", "sfig3", "sfig4", "sfig5", "sfig8", "sfig9", "sfig10", "sfig11",
        "sfig12",
    }  # fmt: skip
    assert config.left_out["fig3"] == ["field"]
    assert "darmanis" in config.left_out["fig2"]
    # A drug's study is chosen by the name of what they share, too.
    assert load({"studies": "mixseq"}, ROOT / "config").selected_studies == [
        "mixseq_trametinib", "mixseq_dabrafenib", "mixseq_navitoclax", "mixseq_brd3379",
    ]  # fmt: skip


def test_a_run_can_do_without_some_labels_and_mutations():
    config = load({}, ROOT / "config")
    optional = {
        (row.study, row.file) for row in config.files if config.is_optional(row.study, row.file)
    }
    assert optional == {
        ("mixseq", "all_CL_features.rds"),
        ("shekhar", "Reference_clusters.rds"),
        ("shekhar", "clust_retinal_bipolar.txt"),
    }


def test_the_kang_model_is_the_published_one():
    """experiments.md, table of experiments, first row, and the section on the model."""
    model = load({}, ROOT / "config").models["kang"]
    assert model.model_dump(exclude={"analyses"}) == ModelConfig(
        data={"study": "kang", "gene_sets": "reactomes.gmt"}
    ).model_dump(exclude={"analyses"})
    network, train, data = model.model, model.train, model.data
    assert (network.dropout, network.latent_dropout, network.beta) == (0.5, 0.5, 1e-4)
    assert (network.extra_nodes, network.n_hidden, network.n_layers) == (1, 800, 2)
    assert (train.learning_rate, train.weight_decay, train.batch_size) == (1e-4, 5e-4, 128)
    assert (train.max_epochs, train.patience, train.train_fraction) == (500, 10, 0.8)
    assert (data.min_genes, data.max_genes) == (0, 5000)


# Choices of the robustness page, and what sets their models apart from those of the run.
CHANGED = {
    "seed_2": {"seed": 2},
    "seed_5": {"seed": 5},
    "learning_rate": {"learning_rate": 5e-4},
    "beta_5e-5": {"beta": 5e-5},
    "beta_1e-3": {"beta": 1e-3},
    "beta_1e-2": {"beta": 1e-2},
    "beta_1": {"beta": 1.0},
    "no_latent_dropout": {"latent_dropout": 0.0},
    "extra_nodes": {"extra_nodes": 8},
    "float32": {"precision": "float32"},
    "half_of_cells": {"study": "kang-half_of_cells"},
    "doublets": {"study": "kang-doublets"},
    "labels": {"study": "kang-labels"},
    "hvg_3000": {"study": "kang-hvg_3000"},
    "all_genes": {"study": "kang-all_genes"},
    "exact": None,  # no models of their own
    "negative_control": None,
}
STEPS = {
    "half_of_cells": {"cell_share": 0.5},
    "doublets": {"keep": None},
    "labels": {"relabel": Relabel()},
    "hvg_3000": {"highly_variable": 3000},
    "all_genes": {"highly_variable": None},
}


def flat(training):
    """Return the settings of all blocks by name."""
    blocks = ("data", "model", "train")
    rest = {name: value for name, value in training.items() if name not in blocks}
    return {**rest, **{k: v for block in blocks for k, v in training[block].items()}}


@pytest.mark.parametrize("name", CHANGED)
def test_models_of_a_choice_differ_in_what_it_says_and_in_nothing_else(name):
    config = load({"robustness": [name], "training_overrides": {"beta": 7.0}}, ROOT / "config")
    runs = {"kang": "kang", "kang_holdout": "kang_holdout_CD4T"}
    expected = {f"{name}/{run}": entry for entry, run in runs.items() if CHANGED[name]}
    trainings = config.choice_trainings
    also = {at for at in trainings if at.split("/")[1].startswith(("kang_latent", "kang_counts"))}
    assert set(trainings) - also == set(expected)
    for at, entry in expected.items():
        run = flat(config.trainings(entry)[f"{at.split('/')[1]}/seed1"])
        found = flat(trainings[at])
        assert {k: v for k, v in found.items() if v != run[k]} == CHANGED[name]


@pytest.mark.parametrize("name", STEPS)
def test_cells_of_a_choice_differ_in_its_steps_and_in_nothing_else(name):
    config = load({"robustness": "all"}, ROOT / "config")
    kang, other = config.studies["kang"], config.study(f"kang-{name}")
    assert config.raw_folder(f"kang-{name}") == "kang"
    rest = {"steps": True, "raw": True}
    assert other.model_dump(exclude=rest) == kang.model_dump(exclude=rest)
    before, after = ({s.name: s.value for s in study.steps} for study in (kang, other))
    assert {k: after.get(k) for k in before | after if before.get(k) != after.get(k)} == STEPS[name]
    kept = [step for step in after if step in before]
    assert kept == [step for step in before if step in after]  # in the same order
    assert list(after)[: len(after) - len(kept)] == [s for s in after if s not in before]


def test_choices_are_left_out_with_the_models_that_they_are_compared_with(folder):
    everything = {"robustness": "all"}
    assert load({**everything, "studies": "zheng"}, folder).choices == {}
    authors = load({**everything, "data": "authors"}, folder).choices
    assert set(CHANGED) - set(authors) == set(STEPS)  # those cells come preprocessed
    edit(folder / "models.yaml", lambda models: models.pop("kang_holdout"))
    config = load(everything, folder)
    assert config.choices == {} and "robustness" not in config.selected_figures


def test_a_study_may_not_have_the_name_of_the_cells_of_a_choice(folder):
    def add(studies):
        studies["kang-labels"] = {**studies["kang"], "raw": "kang"}

    edit(folder / "studies.yaml", add)
    with one_line_error("robustness.yaml: kang-labels is a duplicate; rename or remove one"):
        load({"robustness": ["labels"]}, folder)


S1 = {
    "max_genes": 1000, "beta": 5e-5, "batch_size": 64, "drop_last": True, "patience": 25,
    "norm_momentum": 0.1, "norm_epsilon": 1e-5, "nonnegative_start": "uniform",
}  # fmt: skip
# What sets the models of the supplement apart from the Kang model: experiments.md, table of
# experiments and the rows S1 to S12.
SUPPLEMENT = {
    "retina": {
        "study": "shekhar", "batch_key": "batch", "dropout": 0.2, "latent_dropout": 0,
        "extra_nodes": 3, "max_epochs": 300, "patience": 20, "nonnegative": False,
    },
    "kang_architectures_sparse-sparse_fold-3": {**S1, "encoder": "masked", "fold": 3},
    "kang_architectures_vega_fold-1": S1,
    "kang_architectures_sparse-deep_fold-10": {
        **S1, "encoder": "masked_linear", "decoder": "deep", "fold": 10,
    },
    "kang_architectures_vae_fold-1": {**S1, "decoder": "deep"},
    "kang_binary": {"decoder": "binary"},
    "kang_counts": {
        "study": "kang_counts", "likelihood": "negative_binomial", "layer": "counts",
        "nonnegative": False, "n_hidden": 600, "dropout": 0.1, "beta": 1,
        "n_epochs_kl_warmup": 400, "loss_reduction": "mean", "weight_decay": 1e-6,
        "adam_epsilon": 0.01, "max_epochs": 400, "patience": 400,
    },
    "kang_all_cells": {"train_fraction": 1},
    "kang_soft_l1-update-soft-threshold_l1-lambda-0-1": {
        "decoder": "soft", "l1_update": "soft_threshold", "l1_lambda": 0.1,
        "remove_genes": {"REACTOME_INTERFERON_ALPHA_BETA_SIGNALING": ["ISG15", "IFIT2", "ISG20"]},
    },
    "kang_soft_l1-update-multiplicative_l1-lambda-1000": {
        "decoder": "soft", "l1_lambda": 1000,
        "remove_genes": {"REACTOME_INTERFERON_ALPHA_BETA_SIGNALING": ["ISG15", "IFIT2", "ISG20"]},
    },
    "kang_extra_nodes_extra-nodes-64_run-5": {"dropout": 0.2, "extra_nodes": 64, "run": 5},
    "kang_latent_dropout_latent-dropout-0": {"dropout": 0.2, "latent_dropout": 0},
    "kang_latent_dropout_latent-dropout-0-5": {"dropout": 0.2},
}  # fmt: skip


@pytest.mark.parametrize("name", SUPPLEMENT)
def test_a_model_of_the_supplement_is_the_published_one(name):
    config = load({"data": "simulated"}, ROOT / "config")
    kang, found = (flat(config.model(each).training_settings()) for each in ("kang", name))
    folds = {"n": 10, "column": "cell_type"} if "fold-" in name else None
    assert found.pop("folds") == folds
    assert {k: v for k, v in found.items() if v != kang[k]} == SUPPLEMENT[name]


@pytest.mark.parametrize(
    ("entry", "number"),
    [("kang_architectures", 40), ("kang_soft", 10), ("kang_extra_nodes", 30),
     ("kang_latent_dropout", 2), ("kang_holdout", 7), ("kang", 1)],
)  # fmt: skip
def test_a_family_has_a_model_for_each_combination(entry, number):
    config = load({}, ROOT / "config")
    sweep = config.sweeps[entry]
    assert len(sweep) == number
    assert len({run.config.model_dump_json() for run in sweep.values()}) == number
    for run in sweep.values():
        assert run.config.sweep == {} and run.config.variants == {}
        for setting, value in run.by.items():
            if setting not in ("variant", "cell_type"):
                assert flat(run.config.training_settings())[setting] == value
    assert config.runs_of(entry) == list(sweep)
    assert config.is_sweep(entry) == (number > 1)


def test_a_run_may_take_other_settings_for_all_models_or_for_single_entries():
    settings = {
        "training_overrides": {"max_epochs": 9, "n_hidden": 5},
        "model_overrides": {"kang_soft": {"max_epochs": 3}},
    }
    config = load(settings, ROOT / "config")
    for entry, epochs in (("kang_soft", 3), ("kang_binary", 9)):
        for run in config.training_settings(entry).values():
            assert (run["train"]["max_epochs"], run["model"]["n_hidden"]) == (epochs, 5)


def test_an_entry_may_have_more_seeds_than_the_run():
    extra = {"kang": [3, 1, 2], "kang_extra_nodes": [4], "retina": [5]}
    config = load({"seeds": [7, 2], "extra_seeds": extra, "studies": "kang"}, ROOT / "config")
    assert config.seeds_of("kang") == [7, 2, 1, 3]
    assert config.seeds_of("kang_extra_nodes_extra-nodes-8_run-2") == [7, 2, 4]
    assert config.seeds_of("kang_holdout") == config.seeds_of("kang_mask_pca") == [7, 2]
    assert [config.other_seed("kang", seed) for seed in (7, 2)] == [2, 7]
    alone = load({"extra_seeds": {"kang": []}}, ROOT / "config")
    assert alone.other_seed("kang", 1) is None
    default = load({}, ROOT / "config")
    assert [e for e in default.models if default.other_seed(e, 1)] == ["kang", "kang_control"]


def test_models_for_simulated_cells_are_in_no_other_run():
    public, simulated = (load(s, ROOT / "config") for s in ({}, {"data": "simulated"}))
    assert set(simulated.selected_entries) - set(public.selected_entries) == {"kang_variants"}
    assert set(simulated.scored) >= {"kang", "field", "darmanis", "mixseq_trametinib"}
    assert len(simulated.scored["kang"]) == 7
    some = load({"data": "simulated", "recovery_models": ["VEGA"]}, ROOT / "config")
    assert some.scored["kang"] == {"VEGA": "kang"}


def test_fidelity_chooses_between_code_and_text():
    """Errata 2 and 3."""
    model = load({}, ROOT / "config").models["kang"]
    published, corrected = (model.training_settings(f) for f in ("published", "corrected"))
    for settings, expected in ((published, (1e-4, 1e-4)), (corrected, (5e-4, 1))):
        assert (settings["train"]["learning_rate"], settings["model"]["beta"]) == expected
    for settings in (published, corrected):
        del settings["train"]["learning_rate"], settings["model"]["beta"]
    assert published == corrected


# A file, the place of a value in it, the wrong value, and what is said of it.
WRONG = [
    ("config", "device", "gpu", "config.yaml: device: Input should be 'auto'"),
    ("config", "seeds", [], "config.yaml: seeds: List should have at least 1 item"),
    ("config", "seeds", [0], "config.yaml: seeds.0: Input should be greater than 0"),
    ("config", "extra_seeds.kang", [0], "config.yaml: extra_seeds.kang.0: Input should be greater"),
    ("config", "extra_seeds.kong", [2],
     "config.yaml: extra_seeds: entry 'kong' is not among kang"),
    ("config", "model_overrides.kong", {}, "model_overrides: entry 'kong' is not among"),
    ("config", "model_overrides.kang.epochs", 3, "model_overrides.kang: unknown setting epochs"),
    ("config", "training_overrides.study", "zheng",
     "training_overrides: study is one for all models of an entry; set it in the"),
    ("config", "model_overrides.kang.gene_sets", "hallmarks.gmt",
     "config.yaml: model_overrides.kang: gene_sets is one for all models"),
    ("models", "kang.corrected.study", 3, "models.yaml: kang.corrected: study is one for all"),
    ("models", "kang.sweep.study", ["kang"], "models.yaml: kang.sweep: study is one for all"),
    ("config", "recovery_models", ["Vega"],
     "config.yaml: recovery_models 'Vega' is not among VEGA"),
    ("config", "run", "../x", "config.yaml: run: String should match"),
    ("config", "run", 202310,
     "config.yaml: run: Value error, 202310 was read as a number; use make RUN="),
    ("config", "studies", 1e5,
     "config.yaml: studies: Value error, 100000.0 was read as a number"),
    ("config", "run", "gene_sets",
     "config.yaml: run: Value error, gene_sets is a reserved name; choose another"),
    ("config", "mirrow", "x", "config.yaml: mirrow: Extra inputs are not permitted"),
    ("config", "robustness", ["kong"],
     "config.yaml: robustness 'kong' is not among seed_2, seed_3, "),
    ("config", "studies", "kong",
     "kong is not in config/studies.yaml; choose from kang, kang_counts"),
    ("models", "kang.data.study", "kong", "models.yaml: kang.study: kong is not in studies.yaml"),
    ("models", "kang.data.gene_sets", "x.gmt", "files.tsv: no row for gene_sets/x.gmt"),
    ("models", "kang.model", {"dropout": 1.5}, "models.yaml: kang.model.dropout: Input"),
    ("models", "kang.corrected", {"rate": 1},
     "models.yaml: kang.corrected: unknown setting rate; known: study,"),
    ("models", "kang_soft.sweep.l1_lambda", [1, -1],
     "models.yaml: kang_soft.sweep.l1_lambda: Input should be greater than or equal to 0"),
    ("models", "kang_soft.sweep", {"l1_lambda": [*range(1, 300)], "run": [*range(1, 300)]},
     "models.yaml: kang_soft.sweep: more than 10,000 models"),
    ("models", "kang_architectures.variants.thin", {"encoder": "thin"},
     "models.yaml: kang_architectures.variants.thin.encoder: Input should be 'deep'"),
    ("baselines", "kang_intercode.epochs_of", "kong",
     "baselines.yaml: kang_intercode.epochs_of 'kong' is not among kang, "),
    ("baselines", "kang_mask_pca.settings", {"width": 3},
     "baselines.yaml: kang_mask_pca: Value error, mask_pca has no width; it has n_components, "),
    ("baselines", "kang",
     {"method": "pca", "data": {"study": "kang", "gene_sets": "reactomes.gmt"}},
     "baselines.yaml: kang is the name of a model too"),
    ("studies", "kang.steps", [{"keep": {"a": ["b"]}, "normalise": "median"}],
     "studies.yaml: kang.steps.0: Value error, a step is exactly one of keep, drop"),
    ("studies", "kang.steps", [{"smooth": 3}],
     "studies.yaml: kang.steps.0.smooth: Extra inputs are not permitted, got 3"),
    ("studies", "kang.authors", {"format": "mtx"},
     "studies.yaml: kang.authors.matrices: Field required (and 1 more)"),
    ("studies", "kang.steps", [{"orthologs": "other.tsv"}], "files.tsv: no row for kang/other.tsv"),
    ("robustness", "beta_1.settings", {"bata": 1},
     "robustness.yaml: beta_1.settings: unknown setting bata; known: study,"),
    ("robustness", "beta_1.settings", {"min_genes": 5},
     "robustness.yaml: beta_1.settings: min_genes is of block 'data' is not among model, train"),
    ("robustness", "beta_1.settings", {"study": "zheng"},
     "robustness.yaml: beta_1.settings: study is one for all models of an entry"),
    ("robustness", "beta_1", {"label": "b", "heading": "h"},
     "robustness.yaml: beta_1: Value error, expected one of seed, precision, settings, steps"),
    ("robustness", "labels.steps", {"relable": {}},
     "robustness.yaml: labels.steps: Value error, relable is not among keep, drop"),
    ("robustness", "labels.steps", {"cell_share": 2},
     "robustness.yaml: labels.steps.cell_share: Input should be less than 1, got 2"),
    ("robustness", "labels.also", ["kang_soft"],
     "robustness.yaml: labels.also.0: Input should be 'kang_latent_dropout' or 'kang_counts'"),
    ("robustness", "half_of_cells.steps", {"keep": None},
     "robustness.yaml: half_of_cells.steps: kang_counts has no step to leave out: 'keep'"),
    ("figures", "fig1.studies", ["kong"],
     "figures.yaml: fig1.studies: kong is not in studies.yaml"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "place", "value", "message"), WRONG)
def test_a_wrong_entry_is_one_line_naming_file_and_entry(folder, file, place, value, message):
    def change(content):
        *parents, last = place.split(".")
        for name in parents:
            content = content.setdefault(name, {})
        content[last] = value

    settings = {"robustness": "all"}
    if file == "config":
        change(settings)
    else:
        edit(folder / f"{file}.yaml", change)
    with one_line_error(re.escape(message)):
        load(settings, folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [("kang: [\n", "not YAML .while parsing"), ("- a\n", "expected entries by name, found list")],
)
def test_files_that_are_not_what_they_should_be(folder, text, message):
    (folder / "models.yaml").write_text(text)
    with one_line_error(rf"models.yaml: {message}"):
        load({}, folder)


def test_a_bad_checksum_names_its_line(folder):
    text = (folder / "files.tsv").read_text()
    (folder / "files.tsv").write_text(text.replace("fbac682dfe89b625d08f35f1fb3d4f8c", "fbac"))
    with one_line_error(r"files.tsv: line 2.md5: String should match.*got 'fbac'"):
        load({}, folder)


def test_what_is_written_from_other_files_is_up_to_date():
    stale = [str(p) for p, text in derived_files().items() if p.read_text() != text]
    assert not stale, "run `make config`"


@pytest.mark.parametrize(
    ("table", "name", "message"),
    [
        *[
            (table, name, ".* is no name; it begins with a letter")
            for table in ("studies", "models", "baselines", "figures", "robustness")
            for name in ("../../escaped", "a\nb")
        ],
        ("studies", "all", "all is a reserved name; choose another"),
        ("studies", "gene_sets", "gene_sets is a reserved name"),
        ("models", "robustness", "robustness is a reserved name"),
        ("models", 202310, "202310 was read as a number; quote the name"),
    ],
)
def test_a_name_that_leads_elsewhere_or_means_something_else_is_refused(
    folder, table, name, message
):
    edit(folder / f"{table}.yaml", lambda entries: entries.update({name: {}}))
    with one_line_error(rf"{table}\.yaml: {message}"):
        load({}, folder)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("file:///data/my%20mirror", "/data/my mirror"), ("~/mirror", f"{Path.home()}/mirror"),
        ("/data/{a} b", "/data/{a} b"), ("https://a.org/~b", "https://a.org/~b"),
    ],
)  # fmt: skip
def test_a_mirror_may_be_a_url_of_a_folder_or_below_the_home(given, path):
    assert load({"mirror": given}, ROOT / "config").settings.mirror == path


def test_models_of_types_that_differ_in_signs_alone_have_names_of_their_own(folder):
    types = ["dox+", "dox-", "NK cells"]
    edit(folder / "studies.yaml", lambda c: c["kang"].update(cell_types=types))
    edit(folder / "models.yaml", lambda c: c["kang"]["analyses"].update(contrasts={}))
    runs = load({}, folder).sweeps["kang_holdout"]
    assert {name: run.by["cell_type"] for name, run in runs.items()} == {
        "kang_holdout_dox-": "dox+", "kang_holdout_dox--2": "dox-",
        "kang_holdout_NK-cells": "NK cells",
    }  # fmt: skip


def test_a_study_needs_its_own_files_and_gene_sets_alone():
    files = load({"studies": "darmanis"}, ROOT / "config").raw_files
    assert {study for study, _ in files} == {"darmanis", "gene_sets"}
    assert [file for study, file in files if study == "gene_sets"] == ["gbm_aracne.gmt"]
