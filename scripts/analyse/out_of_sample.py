"""What a model says of cells that it has not learnt from (Figure 4), as tidy tables.

Study A is Kang; study B is Zheng, with the genes of study A. What each panel compares is taken from
the published figure and methods and, where these are silent, from the authors' notebooks of
Figure 4:

- a, activity: CD4 T cells of study A. Control cells under the model that has not seen stimulated
  CD4 T cells, stimulated ones under it (out of sample) and under the full model (in sample).
- b, overlap: the cells of one type, stimulated against control; the full model against the one
  that has not seen stimulated cells of this type.
- c, R2: the stimulated cells of one type, the same draws under the same two models. As a baseline
  the means of its real control cells: what is predicted if nothing is learnt of the response.
- d, activity: CD4 T cells under the full model: control and stimulated of study A, and study B.
- e, overlap: one type against all others under the model of control cells; control cells of study A
  against study B.
- f, R2 under the full model: control cells of study A, and study B. As a baseline the means of the
  two studies' real cells, all of them: no model, no repeats (erratum 8).

Means and standard deviations are over 100 repeats; the latter divides by 100, as published.

The noise floor of an overlap is that of two models which differ by the seed alone: of b, the full
model and another one; of e, study A under the model of control cells and another one.

The negative control repeats all this with shuffled labels: the condition within each cell type for
a to d, the cell types within each study for e, the studies within each cell type for f.
"""

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from anndata import AnnData, concat

import vega
from scripts.common.gmvs import INTERFERON_AB
from scripts.common.h5ad import read_cells
from scripts.common.progress import log_progress
from scripts.common.run import log, run
from scripts.common.shuffles import SHUFFLES, shuffle_labels
from scripts.common.tables import write_table
from vega.differential import log_bayes_factor
from vega.errors import InputError
from vega.metrics import r2_of_means, top_overlap
from vega.posterior import Posterior

T = TypeVar("T")
HELD_OUT, OTHER_STUDY = "held-out type", "other study"  # panels a to c, and d to f
CONTROL, STIMULATED = "control", "stimulated"
IN_SAMPLE, OUT_OF_SAMPLE = "in-sample", "out-of-sample"
STUDY_A, STUDY_B, BASELINE = "study A", "study B", "study A vs study B"
CONTROL_MEAN = "control mean"

CELL_TYPE = "CD4T"  # whose activity is shown
GMV = INTERFERON_AB
MIN_CELLS = 10  # a type with fewer in a group is left out
REPEATS = 100
TOP = 50  # GMVs of the largest |log Bayes factor|
R2_CELLS = 2000
HELD_OUT_DRAWS, OTHER_STUDY_DRAWS = 10_000, 2000  # with replacement, from fewer cells (erratum 8)
GMVS_AT_ONCE = 8

Seed = tuple[int, ...]
Row = tuple[str, dict[str, Any]]  # with the name of its table
Comparison = tuple["Encoded", "Encoded"]  # a group and its reference


# Columns of the tables. `mean` and `sd` are over repeats, `chance` is the share of the top GMVs
# that two random choices have in common, `noise_floor` that of two models which differ by the seed
# alone (empty without a second seed), `cells` the size of the smallest group, and `note` says why a
# type is left out. A sample with too few cells, or whose model lacks the GMV, has no activities.
OVERLAP = [
    "seed", "experiment", "cell_type", "mean", "sd", "chance", "noise_floor", "cells", "note",
]  # fmt: skip
R2 = ["seed", "experiment", "sample", "cell_type", "mean", "sd", "cells", "note"]
ACTIVITY = ["seed", "experiment", "sample", "cell_type", "activity"]


