"""Run the benchmarks; write one JSON file for each and a picture."""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import IO, Any

import psutil
import torch

from bench.cells import SIZES, Size, simulated, write_gene_sets
from bench.interleave import Runner, RunnerError, interleave, summary
from bench.workflow import FEW, beside_busy_processes, busy, demo
from vega.files import atomic_write

HERE = Path(__file__).resolve().parent
RUNNERS = HERE / "runners"
TESTS = HERE.parent / "tests" / "helpers"
TRAINING, BAYES_FACTOR = "training", "bayes_factor"
BENCHMARKS = [TRAINING, BAYES_FACTOR, "memory", "demo", "load"]
# Other packages, each with the file of packages of its environment; None is the project's own.
BASELINES = {
    "scvega": RUNNERS / "scvega.txt", "expimap": RUNNERS / "expimap.txt", "linear_scvi": None,
}  # fmt: skip

NOT_COMPARABLE = {
    "authors' loop": "A plain loop of the same arithmetic: the published code is in no registry.",
    "scvega": "Another version of the same model, by the authors; its Adam starts anew each epoch "
    "here, so that its losses are not compared. Its Bayes factors take 5,000 pairs.",
    "expiMap": "Another model: counts under a negative binomial, weights of any sign, and a "
    "penalty that silences whole gene sets. Same widths, genes and gene sets; its tutorial would "
    "first drop all genes that are in no set.",
    "linear scVI": "Another model: counts under a negative binomial, and a dense decoder without "
    "gene sets. Same widths and number of latent variables.",
}


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--rounds", type=int, default=6, help="the first is dropped")
    parser.add_argument(
        "--baselines", type=lambda text: text.split(), default=list(BASELINES),
        help="other packages; scvega and scArches are installed from PyPI in environments of "
        "their own",
    )  # fmt: skip
    parser.add_argument(
        "--only", nargs="+", choices=BENCHMARKS, default=BENCHMARKS, help="what to measure"
    )
    parser.add_argument("--environments", type=Path, default=Path(".venv-bench"))
    parser.add_argument("--out", type=Path, default=Path("results/bench"))
    options = parser.parse_args()
    if unknown := set(options.baselines) - set(BASELINES):
        parser.error(f"--baselines: {', '.join(unknown)} is not one of {', '.join(BASELINES)}")
    if options.rounds < 2:
        parser.error("--rounds: at least 2, as the first is dropped")
    options.out.mkdir(parents=True, exist_ok=True)
    log_file = options.out / "bench.log"
    with TemporaryDirectory() as folder, log_file.open("w") as log:
        try:
            run(options, SIZES[options.size], Path(folder), log)
        except (RunnerError, subprocess.CalledProcessError) as error:
            sys.exit(f"error: {error}; {log_file} says why")


def run(options: argparse.Namespace, size: Size, folder: Path, log: IO) -> None:
    """All benchmarks, one after the other."""
    pythons = {
        baseline: environment(options.environments.absolute() / baseline, requirements, log)
        if requirements
        else Path(sys.executable)
        for baseline, requirements in BASELINES.items()
        if baseline in options.baselines and {TRAINING, BAYES_FACTOR} & set(options.only)
    }
    print("simulating cells", flush=True)
    adata = simulated(size)
    adata.write_h5ad(folder / "cells.h5ad")
    write_gene_sets(folder / "sets.gmt", size, size.sets, size.members)
    write_gene_sets(folder / "regulons.gmt", size, size.regulons, size.regulon_members, seed=3)
    about = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "data": {
            "simulated": True,
            "size": options.size,
            "cells": size.cells,
            "genes": size.genes,
            "gmvs": size.sets + 1,
            "batch_size": 128,
            "share_not_zero": round(adata.X.nnz / (size.cells * size.genes), 4),
        },
    }
    del adata

    found = {}
    for event in (TRAINING, BAYES_FACTOR):
        if event in options.only:
            print(event, flush=True)
            found[event] = {**about, **races(event, options.rounds, size, pythons, log, folder)}
            write(options.out / f"{event}.json", found[event])
    if "memory" in options.only:
        print("memory, disk and scale", flush=True)
        found["memory"] = {**about, **resources(size, folder, log)}
        write(options.out / "memory.json", found["memory"])
    targets = [FEW] if options.size == "small" else []
    if {"demo", "load"} & set(options.only):
        print("demo", flush=True)
        idle = demo(targets, log)
        whole = {"date": about["date"], "machine": about["machine"], "targets": targets}
        write(options.out / "demo.json", {**whole, **idle})
    if "load" in options.only:
        print("load", flush=True)
        cores = about["machine"]["cores"]
        load = under_load(size, folder, options.rounds, cores, targets, idle["seconds"], log)
        write(options.out / "load.json", {**about, **load})

    if {TRAINING, BAYES_FACTOR, "memory"} <= set(found):
        from bench.picture import draw

        draw(found, options.out)
    for event in (e for e in (TRAINING, BAYES_FACTOR) if e in found):
        for name, ratio in found[event]["speedup"].items():
            print(f"{event}: vega is {ratio:.1f} times as fast as {name}")
    print(f"written to {options.out}")


