"""Run the benchmarks; write one JSON file for each and a picture."""

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import IO, Any

import psutil
import torch

from bench.cells import SIZES, Size, simulated, write_gene_sets
from bench.interleave import Runner, RunnerError, interleave, ratios, summary
from bench.workflow import FEW, busy, demo, with_busy_processes
from vega.files import atomic_write

HERE = Path(__file__).resolve().parent
RUNNERS = HERE / "runners"
TESTS = HERE.parent / "tests" / "helpers"
TRAINING, BAYES_FACTOR = "training", "bayes_factor"
COMPARED = (TRAINING, BAYES_FACTOR)  # with other packages
BENCHMARKS = [*COMPARED, "memory", "demo", "load"]
# Other packages, each with the file of packages of its environment; None is the project's own.
BASELINES = {
    "scvega": RUNNERS / "scvega.txt", "expimap": RUNNERS / "expimap.txt", "linear_scvi": None,
}  # fmt: skip

NOT_COMPARABLE = {
    "authors' loop": "A plain loop of the same arithmetic: the published code is in no registry.",
    "scvega": "Another version of the same model, by the authors; its Adam restarts each epoch "
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
        "--baselines", type=str.split, default=list(BASELINES),
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
    """Run the selected benchmarks one after the other, and write what they find."""
    pythons = {}
    if set(COMPARED) & set(options.only):
        pythons = {name: python_of(name, options.environments, log) for name in options.baselines}
    print("simulating cells", flush=True)
    adata = simulated(size)
    adata.write_h5ad(folder / "cells.h5ad")
    write_gene_sets(folder / "sets.gmt", size, size.sets, size.members)
    write_gene_sets(folder / "regulons.gmt", size, size.regulons, size.regulon_members, seed=3)
    where = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine()}
    data = {
        "simulated": True,
        "size": options.size,
        "cells": size.cells,
        "genes": size.genes,
        "gmvs": size.sets + 1,
        "batch_size": 128,
        "share_not_zero": round(adata.X.nnz / (size.cells * size.genes), 4),
    }
    about = {**where, "data": data}
    del adata

    found: dict[str, Any] = {}

    def record(benchmark: str, content: dict[str, Any]) -> None:
        found[benchmark] = content
        with atomic_write(options.out / f"{benchmark}.json") as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n")

    for benchmark in COMPARED:
        if benchmark in options.only:
            print(benchmark, flush=True)
            runners = competitors(benchmark, size, folder, options.rounds, pythons)
            seconds = interleave(runners, options.rounds, log, folder)
            facts = {
                r.name: {**r.facts, "not_comparable": NOT_COMPARABLE.get(r.name)} for r in runners
            }
            record(benchmark, {**about, "competitors": facts, **summary(seconds, "vega")})
    if "memory" in options.only:
        print("memory, disk and scale", flush=True)
        record("memory", {**about, **resources(size, folder, log)})
    if {"demo", "load"} & set(options.only):
        print("demo", flush=True)
        targets = [FEW] if options.size == "small" else []
        record("demo", {**where, "targets": targets, **demo(targets, log)})
    if "load" in options.only:
        print("load", flush=True)
        record("load", {**about, **under_load(size, folder, options.rounds, found["demo"], log)})

    if {*COMPARED, "memory"} <= set(found):
        from bench.picture import draw

        draw(found, options.out)
    for benchmark in (each for each in COMPARED if each in found):
        for name, ratio in found[benchmark]["speedup"].items():
            print(f"{benchmark}: vega is {ratio:.1f} times as fast as {name}")
    print(f"written to {options.out}")


