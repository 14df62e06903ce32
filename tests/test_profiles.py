"""The profiles plan the whole run, name one set of versions, and say in a line what is missing."""

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, command, environment, snakemake
from kubernetes import client

sys.path.insert(0, str(ROOT / "profiles" / "kubernetes"))
import kube

PROFILES = sorted(p.name for p in (ROOT / "profiles").iterdir())
MANIFESTS = ["job.yaml", "workplace.yaml"]
# In the image the first python is that of the lock.
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_plans_the_whole_run(repository, profile):
    shutil.copytree(ROOT / "config", repository / "config", dirs_exist_ok=True)
    snakemake(repository, "--dry-run", "--quiet", profile=f"profiles/{profile}")


@pytest.mark.parametrize("profile", ["slurm", "kubernetes"])
def test_a_cluster_requires_a_gpu_whatever_the_command_line_sets(repository, profile):
    snakemake(
        repository, "results/p/config.yaml", "--executor", "local", "--cores", "1", "--config",
        "run=p", "data=simulated", profile=f"profiles/{profile}",
    )  # fmt: skip
    written = (repository / "results" / "p" / "config.yaml").read_text()
    settings = yaml.safe_load(written)["settings"]
    assert (settings["require_gpu"], settings["data"]) == (True, "simulated")


def test_jobs_grow_with_each_attempt():
    """Whatever memory or time a rule asks for, since a cluster ends jobs that take more."""
    for rules in (ROOT / "rules").glob("*.smk"):
        for resource, amount in re.findall(r"\b(mem_mb|runtime)=(.+?),", rules.read_text()):
            assert re.fullmatch(r"growing\(.+\)", amount), (rules.name, resource, amount)


def test_the_image_the_conda_file_and_the_lock_name_the_same_versions():
    lock = (ROOT / "requirements.lock").read_text()
    pins = set(re.findall(r"(?m)^[A-Za-z0-9_.-]+==.+", lock))
    conda = yaml.safe_load((ROOT / "envs" / "vega.yaml").read_text())["dependencies"]
    image = (ROOT / "envs" / "Containerfile").read_text()
    assert set(conda[-1]["pip"]) == pins
    python = re.search(r"(?m)^FROM python:([\d.]+)", image)[1]
    assert f"python={python}" in conda
    assert re.findall(r"pip install (.*)", image) == ["--no-cache-dir -r /tmp/requirements.lock"]
    assert "COPY requirements.lock /tmp/requirements.lock" in image
    assert "==" not in image  # no version but the lock's
    named = {name.lower() for name in re.findall(
        r"(?m)^([A-Za-z0-9_-]+)", (ROOT / "requirements.in").read_text()
    )}  # fmt: skip
    assert named <= {pin.split("==")[0].lower() for pin in pins}


def programs_but(folder: Path, *without: str) -> str:
    """A PATH with all programs of this machine but some."""
    folder.mkdir()
    for place in reversed(os.environ["PATH"].split(os.pathsep)):
        for program in Path(place).glob("*"):
            link = folder / program.name
            link.unlink(missing_ok=True)
            if program.name not in without:
                link.symlink_to(program)
    return str(folder)