@dataclass(frozen=True)
class Encoded:
    """Cells, their genes in the order of a model, and their posterior in it."""

    model: "vega.VEGA"
    cells: AnnData
    posterior: Posterior

    def __len__(self) -> int:
        """Return the number of cells."""
        return self.cells.n_obs

    def where(self, column: str, value: str, others: bool = False) -> "Encoded":
        """Return the cells that have a value in a column of `obs`, or all others."""
        chosen = (self.cells.obs[column] == value).to_numpy() != others
        return Encoded(self.model, self.cells[chosen], self.posterior[chosen])

    def shuffled(self, column: str, number: int) -> "Encoded":
        """Return the same cells with shuffled labels."""
        return Encoded(self.model, shuffled_cells(self.cells, column, number), self.posterior)


def encode(model: "vega.VEGA", cells: AnnData) -> Encoded:
    """Encode cells, which need types and all genes of the model."""
    if "cell_type" not in cells.obs:
        raise InputError(
            "config/studies.yaml: out-of-sample cells need a column cell_type; they have "
            f"{', '.join(cells.obs) or 'no column'}"
        )
    absent = pd.Index(model.genes).difference(cells.var_names)
    if len(absent):
        raise InputError(
            f"config/studies.yaml: out-of-sample cells lack {len(absent)} of the model's "
            f"{len(model.genes)} genes, such as {absent[0]}; add the step `reindex`"
        )
    if not cells.var_names.equals(pd.Index(model.genes)):
        cells = cells[:, model.genes]
    return Encoded(model, cells, model.posterior(cells))


def shuffled_cells(cells: AnnData, column: str, number: int) -> AnnData:
    """Return the same cells with shuffled labels."""
    return AnnData(cells.X, obs=shuffle_labels(cells.obs, column, number), var=cells.var)


# ---------------------------------------------------------------- measures, one value per repeat


def repeated_log_bayes_factors(
    a: Posterior,
    b: Posterior,
    rng: np.random.Generator,
    repeats: int,
    n_cells: int = 5000,
    n_pairs: int = 10_000,
) -> np.ndarray:
    """Return the published Monte Carlo log Bayes factor of all K GMVs, repeats x K.

    The procedure of `vega.differential.monte_carlo`: all GMVs of a repeat share drawn cells and
    pairs. A few GMVs are computed at a time and in single precision, so that their draws stay in
    the cache, which with torch's normal numbers makes it three times as fast.
    """
    import torch

    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    moments = [
        [torch.from_numpy(np.ascontiguousarray(x.T, dtype=np.float32)) for x in (mean, sd)]
        for mean, sd in ((a.mean, np.sqrt(a.variance)), (b.mean, np.sqrt(b.variance)))
    ]
    n_gmvs = a.mean.shape[1]
    p = np.empty((repeats, n_gmvs))
    for repeat in range(repeats):
        cells = [torch.randint(m.shape[1], (n_cells,), generator=generator) for m, _ in moments]
        pairs = [torch.randint(n_cells, (n_pairs,), generator=generator) for _ in moments]
        for start in range(0, n_gmvs, GMVS_AT_ONCE):
            gmvs = slice(start, start + GMVS_AT_ONCE)
            za, zb = (
                torch.randn((len(mean[gmvs]), n_cells), generator=generator)
                .mul_(sd[gmvs].index_select(1, drawn))
                .add_(mean[gmvs].index_select(1, drawn))
                .index_select(1, paired)
                for (mean, sd), drawn, paired in zip(moments, cells, pairs, strict=True)
            )
            p[repeat, gmvs] = (za > zb).sum(1).numpy() / n_pairs
    return log_bayes_factor(p)


def overlaps(
    comparisons: Sequence[Comparison], seed: Seed, repeats: int | None = None
) -> np.ndarray:
    """Return the share of its top GMVs that the first comparison has in common with each other.

    One row per other comparison, one column per repeat.
    """
    rng = np.random.default_rng(seed)
    first, *others = (
        repeated_log_bayes_factors(group.posterior, reference.posterior, rng, repeats or REPEATS)
        for group, reference in comparisons
    )
    return np.array(
        [[top_overlap(*pair, TOP) for pair in zip(first, log_bf, strict=True)] for log_bf in others]
    )


