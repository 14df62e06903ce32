"""Results of VEGA's variants as they were published, for Supplementary Figures 9 to 12."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from scripts.common.config.studies import Study
from scripts.common.gmvs import INTERFERON, INTERFERON_AB, INTERFERON_RELATED, REMOVED
from scripts.common.variants import DROPOUT_MODELS, PUBLISHED_STEP, SOFT_STEP
from scripts.figures.data import FigureData, Results
from scripts.figures.sfig10 import PENALTIES

N_CONTROL, N_STIMULATED = 120, 80
N_CELLS = N_CONTROL + N_STIMULATED
# Cells in which the GMV says the other condition, in the order of INTERFERON_RELATED.
FLIPS = {"kang_all_cells": (4, 8, 4, 4), "kang_intercode": (10, 24, 14, 19)}

IN_SET = ["IFIT3", "IFIT1", "IFI6", *(f"GENE{i}" for i in range(12))]
OTHERS = [f"OTHER_{i}" for i in range(200)]
TOP_GENES = IN_SET[:3]

LOSSES = {1: 161.1, 4: 155.9, 8: 152.8, 16: 148.4, 32: 147.8, 64: 143.6}
SILHOUETTES = {1: 0.091, 4: 0.092, 8: 0.086, 16: 0.077, 32: 0.070, 64: 0.049}
RUNS = np.array([-2, -1, 0, 1, 2])


def planted_variants() -> FigureData:
    """Latent spaces and tables in which all numbers are about those of the paper.

    Tables hold a second seed, whose numbers are absurd.
    """
    latents = {**conditions_from_one_gmv(), **two_activities()}
    seconds = [1.6, 1.66, 1.9, 1.60, 1.69, 1.7]
    methods = ["VEGA"] * 3 + ["intercode"] * 3
    tables = {
        "kang_soft_weights": soft_weights(),
        "kang_extra_nodes_sweep": extra_nodes(),
        "kang_latent_dropout_weights": dropout_weights(),
        "time_per_epoch": pd.DataFrame(
            {"method": methods, "round": [1, 2, 3] * 2, "seconds": seconds}
        ),
    }
    return FigureData({name: results_of(latent) for name, latent in latents.items()}, tables)


def results_of(latent: AnnData, types: Sequence[str] = ()) -> Results:
    """Return results without tables."""
    study = Study.model_construct(cell_types=list(types))
    return Results(latent, None, None, study, "public")


def cells(columns: dict[str, np.ndarray]) -> AnnData:
    """Control cells, then stimulated ones, with these activities."""
    conditions = ["control"] * N_CONTROL + ["stimulated"] * N_STIMULATED
    return AnnData(
        np.column_stack(list(columns.values())).astype(np.float32),
        obs=pd.DataFrame({"condition": conditions}, index=[f"c{i}" for i in range(N_CELLS)]),
        var=pd.DataFrame(index=list(columns)),
    )


def conditions_from_one_gmv() -> dict[str, AnnData]:
    """Each GMV is 1 in stimulated and 0 in control cells, but for the flips."""
    latents = {}
    for model, flips in FLIPS.items():
        z = np.repeat([0.0, 1.0], [N_CONTROL, N_STIMULATED])
        columns = {
            gmv: np.where(np.arange(N_CELLS) < n, 1 - z, z)
            for gmv, n in zip(INTERFERON_RELATED, flips, strict=True)
        }
        latents[model] = cells(columns)
    return latents


def two_activities() -> dict[str, AnnData]:
    """Two activities that disagree without latent dropout, and agree with it."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 3, N_CELLS)
    y = {0.0: -0.3 * x + rng.normal(0, 3, N_CELLS), 0.5: 0.9 * x + rng.normal(0, 0.3, N_CELLS)}
    return {
        model: cells({INTERFERON: x, INTERFERON_AB: y[dropout]})
        for dropout, model in DROPOUT_MODELS.items()
    }


def soft_weights() -> pd.DataFrame:
    """At a penalty of 10 the genes taken out have ranks 4 to 6; the soft threshold ends them."""
    parts = []
    for step in (SOFT_STEP, PUBLISHED_STEP):
        for penalty in reversed(PENALTIES):
            weight = pd.Series(0.0, [*OTHERS, *IN_SET, *REMOVED])
            weight[IN_SET] = np.linspace(0.5, 0.2, len(IN_SET))
            if penalty < 10:
                weight[OTHERS] = np.linspace(9, 1, len(OTHERS)) / penalty
                weight[list(REMOVED)] = 0.9 / penalty
            if penalty == 10 and step == PUBLISHED_STEP:
                weight[TOP_GENES] = 1.3, 1.2, 1.1
                weight[list(REMOVED)] = 1.05, 1.04, 1.03
            table = weight.sort_values(ascending=False, kind="stable").rename_axis("gene")
            table = table.reset_index(name="weight")
            table["rank"] = np.arange(1, len(table) + 1)
            table["in_set"] = table["gene"].isin(IN_SET)
            table["removed"] = table["gene"].isin(REMOVED)
            listed = (table["rank"] <= 100) | table["in_set"] | table["removed"]
            about = {"seed": 1, "l1_update": step, "l1_lambda": penalty, "gmv": INTERFERON_AB}
            parts.append(table[listed].assign(model=f"{step} {penalty}", **about))
    return with_second_seed(pd.concat(parts, ignore_index=True), "weight")


def extra_nodes() -> pd.DataFrame:
    """Five runs of each number of extra nodes, around the published means."""
    table = pd.DataFrame(
        [(n, run, off) for n in LOSSES for run, off in enumerate(RUNS, start=1)],
        columns=["extra_nodes", "run", "off"],
    )
    off, losses = table.pop("off"), table["extra_nodes"].map(LOSSES)
    table = table.assign(
        seed=1,
        train_loss=losses + 12 + off / 2,
        validation_loss=losses + off / 4,
        silhouette_condition=table["extra_nodes"].map(SILHOUETTES) + off / 500,
        silhouette_type_control=0.06 + off / 500,
        silhouette_type_stimulated=0.03 - off / 500,
    )
    columns = ["validation_loss", "train_loss", "silhouette_condition"]
    return with_second_seed(table, *columns)


def dropout_weights() -> pd.DataFrame:
    """Weights of both interferon sets; one of them has genes that the other does not have."""
    rng = np.random.default_rng(1)
    shared = rng.gamma(2, 0.4, len(IN_SET))
    parts = []
    for dropout, noise in ((0.0, 0.5), (0.5, 0.01)):
        for gmv in (INTERFERON, INTERFERON_AB):
            both = np.maximum(shared + rng.normal(0, noise, len(IN_SET)), 0)
            table = pd.DataFrame({"gene": [*IN_SET, *OTHERS[:5]]})
            table["weight"] = [*both, *np.full(5, 9.0 if gmv == INTERFERON else 0.0)]
            table["in_set"] = table["gene"].isin(IN_SET) | (gmv == INTERFERON)
            table["rank"] = table["weight"].rank(ascending=False, method="first").astype(int)
            parts.append(table.assign(model="m", seed=1, latent_dropout=dropout, gmv=gmv))
    return with_second_seed(pd.concat(parts, ignore_index=True), "weight")


def with_second_seed(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The table, and that of a seed 2 with other numbers in these columns."""
    other = table.assign(seed=2, **{column: 1000 - table[column] for column in columns})
    return pd.concat([table, other], ignore_index=True)
