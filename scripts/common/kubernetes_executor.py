"""Adapt Snakemake's Kubernetes plugin (0.5.1) to jobs that share a volume.

The plugin mounts volumes, but expects results in an object store, and a failed request can end or
block the run. Each method says what it changes.
"""

import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from snakemake_executor_plugin_kubernetes import Executor
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry
from urllib3.exceptions import HTTPError

INVALID = (400, 409, 422)  # HTTP status of a request that fails again when repeated


class SharedVolumeExecutor(Executor):
    """Run jobs in the checkout, on a volume that all pods mount at the same path."""

    def __post_init__(self):
        """Connect to the cluster; without one, stop with one line.

        The plugin reads the log of the *previous* container of a failed job. Each job has one
        container, and the API answers 400.
        """
        try:
            super().__post_init__()
        except ConfigException as error:
            _stop(f"no Kubernetes cluster is configured ({error})")
        except ApiException as error:
            _stop(f"the cluster answers {_answer(error)}")
        except HTTPError as error:
            _stop(f"the cluster does not answer ({error})")
        read_log = self.kubeapi.read_namespaced_pod_log
        self.kubeapi.read_namespaced_pod_log = lambda **a: read_log(**a | {"previous": False})

    def get_job_exec_prefix(self, job):
        """Return the command that enters the checkout; the plugin starts in an empty folder."""
        return f"cd {shlex.quote(str(Path.cwd()))}"

    def _kubernetes_retry(self, func):
        """Repeat a request until the cluster answers; return None for "not found".

        The plugin forgets a job whose status cannot be read, and the run never ends.
        """
        while True:
            try:
                return super()._kubernetes_retry(func)
            except WorkflowError as error:
                cause = error.__context__
                status = getattr(cause, "status", None)
                if status == 404:
                    return None
                if status in INVALID:
                    raise
                said = _answer(cause) if status else error
                self.logger.warning(f"The cluster answers {said}. Trying again.")
                time.sleep(self.next_seconds_between_status_checks)


def register() -> None:
    """Replace the executor of the installed plugin."""
    plugin = ExecutorPluginRegistry().get_plugin("kubernetes")
    plugin.executor = SharedVolumeExecutor
    # Otherwise Snakemake 9 ignores `shared-fs-usage` and requires an object store.
    plugin.common_settings = replace(plugin.common_settings, implies_no_shared_fs=False)


def _stop(problem: str) -> NoReturn:
    sys.exit(f"error: {' '.join(problem.split())}; see profiles/kubernetes/README.md")


def _answer(error: ApiException) -> str:
    return f"{error.status} {error.reason}"