def r2(encoded: Encoded, seed: Seed, repeats: int | None = None) -> np.ndarray:
    """Return R2 of the genes' means over 2,000 drawn cells, real against decoded.

    Cells are decoded from their posterior mean. Only how often each cell is drawn bears on a mean;
    and as the decoder is linear, the mean of the decoded cells is what it makes of their mean
    activity. The same seed draws the same cells.
    """
    n = len(encoded)
    times = np.random.default_rng(seed).multinomial(
        R2_CELLS, np.full(n, 1 / n), size=repeats or REPEATS
    )
    shares = times / R2_CELLS  # repeats x cells
    real = (encoded.cells.X.T @ shares.T).T
    decoded = encoded.model.decode(shares @ encoded.posterior.mean)
    return np.array([r2_of_means([x], [y]) for x, y in zip(real, decoded, strict=True)])


def baseline(a: Encoded, b: Encoded) -> np.ndarray:
    """Return R2 of the genes' means of two groups of real cells: one value."""
    return np.array([r2_of_means(*(side.cells.X.mean(axis=0) for side in (a, b)))])


def drawn_activity(encoded: Encoded, size: int, seed: Seed) -> np.ndarray:
    """Return the activity of the GMV in `size` cells, drawn with replacement.

    Empty if there are too few cells or no such GMV. The same seed draws the same cells.
    """
    if len(encoded) < MIN_CELLS or GMV not in encoded.model.gmvs:
        return np.empty(0)
    cells = np.random.default_rng(seed).integers(len(encoded), size=size)
    return encoded.posterior.mean[cells, encoded.model.gmvs.index(GMV)]


# ---------------------------------------------------------------- the two experiments


def held_out(
    full: Encoded,
    models: Mapping[str, "vega.VEGA | None"],
    seed: int,
    again: "vega.VEGA | None" = None,
    repeats: int | None = None,
) -> Iterator[Row]:
    """Yield the rows of panels a to c: stimulated cells of a type that a model has not seen.

    `full` are all cells of study A in the model that has seen them all, `again` is this model of
    another seed, `models` has by cell type the model that has not seen its stimulated cells; types
    without one are left out. The draws of a type depend on its place alone.
    """
    for i, (cell_type, model) in _logged(models.items(), "held out types", repeats):
        if model is None:
            continue
        if model.gmvs != full.model.gmvs:
            raise InputError(
                f"config/models.yaml: the model without {cell_type} has other gene sets than the "
                "full one; give both the same"
            )
        names = {"seed": seed, "experiment": HELD_OUT, "cell_type": cell_type}
        inside = full.where("cell_type", cell_type)
        others = (encode(m, inside.cells) for m in (model, again) if m is not None)
        pairs = [
            tuple(side.where("condition", c) for c in (STIMULATED, CONTROL))
            for side in (inside, *others)
        ]
        (seen, control), (unseen, unseen_control) = pairs[:2]
        groups = {STIMULATED: seen, CONTROL: control}
        row = _row(names, groups, overlaps, pairs, (seed, i, 0), repeats)
        yield "overlap", row | _chance(model)
        for sample, cells in ((IN_SAMPLE, seen), (OUT_OF_SAMPLE, unseen)):
            of_sample = names | {"sample": sample}
            yield "r2", _row(of_sample, {STIMULATED: cells}, r2, cells, (seed, i, 1), repeats)
        yield "r2", _row(names | {"sample": CONTROL_MEAN}, groups, baseline, seen, control)
        if cell_type == CELL_TYPE:
            for sample, cells, stream in (
                (CONTROL, unseen_control, 2),
                (f"{STIMULATED}, {OUT_OF_SAMPLE}", unseen, 3),
                (f"{STIMULATED}, {IN_SAMPLE}", seen, 3),
            ):
                values = drawn_activity(cells, HELD_OUT_DRAWS, (seed, i, stream))
                yield "activity", {**names, "sample": sample, "activity": values}


