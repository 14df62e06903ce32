"""Training models on preprocessed studies, several in one job."""

import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pandas as pd
import torch
from anndata import AnnData

from scripts.common.h5ad import read_cells
from scripts.common.obs_mask import obs_mask
from scripts.common.progress import Throttle, log_progress
from scripts.common.run import log, run
from vega import VEGA, read_gmt
from vega.errors import InputError
from vega.model import resolve_device

CHECKPOINT = Path("checkpoint", "state.safetensors")  # a folder of its own, gone in the end
SPLIT_SEED = 0  # of cross-validation
RUNS = 1000  # seeds from one run of a model to the next


def train_models(
    studies: Mapping[str, AnnData],
    gene_sets: Path,
    configs: Mapping[Path, dict[str, Any]],
    *,
    models_per_gpu: int,
    device: str,
    given_gpu: bool,
    require_gpu: bool,
    threads: int,
) -> None:
    """Train the model of each folder of `configs`, several in parallel; see `train_model`.

    `studies` has the cells of each study that `configs` name, the folder `gene_sets` their GMT
    files. The checkpoint of each model is kept in its folder until all models are finished. After
    an interruption, the same call loads the finished models from their checkpoints and resumes the
    others, even if Snakemake has removed their files.
    """
    target = choose_device(device, given_gpu, require_gpu)
    # On a CPU, one thread per model takes less time than all threads for one model after the other.
    at_once = min(len(configs), threads if target == "cpu" else models_per_gpu)
    options = {"device": target, "threads": max(1, threads // at_once)}
    failed, throttle = Event(), Throttle()

    def say(name: str, line: str) -> None:
        if throttle.due() or not line.startswith("epoch"):
            log.info("%s: %s", name, line)

    def train_next(folder: Path, config: dict[str, Any]) -> None:
        if failed.is_set():
            return
        try:
            data = config["data"]
            gmt = gene_sets / data["gene_sets"]
            train_model(studies[data["study"]], gmt, folder, config, say=say, **options)
        except BaseException:
            failed.set()
            raise

    if len(configs) > 1:
        log.info("%d models, %d at a time, on %s", len(configs), at_once, target)
    with ThreadPoolExecutor(at_once, thread_name_prefix="training") as pool:
        trainings = [pool.submit(train_next, *job) for job in configs.items()]
        try:
            for training in log_progress(as_completed(trainings), "models", len(configs)):
                training.result()
        except BaseException:
            failed.set()
            raise
    for folder in configs:
        shutil.rmtree(folder / CHECKPOINT.parent)


def train_model(
    adata: AnnData,
    gmt: Path,
    folder: Path,
    config: dict[str, Any],
    *,
    device: str = "cpu",
    threads: int = 1,
    say: Callable[[str, str], None],
) -> VEGA:
    """Train a model as its entry of the configuration says, and save it to `folder`.

    `config` has the blocks `data`, `model` and `train` of `config.ModelConfig`, the `precision` and
    the `seed` of the first run. `say` is called with the name of the model and its progress.
    """
    torch.set_num_threads(threads)
    _remove_partial_files(folder)
    data = config["data"]
    adata = adata[learnt_from(adata.obs, data["cells"], data["leave_out"])]
    batches = _batches(adata, data["batch_key"])
    gene_sets = read_gmt(gmt, data["min_genes"], data["max_genes"])
    model = VEGA(
        adata.var_names,
        without_genes(gene_sets, data["remove_genes"]),
        batches=batches,
        seed=config["seed"] + RUNS * (data["run"] - 1),
        **config["model"],
    )
    name = "/".join(folder.parts[-2:])
    log.info("%s: %d cells, %d genes, %d GMVs", name, *adata.shape, len(model.gmvs))
    history = model.fit(
        adata,
        batch_key=data["batch_key"],
        validation=fold_of(adata.obs, data["folds"], data["fold"]),
        device=device,
        precision=config["precision"],
        checkpoint=folder / CHECKPOINT,
        progress=False,
        log=partial(say, name),
        **config["train"],
    )
    log.info(
        "%s: %d epochs in %.0f s on %s in %s, loss per cell %s",
        name,
        len(history),
        *(model.training[key] for key in ("seconds", "device", "precision")),
        " / ".join(f"{loss:.2f}" for loss in history.iloc[-1].dropna()),
    )
    model.save(folder, overwrite=True)
    return model


def without_genes(
    gene_sets: dict[str, list[str]], removed: dict[str, list[str]]
) -> dict[str, list[str]]:
    """Return the gene sets without the `removed` genes of each set."""
    changed = dict(gene_sets)
    for name, genes in removed.items():
        if name not in gene_sets:
            raise InputError(
                f"config/models.yaml: remove_genes: no gene set {name} in the collection; correct "
                "the name"
            )
        changed[name] = [gene for gene in gene_sets[name] if gene not in genes]
        if changed[name] == gene_sets[name]:
            raise InputError(
                f"config/models.yaml: remove_genes: {name} has none of {', '.join(genes)}; name "
                "genes of the set"
            )
    return changed


def fold_of(obs: pd.DataFrame, folds: dict[str, Any] | None, fold: int) -> np.ndarray | None:
    """Return which cells validate in a fold (from 1) of a stratified cross-validation, if any.

    The parts are the same for every seed.
    """
    if folds is None:
        return None
    from sklearn.model_selection import StratifiedKFold

    _check_column(obs, folds["column"], "folds: ")
    if fold > folds["n"]:
        raise InputError(
            f"config/models.yaml: fold: expected at most {folds['n']} (folds.n), found {fold}; "
            "correct one of them"
        )
    parts = StratifiedKFold(folds["n"], shuffle=True, random_state=SPLIT_SEED)
    labels = obs[folds["column"]].astype(str)
    if folds["n"] > (most := labels.value_counts().max()):
        raise InputError(
            f"config/models.yaml: folds: {folds['n']} parts, but no {folds['column']} has more "
            f"than {most} cells; use fewer folds"
        )
    _, rows = list(parts.split(labels, labels))[fold - 1]
    return np.isin(np.arange(len(obs)), rows)


def learnt_from(
    obs: pd.DataFrame, cells: dict[str, list[str]], leave_out: dict[str, list[str]]
) -> np.ndarray:
    """Return which cells a model learns from: those of `cells` without those of `leave_out`.

    Both give values by column; a cell must have one of the values in each column.
    """
    for column in (*cells, *leave_out):
        _check_column(obs, column)
    chosen = obs_mask(obs, cells)
    if leave_out:
        out = obs_mask(obs, leave_out)
        if not out.any():
            raise InputError(
                f"config/models.yaml: leave_out: no cell has all of {leave_out}; correct the values"
            )
        chosen &= ~out
    if not chosen.any():
        raise InputError(
            f"config/models.yaml: cells: no cell has all of {cells}; correct the values, or leave "
            "out fewer cells"
        )
    return chosen


def _check_column(obs: pd.DataFrame, column: str, key: str = "") -> None:
    if column not in obs:
        raise InputError(
            f"config/models.yaml: {key}the study has no column {column}; it has {', '.join(obs)}"
        )


def _remove_partial_files(folder: Path) -> None:
    """Remove the half-written files of a killed attempt."""
    checkpoint = folder / CHECKPOINT
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    for file in (*folder.glob(".*"), *checkpoint.parent.iterdir()):
        if file.is_file() and file != checkpoint:
            file.unlink()


def choose_device(device: str, given_gpu: bool, require_gpu: bool) -> str:
    """Return the device to train on.

    A job without a GPU (`--resources gpu=0`) takes the CPU. A job that was given a GPU and finds
    none takes the CPU too, unless a GPU is required or named.
    """
    if not given_gpu and device in ("auto", "cpu"):
        return "cpu"
    found = resolve_device(device).type
    if found == "cpu" and require_gpu:
        raise InputError(
            "this job was given a GPU but finds none (require_gpu is true); check the node's "
            "driver, or run on the CPU with `--resources gpu=0`"
        )
    if found == "cpu" and device != "cpu":
        log.info("no GPU on this machine: training on the CPU, which only takes longer")
    return found


def _batches(adata: AnnData, batch_key: str | None) -> list[str]:
    if batch_key is None:
        return []
    _check_column(adata.obs, batch_key, "batch_key: ")
    return sorted(adata.obs[batch_key].astype(str).unique())


def main(snakemake):
    """Rules `train_<entry>` and `train_robustness`."""
    inputs, params = snakemake.input, snakemake.params
    studies = {Path(file).stem: read_cells(file) for file in inputs.data}
    if analyses := params.get("analyses"):
        # By name: a model does not depend on this code, see `code_of`.
        check_asked = import_module("scripts.analyse.asked").check_asked
        for cells in studies.values():
            check_asked(cells.obs, analyses, snakemake.rule.removeprefix("train_"))
    train_models(
        studies,
        Path(inputs.gene_sets[0]).parent,
        {Path(params.models, name): config for name, config in params.configs.items()},
        device=params.device,
        models_per_gpu=params.models_per_gpu,
        given_gpu=snakemake.resources.get("gpu", 0) > 0,
        require_gpu=params.require_gpu,
        threads=snakemake.threads,
    )


if __name__ == "__main__":
    run(main, snakemake)
