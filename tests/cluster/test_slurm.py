"""The workflow on a real Slurm: where its jobs go, and what it does when they are ended."""

import subprocess

import pandas as pd
import pytest
from cluster import slurm
from conftest import command, edit, environment, keep_a_few_models, snakemake

TRAINING = ("rule_train_", "rule_time_per_epoch")
# Snakemake looks seldom at the jobs of a cluster, which is right for hours and not for seconds.
OFTEN = ("--slurm-init-seconds-before-status-checks", "3", "--seconds-between-status-checks", "3")
TRAIN = "results/demo/models/kang/seed1/model.json"


@pytest.fixture
def on_slurm(repository, tmp_path_factory):
    """Runs the demo's small study through Slurm: gives what Snakemake said."""
    if reason := slurm.why_not():
        pytest.skip(reason)

    def arguments(*more):
        return [
            *("--slurm-status-command", "squeue", *OFTEN, "--max-threads", "1"),
            *("--configfile", "config/demo.yaml", "--config", "require_gpu=false"),
            *more,
        ]

    with slurm.running(tmp_path_factory.mktemp("slurm")):
        yield arguments


def show(jobs):
    """The list of jobs, for whoever reads the log of the tests."""
    print(f"\n{pd.DataFrame(jobs).to_string(index=False)}")


def of_workflow():
    return [job for job in slurm.jobs() if job.about.startswith("rule_")]


def tables(repository):
    return {
        path.name: path.read_bytes()
        for path in sorted((repository / "results" / "demo").glob("tables/*.tsv"))
        if path.stem != "time_per_epoch"
    }


def test_each_job_goes_where_it_belongs_and_the_results_are_those_of_one_machine(
    repository, on_slurm
):
    keep_a_few_models(repository)
    snakemake(repository, *on_slurm(), profile="profiles/slurm")
    jobs = of_workflow()
    show(jobs)
    assert {job.state for job in jobs} == {"COMPLETED"}
    trained = {job.about for job in jobs if job.partition == "gpu"}
    assert trained == {job.about for job in jobs if job.about.startswith(TRAINING)}
    assert {"rule_train_kang", "rule_train_kang_extra_nodes"} <= trained
    assert all((job.gres == "gres:gpu:1") == (job.partition == "gpu") for job in jobs)
    assert not [job for job in jobs if "effective_config" in job.about]  # stays where one is

    through_slurm = tables(repository)
    assert len(through_slurm) > 5
    (repository / "results").rename(repository / "through_slurm")
    snakemake(repository)
    assert tables(repository) == through_slurm


def test_a_job_that_ran_out_of_memory_gets_more(repository, on_slurm, fault):
    # Python with torch alone takes more than the first attempt may.
    little = ("--set-resources", "train_kang:mem_mb=250*attempt*attempt*attempt")
    with fault("out of memory"):
        said = snakemake(repository, TRAIN, *on_slurm(*little), profile="profiles/slurm")
        attempts = [job for job in of_workflow() if "train_kang" in job.about]
        show(attempts)
        assert [job.memory for job in attempts][:2] == ["250M", "2000M"]
        assert [job.state for job in attempts] == ["FAILED", "COMPLETED"]
        assert "Traceback" not in said


def test_a_training_whose_job_was_ended_goes_on_from_its_checkpoint(repository, on_slurm, fault):
    # Long enough that it has not ended before it is cancelled.
    longer = {"max_epochs": 500, "patience": 500}
    edit(repository / "config" / "demo.yaml", lambda c: c["training_overrides"].update(longer))
    log = repository / "logs" / "demo" / "train" / "kang.log"
    with (
        fault("job ended by the cluster"),
        subprocess.Popen(
            command(TRAIN, *on_slurm(), profile="profiles/slurm"),
            cwd=repository,
            env=environment(repository),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as run,
    ):
        # Ends when training says that its first checkpoint is written, or with the run.
        watch = "tail --retry -F %s 2>/dev/null | grep --max-count=1 'epoch 10 '"
        subprocess.run(["timeout", "300", "bash", "-c", watch % log], check=True)
        job = next(j for j in of_workflow() if "train_kang" in j.about)
        subprocess.run(["scancel", job.number], check=True)
        said = run.stdout.read()
        assert run.wait() == 0, said
        attempts = [j for j in of_workflow() if "train_kang" in j.about]
        show(attempts)
        assert [j.state for j in attempts] == ["CANCELLED", "COMPLETED"]
        assert "resumed after epoch" in log.read_text()
