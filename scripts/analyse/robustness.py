"""Which published findings survive which choices. Beyond the paper.

Claims on Kang are judged again under choices of `config/robustness.yaml`, by their own functions
and criteria, on results that are kept in memory. Held out are stimulated CD4 T cells alone, so that
I02 and I05, elsewhere means over all types, are of this type, also for the run itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

import vega
from scripts.analyse import out_of_sample as oos
from scripts.analyse.differential import differential_tables
from scripts.analyse.embed import latent_space
from scripts.analyse.gsea import gsea_tables
from scripts.analyse.silhouettes import silhouettes
from scripts.claims import kang, out_of_sample, supplement  # noqa: F401  (each registers claims)
from scripts.claims.judging import Values, evaluate, read_claims
from scripts.claims.run_results import RunResults
from scripts.common.config.load import load
from scripts.common.config.robustness import HELD_OUT, KANG, Choice
from scripts.common.config.run import Config
from scripts.common.h5ad import read_cells
from scripts.common.run import log, run
from scripts.common.tables import write_table
from scripts.common.variants import DROPOUT_MODELS
from vega.description import read_description
from vega.posterior import Posterior

COUNTS, LATENT_DROPOUT = "kang_counts", "kang_latent_dropout"  # entries of models.yaml
CELLS, LABELS, BAYES_FACTORS = "cells", "labels", "Bayes factors"

OUT_OF_SAMPLE_CONTROLS = (
    "out_of_sample_overlap_control.tsv", "out_of_sample_r2_control.tsv",
    "out_of_sample_activity_control.tsv.gz",
)  # fmt: skip

# What a claim depends on: models, the cells (beyond which genes a model has), their labels, how
# Bayes factors are computed.
DEPENDS = {
    claim: parts
    for claims, parts in {
        "K01 K02 K03 I01 I02 I05": {KANG, LABELS},
        "K04 K05 K06 K11 K12": {KANG, LABELS, BAYES_FACTORS},
        "K07 K09": {CELLS, LABELS},
        "K08 K10": {KANG, CELLS, LABELS, BAYES_FACTORS},
        "T01": {KANG},
        "S06": {COUNTS, LABELS},
        "S12": {LATENT_DROPOUT},
    }.items()
    for claim in claims.split()
}
# The number that stands for a claim, where it is not the first of its values.
MAIN: dict[str, tuple[str, Callable[[Values], float]]] = {
    "K04": ("lowest log BF", lambda v: min(v.values())),
    "K10": ("|rho|: GSEA − VEGA", lambda v: abs(v["rho GSEA"]) - abs(v["rho VEGA"])),
    "T01": ("validation loss", lambda v: v["validation"]),
    "I01": ("stimulated − control", lambda v: min(v["in"], v["out"]) - v["control"]),
    "I05": ("drop of R²", lambda v: v["mean drop"]),
}
COLUMNS = [
    "claim", "statement", "choice", "heading", "label", "measure", "value", "verdict", "reproduced",
    "note",
]  # fmt: skip


@dataclass(frozen=True)
class Changed:
    """A choice, and where its cells and models are in the folder of a run."""

    name: str
    choice: Choice
    folder: Path
    config: Config

    @property
    def parts(self) -> set[str]:
        """What differs, of all that claims depend on."""
        choice = self.choice
        others = {CELLS: choice.changes_cells, LABELS: choice.shuffled, BAYES_FACTORS: choice.exact}
        return {*choice.entries, *(part for part, differs in others.items() if differs)}

    @property
    def seed(self) -> int:
        """Seed of its models and draws."""
        return self.choice.seed or self.config.settings.seeds[0]

    def cells(self, entry: str, all_genes: bool = False) -> AnnData:
        """Return the cells of an entry of `models.yaml`, with all filtered genes if asked."""
        study = self.config.models[entry].study
        if entry in self.choice.entries:
            study = self.config.study_of_choice(self.name, study)
        file = self.config.filtered_genes(study) if all_genes else f"{study}.h5ad"
        cells = read_cells(self.folder / "data" / file)
        return with_shuffled_labels(cells) if self.choice.shuffled else cells

    def model(self, name: str) -> Path:
        """Return the folder of a model: its own, or that of the run."""
        models = self.folder / "models"
        if f"{self.name}/{name}" in self.config.choice_trainings:
            return models / "robustness" / self.name / name
        return models / name / f"seed{self.config.settings.seeds[0]}"

    def results(self, threads: int = 1) -> RunResults:
        """Return what claims read: in memory what differs, all else from the files of the run."""
        found, parts, seed = RunResults(self.folder, self.config), self.parts, f"seed{self.seed}"
        if parts & {KANG, LABELS}:
            self._put_kang(found, threads)
        if self.choice.exact:
            table = exact(found.differential(KANG, self.seed))
            found.put(table, "tables", f"{KANG}_{seed}_differential.tsv")
        for claim, entry, models in (
            ("S12", LATENT_DROPOUT, DROPOUT_MODELS.values()),
            ("S06", COUNTS, [COUNTS]),
        ):
            if parts & DEPENDS[claim]:
                cells = self.cells(entry)
                for name in models:
                    latent = vega.load(self.model(name)).latent(cells)
                    found.put(latent, "models", name, seed, "latent.h5ad")
        return found

    def _put_kang(self, found: RunResults, threads: int) -> None:
        """Put what claims read of Kang's model, and of that without stimulated CD4 T cells."""
        entry, seed, settings = self.config.models[KANG], f"seed{self.seed}", self.config.settings
        gmt, asked = self.folder / "raw" / "gene_sets" / entry.gene_sets, entry.comparisons()
        cells, folder = self.cells(KANG), self.model(KANG)
        model = vega.load(folder)
        latent = latent_space(model, cells, vega.read_gmt(gmt), "none")
        found.put(cells, "data", f"{entry.study}.h5ad")
        found.put(latent, "models", KANG, seed, "latent.h5ad")
        found.put(read_description(folder / "model.json"), "models", KANG, seed, "model.json")
        full = oos.Encoded(model, cells, Posterior(latent.X, latent.layers["variance"]))
        unseen = {oos.CELL_TYPE: vega.load(self.model(HELD_OUT))}
        cell_types = self.config.studies[entry.study].cell_types
        tables = oos.tables(oos.held_out(full, unseen, self.seed, cell_types=cell_types))._asdict()
        tables = {f"out_of_sample_{name}": table for name, table in tables.items()}
        tables[f"{KANG}_{seed}_differential"] = differential_tables(
            latent, asked, self.seed, settings.fidelity
        )
        if self.parts & {CELLS, LABELS}:
            sets = vega.read_gmt(gmt, asked["min_genes"], asked["max_genes"])
            ranked = self.cells(KANG, all_genes=True)
            tables[f"{KANG}_gsea"] = gsea_tables(ranked, model.genes, sets, asked, threads)
        measured = silhouettes(latent, entry.analyses.model_dump()["silhouettes"], self.seed)
        tables[f"{KANG}_silhouettes"] = pd.DataFrame([{"seed": self.seed, **measured}])
        for name, table in tables.items():
            found.put(table, "tables", f"{name}.tsv")
        put_controls(found, self.seed)


