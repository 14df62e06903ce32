# VEGA (Seninge et al. 2021) from public raw data to every figure and claim of the paper.
# Targets: all (default), verify, and any file below results/<run>/. See README.md.

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

from snakemake.utils import min_version
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

HERE = Path(str(workflow.current_basedir)).resolve()
if (
    not HERE == Path.cwd() == Path(workflow.basedir).resolve()
):  # or a module of another workflow
    sys.exit(
        "error: this workflow runs by itself and in its own folder; use "
        f"`cd {shlex.quote(str(HERE))} && snakemake`"
    )
# Snakemake writes this path into commands without quotes.
sys.executable = shlex.quote(sys.executable)

# Packages of the same name are on PyPI, and one of them may be found first.
OURS = HERE / "vega" / "__init__.py"
found = find_spec("vega")
if found is None or Path(found.origin or "").resolve() != OURS:
    sys.exit(
        f"error: `import vega` finds {found and found.origin}, expected {OURS}; remove the other "
        "package (pip uninstall vega scvega, and PYTHONPATH), or run this in the environment of `make`"
    )

from scripts.common.config.plain import read_yaml
from scripts.common.provenance import forget_absences
from vega.errors import InputError

min_version("9.0")

# Snakemake would run the code of a template in it.
try:
    read_yaml(Path("config/config.yaml"))
except InputError as error:
    sys.exit(f"error: {error}")


configfile: "config/config.yaml"


report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/simulate.smk"
include: "rules/download.smk"
include: "rules/preprocess.smk"
include: "rules/train.smk"
include: "rules/analyse.smk"
include: "rules/figures.smk"
include: "rules/report.smk"


if ExecutorPluginRegistry().is_installed("kubernetes"):
    from scripts.common import kubernetes_executor

    kubernetes_executor.register()


rule all:
    """Request every figure and claim, and the description of the run, which needs them all."""
    default_target: True
    input:
        rules.ro_crate.output,


onstart:
    if workflow.executor_plugin.name == "slurm" and not shutil.which("sbatch"):
        sys.exit(
            "error: profiles/slurm: there is no sbatch on this machine; run this on a login node of "
            "your cluster, or without the profile to compute here"
        )
    # With a limit of jobs per second, each finished job makes Snakemake 9 look for new jobs one time
    # more per second: after 80 jobs that takes a fifth of a core.
    workflow.scheduler.job_rate_limiter = None


onsuccess:
    print_left_out(LOGS)


# The reason is the last line, and is shown once.
onerror:
    # A file that was not available may be available in the next run, which then makes the cells again.
    for study in CONFIG.needed_studies:
        if not Path(f"{RUN}/data/{study}.h5ad").exists():
            forget_absences(Path(f"{RUN}/raw/{CONFIG.raw_folder(study)}"))
    print_left_out(LOGS)
    for line in log_errors(LOGS, STARTED):
        print(f"error: {line}", file=sys.stderr)