def competitors(
    benchmark: str, size: Size, folder: Path, rounds: int, pythons: dict[str, Path | str]
) -> list[Runner]:
    """Return the runners of a comparison; a baseline takes part if it has a Python in `pythons`."""
    hidden = size.n_hidden
    entries = {
        TRAINING: [
            ("vega", None, "vega_runner.py", "auto", hidden, "none"),
            ("vega in float32", None, "vega_runner.py", "float32", hidden, "none"),
            ("authors' loop", None, "authors_loop.py", hidden, TRAINING, TESTS),
            ("scvega", "scvega", "scvega_runner.py", TRAINING),
            ("expiMap", "expimap", "expimap_runner.py", hidden),
            ("linear scVI", "linear_scvi", "linear_scvi_runner.py", hidden),
        ],
        BAYES_FACTOR: [
            ("vega", None, "vega_runner.py", "auto", hidden, "exact"),
            ("vega, as published", None, "vega_runner.py", "auto", hidden, "monte_carlo"),
            ("authors' loop", None, "authors_loop.py", hidden, BAYES_FACTOR, TESTS),
            ("scvega", "scvega", "scvega_runner.py", BAYES_FACTOR),
        ],
    }
    pythons = {None: sys.executable, **pythons}
    return [
        Runner(name, [pythons[baseline], RUNNERS / script, folder, rounds, *arguments])
        for name, baseline, script, *arguments in entries[benchmark]
        if baseline in pythons
    ]


def under_load(
    size: Size, folder: Path, rounds: int, idle: dict[str, Any], log: IO
) -> dict[str, Any]:
    """Return times on idle cores and with a busy process per core, and their ratio.

    They are those of training, with one thread and one per core, and of the demo, of which `idle`
    is the result on idle cores.
    """
    cores = idle["machine"]["cores"]
    command = [RUNNERS / "vega_runner.py", folder, 2 * rounds, "auto", size.n_hidden, "none"]
    runners = [
        Runner(f"{n} threads", ["env", f"OMP_NUM_THREADS={n}", sys.executable, *command])
        for n in sorted({1, cores})
    ]
    training = with_busy_processes(runners, rounds, cores, log, folder)
    with busy(cores):
        seconds = {"idle": idle["seconds"], "busy": demo(idle["targets"], log)["seconds"]}
    ratio = seconds["busy"] / seconds["idle"]
    return {
        "busy_processes": cores,
        "training": training,
        "demo": {**seconds, "ratio": ratio, "targets": idle["targets"]},
    }


def resources(size: Size, folder: Path, log: IO) -> dict[str, Any]:
    """Return what vega needs; each task of `runners/resources.py` has a process of its own."""

    def task(name: str, *arguments: Any) -> dict[str, Any]:
        print(f"  {name}", flush=True)
        command = [sys.executable, RUNNERS / "resources.py", name, folder, *arguments]
        output = subprocess.run(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=log, text=True, check=True
        )
        return json.loads(output.stdout)

    hidden = size.n_hidden
    has_gpu = torch.cuda.is_available()
    per_cell = task("scale", hidden, *size.scales)["seconds_per_cell"]
    disk = task("disk", hidden)["seconds"]
    return {
        "gpu": task("gpu", hidden) if has_gpu else {"not_run": "no GPU on this machine"},
        "kang": task("kang", "sets", hidden, 128),
        "aracne": task("aracne", "regulons", hidden, 32),
        "microseconds_per_cell": {n: 1e6 * median(seconds) for n, seconds in per_cell.items()},
        "repeats_seconds_per_cell": per_cell,
        "speed_from_disk": {n: median(ratios(disk["memory"], s)) for n, s in disk.items()},
        "repeats_seconds_from_disk": disk,
        "profile": task("profile", hidden),
    }


def python_of(baseline: str, environments: Path, log: IO) -> Path | str:
    """Return the Python that runs a baseline; install its packages if their list has changed."""
    requirements, folder = BASELINES[baseline], environments.absolute() / baseline
    if requirements is None:
        return sys.executable
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        print(f"installing {baseline} from PyPI into {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        # The file is complete; what its packages declare contradicts itself by now.
        pip = [python, "-m", "pip", "install", "--no-deps", "--disable-pip-version-check"]
        result = subprocess.run([*pip, "-r", requirements], stdout=log, stderr=log, check=False)
        if result.returncode:
            raise RunnerError(f"{baseline} cannot be installed; --baselines leaves it out")
        stamp.write_text(requirements.read_text())
    return python


def machine() -> dict[str, Any]:
    """Return what the times depend on."""
    able = torch.cpu.get_capabilities()
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


if __name__ == "__main__":
    main()
