"""Runs that are killed at random moments end with the same results as one that nobody touched."""

import os
import random
import shutil
import signal
import subprocess
from contextlib import ExitStack, contextmanager, suppress

import psutil
from conftest import command, environment, keep_a_few_models, snakemake

KILLS = int(os.environ.get("KILLS", "30"))
SEED = int(os.environ.get("KILLS_SEED", "1"))
LONGEST = 20  # seconds from the start of a run to its end by a kill

# Whatever tells when it was made or how long that took has no bytes to compare.
DATED = {"model.json", "report.html", "ro-crate-metadata.json"}


def whole_run(main, rng):
    """Everything at once, as when a machine goes down."""
    os.killpg(main.pid, signal.SIGKILL)


def snakemake_alone(main, rng):
    """Its jobs have to end with it, or they would write together with those of the next run."""
    main.kill()


def one_job(main, rng):
    """As the system does when memory runs out. Snakemake lives, and ends what else is running."""
    if jobs := psutil.Process(main.pid).children(recursive=True):
        rng.choice(jobs).kill()


VICTIMS = {
    "kill -9 of a whole run": whole_run,
    "kill -9 of Snakemake alone": snakemake_alone,
    "kill -9 of a job": one_job,
}


def start(repository):
    with (repository / "said").open("a") as said:
        return subprocess.Popen(
            command(),
            cwd=repository,
            env=environment(repository),
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def results(repository):
    """Each file of the run, with its bytes where they are to be the same."""
    run = repository / "results" / "demo"
    return {
        str(path.relative_to(run)): None
        if path.name in DATED or ".provenance" in path.parts
        else path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file()
    }


def differing(found, expected):
    return [n for n in sorted({*found, *expected}) if found.get(n, 0) != expected.get(n, 0)]


@contextmanager
def until_it_ends(repository, fault, rng, most):
    """Start a run as often as it takes, and end it on the way; how often that was.

    Nothing but a kill may end a run before its time.
    """
    kills = 0
    with ExitStack() as faults:
        while True:
            main, struck = start(repository), False
            if kills < most:
                with suppress(subprocess.TimeoutExpired):
                    main.wait(timeout=rng.uniform(1, LONGEST))
                if main.poll() is None:
                    kind, kill = rng.choice(list(VICTIMS.items()))
                    faults.enter_context(fault(kind))
                    kill(main, rng)
                    kills, struck = kills + 1, True
            if main.wait() == 0:
                break
            assert struck, (repository / "said").read_text()
        yield kills  # whoever asked compares; then the faults count as survived


def test_random_kills_change_nothing(repository, fault):
    keep_a_few_models(repository)
    snakemake(repository)
    unbroken = results(repository)
    assert any(name.endswith(".safetensors") for name in unbroken)
    rng, left = random.Random(SEED), KILLS
    while left > 0:
        shutil.rmtree(repository / "results")
        shutil.rmtree(repository / ".snakemake")
        with until_it_ends(repository, fault, rng, left) as kills:
            assert not differing(results(repository), unbroken)
        left -= kills
