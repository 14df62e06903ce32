"""All of the configuration, and what a run selects from it."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain, count, product
from typing import Any, NamedTuple, Self

from scripts.common.config.base import Model, Name
from scripts.common.config.figures import FigureConfig, File
from scripts.common.config.models import Baseline, ModelConfig
from scripts.common.config.robustness import COMPARED, HELD_OUT, KANG, Choice
from scripts.common.config.settings import Settings
from scripts.common.config.simulations import Simulations
from scripts.common.config.studies import Study
from vega.errors import InputError


class SweepRun(NamedTuple):
    """One model of an entry of `models.yaml`."""

    config: ModelConfig  # its own settings
    by: dict[str, Any]  # what distinguishes it from the other runs: value by setting


def slug(name: str) -> str:
    """Return a name as part of a path: letters and digits, the rest a dash."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name)


def slugs(names: Iterable[str], slug: Callable[[str], str] = slug) -> dict[str, str]:
    """Return the slug of each name; of those that are the same, the later ones are numbered.

    >>> slugs(["NK", "dox+", "dox-"])
    {'NK': 'NK', 'dox+': 'dox-', 'dox-': 'dox--2'}
    """
    found: dict[str, str] = {}
    for name in names:
        first = slug(name)
        numbered = (f"{first}-{number}" for number in count(2))
        found[name] = next(each for each in chain([first], numbered) if each not in found.values())
    return found