def with_shuffled_labels(cells: AnnData) -> AnnData:
    """Return cells with the labels of other cells, all labels of a cell together; seeded."""
    order = np.random.default_rng(0).permutation(cells.n_obs)
    other = cells.copy()
    other.obs = cells.obs.iloc[order].set_axis(cells.obs_names)
    return other


def exact(table: pd.DataFrame) -> pd.DataFrame:
    """Return differential activities with the exact Bayes factors in place of the drawn ones."""
    log_bf = table["log_bf_exact"]
    return table.assign(log_bf=log_bf, md=table["md_exact"], significant=log_bf.abs() > 3)


def put_controls(found: RunResults, seed: int) -> None:
    """Put the negative controls that a run has as tables: those of the run, of CD4T alone."""
    for name in (f"{KANG}_silhouettes_control.tsv", *OUT_OF_SAMPLE_CONTROLS):
        stem, _, ending = name.partition(".")
        table = found.table(stem, ending).assign(seed=seed)
        if name in OUT_OF_SAMPLE_CONTROLS:
            table = table[table["cell_type"] == oos.CELL_TYPE]
        found.put(table, "tables", name)


def results_of_run(folder: Path, config: Config) -> RunResults:
    """Return the results of the run itself, of held-out types CD4T alone."""
    found = RunResults(folder, config)
    for name in oos.Tables._fields:
        table = found.table(f"out_of_sample_{name}")
        chosen = table[table["cell_type"] == oos.CELL_TYPE]
        found.put(chosen, "tables", f"out_of_sample_{name}.tsv")
    put_controls(found, config.settings.seeds[0])
    return found


def judged(claims: pd.DataFrame, results: RunResults, seed: int) -> pd.DataFrame:
    """Return verdict and number of each claim, with all its values as a text."""
    table, values = evaluate(claims, results, [seed])
    by_claim = {
        claim: dict(zip(rows["value"], rows["reproduced"], strict=True))
        for claim, rows in values.groupby("claim")
    }
    numbers = [main_value(claim, by_claim.get(claim, {})) for claim in table["id"]]
    table[["measure", "value"]] = pd.DataFrame(numbers, table.index)
    return table.rename(columns={"id": "claim"})


def main_value(claim: str, values: Values) -> tuple[str, float]:
    """Return the number that stands for a claim, and its name; NaN if it was not measured.

    >>> main_value("K02", {"AUC": 0.9, "median control": -3.0})
    ('AUC', 0.9)
    """
    if not values:
        return "", np.nan
    if claim in MAIN:
        name, function = MAIN[claim]
        return name, function(values)
    return next(iter(values.items()))


def robustness(
    folder: Path, config: Config, claims: pd.DataFrame, threads: int = 1
) -> pd.DataFrame:
    """Return verdicts and numbers of the run and of each choice that a claim depends on."""
    seed = config.settings.seeds[0]
    claims = claims[claims["id"].isin(DEPENDS)]
    label = f"{config.settings.fidelity} settings, seed {seed}"
    run_itself = judged(claims, results_of_run(folder, config), seed)
    parts = [run_itself.assign(choice="this_run", heading="this run", label=label)]
    for name, choice in config.choices.items():
        changed = Changed(name, choice, folder, config)
        asked = claims[[bool(DEPENDS[claim] & changed.parts) for claim in claims["id"]]]
        table = judged(asked, changed.results(threads), changed.seed)
        parts.append(table.assign(choice=name, heading=choice.heading, label=choice.label))
        log.info("%s: %d claims", name, len(asked))
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def main(snakemake):
    """Rule `robustness`."""
    import torch

    torch.set_num_threads(snakemake.threads)
    table = robustness(
        Path(snakemake.output.table).parents[1],
        load(snakemake.params.settings),
        read_claims(snakemake.input.claims),
        snakemake.threads,
    )
    write_table(table, snakemake.output.table)


if __name__ == "__main__":
    run(main, snakemake)