def other_study(
    full: Encoded,
    control_model: "vega.VEGA",
    other: AnnData,
    cell_types: Sequence[str],
    seed: int,
    again: "vega.VEGA | None" = None,
    repeats: int | None = None,
    measured: Container[str] = ("overlap", "r2", "activity"),
) -> Iterator[Row]:
    """Yield the rows of panels d to f: cells of another study, which may lack some types.

    `full` are all cells of study A in the model that has seen them all; `control_model` has seen
    its control cells only, `again` is this model of another seed. No cell of study B is stimulated.
    Only the tables that are `measured` are computed.
    """
    a, b = full.where("condition", CONTROL), encode(full.model, other)
    under_control = []
    if "overlap" in measured:
        under_control = [encode(control_model, side.cells) for side in (a, b)]
        if again is not None:
            under_control.append(encode(again, a.cells))
    for i, cell_type in _logged(cell_types, "types of the other study", repeats):
        names = {"seed": seed, "experiment": OTHER_STUDY, "cell_type": cell_type}
        if "overlap" in measured:
            pairs = [
                tuple(side.where("cell_type", cell_type, others) for others in (False, True))
                for side in under_control
            ]
            groups = {
                f"{side} of {study}": cells
                for study, pair in zip((STUDY_A, STUDY_B), pairs[:2], strict=True)
                for side, cells in zip(("cells", "other cells"), pair, strict=True)
            }
            row = _row(names, groups, overlaps, pairs, (seed, i, 4), repeats)
            yield "overlap", row | _chance(control_model)
        of_type = {s: x.where("cell_type", cell_type) for s, x in ((STUDY_A, a), (STUDY_B, b))}
        if "r2" in measured:
            groups = {f"cells of {study}": cells for study, cells in of_type.items()}
            for stream, (study, cells) in enumerate(of_type.items(), start=5):
                group = {f"cells of {study}": cells}
                of_study = names | {"sample": study}
                yield "r2", _row(of_study, group, r2, cells, (seed, i, stream), repeats)
            yield "r2", _row(names | {"sample": BASELINE}, groups, baseline, *of_type.values())
        if "activity" in measured and cell_type == CELL_TYPE:
            stimulated = full.where("condition", STIMULATED).where("cell_type", cell_type)
            for sample, cells, stream in (
                (f"{CONTROL}, {STUDY_A}", of_type[STUDY_A], 7),
                (f"{STIMULATED}, {STUDY_A}", stimulated, 8),
                (f"{CONTROL}, {STUDY_B}", of_type[STUDY_B], 9),
            ):
                values = drawn_activity(cells, OTHER_STUDY_DRAWS, (seed, i, stream))
                yield "activity", {**names, "sample": sample, "activity": values}


def shuffled(
    full: Encoded,
    models: Mapping[str, "vega.VEGA | None"],
    control_model: "vega.VEGA | None",
    other: AnnData | None,
    seed: int,
    number: int,
) -> Iterator[Row]:
    """Yield the rows of both experiments with shuffled labels, of one repeat each.

    Arguments are those of `held_out` and `other_study`. Of the drawn activities the median alone.
    """
    conditions = full.shuffled("condition", number)
    parts = [held_out(conditions, models, seed, repeats=1)]
    if other is not None:
        types = full.shuffled("cell_type", number), shuffled_cells(other, "cell_type", number)
        studies = shuffled_studies(full, other, number)
        sides = {"activity": (conditions, other), "overlap": types, "r2": studies}
        for table, (a, b) in sides.items():
            parts.append(
                other_study(a, control_model, b, list(models), seed, repeats=1, measured=[table])
            )
    for name, row in chain.from_iterable(parts):
        if name == "activity":
            drawn = row["activity"]
            row["activity"] = np.median(drawn, keepdims=True) if len(drawn) else drawn
        yield name, row | {"shuffle": number}


