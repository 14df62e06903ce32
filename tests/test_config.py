"""The configuration: what it selects, and how it says what is wrong."""

import shutil

import pytest
import yaml
from conftest import ROOT

from paper.config import ModelConfig, load
from paper.errors import InputError
from paper.reference import derived_files


@pytest.fixture
def folder(tmp_path):
    """A copy of config/ to damage."""
    return shutil.copytree(ROOT / "config", tmp_path / "config")


def edit(path, change):
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))


def test_the_shipped_configuration_is_valid_and_complete():
    config = load(yaml.safe_load((ROOT / "config" / "config.yaml").read_text()), ROOT / "config")
    assert config.selected_studies == list(config.studies)
    assert next(iter(config.studies)) == "kang" and "mixseq_brd3379" in config.studies
    assert config.selected_figures == list(config.figures)
    assert ("kang", "GSM2560249_2.2.mtx.gz") in config.raw_files
    assert {f for s, f in config.raw_files if s == "gene_sets"} == {
        "reactomes.gmt", "hallmarks.gmt", "gbm_aracne.gmt", "reactomes_organoid_ct.gmt",
    }  # fmt: skip


def test_a_study_left_out_leaves_out_its_figures_only():
    config = load({"studies": "kang zheng"}, ROOT / "config")
    assert set(config.selected_figures) == {"fig1", "fig4", "sfig4", "sfig5"}
    assert config.left_out["fig3"] == ["field"]
    assert "darmanis" in config.left_out["fig2"]
    # A drug's study is chosen by the name of what they share, too.
    assert load({"studies": "mixseq"}, ROOT / "config").selected_studies == [
        "mixseq_trametinib", "mixseq_dabrafenib", "mixseq_navitoclax", "mixseq_brd3379",
    ]  # fmt: skip


def test_the_kang_model_is_the_published_one():
    """experiments.md, table of experiments, first row, and the section on the model."""
    model = load({}, ROOT / "config").models["kang"]
    assert model == ModelConfig(
        study="kang",
        gene_sets="reactomes.gmt",
        corrected=model.corrected,
        contrasts=model.contrasts,
        one_vs_rest="cell_type",
    )
    assert (model.dropout, model.latent_dropout, model.beta, model.extra_nodes) == (
        0.5,
        0.5,
        1e-4,
        1,
    )
    assert (model.learning_rate, model.weight_decay, model.batch_size) == (1e-4, 5e-4, 128)
    assert (model.max_epochs, model.patience, model.train_share) == (500, 10, 0.8)
    assert (model.min_genes, model.max_genes, model.n_hidden, model.n_layers) == (0, 5000, 800, 2)


def test_fidelity_chooses_between_code_and_text():
    """Errata 2 and 3."""
    model = load({}, ROOT / "config").models["kang"]
    published, corrected = (model.training_settings(f) for f in ("published", "corrected"))
    assert (published["learning_rate"], published["beta"]) == (1e-4, 1e-4)
    assert (corrected["learning_rate"], corrected["beta"]) == (5e-4, 1)
    rest = {"learning_rate", "beta"}
    assert {k: v for k, v in published.items() if k not in rest} == {
        k: v for k, v in corrected.items() if k not in rest
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "gpu"}, "config.yaml: device: Input should be 'auto'"),
        ({"seeds": []}, "config.yaml: seeds: List should have at least 1 item"),
        ({"seeds": [0]}, "config.yaml: seeds.0: Input should be greater than 0"),
        ({"run": "../x"}, "config.yaml: run: String should match"),
        ({"mirrow": "x"}, "config.yaml: mirrow: Extra inputs are not permitted"),
        ({"studies": "kong"}, "kong is not in config/studies.yaml; choose from kang, zheng"),
    ],
)
def test_a_wrong_setting_is_one_line(folder, settings, message):
    with pytest.raises(InputError, match=message) as error:
        load(settings, folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (
            "models.yaml",
            lambda c: c["kang"].update(study="kong"),
            "models.yaml: kang.study: kong is not in studies.yaml",
        ),
        (
            "models.yaml",
            lambda c: c["kang"].update(gene_sets="x.gmt"),
            "files.tsv: no row for gene_sets/x.gmt",
        ),
        (
            "models.yaml",
            lambda c: c["kang"].update(dropout=1.5),
            "models.yaml: kang.dropout: Input",
        ),
        (
            "models.yaml",
            lambda c: c["kang"].update(corrected={"rate": 1}),
            "models.yaml: kang.corrected.rate: Extra inputs are not permitted",
        ),
        (
            "studies.yaml",
            lambda c: c["kang"]["steps"].append({"keep": {"a": ["b"]}, "normalise": "median"}),
            r"studies.yaml: kang.steps.\d: Value error, a step is exactly one of keep, drop",
        ),
        (
            "studies.yaml",
            lambda c: c["kang"]["steps"].append({"smooth": 3}),
            r"studies.yaml: kang.steps.\d.smooth: Extra inputs are not permitted, got 3",
        ),
        (
            "studies.yaml",
            lambda c: c["kang"]["matrices"][0].update(matrix="other.mtx.gz"),
            "files.tsv: no row for kang/other.mtx.gz",
        ),
        (
            "studies.yaml",
            lambda c: c["kang"].pop("format"),
            "studies.yaml: kang.format: Field required",
        ),
        (
            "figures.yaml",
            lambda c: c["fig1"].update(studies=["kong"]),
            "figures.yaml: fig1.studies: kong is not in studies.yaml",
        ),
    ],
)
def test_a_wrong_entry_is_one_line_naming_file_and_entry(folder, file, change, message):
    edit(folder / file, change)
    with pytest.raises(InputError, match=message) as error:
        load({}, folder)
    assert "\n" not in str(error.value)


def test_files_that_are_not_what_they_should_be(folder):
    (folder / "models.yaml").write_text("kang: [\n")
    with pytest.raises(InputError, match=r"models.yaml: not YAML: while parsing"):
        load({}, folder)
    (folder / "models.yaml").write_text("- a\n")
    with pytest.raises(InputError, match=r"must hold entries by name, got list"):
        load({}, folder)
    (folder / "models.yaml").unlink()
    with pytest.raises(InputError, match=r"models.yaml: cannot be read"):
        load({}, folder)


def test_a_bad_checksum_names_its_line(folder):
    table = (folder / "files.tsv").read_text().splitlines()
    table[1] = table[1].replace("fbac682dfe89b625d08f35f1fb3d4f8c", "fbac")
    (folder / "files.tsv").write_text("\n".join(table))
    with pytest.raises(InputError, match=r"files.tsv: line 2.md5: String should match.*got 'fbac'"):
        load({}, folder)


def test_yaml_cannot_run_code(folder):
    (folder / "models.yaml").write_text("kang: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(InputError, match="not YAML"):
        load({}, folder)


def test_what_is_written_from_other_files_is_up_to_date():
    stale = [str(p) for p, text in derived_files().items() if p.read_text() != text]
    assert not stale, "run `make config`"
