"""Claims on cells that a model has not learnt from: I01 to I12 (Figure 4).

Numbers that only the whole public data can give back have a direction too: overlaps exceed those of
shuffled labels, decoded means are nearer to the real ones than the means of other cells are (the
control cells of the type, or the same type of another study), study B is predicted worse than study
A. `scripts.analyse.out_of_sample` describes what the negative control shuffles.
"""

import numpy as np
import pandas as pd

from scripts.analyse import out_of_sample as oos
from scripts.claims.judging import Values, claim, shown
from scripts.claims.run_results import NotAvailable, RunResults

TYPES = ["NK", "Dendritic", "CD4T", "B", "FCGR3A+Mono", "CD14+Mono", "CD8T"]
SEED_ALONE = "seed alone"  # the noise floor: two models that differ by the seed alone


def rows(
    results: RunResults, table: str, seed: int, experiment: str, sample: str | None = None
) -> pd.DataFrame:
    """Return rows of an out-of-sample table by cell type, and note the types left out there."""
    found = results.table(f"out_of_sample_{table}")
    found = found[(found["seed"] == seed) & (found["experiment"] == experiment)]
    if sample is not None:
        found = found[found["sample"] == sample]
    for row in found[found["mean"].isna()].itertuples():
        results.note(f"{row.cell_type} {row.note}")
    found = found.dropna(subset="mean").set_index("cell_type")
    if found.empty:
        raise NotAvailable(f"no cell type has enough cells for {sample or experiment}")
    return found


def medians(results: RunResults, seed: int, experiment: str, samples: dict[str, str]) -> Values:
    """Return the median activities of the samples, by the names they get."""
    table = results.table("out_of_sample_activity")
    table = table[(table["seed"] == seed) & (table["experiment"] == experiment)]
    found = table.groupby("sample")["activity"].median()
    absent = [sample for sample in samples.values() if sample not in found.index]
    if absent:
        raise NotAvailable(f"too few cells, or no such gene set, for {', '.join(absent)}")
    return {name: found[sample] for name, sample in samples.items()}


LEAST_RESPONSE = 3.0  # in the units of activity, whose medians are about 6 apart


def above_control(values: Values) -> float:
    """Return by how much stimulated cells are above control ones, in and out of sample."""
    return min(values["in"], values["out"]) - values["control"]


@claim(
    "I01",
    lambda v: abs(v["out"] - v["in"]) <= 3 and abs(v["out"] - v["in"]) < above_control(v),
    above_control,
    shuffle="condition",
    beyond=True,
)
def unseen_cells_respond(results: RunResults, seed: int):
    """Median interferon alpha/beta activity of CD4 T cells: control below stimulated."""
    samples = {
        "control": oos.CONTROL,
        "out": f"{oos.STIMULATED}, {oos.OUT_OF_SAMPLE}",
        "in": f"{oos.STIMULATED}, {oos.IN_SAMPLE}",
    }
    return medians(results, seed, oos.HELD_OUT, samples)


def overlap_of_types(results: RunResults, seed: int, experiment: str) -> Values:
    """Return the overlap of each type, and that of random choices; note that of the seed alone."""
    table = rows(results, "overlap", seed, experiment)
    floor = table["noise_floor"].dropna()
    if len(floor):
        by_type = (f"{name} {shown(value)}" for name, value in floor.items())
        results.note(f"seed alone: {', '.join(by_type)}")
    return {**table["mean"], "by chance": table["chance"].mean()}


def mean_overlap(results: RunResults, seed: int, experiment: str) -> Values:
    """Return the mean overlap over the types, that of random choices and that of the seed alone."""
    table = rows(results, "overlap", seed, experiment)
    values = {"mean overlap": table["mean"].mean(), "by chance": table["chance"].mean()}
    floor = table["noise_floor"].mean()  # NaN without a second seed
    return values if np.isnan(floor) else {**values, SEED_ALONE: floor}


def above_chance(values: Values) -> float:
    """Return by how much the smallest overlap exceeds that of random choices."""
    overlaps = (v for name, v in values.items() if name not in ("by chance", SEED_ALONE))
    return min(overlaps) - values["by chance"]


@claim("I02", effect=above_chance, shuffle="condition", exact=True)
def overlap_in_and_out(results: RunResults, seed: int):
    """Mean overlap of the top 50 GMVs, model with and without the stimulated cells of a type."""
    return mean_overlap(results, seed, oos.HELD_OUT)


@claim(
    "I03",
    lambda v: v["CD4T"] == min(v[cell_type] for cell_type in TYPES if cell_type in v),
    above_chance,
    shuffle="condition",
    exact=True,
)
def overlap_in_and_out_by_type(results: RunResults, seed: int):
    """The same, type by type."""
    values = overlap_of_types(results, seed, oos.HELD_OUT)
    lowest = min((t for t in TYPES if t in values), key=values.__getitem__)
    results.note(f"lowest: {lowest}")
    return values


