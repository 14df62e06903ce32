"""The rehearsal: raw files of the real sizes, and a table that fails where memory is exceeded."""

import pandas as pd
import pytest
import yaml
from conftest import ROOT

from scripts.common import resources
from scripts.common.config.load import load
from scripts.simulate.genes import measured_symbols
from tools import rehearsal

LINES = {
    "rehearsal": ["train\tkang\t8\t5.5\t9\t900\t7000000", "embed\tkang\t2\t2\t2\t7999\t1000000"],
    "rehearsal_download": ["download\tkang,x\t1\t1\t1\t50\t2000000"],
}


@pytest.fixture(scope="module")
def config():
    settings = [
        yaml.safe_load((ROOT / "config" / name).read_text())
        for name in ("config.yaml", "rehearsal.yaml")
    ]
    return load(settings[0] | settings[1], ROOT / "config")


# Genes x cells of each study's matrices: ../shared/paper/data_sources.md.
SIZES = {
    "kang": (35_635, [14_619, 14_446]),
    "zheng": (32_738, 2_700),
    "mixseq": (32_738, [6_887, 12_239, 12_000, 9_500, 10_500]),
    "darmanis": (23_368, 3_589),
    "field": (6_999, 4_378),
    "shekhar": (24_904, 44_994),
}
SETS = {"reactomes.gmt": 674, "hallmarks.gmt": 50, "gbm_aracne.gmt": 6_056,
        "reactomes_organoid_ct.gmt": 682}  # fmt: skip


def test_studies_have_the_sizes_of_the_sources(config):
    found = {name: (s.genes, s.cells) for name, s in config.simulations.studies.items()}
    assert found == SIZES
    for simulation in config.simulations.studies.values():
        assert len(measured_symbols(config.simulations, simulation)) == simulation.genes
    assert len(config.simulations.studies["mixseq"].types) == 97


def test_gene_sets_are_as_many_as_the_real_ones(config):
    for file, number in SETS.items():
        table, found = config.simulations.gene_sets[file], 0
        while table:
            found += table.sets + len(table.named)
            table = table.extends and config.simulations.gene_sets[table.extends]
        assert found == number, file


def place(folder, lines):
    for run, rows in lines.items():
        (folder / "logs" / run).mkdir(parents=True, exist_ok=True)
        (folder / "logs" / run / resources.FILE).write_text("\n".join(rows) + "\n")


def test_all_runs_are_in_one_table(tmp_path):
    place(tmp_path, LINES)
    assert rehearsal.markdown(rehearsal.table(tmp_path / "logs")).splitlines()[2:] == [
        "| train | 1 | 6 | 6 | 900 | 7.0 |",
        "| embed | 1 | 2 | 2 | 7,999 | 1.0 |",
        "| download | 1 | 1 | 1 | 50 | 2.0 |",
    ]


def test_models_that_stop_early_take_as_many_epochs_as_kangs(config):
    expected = {"kang": 203, "kang_counts": 400, "retina": 203}
    found = {name: rehearsal.expected_epochs(config.models[name]) for name in expected}
    assert found == expected


def test_hours_of_trainings_side_by_side():
    """A sweep of 40 and two single models, 1 hour a model on one core."""
    jobs = pd.DataFrame({"models": [40, 1, 1], "core_hours": [40.0, 1.0, 1.0]})
    assert [rehearsal.hours(jobs, n) for n in (1, 2, 8, 32)] == [42, 22, 7, 5]


def test_the_cost_of_a_run_is_that_of_its_epochs(config):
    """Each job of a training took 24 s of CPU time, for two epochs of each model."""
    rules = [f"train_{entry}" for entry in config.selected_entries]
    jobs = rehearsal.trainings(config, pd.DataFrame({"rule": rules, "cpu_seconds": 24.0}))
    jobs = jobs.set_index("entry")
    assert "kang_variants" not in jobs.index  # of simulated cells only
    assert jobs.loc["kang_holdout", "models"] == 7
    assert jobs.loc["kang", "models"] == 2  # with an extra seed
    assert jobs.loc["kang_holdout", "seconds_per_epoch"] == pytest.approx(24 / 7 / 2)
    assert jobs.loc["kang_holdout", "core_hours"] == pytest.approx(24 / 2 * 203 / 3600)
    assert rehearsal.cost(jobs.reset_index()).count("\n") == len(jobs) + 3


def test_a_rule_above_eight_gigabytes_is_named(tmp_path):
    place(tmp_path, LINES)
    assert rehearsal.too_large(rehearsal.table(tmp_path / "logs")) == ""
    place(tmp_path, LINES | {"rehearsal_authors": ["embed\tx\t1\t1\t1\t8100\t1"]})
    assert rehearsal.too_large(rehearsal.table(tmp_path / "logs")) == "embed 8,100 MB"
