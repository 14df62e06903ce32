"""A real Slurm of one node on this machine, for the time of a test: no systemd, no accounting.

Its two GPUs are two device files that swallow what is written to them: Slurm hands them out like
any other.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

CONFIG = Path("/etc/slurm")  # where the plugin of Snakemake looks, and nowhere else
MARK = "# Written by the tests of VEGA; may be removed.\n"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "sinfo", "scontrol")

SLURM_CONF = """\
ClusterName=vega
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=26817
SlurmdPort=26818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
# Without cgroups: a job that takes more memory than it asked for is ended at the next look.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MinJobAge=3600
ReturnToService=2
GresTypes=gpu
NodeName=localhost NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=64000 Gres=gpu:2
PartitionName=cpu Nodes=localhost Default=YES
PartitionName=gpu Nodes=localhost
"""


@dataclass(frozen=True)
class Job:
    """A job as squeue tells it after its end; `about` names its rule and wildcards."""

    number: str
    state: str
    partition: str
    gres: str
    memory: str
    about: str


def why_not() -> str:
    """Why no Slurm can be started here; empty if one can."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"{', '.join(missing)} not installed (Debian: slurm-wlm and munge)"
    if os.geteuid() != 0:
        return "only root can start Slurm"
    config = CONFIG / "slurm.conf"
    if config.exists() and not config.read_text().startswith(MARK):
        return f"this machine has a Slurm of its own ({config})"
    return ""


def jobs() -> list[Job]:
    """All jobs since the start, in the order of submission."""
    columns = ("JobID", "State", "Partition", "tres-per-job", "MinMemory", "Comment")
    command = ["squeue", "--states=all", "--noheader", "--sort=i"]
    command += [f"--Format={','.join(f'{column}:|' for column in columns)}"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [Job(*line.split("|")[:-1]) for line in lines]


@contextmanager
def running(folder: Path, cpus: int = 2) -> Iterator[None]:
    """Slurm, with its state below `folder`."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    for number in range(2):
        os.mknod(folder / f"gpu{number}", 0o20666, os.makedev(1, 3))
    CONFIG.mkdir(exist_ok=True)
    files = {
        "slurm.conf": SLURM_CONF.format(folder=folder, cpus=cpus),
        "gres.conf": f"NodeName=localhost Name=gpu File={folder}/gpu[0-1]\n",
    }
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    munged = ["munged", "--foreground", "--force"] + [
        f"--{what}={folder}/munge.{end}"
        for what, end in {
            "socket": "socket", "key-file": "key", "pid-file": "pid", "seed-file": "seed",
            "log-file": "log",
        }.items()
    ]  # fmt: skip
    with ExitStack() as stack:
        for name, text in files.items():
            (CONFIG / name).write_text(MARK + text)
            stack.callback((CONFIG / name).unlink)
        stack.enter_context(_service(munged, "Created socket"))
        stack.enter_context(_service(["slurmctld", "-D", "-c"], "Running as primary controller"))
        stack.enter_context(_service(["slurmd", "-D", "-N", "localhost"], "slurmd started on"))
        # Waits until the node is there.
        subprocess.run(["srun", "--partition=gpu", "--gpus=1", "true"], check=True, timeout=60)
        yield


@contextmanager
def _service(command: list[str], ready: str) -> Iterator[None]:
    """A daemon from the line that says that it is ready until the block ends."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        said = []
        try:
            for line in process.stderr:
                said.append(line)
                if ready in line:
                    break
            else:
                raise RuntimeError(f"{command[0]} did not start: {''.join(said)}")
            # Nobody reads on: it must not stop at a full pipe.
            drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
            yield
        finally:
            process.terminate()
            process.wait()
        drain.wait()
