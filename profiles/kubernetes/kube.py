"""Jobs of the workflow as Jobs of a Kubernetes cluster: submitted, asked about, taken back."""

import sys
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

MANIFEST = Path(__file__).with_name("job.yaml")
NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def connected() -> tuple[client.BatchV1Api, str]:
    """The cluster's interface for jobs, and the namespace to work in.

    From within a pod those of the pod, otherwise those of the current context of kubectl.
    """
    try:
        config.load_incluster_config()
        return client.BatchV1Api(), NAMESPACE_FILE.read_text().strip()
    except config.ConfigException:
        pass
    try:
        config.load_kube_config()
        _, context = config.list_kube_config_contexts()
    except config.ConfigException as error:
        sys.exit(f"error: no Kubernetes cluster is configured ({error}); see profiles/kubernetes")
    return client.BatchV1Api(), context["context"].get("namespace", "default")


def manifest(
    script: Path, folder: Path, *, cpus: int, memory: int, gpus: int, minutes: int
) -> dict[str, Any]:
    """The Job that runs a script in a folder of the shared volume.

    Parameters
    ----------
    script
        What Snakemake wrote for the job.
    folder
        The project, at the same path in every pod.
    cpus, memory, gpus, minutes
        What the job may use; memory in megabytes.
    """
    job = yaml.safe_load(MANIFEST.read_text())
    job["spec"]["activeDeadlineSeconds"] = 60 * minutes
    container = job["spec"]["template"]["spec"]["containers"][0]
    container["command"] = ["bash", str(script)]
    container["workingDir"] = str(folder)
    amounts = {"cpu": str(cpus), "memory": f"{memory}M"}
    if gpus:
        amounts["nvidia.com/gpu"] = str(gpus)
    else:
        # Open to other pods, such a node is still none of ours without need.
        job["spec"]["template"]["spec"].pop("tolerations", None)
    container["resources"] = {"requests": amounts, "limits": amounts}
    return job


def status(job: client.V1Job) -> str:
    """What Snakemake wants to know of a job: `running`, `success` or `failed`."""
    ended = {
        condition.type for condition in job.status.conditions or [] if condition.status == "True"
    }
    if "Failed" in ended:
        return "failed"
    return "success" if "Complete" in ended else "running"


FAILURES = (ApiException, HTTPError)


def in_one_line(error: Exception) -> str:
    """What the cluster answered, or why it did not."""
    if isinstance(error, ApiException):
        return f"error: the cluster answers {error.status} {error.reason}"
    return f"error: the cluster does not answer ({' '.join(str(error).split())})"
