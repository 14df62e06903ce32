"""Jobs of profiles/kubernetes go through the executor plugin to a local stand-in of the API."""

import json

import pytest
import yaml
from conftest import ROOT, snakemake
from helpers import kubernetes_api
from kubernetes import client

PROFILE = "profiles/kubernetes"
TARGET = "results/demo/raw/gene_sets/reactomes.gmt"
JOB = (
    TARGET, "--configfile", "config/demo.yaml", "--seconds-between-status-checks", "1",
    "--set-resources", "simulate_gene_sets:gpu=1",
)  # fmt: skip


@pytest.fixture
def cluster(tmp_path_factory, monkeypatch):
    with kubernetes_api.running(tmp_path_factory.mktemp("kubernetes")) as cluster:
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
        yield cluster


@pytest.mark.slow
def test_a_job_runs_in_the_checkout_on_the_volume(repository, cluster):
    cluster.unavailable = 1
    said = snakemake(repository, *JOB, profile=PROFILE)
    assert (repository / TARGET).stat().st_size > 1000
    assert "503" in said
    (job,) = cluster.submitted
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == "vega:latest"
    assert {"name": "vega", "mountPath": "/work"} in container["volumeMounts"]
    claim = {"name": "vega", "persistentVolumeClaim": {"claimName": "vega"}}
    assert claim in pod["volumes"]
    assert container["command"] == ["/bin/sh"]
    assert container["args"][1].startswith(f"cd {repository} && python -m snakemake ")
    limits = container["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == container["resources"]["requests"]["nvidia.com/gpu"] == "1"
    assert limits["memory"] == "4000M"
    assert [t["key"] for t in pod["tolerations"]] == ["nvidia.com/gpu"]
    assert job["spec"]["backoffLimit"] == 0
    assert not cluster.jobs  # deleted after success
    assert cluster.requests["DELETE secrets"] == 1


@pytest.mark.slow
def test_a_failed_job_is_submitted_again_and_reported(repository, cluster):
    cluster.fails = 2
    cpu = [word.replace("gpu=1", "mem_mb=1000*attempt") for word in JOB]
    said = snakemake(repository, *cpu, "--retries", "1", profile=PROFILE, check=False)
    memory = [limits(job)["memory"] for job in cluster.submitted]
    assert memory == ["1000M", "2000M"]
    assert all("nvidia.com/gpu" not in limits(job) for job in cluster.submitted)
    assert said.count("Error in rule simulate_gene_sets") == 2
    assert "Traceback" not in said
    logs = list((repository / ".snakemake").rglob("kubernetes-logs/*"))
    assert [log.read_text() for log in logs] == ["broken\n\n"] * 2


def limits(job):
    return job["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["none", "no answer"])
def test_without_a_cluster_one_line_says_so(repository, monkeypatch, kind):
    file = repository / "kubeconfig"
    if kind == "no answer":
        kubernetes_api.write_kubeconfig(file, 9)  # the discard port, where nothing listens
    monkeypatch.setenv("KUBECONFIG", str(file))
    said = snakemake(repository, *JOB, profile=PROFILE, check=False)
    assert said.splitlines()[-1].startswith("error: "), said
    assert said.count(f"see {PROFILE}/README.md") == 1
    assert "Traceback" not in said


def test_the_manifest_holds_only_fields_that_kubernetes_has():
    """The classes of the client drop unknown fields."""
    api = client.ApiClient()
    for document in yaml.safe_load_all((ROOT / PROFILE / "workplace.yaml").read_text()):
        read = api._ApiClient__deserialize(document, f"V1{document['kind']}")
        assert json.loads(json.dumps(api.sanitize_for_serialization(read))) == document