def above_other_cells(results: RunResults, seed: int, experiment: str, sample: str) -> Values:
    """Return R2 of each type, and how much higher it is on average than that of other cells.

    That is R2 of real means: of control cells of the type, or of the same type in study B.
    """
    others = oos.CONTROL_MEAN if experiment == oos.HELD_OUT else oos.BASELINE
    values = rows(results, "r2", seed, experiment, sample)["mean"]
    of_others = rows(results, "r2", seed, experiment, others)["mean"]
    return {**values, f"above {others}": (values - of_others).mean()}


@claim(
    "I04",
    effect=lambda v: v[f"above {oos.CONTROL_MEAN}"],
    shuffle="condition",
    beyond=True,
    exact=True,
)
def r2_in_sample(results: RunResults, seed: int):
    """R2 of stimulated cells under the model that has seen them."""
    return above_other_cells(results, seed, oos.HELD_OUT, oos.IN_SAMPLE)


@claim(
    "I05",
    lambda v: v["mean drop"] < 0.06 and v[f"above {oos.CONTROL_MEAN}"] > 0,
    lambda v: v[f"above {oos.CONTROL_MEAN}"],
    shuffle="condition",
    near_zero=True,
)
def r2_out_of_sample(results: RunResults, seed: int):
    """R2 of stimulated cells under the model that has not, and how much lower it is on average."""
    seen = rows(results, "r2", seed, oos.HELD_OUT, oos.IN_SAMPLE)["mean"]
    unseen = rows(results, "r2", seed, oos.HELD_OUT, oos.OUT_OF_SAMPLE)["mean"]
    values = above_other_cells(results, seed, oos.HELD_OUT, oos.OUT_OF_SAMPLE)
    return values | {"mean drop": (seen - unseen).mean()}


@claim(
    "I06",
    lambda v: (
        abs(v["study A"] - v["study B"]) < 1
        and v["study A, stimulated"] - max(v["study A"], v["study B"]) > LEAST_RESPONSE
    ),
    lambda v: abs(v["study A, stimulated"] - v["study B"]) - abs(v["study A"] - v["study B"]),
    shuffle="condition",
)
def controls_agree(results: RunResults, seed: int):
    """Median interferon alpha/beta activity of control CD4 T cells; B is nearer to A's controls."""
    samples = {
        "study A": f"{oos.CONTROL}, {oos.STUDY_A}",
        "study B": f"{oos.CONTROL}, {oos.STUDY_B}",
        "study A, stimulated": f"{oos.STIMULATED}, {oos.STUDY_A}",
    }
    return medians(results, seed, oos.OTHER_STUDY, samples)


@claim("I07", effect=above_chance, shuffle="cell_type", exact=True)
def overlap_of_studies(results: RunResults, seed: int):
    """Mean overlap of the top 50 GMVs, study A and B, under the model of control cells."""
    return mean_overlap(results, seed, oos.OTHER_STUDY)


@claim("I08", effect=above_chance, shuffle="cell_type", exact=True)
def overlap_of_studies_by_type(results: RunResults, seed: int):
    """The same, type by type."""
    return overlap_of_types(results, seed, oos.OTHER_STUDY)


def below_study_a(results: RunResults, seed: int, sample: str) -> Values:
    """Return R2 of each type in a sample, and how much lower it is on average than in study A."""
    a = rows(results, "r2", seed, oos.OTHER_STUDY, oos.STUDY_A)["mean"]
    values = rows(results, "r2", seed, oos.OTHER_STUDY, sample)["mean"]
    return {**values, "below study A": (a - values).mean()}


@claim(
    "I09",
    effect=lambda v: v[f"above {oos.BASELINE}"],
    shuffle="study",
    beyond=True,
    exact=True,
)
def r2_study_a(results: RunResults, seed: int):
    """R2 of the control cells of study A."""
    return above_other_cells(results, seed, oos.OTHER_STUDY, oos.STUDY_A)


@claim("I10", effect=lambda v: v["below study A"], shuffle="study", beyond=True, exact=True)
def r2_study_b(results: RunResults, seed: int):
    """R2 of the cells of study B."""
    return below_study_a(results, seed, oos.STUDY_B)


@claim("I11", effect=lambda v: v["below study A"], shuffle="study", exact=True)
def r2_baseline(results: RunResults, seed: int):
    """R2 of the real means of study A and B; the model plays no part in it."""
    return below_study_a(results, seed, oos.BASELINE)


@claim(
    "I12",
    lambda v: v["types"] >= 4,
    lambda v: v["mean difference"],
    shuffle="study",
    beyond=True,
)
def study_b_beats_the_baseline(results: RunResults, seed: int):
    """Types of study B whose R2 is above the baseline, and by how much on average."""
    b = rows(results, "r2", seed, oos.OTHER_STUDY, oos.STUDY_B)["mean"]
    difference = (b - rows(results, "r2", seed, oos.OTHER_STUDY, oos.BASELINE)["mean"]).dropna()
    results.note(f"of {len(difference)} types")
    return {"types": int((difference > 0).sum()), "mean difference": np.mean(difference)}