def shuffled_studies(full: Encoded, other: AnnData, number: int) -> tuple[Encoded, AnnData]:
    """Return the control cells of study A and those of B, which study shuffled within each type."""
    a, genes = full.where("condition", CONTROL).cells, full.model.genes
    both = [AnnData(x[:, genes].X, obs=x.obs[["cell_type"]]) for x in (a, other)]
    cells = concat(both, keys=["a", "b"], label="study", index_unique="-")
    cells.obs["condition"], cells.var_names = CONTROL, genes
    of_a = (shuffle_labels(cells.obs, "study", number)["study"] == "a").to_numpy()
    return encode(full.model, cells[of_a]), cells[~of_a]


def _logged(items: Collection[T], what: str, repeats: int | None) -> Iterator[tuple[int, T]]:
    """Number the items and log the progress, except that of a shuffle, which takes a second."""
    numbered = enumerate(items)
    return numbered if repeats == 1 else log_progress(numbered, what, len(items))


def _row(
    names: dict, groups: dict[str, Encoded], measure: Callable[..., np.ndarray], *args
) -> dict:
    """Return mean and sd of `measure(*args)`, or a note which groups have too few cells for it.

    The mean of further rows of a measure is the noise floor.
    """
    sizes = {group: len(cells) for group, cells in groups.items()}
    few = [f"{n} {group}" for group, n in sizes.items() if n < MIN_CELLS]
    values, *again = np.full((1, 1), np.nan) if few else np.atleast_2d(measure(*args))
    note = f"left out, fewer than {MIN_CELLS} cells: {', '.join(few)}" if few else ""
    sd = values.std() if len(values) > 1 else np.nan  # none of a single value
    row = {"mean": values.mean(), "sd": sd, "cells": min(sizes.values()), "note": note}
    return names | row | ({"noise_floor": again[0].mean()} if again else {})


def _chance(model: "vega.VEGA") -> dict[str, float]:
    return {"chance": min(1.0, TOP / len(model.gmvs))}


def tables(rows: Iterable[Row], by: Sequence[str] = ()) -> dict[str, pd.DataFrame]:
    """Return the rows of all experiments and seeds as tables, with further columns first.

    `overlap` and `r2` have one row per cell type and sample, `activity` one per drawn cell.
    """
    columns = {"overlap": OVERLAP, "r2": R2, "activity": ACTIVITY}
    found = {name: [] for name in columns}
    for name, row in rows:
        if name != "activity" or len(row["activity"]):
            found[name].append(row)
    made = {n: pd.DataFrame(found[n], columns=[*by, *columns[n]]) for n in columns}
    drawn = made["activity"].explode("activity", ignore_index=True)
    # Exploded values are objects; those of posteriors are single precision.
    return made | {"activity": drawn.astype({"activity": np.float32})}


def main(snakemake):
    """Write the three tables, for all seeds, with study B where it is part of the run."""
    import torch  # late, as figures and claims take names from here

    torch.set_num_threads(snakemake.threads)
    params, inputs, output = snakemake.params, snakemake.input, snakemake.output
    cells, rows, controls = read_cells(inputs.cells), [], []
    other = read_cells(inputs.other[0]) if inputs.other else None

    def load(model: str, seed: int | None) -> vega.VEGA | None:
        return None if seed is None else vega.load(Path(params.folder, model, f"seed{seed}"))

    for seed in params.seeds:
        log.info("seed %d", seed)
        full, control = (load(model, seed) for model in (params.full, params.control))
        full_again, control_again = (
            load(model, params.other_seeds[model][seed]) for model in (params.full, params.control)
        )
        unseen = {cell_type: load(model, seed) for cell_type, model in params.held_out.items()}
        full = encode(full, cells)
        rows += held_out(full, unseen, seed, full_again)
        if other is not None:
            rows += other_study(full, control, other, list(unseen), seed, control_again)
        for number in log_progress(range(1, SHUFFLES + 1), "shuffles", SHUFFLES):
            controls += shuffled(full, unseen, control, other, seed, number)
    for name, table in tables(rows).items():
        write_table(table, output[name])
    for name, table in tables(controls, ["shuffle"]).items():
        write_table(table, output[f"{name}_control"])


if __name__ == "__main__":
    run(main, snakemake)