def races(
    event: str, rounds: int, size: Size, pythons: dict[str, Path], log: IO, folder: Path
) -> dict[str, Any]:
    """Everybody's turns in an event, and what is known of who takes part."""
    runners = [r for r in competitors(size, folder, rounds, pythons) if event in r.events]
    turns = interleave(runners, (event,), rounds, log, folder)
    about = {
        r.name: {**r.about, **r.found, "not_comparable": NOT_COMPARABLE.get(r.name)}
        for r in runners
    }
    return {"competitors": about, **summary(turns[event], "vega")}


def competitors(size: Size, folder: Path, rounds: int, pythons: dict[str, Path]) -> list[Runner]:
    """Who takes part in what."""

    def runner(name: str, event: str, script: str, *arguments: Any, python: Any = sys.executable):
        words = [python, RUNNERS / script, folder, rounds, *arguments]
        return Runner(name, [str(word) for word in words], (event,))

    found = []
    for name, precision in (("vega", "auto"), ("vega in float32", "float32")):
        found.append(runner(name, TRAINING, "vega_runner.py", precision, size.n_hidden, "none"))
    for name, method in (("vega", "exact"), ("vega, as published", "monte_carlo")):
        found.append(runner(name, BAYES_FACTOR, "vega_runner.py", "auto", size.n_hidden, method))
    for event in (TRAINING, BAYES_FACTOR):
        found.append(runner("authors' loop", event, "authors_loop.py", size.n_hidden, event, TESTS))
        if python := pythons.get("scvega"):
            found.append(runner("scvega", event, "scvega_runner.py", event, python=python))
    if python := pythons.get("expimap"):
        script = "expimap_runner.py"
        found.append(runner("expiMap", TRAINING, script, size.n_hidden, python=python))
    if python := pythons.get("linear_scvi"):
        script = "linear_scvi_runner.py"
        found.append(runner("linear scVI", TRAINING, script, size.n_hidden, python=python))
    return found


def under_load(
    size: Size, folder: Path, rounds: int, cores: int, targets: list[str], idle: float, log: IO
) -> dict[str, Any]:
    """Return times of training, with one thread and one per core, and of the demo.

    Each on idle cores and beside a busy process per core, and the ratio of the two. `idle` is the
    time of the demo on idle cores.
    """
    command = [RUNNERS / "vega_runner.py", folder, 2 * rounds, "auto", size.n_hidden, "none"]
    runners = [
        Runner(
            f"{threads} threads",
            ["env", f"OMP_NUM_THREADS={threads}", sys.executable, *map(str, command)],
            (TRAINING,),
        )
        for threads in dict.fromkeys((1, cores))
    ]
    training = beside_busy_processes(runners, rounds, cores, log, folder)
    with busy(cores):
        beside = demo(targets, log)["seconds"]
    return {
        "busy_processes": cores,
        "training": training,
        "demo": {"idle": idle, "busy": beside, "ratio": beside / idle, "targets": targets},
    }


def task(name: str, folder: Path, log: IO, *arguments: Any) -> dict[str, Any]:
    """What `runners/resources.py` finds, in a process of its own."""
    print(f"  {name}", flush=True)
    command = [sys.executable, RUNNERS / "resources.py", name, folder, *arguments]
    output = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=log, text=True, check=True
    )
    return json.loads(output.stdout)


def resources(size: Size, folder: Path, log: IO) -> dict[str, Any]:
    """What vega needs."""
    kang = task("kang", folder, log, "sets", size.n_hidden, 128)
    aracne = task("aracne", folder, log, "regulons", size.n_hidden, 32)
    scale = task("scale", folder, log, size.n_hidden, *size.scales)
    disk = task("disk", folder, log, size.n_hidden)["seconds"]
    gpu = {"not_run": "no GPU on this machine"}
    if torch.cuda.is_available():
        gpu = task("gpu", folder, log, size.n_hidden)
    return {
        "gpu": gpu,
        "kang": kang,
        "aracne": aracne,
        "microseconds_per_cell": {
            cells: 1e6 * median(seconds) for cells, seconds in scale["seconds_per_cell"].items()
        },
        "repeats_seconds_per_cell": scale["seconds_per_cell"],
        "speed_from_disk": {
            name: median(ratios(disk["memory"], seconds)) for name, seconds in disk.items()
        },
        "repeats_seconds_from_disk": disk,
        "profile": task("profile", folder, log, size.n_hidden),
    }


def ratios(numerators: Iterable[float], denominators: Iterable[float]) -> list[float]:
    """Round by round."""
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def environment(folder: Path, requirements: Path, log: IO) -> Path:
    """Python of an environment with exactly these packages, made when they have changed."""
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        print(f"installing {requirements.stem} from PyPI into {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        # The file is complete; what its packages declare contradicts itself by now.
        pip = [python, "-m", "pip", "install", "--no-deps", "--disable-pip-version-check"]
        result = subprocess.run([*pip, "-r", requirements], stdout=log, stderr=log, check=False)
        if result.returncode:
            raise RunnerError(f"{requirements.stem} cannot be installed; --baselines leaves it out")
        stamp.write_text(requirements.read_text())
    return python


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    able = getattr(torch.cpu, "get_capabilities", dict)()
    return {
        "processor": able.get("cpu_name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "avx512": bool(able.get("avx512_f")),
        "bfloat16": bool(able.get("avx512_bf16") or able.get("amx_bf16")),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Write JSON, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
