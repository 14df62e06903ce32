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
from scripts.common.log_errors import log_errors
from vega.errors import InputError

try:
    CONFIG = load(config, Path(os.path.relpath(workflow.basedir)) / "config")
except InputError as error:
    sys.exit(f"error: {error}")

SETTINGS = CONFIG.settings
RUN = f"results/{SETTINGS.run}"
LOGS = f"logs/{SETTINGS.run}"
STARTED = time.time()
SEED = SETTINGS.seeds[0]  # the seed whose model draws the figures


def scale_with_attempt(amount):
    """Of memory or time: once more at each attempt, since a job may have failed for want of it."""
    return lambda wildcards, attempt: amount * attempt


MODEL_FILES = ["weights.safetensors", "model.json", "history.tsv"]


def study_data(wildcards):
    return f"{RUN}/data/{CONFIG.model(wildcards.model).study}.h5ad"


def filtered_genes(wildcards):
    """The file of a model's cells with all filtered genes.

    It is a file apart where the study keeps the most variable genes only.
    """
    study = CONFIG.model(wildcards.model).study
    return (
        f"{RUN}/data/{study}_all_genes.h5ad"
        if CONFIG.studies[study].selects_genes
        else f"{RUN}/data/{study}.h5ad"
    )


def preprocessing_inputs(wildcards):
    """Raw files of a study with their records, and the study whose genes it takes."""
    study = CONFIG.studies[wildcards.study]
    folder = f"{RUN}/raw/{CONFIG.raw_folder(wildcards.study)}"
    return {
        "raw": [f"{folder}/{file}" for file in study.files],
        "provenance": [f"{folder}/.provenance/{file}.json" for file in study.files],
        "other": [
            f"{RUN}/data/{other}.h5ad" for other in filter(None, [study.reindexed_to])
        ],
    }


def gene_set_file(wildcards):
    return f"{RUN}/raw/gene_sets/{CONFIG.model(wildcards.model).gene_sets}"


def raw_outputs(study, files):
    """Raw files of a study (or `gene_sets`) and their provenance, as outputs of a rule."""
    folder = f"{RUN}/raw/{study}"
    return {
        "raw": [f"{folder}/{file}" for file in files],
        "provenance": [f"{folder}/.provenance/{file}.json" for file in files],
    }


def results_of(runs):
    """Files of each model's results, as inputs of a rule."""
    return {
        "latent": [f"{RUN}/models/{m}/seed{SEED}/latent.h5ad" for m in runs],
        "differential": [
            f"{RUN}/tables/{m}_seed{SEED}_differential.tsv"
            for m in runs
            if CONFIG.asks_contrasts(m)
        ],
        "gsea": [f"{RUN}/tables/{m}_gsea.tsv" for m in runs if CONFIG.asks_gsea(m)],
    }


def shown_models(wildcards):
    """Models of a figure, one per latent space."""
    entries = CONFIG.figures[wildcards.figure].models
    return [run for name in entries for run in CONFIG.runs_of(name)]


def figure_inputs(wildcards):
    """Results that a figure is drawn from, as its entry in config/figures.yaml says."""
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
    """Files of all models of a sweep, of all seeds."""
    return expand(
        f"{RUN}/models/{{model}}/seed{{seed}}/{{file}}",
        model=CONFIG.runs_of(wildcards.sweep),
        seed=SETTINGS.seeds,
        file=MODEL_FILES,
    )


def sweep_models(wildcards):
    """The models of a sweep as `scripts.analyse.trained_models.Trained` takes them, but for the seed."""
    return {
        name: {
            "by": run.by,
            "folder": f"{RUN}/models/{name}",
            "removed": run.config.data.remove_genes,
        }
        for name, run in CONFIG.sweeps[wildcards.sweep].items()
    }


def forget_stale_locks():
    """Take back the locks of a run that was killed, which Snakemake itself would stop at.

    The main process of every run holds a lock of the operating system, which ends with it however
    it ends. Whoever gets it is alone, so locks that still lie here are nobody's.
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
