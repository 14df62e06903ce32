"""Reading the configuration, and checking it before anything runs."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from math import prod
from pathlib import Path
from string import Formatter
from typing import Any

from pydantic import ValidationError

from scripts.common.config.base import NAME, NO_NAME, RESERVED, Model
from scripts.common.config.figures import FigureConfig, File
from scripts.common.config.models import BLOCKS, Baseline, ModelConfig, block_of
from scripts.common.config.plain import RESTORE, read_yaml
from scripts.common.config.robustness import Choice
from scripts.common.config.run import Config
from scripts.common.config.settings import Settings
from scripts.common.config.simulations import (
    PARTS_OF_NAMES,
    Simulations,
    named_sets,
    simulated_groups,
)
from scripts.common.config.studies import Study
from vega.errors import InputError
from vega.files import read_errors

MOST_MODELS = 10**4  # of one entry
TABLES = {
    "studies": Study, "models": ModelConfig, "baselines": Baseline, "figures": FigureConfig,
    "robustness": Choice,
}  # fmt: skip


def load(settings: dict[str, Any], folder: Path | str = "config") -> Config:
    """Check the settings of a run (Snakemake's `config`) and read the tables in the folder.

    An InputError names in one line the file, the entry and what is wrong with it.
    """
    folder = Path(folder)
    tables = {name: _entries(kind, folder / f"{name}.yaml") for name, kind in TABLES.items()}
    path = folder / "simulations.yaml"
    simulations = _merged(read_yaml(path), settings.get("simulations") or {})
    parts = {
        "settings": _checked(Settings, settings, folder / "config.yaml"),
        "simulations": _checked(Simulations, simulations, path),
        "files": _files(folder / "files.tsv"),
        "public": tables["studies"],
        **tables,
    }
    config = _checked(Config, parts, folder)
    _cross_check(config, folder)
    models = {
        name: _with_conditions(name, model, config.studies[model.study], folder / "models.yaml")
        for name, model in config.models.items()
    }
    config = config.model_copy(update={"models": models})
    _check_simulations(config, path)
    if config.settings.from_authors:
        studies = {name: study.from_authors() for name, study in config.studies.items()}
        config = config.model_copy(update={"studies": studies})
    return config


def _merged(table: Any, changes: Any) -> Any:
    """Return a nested table in which some entries are others."""
    if not (isinstance(table, dict) and isinstance(changes, dict)):
        return changes
    return {**table, **{key: _merged(table.get(key), value) for key, value in changes.items()}}


def _cross_check(config: Config, folder: Path) -> None:
    """Check that everything that one table says of another is there."""
    names = ("config", "studies", "models", "baselines", "figures")
    run, studies, models, baselines, figures = (folder / f"{name}.yaml" for name in names)
    config.selected_studies  # noqa: B018  (names an unknown study of the settings)
    for name, study in config.studies.items():
        for source in (study, study.from_authors()):
            for file in source.files:
                config.file(source.raw or name, file)
    genes_of = {name: study.reindexed_to for name, study in config.studies.items()}
    _leads_on(genes_of, f"{studies}: ", "reindex")
    for path, entries in ((models, config.models), (baselines, config.baselines)):
        for name, entry in entries.items():
            _study_exists(config, entry.study, f"{path}: {name}.study")
            config.file("gene_sets", entry.gene_sets)
    for name, baseline in config.baselines.items():
        if name in config.models:
            raise InputError(f"{baselines}: {name} is the name of a model too")
        if baseline.epochs_of:
            _known(baseline.epochs_of, config.models, f"{baselines}: {name}.epochs_of")
    overrides = config.settings.model_overrides
    named = {"model_overrides": overrides, "extra_seeds": config.settings.extra_seeds}
    for setting, entries in named.items():
        # The default names entries that a study of another user may have removed.
        for name in {} if entries == Settings.model_fields[setting].default else entries:
            _known(name, config.models, f"{run}: {setting}: entry")
    for name, model in config.models.items():
        _check_settings(model.corrected, models, f"{name}.corrected")
        for variant, settings in model.variants.items():
            _check_settings(settings, models, f"{name}.variants.{variant}")
        for setting, values in model.sweep.items():
            for value in values:
                _check_settings({setting: value}, models, f"{name}.sweep")
    _check_settings(config.settings.training_overrides, run, "training_overrides")
    for name, settings in overrides.items():
        _check_settings(settings, run, f"model_overrides.{name}")
    _check_sweeps(config, models)
    sweep_runs = (run for sweep in config.sweeps.values() for run in sweep.values())
    scored = list(filter(None, dict.fromkeys(r.config.analyses.recovery for r in sweep_runs)))
    for name in config.settings.recovery_models:
        _known(name, scored, f"{run}: recovery_models")
    _check_choices(config, run, folder / "robustness.yaml")
    for name, figure in config.figures.items():
        for study in figure.studies:
            _study_exists(config, study, f"{figures}: {name}.studies")
        for model in figure.models:
            _known(model, (*config.sweeps, *config.baselines), f"{figures}: {name}.models")


def _check_choices(config: Config, run: Path, path: Path) -> None:
    """Check the choices of the robustness page, those that the run does not ask for too."""
    asked = config.settings.robustness
    for name in asked if isinstance(asked, list) else []:
        _known(name, config.robustness, f"{run}: robustness")
    for name, choice in config.robustness.items():
        _check_settings(choice.settings, path, f"{name}.settings")
        for setting in choice.settings:
            where = f"{path}: {name}.settings: {setting} is of block"
            _known(block_of(setting), ("model", "train"), where)
    for name, choice in config.choices.items():
        for study in dict.fromkeys(config.models[entry].study for entry in choice.entries):
            if (derived := config.study_of_choice(name, study)) != study:
                _once([*config.studies, derived], path)
            steps = [step.name for step in config.studies[study].steps]
            for step in (step for step, value in choice.steps.items() if value is None):
                _known(step, steps, f"{path}: {name}.steps: {study} has no step to leave out:")


def _study_exists(config: Config, study: str, where: str) -> None:
    if study not in config.studies:
        raise InputError(f"{where}: {study} is not in studies.yaml")


def _check_settings(settings: Mapping[str, Any], path: Path, entry: str) -> None:
    """Check settings that are given by name, without their block."""
    for name, value in settings.items():
        if name in ("study", "gene_sets"):  # which name the inputs of many rules
            raise InputError(
                f"{path}: {entry}: {name} is one for all models of an entry; set it in the entry's "
                "data in models.yaml"
            )
        try:
            block = block_of(name)
        except ValueError as error:
            raise InputError(f"{path}: {entry}: {error}") from None
        required = {"study": "any", "gene_sets": "any"} if block == "data" else {}
        _checked(BLOCKS[block], {**required, name: value}, path, entry)


def _check_sweeps(config: Config, path: Path) -> None:
    """Check that each entry has models, not too many, with names of their own."""
    runs = [*config.baselines]
    for name, model in config.models.items():
        if prod(map(len, model.sweep.values())) > MOST_MODELS:
            raise InputError(f"{path}: {name}.sweep: more than {MOST_MODELS:,} models; sweep less")
        sweep = [run for run, _ in config.sweep(name, model)]
        if not sweep:
            raise InputError(
                f"{path}: {name}: it stands for no model; each needs the cell_types of its study, "
                "sweep a value of each setting"
            )
        runs += sweep
    _once(runs, path)


def _check_simulations(config: Config, path: Path) -> None:
    """Check that everything that the simulations say of sets, studies and cells is there."""
    table = config.simulations
    extended = {file: sets.extends for file, sets in table.gene_sets.items()}
    _leads_on(extended, f"{path}: gene_sets.", "extends")
    for file, sets in table.gene_sets.items():
        larger = {name: named.subset_of for name, named in sets.named.items()}
        _leads_on(larger, f"{path}: gene_sets.{file}.named.", "subset_of")
    folders = [config.group(study) for study in config.studies]
    for folder, simulation in table.studies.items():
        where = f"{path}: studies.{folder}"
        _known(folder, folders, f"{path}: studies")
        _known(simulation.gene_sets, table.gene_sets, f"{where}.gene_sets")
        source = config.raw_source(folder)
        groups = simulated_groups(source, simulation)
        for _, column, *_ in Formatter().parse(simulation.name):
            if column is not None:
                _known(column, [*groups, *PARTS_OF_NAMES], f"{where}.name: column")
        for column, entry in simulation.columns.items():
            before = dict(list(groups.items())[: list(groups).index(column)])
            for other in filter(None, [entry.of, *entry.within]):
                _known(other, before, f"{where}.columns.{column}: column")
        for i, programme in enumerate(simulation.programmes):
            if programme.gene_set is not None:
                names = named_sets(table, simulation.gene_sets)
                _known(programme.gene_set, names, f"{where}.programmes.{i}.gene_set")
            for column, values in programme.where.items():
                _known(column, groups, f"{where}.programmes.{i}.where")
                for value in values:
                    _known(value, groups[column], f"{where}.programmes.{i}.where.{column}")
        described = {entry.file: entry.columns for entry in source.all_annotations}
        described |= {matrix.matrix: matrix.columns for matrix in source.matrices if matrix.columns}
        for file, columns in described.items():
            _known(file, simulation.tables, f"{where}.tables: file")
            for column in columns:
                there = simulation.tables[file].columns
                _known(column, there, f"{where}.tables.{file}.columns: column")
    if config.settings.simulated:
        asked = f"data: {config.settings.data}"
        for study in config.needed_studies:
            folder = config.group(study)
            _known(folder, table.studies, f"{path}: studies: {asked}, but study")
        for name in (*config.selected_models, *config.selected_baselines):
            gmt = config.latent(name).gene_sets
            _known(gmt, table.gene_sets, f"{path}: gene_sets: {asked}, but file")


def _entries(kind: type[Model], path: Path) -> dict[str, Any]:
    """The entries of a table by name, which will be a part of paths."""
    entries = read_yaml(path)
    if kind is ModelConfig:
        entries = dict(_per_study(entries))
    for name in entries:
        if not isinstance(name, str):
            raise InputError(f"{path}: {name!r:.60} was read as a number; quote the name")
        if not re.fullmatch(NAME, name):
            raise InputError(f"{path}: {name!r:.60} {NO_NAME}")
        if name in RESERVED and kind in (Study, ModelConfig, Baseline):
            raise InputError(f"{path}: {name} is a reserved name; choose another")
    return {name: _checked(kind, entry, path, name) for name, entry in entries.items()}


def _per_study(entries: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the entries of models; one with `studies` is one for each, by the study's name."""
    for name, entry in entries.items():
        if isinstance(entry, dict) and isinstance(studies := entry.get("studies"), list):
            rest = {key: value for key, value in entry.items() if key != "studies"}
            data = entry.get("data") if isinstance(entry.get("data"), dict) else {}
            for study in studies:
                yield study, {**rest, "data": {"study": study, **data}}
        else:
            yield name, entry


def _with_conditions(name: str, model: ModelConfig, study: Study, path: Path) -> ModelConfig:
    """Return a model whose contrasts name their groups: by default the study's conditions."""
    contrasts = {}
    orders = {"condition": study.conditions, "cell_type": study.cell_types}
    for label, contrast in model.analyses.contrasts.items():
        where = f"{path}: {name}.contrasts.{label}"
        chosen = {"group": contrast.group, "reference": contrast.reference}
        asked = [(field, contrast.column, value) for field, value in chosen.items() if value]
        asked += [("within", c, value) for c, values in contrast.within.items() for value in values]
        for field, column, value in asked:
            _known(value, orders.get(column) or [value], f"{where}.{field}: {column}")
        if not all(chosen.values()):
            if len(study.conditions) != 2:
                raise InputError(
                    f"{where}: expected group and reference, as the study has "
                    f"{len(study.conditions)} conditions; name both"
                )
            default = dict(zip(("reference", "group"), study.conditions, strict=True))
            chosen = {field: value or default[field] for field, value in chosen.items()}
        contrasts[label] = contrast.model_copy(update=chosen)
    analyses = model.analyses.model_copy(update={"contrasts": contrasts})
    return model.model_copy(update={"analyses": analyses})


def _once(names: Iterable[str], where: Path) -> None:
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise InputError(f"{where}: {twice[0]} is a duplicate; rename or remove one")


def _leads_on(following: dict[str, str | None], where: str, field: str) -> None:
    """What the entries of `where` refer to must be one of them, and not lead back."""
    links = {name: [other] for name, other in following.items() if other is not None}
    for name, (other,) in links.items():
        _known(other, following, f"{where}{name}.{field}")
    try:
        TopologicalSorter(links).prepare()
    except CycleError as error:
        raise InputError(f"{where}{field} goes in a circle: {', '.join(error.args[1])}") from None


def _known(value: str, choices: Iterable[str], where: str) -> None:
    if value not in choices:
        raise InputError(f"{where} {value!r} is not among {', '.join(choices) or 'nothing'}")


def _files(path: Path) -> list[File]:
    with read_errors(path, "a table", RESTORE):
        lines = io.StringIO(path.read_text(encoding="utf-8-sig"))
        rows = list(csv.DictReader(lines, delimiter="\t"))
    files = [
        _checked(File, {k: v for k, v in row.items() if v}, path, f"line {i}")
        for i, row in enumerate(rows, start=2)
    ]
    _once([f"{file.study}/{file.file}" for file in files], path)
    return files


def _checked(kind: type[Model], entry: Any, path: Path, name: str = "") -> Any:
    """`entry` as `kind`, or one line saying where it is wrong."""
    try:
        return kind.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in (name, *first["loc"]) if part != "")
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        got = "" if first["type"] in ("missing", "value_error") else f", got {first['input']!r:.60}"
        raise InputError(f"{path}: {where}: {first['msg']}{got}{more}") from None
