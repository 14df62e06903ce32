"""A local stand-in for the API of a Kubernetes cluster: it records requests and runs jobs here."""

import http.server
import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from helpers.file_server import local_server

NAMESPACE = "default"


class Cluster:
    """The state of the cluster, and the faults that it should show."""

    def __init__(self, folder: Path):
        self.folder = folder  # stands for the file system of all containers
        self.submitted: list[dict] = []
        self.jobs: dict[str, dict] = {}  # those that were not deleted
        self.processes: dict[str, subprocess.Popen] = {}
        self.requests: Counter[str] = Counter()  # method and kind of object
        self.fails = 0  # so many of the next jobs exit with 1
        self.unavailable = 0  # so many of the next questions for a status get 503
        self.kubeconfig = folder / "kubeconfig"

    def answer(self, method: str, url: str, body: bytes) -> tuple[int, dict | str]:
        """Return status and content, as Kubernetes 1.34 does for the requests of the plugin."""
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        _, _, rest = path.partition(f"/namespaces/{NAMESPACE}/")
        kind, *named = rest.split("/")
        self.requests[f"{method} {'/'.join([kind, *named[1:]])}"] += 1
        match (method, kind, named):
            case "POST", "secrets", []:
                return 201, json.loads(body)
            case "DELETE", "secrets", [_]:
                return 200, {"kind": "Status", "status": "Success"}
            case "POST", "jobs", []:
                return 201, self._start(json.loads(body))
            case "GET", "jobs", [name, "status"]:
                if self.unavailable:
                    self.unavailable -= 1
                    return 503, {"kind": "Status", "code": 503}
                if name not in self.jobs:
                    return 404, {"kind": "Status", "code": 404}
                return 200, self.jobs[name] | {"status": self._status(name)}
            case "GET", "pods", []:
                name = query["labelSelector"][0].removeprefix("job-name=")
                return 200, {"kind": "PodList", "items": self._pods(name)}
            case "GET", "pods", [_, "log"]:
                if query.get("previous") == ["True"]:  # of a container that ran once
                    return 400, {"kind": "Status", "code": 400}
                return 200, (self.folder / f"{named[0]}.log").read_text()
            case "DELETE", "jobs" | "pods", [name]:
                self.processes[name.removesuffix("-pod")].kill()
                if kind == "jobs":
                    del self.jobs[name]
                return 200, {"kind": "Status", "status": "Success"}
        raise AssertionError(f"unknown request {method} {url}")

    def _start(self, job: dict) -> dict:
        name = job["metadata"]["name"]
        container = job["spec"]["template"]["spec"]["containers"][0]
        command = [*container["command"], *container["args"]]
        if self.fails:
            self.fails -= 1
            command = ["sh", "-c", "echo broken; exit 1"]
        workdir = self.folder / f"{name}-workdir"  # an empty volume
        workdir.mkdir()
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        with (self.folder / f"{name}-pod.log").open("w") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=workdir, env={"PATH": path, "HOME": str(workdir)},
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.jobs[name] = job
        self.submitted.append(job)
        return job

    def _status(self, name: str) -> dict:
        code = self.processes[name].poll()
        return {} if code is None else {"failed" if code else "succeeded": 1}

    def _pods(self, name: str) -> list[dict]:
        if name not in self.jobs:
            return []
        code = self.processes[name].poll()
        state = {"running": {}} if code is None else {"terminated": {"exitCode": code}}
        facts = {"image": "", "imageID": "", "ready": False, "restartCount": 0}
        container = {"name": "snakemake", "state": state, **facts}
        status = {"containerStatuses": [container]}
        return [{"kind": "Pod", "metadata": {"name": f"{name}-pod"}, "status": status}]


@contextmanager
def running(folder: Path):
    """Serve a `Cluster`; its `kubeconfig` leads clients there."""
    cluster = Cluster(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        def _serve(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, content = cluster.answer(self.command, self.path, body)
            data = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            kind = "text/plain" if isinstance(content, str) else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = _serve

    try:
        with local_server(Handler) as port:
            write_kubeconfig(cluster.kubeconfig, port)
            yield cluster
    finally:
        for process in cluster.processes.values():
            process.kill()
            process.wait()


def write_kubeconfig(path: Path, port: int) -> None:
    path.write_text(f"""
apiVersion: v1
kind: Config
current-context: here
clusters: [{{name: here, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
contexts: [{{name: here, context: {{cluster: here, user: ""}}}}]
users: [{{name: "", user: {{}}}}]
""")
