# What all phases share: the checked configuration and the folder of the run.
# in: config/   out: the names CONFIG, SETTINGS, RUN, LOGS, SEED, MODEL_FILES, code_of, and functions
# that give inputs and outputs of rules

import fcntl
import os
import shutil
import sys
import time
from pathlib import Path

from snakemake_interface_executor_plugins.settings import ExecMode

from scripts.common.code_dependencies import code_of
from scripts.common.config.load import load
from scripts.common.config.robustness import COMPARED
from scripts.common.log_errors import log_errors, print_left_out
from scripts.common.provenance import check_own
from scripts.train.baselines import METHODS
from vega.errors import InputError

try:
    CONFIG = load(config)
except InputError as error:
    sys.exit(f"error: {error}")

SETTINGS = CONFIG.settings
RUN = f"results/{SETTINGS.run}"
LOGS = f"logs/{SETTINGS.run}"
STARTED = time.time()
SEED = SETTINGS.seeds[0]  # the seed whose model draws the figures
MODEL_FILES = ["weights.safetensors", "model.json", "history.tsv"]


wildcard_constraints:
    study="|".join([*CONFIG.studies, *CONFIG.derived_studies]),
    figure="|".join(CONFIG.figures),
    model="[^/]+",


def scale_with_attempt(amount):
    """Return memory or time, increased with each attempt, since a job may have failed for lack of it."""
    return lambda wildcards, attempt: amount * attempt


def study_data(wildcards):
    return f"{RUN}/data/{CONFIG.model(wildcards.model).study}.h5ad"


def filtered_genes(wildcards):
    """Return the file of cells with all filtered genes: its own if a study selects variable genes."""
    study = CONFIG.model(wildcards.model).study
    return f"{RUN}/data/{CONFIG.filtered_genes(study)}"


def gene_set_file(wildcards):
    return f"{RUN}/raw/gene_sets/{CONFIG.model(wildcards.model).gene_sets}"


def raw_with_provenance(folder, files):
    """Return raw files of a folder and their provenance, as inputs or outputs of a rule."""
    return {
        "raw": [f"{RUN}/raw/{folder}/{file}" for file in files],
        "provenance": [f"{RUN}/raw/{folder}/.provenance/{file}.json" for file in files],
    }


def preprocessing_inputs(wildcards):
    """Return raw files of a study with their records, and the study whose genes it takes."""
    study = CONFIG.study(wildcards.study)
    others = filter(None, [study.reindexed_to])
    return {
        **raw_with_provenance(CONFIG.raw_folder(wildcards.study), study.files),
        "other": [f"{RUN}/data/{other}.h5ad" for other in others],
    }


def model_files(models, files=MODEL_FILES):
    """Return files of models, of all their seeds."""
    return [
        f"{RUN}/models/{model}/seed{seed}/{file}"
        for model in models
        for seed in CONFIG.seeds_of(model)
        for file in files
    ]


def differential_tables(model):
    """Return the tables of comparisons of a model, one per seed."""
    return expand(
        f"{RUN}/tables/{model}_seed{{seed}}_differential.tsv",
        seed=CONFIG.seeds_of(model),
    )


def results_of(runs):
    """Return files of each model's results, as inputs of a rule."""
    return {
        "latent": [f"{RUN}/models/{m}/seed{SEED}/latent.h5ad" for m in runs],
        "differential": [
            f"{RUN}/tables/{m}_seed{SEED}_differential.tsv"
            for m in runs
            if CONFIG.asks_contrasts(m)
        ],
        "gsea": [f"{RUN}/tables/{m}_gsea.tsv" for m in runs if CONFIG.asks_gsea(m)],
    }


def method_of(wildcards):
    return METHODS[CONFIG.baselines[wildcards.baseline].method]


def pages(names):
    return expand(
        f"{RUN}/figures/{{name}}.{{suffix}}", name=names, suffix=["png", "pdf"]
    )


def shown_models(wildcards):
    """Return the models of a figure, one per latent space."""
    entries = CONFIG.figures[wildcards.figure].models
    return [run for name in entries for run in CONFIG.runs_of(name)]


def figure_inputs(wildcards):
    """Return the results from which a figure is drawn, by its entry in config/figures.yaml."""
    entry = CONFIG.figures[wildcards.figure]
    return {
        **results_of(shown_models(wildcards)),
        "tables": [f"{RUN}/tables/{table}.tsv" for table in entry.tables],
        "expression": [f"{RUN}/data/{study}.h5ad" for study in entry.expression],
        # A figure of tables alone has to know where their cells are from.
        "cells": [
            f"{RUN}/data/{study}.h5ad" for study in entry.studies if not entry.models
        ],
        "code": code_of("figures/figure.py", f"scripts.figures.{wildcards.figure}"),
    }


def sweep_files(wildcards):
    return model_files(CONFIG.runs_of(wildcards.sweep))


def sweep_models(wildcards):
    """Return the models of a sweep: what tells each from the others, and where it is."""
    return {
        name: {
            "by": run.by,
            "folder": f"{RUN}/models/{name}",
            "removed": run.config.data.remove_genes,
        }
        for name, run in CONFIG.sweeps[wildcards.sweep].items()
    }


def forget_stale_locks():
    """Remove the locks of a killed run, which would stop Snakemake.

    The main process of every run holds a lock of the operating system, which ends with it. Whoever
    gets it is alone, so locks that still lie here are of no living run.
    """
    folder = Path(".snakemake")
    folder.mkdir(exist_ok=True)
    alive = (folder / "alive").open("w")
    try:
        fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return None  # another run is alive; its locks stand
    for lock in (folder / "locks").glob("*.lock"):
        lock.unlink(missing_ok=True)
    return alive


if workflow.exec_mode == ExecMode.DEFAULT:
    ALIVE = forget_stale_locks()
    # A copy of a user's own file is up to date for Snakemake, whatever became of the file.
    try:
        for study, file in [] if SETTINGS.simulated else CONFIG.raw_files:
            check_own(CONFIG.file(study, file), Path(f"{RUN}/raw/{study}/{file}"))
    except InputError as error:
        sys.exit(f"error: {error}")