def test_without_slurm_one_line_says_so(repository, tmp_path_factory):
    path = programs_but(tmp_path_factory.mktemp("path") / "bin", "sbatch", "sinfo", "scontrol")
    result = subprocess.run(
        command(
            "results/p/config.yaml", "--config", "run=p", "data=simulated", profile="profiles/slurm"
        ),
        cwd=repository,
        env={**environment(repository), "PATH": path},
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0
    said = [line for line in result.stderr.splitlines() if "error" in line.lower()]
    assert len(said) == 1, result.stderr
    assert said[0].startswith("error: profiles/slurm: there is no sbatch on this machine; run")
    assert "Traceback" not in result.stderr


# ---------------------------------------------------------------- Kubernetes


@pytest.mark.parametrize("file", MANIFESTS)
def test_manifests_hold_what_kubernetes_knows(file):
    """Unknown fields would be dropped on the way through the library's classes."""
    kinds = {"PersistentVolumeClaim", "ServiceAccount", "Role", "RoleBinding", "Pod", "Job"}
    for document in yaml.safe_load_all((ROOT / "profiles" / "kubernetes" / file).read_text()):
        assert document["kind"] in kinds
        assert through_the_library(document) == document


def through_the_library(document):
    api = client.ApiClient()
    back = api._ApiClient__deserialize(document, f"V1{document['kind']}")
    return json.loads(json.dumps(api.sanitize_for_serialization(back)))


def test_a_job_asks_for_what_its_rule_asks_for():
    amounts = {"cpus": 8, "memory": 8000, "minutes": 240}
    plain = kube.manifest(Path("/work/x.sh"), Path("/work/vega"), gpus=0, **amounts)
    trained = kube.manifest(Path("/work/x.sh"), Path("/work/vega"), gpus=1, **amounts)
    assert through_the_library(trained) == trained
    pods = [job["spec"]["template"]["spec"] for job in (plain, trained)]
    containers = [pod["containers"][0] for pod in pods]
    asked = {"cpu": "8", "memory": "8000M"}
    assert containers[0]["resources"] == {"requests": asked, "limits": asked}
    assert containers[1]["resources"]["limits"] == asked | {"nvidia.com/gpu": "1"}
    assert [("tolerations" in pod) for pod in pods] == [False, True]
    assert trained["spec"]["activeDeadlineSeconds"] == 240 * 60
    assert containers[1]["command"] == ["bash", "/work/x.sh"]
    assert containers[1]["workingDir"] == "/work/vega"


class Cluster(http.server.BaseHTTPRequestHandler):
    """What the workflow needs of a Kubernetes API: Jobs, run as processes of this machine."""

    jobs: dict[str, dict]
    processes: dict[str, subprocess.Popen]

    def do_POST(self):
        job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = f"{job['metadata']['generateName']}{len(self.jobs)}"
        job["metadata"]["name"] = name
        container = job["spec"]["template"]["spec"]["containers"][0]
        self.jobs[name] = job
        self.processes[name] = subprocess.Popen(container["command"], cwd=container["workingDir"])
        self._answer(201, job)

    def do_GET(self):
        name = self.path.split("/")[-2]
        if name not in self.jobs:
            return self._answer(404, {"kind": "Status", "code": 404})
        code = self.processes[name].poll()
        ended = {None: [], 0: [{"type": "Complete", "status": "True"}]}.get(
            code, [{"type": "Failed", "status": "True"}]
        )
        self._answer(200, self.jobs[name] | {"status": {"conditions": ended}})

    def do_DELETE(self):
        self.processes[self.path.split("?")[0].split("/")[-1]].kill()
        self._answer(200, {"kind": "Status", "status": "Success"})

    def _answer(self, code, content):
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def cluster(tmp_path_factory):
    """A stand-in for a cluster, with the environment that leads kubectl's configuration there."""
    handler = type("Handler", (Cluster,), {"jobs": {}, "processes": {}})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    named = {"cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
    configuration = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "here", **named}],
        "contexts": [
            {"name": "here", "context": {"cluster": "here", "user": "", "namespace": "n"}}
        ],
        "users": [{"name": "", "user": {}}],
    }
    file = tmp_path_factory.mktemp("kube") / "config"
    file.write_text(yaml.safe_dump(configuration))
    handler.environment = {"KUBECONFIG": str(file), "PATH": PATH}
    yield handler
    server.shutdown()
    server.server_close()
    for process in handler.processes.values():
        process.wait()


@pytest.mark.slow
def test_jobs_go_through_kubernetes(repository, cluster, monkeypatch):
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    target = "results/demo/raw/gene_sets/reactomes.gmt"
    snakemake(
        repository, target, "--configfile", "config/demo.yaml", "--seconds-between-status-checks",
        "1", profile="profiles/kubernetes",
    )  # fmt: skip
    assert (repository / target).stat().st_size > 1000
    assert [job["metadata"]["name"] for job in cluster.jobs.values()] == ["vega-0"]
    assert cluster.processes["vega-0"].returncode == 0


def test_a_job_is_taken_back_and_its_end_is_known(cluster, tmp_path):
    def call(program, *arguments):
        return subprocess.run(
            [ROOT / "profiles" / "kubernetes" / program, *arguments],
            cwd=tmp_path,
            env={**os.environ, **cluster.environment},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    (tmp_path / "forever.sh").write_text("exec tail -f /dev/null\n")
    amounts = [f"--{a}=1" for a in ("cpus", "memory", "minutes")] + ["--gpus=0"]
    name = call("submit", *amounts, "forever.sh")
    assert call("status", name) == "running"
    call("cancel", name)
    cluster.processes[name].wait()
    assert call("status", name) == "failed"
    assert call("status", "vega-unknown") == "failed"


def test_without_a_cluster_one_line_says_so(tmp_path):
    amounts = [f"--{a}=1" for a in ("cpus", "memory", "minutes", "gpus")]
    result = subprocess.run(
        [ROOT / "profiles" / "kubernetes" / "submit", *amounts, "x.sh"],
        env={"PATH": PATH, "KUBECONFIG": str(tmp_path / "none"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0
    assert result.stderr.startswith("error: no Kubernetes cluster is configured")
    assert result.stderr.count("\n") == 1
