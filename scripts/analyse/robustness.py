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
from scripts.analyse.gsea import gsea_tables, shuffled_gsea
from scripts.analyse.silhouettes import silhouettes
from scripts.claims import supplement  # noqa: F401  (it registers claims)
from scripts.claims.judging import Values, evaluate, read_claims
from scripts.claims.kang import stronger_in_gsea
from scripts.claims.out_of_sample import above_control
from scripts.claims.run_results import RunResults
from scripts.common.config.load import load
from scripts.common.config.robustness import HELD_OUT, KANG, Choice
from scripts.common.config.run import Config
from scripts.common.h5ad import read_cells
from scripts.common.run import log, run
from scripts.common.shuffles import SHUFFLES, shuffle_labels
from scripts.common.tables import read_table, write_table
from scripts.common.variants import DROPOUT_MODELS
from vega.description import read_description
from vega.posterior import Posterior

COUNTS, LATENT_DROPOUT = "kang_counts", "kang_latent_dropout"  # entries of models.yaml
CELLS, LABELS, BAYES_FACTORS = "cells", "labels", "Bayes factors"

OTHER_SHUFFLE = 0  # those of the controls of claims start at 1

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
    "K10": ("|rho|: GSEA − VEGA", stronger_in_gsea),
    "T01": ("validation loss", lambda v: v["validation"]),
    "I01": ("stimulated − control", above_control),
    "I05": ("R² above control", lambda v: v["above control mean"]),
}
COLUMNS = [
    "claim", "statement", "choice", "heading", "label", "measure", "value", "verdict", "reproduced",
    "control_holds", "caution", "note",
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
        for column in ("condition", "cell_type") if self.choice.shuffled else ():
            cells.obs = shuffle_labels(cells.obs, column, OTHER_SHUFFLE)
        return cells

    def model(self, name: str) -> Path:
        """Return the folder of a model: its own, or that of the run."""
        models = self.folder / "models"
        if f"{self.name}/{name}" in self.config.choice_trainings:
            return models / "robustness" / self.name / name
        return models / name / f"seed{self.config.settings.seeds[0]}"

    def results(self, threads: int = 1) -> RunResults:
        """Return what claims read: in memory what differs, all else from the files of the run."""
        only = {"seeds": [self.seed], "extra_seeds": {}}  # no note about other models
        settings = self.config.settings.model_copy(update=only)
        found = RunResults(self.folder, self.config.model_copy(update={"settings": settings}))
        parts, seed = self.parts, f"seed{self.seed}"
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
        entry, seed, settings = self.config.models[KANG], self.seed, self.config.settings
        gmt, asked = self.folder / "raw" / "gene_sets" / entry.gene_sets, entry.comparisons()
        cells, folder = self.cells(KANG), self.model(KANG)
        model = vega.load(folder)
        latent = latent_space(model, cells, vega.read_gmt(gmt), "none")
        found.put(cells, "data", f"{entry.study}.h5ad")
        found.put(latent, "models", KANG, f"seed{seed}", "latent.h5ad")
        description = read_description(folder / "model.json")
        found.put(description, "models", KANG, f"seed{seed}", "model.json")
        table = differential_tables(latent, asked, seed, settings.fidelity)
        tables = {f"{KANG}_seed{seed}_differential.tsv": table}
        wanted = entry.analyses.model_dump()["silhouettes"]
        row, control = silhouettes(latent, wanted, seed, SHUFFLES)
        tables[f"{KANG}_silhouettes.tsv"] = pd.DataFrame([row]).assign(seed=seed)
        tables[f"{KANG}_silhouettes_control.tsv"] = pd.DataFrame(control).assign(seed=seed)
        full = oos.Encoded(model, cells, Posterior(latent.X, latent.layers["variance"]))
        unseen = dict.fromkeys(self.config.studies[entry.study].cell_types)
        unseen[oos.CELL_TYPE] = vega.load(self.model(HELD_OUT))
        shuffled = (
            row
            for number in range(1, SHUFFLES + 1)
            for row in oos.shuffled(full, unseen, None, None, seed, number)
        )
        for name, table in oos.tables(oos.held_out(full, unseen, seed)).items():
            tables[f"out_of_sample_{name}.tsv"] = table
        for name, table in oos.tables(shuffled, ["shuffle"]).items():
            ending = "tsv.gz" if name == "activity" else "tsv"
            tables[f"out_of_sample_{name}_control.{ending}"] = table
        if self.parts & {CELLS, LABELS}:
            sets = vega.read_gmt(gmt, asked["min_genes"], asked["max_genes"])
            ranked = self.cells(KANG, all_genes=True)
            tables[f"{KANG}_gsea.tsv"] = gsea_tables(ranked, model.genes, sets, asked, threads)
            control = shuffled_gsea(ranked, sets, asked, SHUFFLES, threads)
            tables[f"{KANG}_gsea_control.tsv.gz"] = control
        for file, table in tables.items():
            found.put(table, "tables", file)


def exact(table: pd.DataFrame) -> pd.DataFrame:
    """Return differential activities with the exact Bayes factors in place of the drawn ones."""
    log_bf = table["log_bf_exact"]
    return table.assign(log_bf=log_bf, md=table["md_exact"], significant=log_bf.abs() > 3)


def results_of_run(folder: Path, config: Config) -> RunResults:
    """Return the results of the run itself, of held-out types CD4T alone."""
    found = RunResults(folder, config)
    for path in (folder / "tables").glob("out_of_sample_*"):
        table = read_table(path)
        found.put(table[table["cell_type"] == oos.CELL_TYPE], "tables", path.name)
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
