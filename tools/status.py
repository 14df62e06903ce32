"""How far a run is: `python -m tools.status [<run>]` says it per figure."""

import base64
import binascii
import fcntl
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.common.config.figures import FigureConfig
from scripts.common.config.load import load
from scripts.common.config.plain import read_yaml
from scripts.common.config.run import Config
from scripts.report.facts import duration
from scripts.report.report_page import place
from vega.errors import InputError


@dataclass(frozen=True)
class Figure:
    """A figure of a run: whether it is drawn, and what it waits for if not."""

    name: str
    drawn: bool
    waits_for: list[str]

    def __str__(self) -> str:
        """One line of the list."""
        state = "drawn" if self.drawn else "waits for " + (", ".join(self.waits_for) or "its turn")
        return f"  {self.name:<10} {state}"


def figures_of(config: Config, run: Path) -> list[Figure]:
    """The figures of a run in the order of the paper, then its summary pages."""
    entries = {name: config.figures[name] for name in sorted(config.selected_figures, key=place)}
    for model in config.summary_models:
        entries[f"summary/{model}"] = FigureConfig(
            title=model, studies=[config.latent(model).study], models=[model]
        )
    return [
        Figure(name, (run / "figures" / f"{name}.pdf").exists(), list(_missing(config, run, entry)))
        for name, entry in entries.items()
    ]


def _missing(config: Config, run: Path, entry: FigureConfig) -> Iterator[str]:
    """What a figure is drawn from that is not there."""
    seed = config.settings.seeds[0]
    for study in dict.fromkeys([*entry.studies, *entry.expression]):
        if not (run / "data" / f"{study}.h5ad").exists():
            yield f"the cells of {study}"
    waiting = False
    sweeps = [name for name in config.models if any(_is_of(t, name) for t in entry.tables)]
    for name in dict.fromkeys([*entry.models, *sweeps]):
        runs = config.runs_of(name)
        folders = [run / "models" / model / f"seed{seed}" for model in runs]
        if name not in config.baselines:
            trained = sum((folder / "model.json").exists() for folder in folders)
            if trained < len(runs):
                waiting = True
                yield f"{name} ({trained} of {len(runs)} models trained)"
                continue
        embedded = sum((folder / "latent.h5ad").exists() for folder in folders)
        if name in entry.models and embedded < len(runs):
            waiting = True
            yield f"the latent space of {name}"
    for table in () if waiting else entry.tables:  # which come of the models
        if not (run / "tables" / f"{table}.tsv").exists():
            yield f"tables/{table}.tsv"


def _is_of(table: str, entry: str) -> bool:
    return table in {f"{entry}_{what}" for what in ("sweep", "weights", "silhouettes")}


def in_progress(folder: Path, run: Path, config: Config) -> list[str]:
    """What jobs that were begun and have not ended will write, as Snakemake has marked it.

    Models of one entry are told together.

    Parameters
    ----------
    folder
        Snakemake's own, `.snakemake`.
    run
        Folder of the run, of which the outputs are.
    config
        Of the run.
    """
    entries = {model: entry for entry, sweep in config.sweeps.items() for model in sweep}
    found = set()
    for mark in (folder / "incomplete").glob("*"):
        try:
            output = Path(base64.b64decode(mark.name, altchars=b"-_", validate=True).decode())
        except (binascii.Error, UnicodeDecodeError):  # a long name, which is spread over folders
            continue
        if output.is_relative_to(run):
            kind, *names = output.relative_to(run).parts
            if kind == "models":
                names = [entries.get(names[0], names[0])]
            found.add("/".join([kind, *names[:1]]))
    return sorted(found)


def is_alive(folder: Path) -> bool:
    """Whether a run is at work here: it holds a lock as long as it lives (`rules/common.smk`)."""
    try:
        with (folder / "alive").open("r+") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def last_words(logs: Path, now: float) -> str:
    """What the log that was written last says at its end, and how long ago."""
    found = [(path.stat().st_mtime, path) for path in logs.rglob("*.log")]
    if not found:
        return ""
    written, path = max(found)
    lines = path.read_text(errors="replace").splitlines()
    said = f": {lines[-1]}" if lines else ""
    return f"{path} ({duration(max(0, now - written))} ago){said}"


def main() -> None:
    """Say how far the run is whose name is given, or `paper`."""
    name = sys.argv[1] if len(sys.argv) > 1 else "paper"
    run, snakemake = Path("results", name), Path(".snakemake")
    try:
        if not (run / "config.yaml").exists():
            runs = sorted(path.parent.name for path in Path("results").glob("*/config.yaml"))
            there = f"; there are {', '.join(runs)}" if runs else ""
            raise InputError(f"{run}: no run has begun there{there}; begin one with make {name}")
        config = load(read_yaml(run / "config.yaml")["settings"])
    except InputError as error:
        sys.exit(f"error: {error}")
    figures, alive = figures_of(config, run), is_alive(snakemake)
    drawn = sum(figure.drawn for figure in figures)
    claims = "judged" if (run / "claims.tsv").exists() else "not judged yet"
    report = "written" if (run / "report.html").exists() else "not written yet"
    print(f"{run}: {drawn} of {len(figures)} figures drawn, claims {claims}, report {report}")
    for figure in figures:
        print(figure)
    if begun := in_progress(snakemake, run, config):
        print("at work on" if alive else "interrupted in", ", ".join(begun))
    elif alive:
        print("a run is at work")
    if words := last_words(Path("logs", name), time.time()):
        print(words)


if __name__ == "__main__":
    main()