class Config(Model):
    """All of the configuration, and what a run selects from it."""

    settings: Settings
    public: dict[Name, Study]  # as `studies.yaml` has them
    studies: dict[Name, Study]  # the same, or from the authors' processed data
    models: dict[Name, ModelConfig]
    baselines: dict[Name, Baseline]
    figures: dict[Name, FigureConfig]
    robustness: dict[Name, Choice]
    simulations: Simulations
    files: list[File]

    def model_copy(self, **changes: Any) -> Self:
        """Return a copy whose cached properties are computed again."""
        copy = super().model_copy(**changes)
        for name in ("sweeps", "_on_figures"):
            copy.__dict__.pop(name, None)
        return copy

    def digest(self) -> str:
        """Return a hash of the whole configuration."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @property
    def selected_studies(self) -> list[str]:
        """Studies of this run, in the order of `studies.yaml`."""
        asked = self.settings.studies
        if asked == "all":  # of simulated data, those that have a simulation
            simulated, simulations = self.settings.simulated, self.simulations.studies
            return [s for s in self.studies if not simulated or self.group(s) in simulations]
        asked = asked.replace(",", " ").split() if isinstance(asked, str) else asked
        unknown = [s for s in asked if s not in {*self.studies, *map(self.group, self.studies)}]
        if unknown or not asked:
            raise InputError(
                f"config: studies: {', '.join(unknown) or 'none'} is not in config/studies.yaml; "
                f"choose from {', '.join(self.studies)} or all"
            )
        return [s for s in self.studies if {s, self.group(s)}.intersection(asked)]

    @property
    def selected_entries(self) -> list[str]:
        """Entries of `models.yaml` that are part of this run."""
        simulated = self.settings.simulated
        return [
            name
            for name, model in self.models.items()
            if model.study in self.selected_studies and (simulated or not model.simulated)
        ]

    @property
    def selected_models(self) -> list[str]:
        """Models that are part of this run, the runs of a sweep one by one."""
        return [run for name in self.selected_entries for run in self.runs_of(name)]

    @property
    def selected_baselines(self) -> list[str]:
        """Other methods that are part of this run."""
        studies = self.selected_studies
        return [name for name, entry in self.baselines.items() if entry.study in studies]

    @cached_property
    def sweeps(self) -> dict[str, dict[str, SweepRun]]:
        """The models of each entry of `models.yaml`, by name."""
        return {name: dict(self.sweep(name, model)) for name, model in self.models.items()}

    def sweep(self, name: str, model: ModelConfig) -> Iterator[tuple[str, SweepRun]]:
        """Yield a model for each combination of cell types, variants and swept values."""
        study = self.studies[model.study]
        types = study.cell_types if model.each else [None]
        alone = model.model_copy(update={"each": None, "variants": {}, "sweep": {}})
        variants = model.variants or [None]
        short = [slugs(filter(None, names)) for names in (types, variants)]
        for kind, variant, *values in product(types, variants, *model.sweep.values()):
            words, by, settings = [name], {}, {}
            if kind is not None:
                words.append(short[0][kind])
                by[model.each] = kind
                settings["leave_out"] = {**model.data.leave_out, model.each: [kind]}
            if variant is not None:
                words.append(short[1][variant])
                by["variant"] = variant
                settings |= model.variants[variant]
            swept = dict(zip(model.sweep, values, strict=True))
            words += [f"{slug(setting)}-{slug(str(value))}" for setting, value in swept.items()]
            config = alone.with_settings({**settings, **swept}) if settings or swept else alone
            if variant is not None and config.model.layer and study.processed:
                continue  # it reads counts, and there are none
            yield "_".join(words), SweepRun(config, {**by, **swept})

    def training_settings(
        self, name: str, changes: Mapping[str, Any] | None = None
    ) -> dict[str, dict[str, Any]]:
        """Return what the models of an entry depend on in this run, by name.

        `changes` are settings that have precedence.
        """
        settings = self.settings
        overrides = settings.training_overrides | settings.model_overrides.get(name, {})
        return {
            run: entry.config.training_settings(settings.fidelity, {**overrides, **(changes or {})})
            for run, entry in self.sweeps[name].items()
        }

    def trainings(self, name: str) -> dict[str, dict[str, Any]]:
        """Return what the models of an entry and all seeds depend on, by folder below `models/`."""
        return {
            f"{run}/seed{seed}": {**blocks, "seed": seed, "precision": self.settings.precision}
            for seed in self.seeds_of(name)
            for run, blocks in self.training_settings(name).items()
        }

    @property
    def choices(self) -> dict[str, Choice]:
        """Choices of the robustness page of this run.

        None if the run lacks a model that they are compared with, and none that change steps where
        the cells come processed.
        """
        if not set(self.selected_models) >= COMPARED:
            return {}
        asked, processed = self.settings.robustness, self.studies[self.models[KANG].study].processed
        return {
            name: choice
            for name, choice in self.robustness.items()
            if (asked == "all" or name in asked) and not (choice.steps and processed)
        }

    @property
    def choice_trainings(self) -> dict[str, dict[str, Any]]:
        """What the models of all choices depend on, by folder below `models/robustness/`."""
        found = {}
        for name, choice in self.choices.items():
            own = {
                "seed": choice.seed or self.settings.seeds[0],
                "precision": choice.precision or self.settings.precision,
            }
            for entry in choice.entries:
                for run, blocks in self.training_settings(entry, choice.settings).items():
                    if entry != "kang_holdout" or run == HELD_OUT:
                        study = self.study_of_choice(name, blocks["data"]["study"])
                        data = {**blocks["data"], "study": study}
                        found[f"{name}/{run}"] = {**blocks, "data": data, **own}
        return found

    def study_of_choice(self, choice: str, study: str) -> str:
        """Return the name of a study as a choice preprocesses it."""
        return f"{study}-{choice}" if self.robustness[choice].steps else study

    @property
    def derived_studies(self) -> dict[str, Study]:
        """Studies that choices of this run preprocess with other steps, by name."""
        return {
            self.study_of_choice(name, study): self.studies[study]
            .with_steps(choice.steps)
            .model_copy(update={"raw": self.raw_folder(study)})
            for name, choice in self.choices.items()
            if choice.steps
            for study in dict.fromkeys(self.models[entry].study for entry in choice.entries)
        }

    def study(self, name: str) -> Study:
        """Return a study, or one that a choice derives from it."""
        return self.studies[name] if name in self.studies else self.derived_studies[name]

    def filtered_genes(self, study: str) -> str:
        """Return the file of a study's cells with all filtered genes, below `data/`."""
        return f"{study}{'_all_genes' if self.study(study).selects_genes else ''}.h5ad"

    def runs_of(self, name: str) -> list[str]:
        """Return the names of the models of an entry of `models.yaml` or `baselines.yaml`."""
        return [name] if name in self.baselines else list(self.sweeps[name])

    def model(self, name: str) -> ModelConfig:
        """Return the settings of a model, or of a run of a sweep."""
        for sweep in self.sweeps.values():
            if name in sweep:
                return sweep[name].config
        raise InputError(f"config/models.yaml: there is no model {name}")

    def seeds_of(self, name: str) -> list[int]:
        """Return the seeds of an entry or of one of its models: those of the run, then extra ones.

        Of other methods they are those of the run.
        """
        entry = next((e for e, sweep in self.sweeps.items() if name in sweep), name)
        extra, seeds = self.settings.extra_seeds.get(entry, []), self.settings.seeds
        return [*seeds, *sorted({*extra} - {*seeds})]

    def other_seed(self, name: str, seed: int) -> int | None:
        """Return another seed of a model, whose results differ by the seed alone, if it has one."""
        return next((other for other in self.seeds_of(name) if other != seed), None)

    def is_sweep(self, name: str) -> bool:
        """Return whether an entry stands for several models."""
        return self.runs_of(name) != [name]

    def latent(self, name: str) -> ModelConfig | Baseline:
        """Return the entry of what has a latent space: a model, or another method."""
        return self.baselines[name] if name in self.baselines else self.model(name)

    def entries_asking(self, analysis: str) -> list[str]:
        """Return the entries of `models.yaml` in this run that ask for an analysis."""
        models = self.models
        return [n for n in self.selected_entries if getattr(models[n].analyses, analysis)]

    @property
    def scored(self) -> dict[str, dict[str, str]]:
        """Models of the simulation benchmark: by study, models by their name there."""
        found: dict[str, dict[str, str]] = {}
        asked = self.settings.recovery_models
        for name in self.selected_models:
            model = self.model(name)
            recovery = model.analyses.recovery
            if recovery in asked or (recovery and not asked):
                found.setdefault(model.study, {})[recovery] = name
        return found

    def is_shown(self, name: str) -> bool:
        """Return whether a latent space is of interest, beyond predictions of unseen cells."""
        embedded = self.latent(name).analyses.embedding != "none"
        return embedded or name in self._on_figures or self.asks_contrasts(name)

    @cached_property
    def _on_figures(self) -> set[str]:
        named = {name for figure in self.figures.values() for name in figure.models}
        return {run for name in named for run in self.runs_of(name)}

    def asks_gsea(self, run: str) -> bool:
        """Return whether GSEA is run on the cells of a model's contrasts."""
        contrasts = {} if run in self.baselines else self.model(run).analyses.contrasts
        return any(contrast.gsea for contrast in contrasts.values())

    def asks_contrasts(self, run: str) -> bool:
        """Return whether a model is asked for differential activity."""
        asked = self.latent(run).analyses
        return run not in self.baselines and bool(asked.contrasts or asked.one_vs_rest)

    def raw_folder(self, study: str) -> str:
        """Return the folder of a study's raw files, below `raw/`."""
        return self.study(study).raw or study

    def group(self, study: str) -> str:
        """Return the common name of studies that share public raw files: their folder."""
        return self.public[study].raw or study

    def raw_source(self, group: str) -> Study:
        """Return studies that share public raw files as one: each matrix and annotation once."""
        members = [study for name, study in self.public.items() if self.group(name) == group]
        parts = {
            part: [entry for i, entry in enumerate(entries) if entry not in entries[:i]]
            for part in ("matrices", "annotations")
            if (entries := [entry for study in members for entry in getattr(study, part)])
        }
        return members[0].model_copy(update={**parts, "authors": None})

    @property
    def summary_models(self) -> list[str]:
        """Models of this run with a summary page: those of interest that no figure names."""
        shown = filter(self.is_shown, self.selected_models)
        return [run for run in shown if run not in self._on_figures]

    @property
    def selected_figures(self) -> list[str]:
        """Figures whose studies are all part of this run."""
        chosen, simulated = set(self.selected_studies), self.settings.simulated
        return [
            name
            for name, figure in self.figures.items()
            if chosen.issuperset(figure.studies)
            and (simulated or not figure.simulated)
            and (self.choices or not figure.choices)
        ]

    @property
    def left_out(self) -> dict[str, list[str]]:
        """Figures that are not part of this run, with the studies they lack."""
        chosen = self.selected_studies
        lacking = {
            name: [study for study in figure.studies if study not in chosen]
            for name, figure in self.figures.items()
            if not figure.simulated and not figure.choices
        }
        return {name: studies for name, studies in lacking.items() if studies}

    @property
    def needed_studies(self) -> list[str]:
        """Studies of this run, and those whose genes they take."""
        needed = set(self.selected_studies)
        while more := {self.studies[s].reindexed_to for s in needed} - {None} - needed:
            needed |= more
        return [s for s in self.studies if s in needed]

    @property
    def raw_files(self) -> list[tuple[str, str]]:
        """Study and name of every raw file of this run: its studies' and those of gene sets."""
        files = [
            (self.raw_folder(s), f) for s in self.needed_studies for f in self.studies[s].files
        ]
        named = (*self.selected_models, *self.selected_baselines)
        gene_sets = [("gene_sets", self.latent(name).gene_sets) for name in named]
        return list(dict.fromkeys(files + gene_sets))

    def is_optional(self, folder: str, name: str) -> bool:
        """Return whether a run can do without a raw file: all studies that read it can."""
        readers = [
            study
            for entry, study in self.studies.items()
            if self.raw_folder(entry) == folder and name in study.files
        ]
        return bool(readers) and all(name in study.optional_files for study in readers)

    def file(self, study: str, name: str) -> File:
        """Return the row of a raw file."""
        for row in self.files:
            if (row.study, row.file) == (study, name):
                return row
        raise InputError(f"config/files.tsv: no row for {study}/{name}; add its URL and checksum")
