"""How long vega and expiMap train on a study until each stops early by its own rule.

    python -m bench.stopping results/paper/data/kang.h5ad results/paper/raw/gene_sets/reactomes.gmt

One training each, one after the other: a round would take an hour. Epochs do not depend on the
machine's speed, and `python -m bench` compares the time of one.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.__main__ import RUNNERS, python_of
from bench.interleave import Runner, started

N_HIDDEN = 800  # as published


def main() -> None:
    """Parse the command line, measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.stopping", description=__doc__)
    parser.add_argument("data", type=Path, help="a preprocessed study with counts")
    parser.add_argument("gene_sets", type=Path, help="a GMT file")
    parser.add_argument("--environments", type=Path, default=Path(".venv-bench"))
    options = parser.parse_args()
    with TemporaryDirectory() as place, Path(place, "log").open("w") as log:
        folder = Path(place)
        (folder / "cells.h5ad").symlink_to(options.data.absolute())
        (folder / "sets.gmt").symlink_to(options.gene_sets.absolute())
        ours = [sys.executable, RUNNERS / "vega_runner.py", folder, 0]
        theirs = [python_of("expimap", options.environments, log), RUNNERS / "expimap_runner.py"]
        runners = [
            Runner("vega", [*ours, "auto", N_HIDDEN, "none"]),
            Runner("vega in float32", [*ours, "float32", N_HIDDEN, "none"]),
            Runner("expiMap", [*theirs, folder, 0, N_HIDDEN]),
        ]
        print(f"{'':<18}{'epochs':>7}{'seconds':>9}{'peak MB':>9}")
        for runner in runners:
            with started([runner], log, folder):
                turn = runner.turn()
            epochs, peak = turn["epochs"], runner.facts["peak_mb"]
            print(f"{runner.name:<18}{epochs:>7}{turn['seconds']:>9.0f}{peak:>9,.0f}")


if __name__ == "__main__":
    main()
