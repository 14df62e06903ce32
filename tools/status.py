"""How far a run is, per figure: `python -m tools.status [<run>]`."""

import base64
import binascii
import fcntl
import re
import sys
import time
from pathlib import Path

from scripts.common.config.base import NAME, NO_NAME
from scripts.common.config.figures import FigureConfig
from scripts.common.config.load import load
from scripts.common.config.plain import read_yaml
from scripts.common.config.run import Config
from scripts.report.facts import duration
from scripts.report.report_page import place
from vega.errors import InputError
from vega.files import read_errors

DRAWN = "drawn"


def states(config: Config, run: Path) -> dict[str, str]:
    """Return the state of each figure: in the order of the paper, then the summary pages."""
    entries = {name: config.figures[name] for name in sorted(config.selected_figures, key=place)}
    for model in config.summary_models:
        entries[f"summary/{model}"] = FigureConfig(
            title=model, studies=[config.latent(model).study], models=[model]
        )
    found = {}
    for name, entry in entries.items():
        drawn = (run / "figures" / f"{name}.pdf").exists()
        waits_for = ", ".join(_missing(config, run, entry)) or "its turn"
        found[name] = DRAWN if drawn else f"waits for {waits_for}"
    return found


def _missing(config: Config, run: Path, entry: FigureConfig) -> list[str]:
    """Name what a figure is drawn from and does not exist yet."""
    studies = dict.fromkeys([*entry.studies, *entry.expression])
    cells = [name for name in studies if not (run / "data" / f"{name}.h5ad").exists()]
    sweeps = [
        name
        for name in config.models
        if {f"{name}_{kind}" for kind in ("sweep", "weights", "silhouettes")} & {*entry.tables}
    ]
    models = []
    for name in dict.fromkeys([*entry.models, *sweeps]):
        runs = config.runs_of(name)
        folders = [run / "models" / m / f"seed{config.settings.seeds[0]}" for m in runs]
        trained = sum((folder / "model.json").exists() for folder in folders)
        embedded = sum((folder / "latent.h5ad").exists() for folder in folders)
        if name not in config.baselines and trained < len(runs):
            models.append(f"{name} ({trained} of {len(runs)} models trained)")
        elif name in entry.models and embedded < len(runs):
            models.append(f"the latent space of {name}")
    tables = [f"tables/{name}.tsv" for name in entry.tables]
    # Tables are made from the models.
    waits_for = models or [table for table in tables if not (run / table).exists()]
    return [*(f"the cells of {name}" for name in cells), *waits_for]


def in_progress(folder: Path, run: Path, config: Config) -> list[str]:
    """Return what unfinished jobs of a run write, as marked in the `folder` of Snakemake.

    Models of one entry are listed together.
    """
    entries = {model: entry for entry, sweep in config.sweeps.items() for model in sweep}
    found = set()
    for mark in (folder / "incomplete").glob("*"):
        try:
            output = Path(base64.b64decode(mark.name, altchars=b"-_", validate=True).decode())
        except (binascii.Error, UnicodeDecodeError):  # a long name, which takes several folders
            continue
        if output.is_relative_to(run):
            kind, *names = output.relative_to(run).parts
            if kind == "models":
                names = [entries.get(names[0], names[0])]
            found.add("/".join([kind, *names[:1]]))
    return sorted(found)


def is_alive(folder: Path) -> bool:
    """Return whether a run is active: it locks this file while it runs (`rules/common.smk`)."""
    try:
        with (folder / "alive").open("r+") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def last_message(logs: Path, now: float) -> str:
    """Return the last line of the log that was written last, and how long ago that was."""
    found = [(path.stat().st_mtime, path) for path in logs.rglob("*.log")]
    if not found:
        return ""
    written, path = max(found)
    lines = path.read_text(errors="replace").splitlines()
    message = f": {lines[-1]}" if lines else ""
    return f"{path} ({duration(max(0, now - written))} ago){message}"


def main() -> None:
    """Print how far the run is whose name is given, or `paper`."""
    name = "".join(sys.argv[1:2]) or "paper"
    run, snakemake = Path("results", name), Path(".snakemake")
    try:
        if not re.fullmatch(NAME, name):
            raise InputError(f"{name!r} {NO_NAME}")
        if not (run / "config.yaml").exists():
            runs = sorted(path.parent.name for path in Path("results").glob("*/config.yaml"))
            there = f"; there are {', '.join(runs)}" if runs else ""
            begin = f"make {name}" if name in ("paper", "demo") else f"make paper RUN={name}"
            raise InputError(f"{run}: no run has begun there{there}; begin one with {begin}")
        with read_errors(run / "config.yaml", "the configuration of a run", "run it again"):
            settings = read_yaml(run / "config.yaml")["settings"]
        config = load(settings)
    except InputError as error:
        sys.exit(f"error: {error}")
    figures, alive = states(config, run), is_alive(snakemake)
    drawn = sum(state == DRAWN for state in figures.values())
    claims = "judged" if (run / "claims.tsv").exists() else "not judged yet"
    report = "written" if (run / "report.html").exists() else "not written yet"
    print(f"{run}: {drawn} of {len(figures)} figures drawn, claims {claims}, report {report}")
    for figure, state in figures.items():
        print(f"  {figure:<10} {state}")
    if begun := in_progress(snakemake, run, config):
        print("at work on" if alive else "interrupted in", ", ".join(begun))
    elif alive:
        print("a run is at work")
    if message := last_message(Path("logs", name), time.time()):
        print(message)


if __name__ == "__main__":
    main()
