"""Rehearse a new study: preprocess its cells in memory, and compare them, as the run will."""

from collections.abc import Mapping, Sequence
from typing import Any

from anndata import AnnData

from scripts.common.config.models import ModelConfig
from scripts.common.config.studies import Study
from scripts.common.contrasts import FEW_CELLS, groups
from scripts.preprocess.gene_names import check_namespace, step_for_symbols
from scripts.preprocess.preprocess import preprocess
from tools.new_study.names import some
from vega.errors import InputError
from vega.gene_sets import gene_mask
from vega.settings import TrainSettings
from vega.train import split

Sets = Mapping[str, Sequence[str]]
# Filters that a study can do without; the first that lets it run are left out.
LEFT_OUT = ((), ("cell_min_genes",), ("cell_min_genes", "gene_min_cells"))


def rehearse(
    cells: AnnData, study: dict[str, Any], model: dict[str, Any], sets: Sets | None, where: str
) -> tuple[dict[str, Any], list[str]]:
    """Return the entry of a study with steps under which it runs, and what to say of it.

    `cells` are as the run reads them. An error is that of the last attempt, without the filters.
    """
    first, notes = ([], []) if sets is None else step_for_symbols(cells.var_names, sets)
    steps, refusal = [*first, *study["steps"]], None
    for left_out in LEFT_OUT:
        study = {**study, "steps": [step for step in steps if not step.keys() & set(left_out)]}
        gone = ", ".join(f"{k}: {v}" for step in steps for k, v in step.items() if k in left_out)
        told = [f"left out, as too few cells or genes would remain: {gone}"] if gone else []
        try:
            return study, [*notes, *told, *_tried(cells, study, model, sets, where)]
        except InputError as error:
            refusal = error
    raise InputError(f"{where}: the run would stop: {refusal}")


def _tried(
    cells: AnnData, study: dict[str, Any], model: dict[str, Any], sets: Sets | None, where: str
) -> list[str]:
    """Do what the run does before and after training; return what to say."""
    split(cells.n_obs, TrainSettings())
    after, _ = preprocess(cells, Study.model_validate(study))
    split(after.n_obs, TrainSettings())
    notes = [
        f"{after.n_obs:,} of {cells.n_obs:,} cells and {after.n_vars:,} of {cells.n_vars:,} genes "
        "remain after the steps"
    ]
    if sets is not None:
        check_namespace(after.var_names, sets, "genes")
        mask = gene_mask(sets, after.var_names)
        known = int(mask.any(axis=0).sum())
        notes.append(
            f"{known:,} of these genes ({known / after.n_vars:.0%}) are in a gene set, and "
            f"{mask.any(axis=1).sum():,} of {len(sets):,} sets have some of them"
        )
    asked = ModelConfig.model_validate(model).comparisons()
    few = [
        f"{what} ({n}, {name})"
        for name, group, against, side in groups(after.obs, asked)
        for what, n in ((group, (side == 1).sum()), (against, (side == -1).sum()))
        if n < FEW_CELLS
    ]
    return [*notes, f"groups of fewer than {FEW_CELLS} cells: {some(few)}"] if few else notes
