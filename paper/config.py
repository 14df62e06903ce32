"""The configuration: what its files may say, checked before anything runs.

Each class below is one level of a file in `config/`; its fields, defaults and descriptions are
the only source of `config/README.md` and of the JSON schemas in `config/schemas/` (`make config`
writes both). A wrong entry raises one `InputError` line that names the file and the entry.
"""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from paper.errors import InputError

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Share = Annotated[float, Field(ge=0, lt=1)]


class Model(BaseModel):
    """A part of the configuration: unknown entries are errors, so that typos are seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# ---------------------------------------------------------------- config.yaml


class Settings(Model):
    """The switches of a run (`config/config.yaml`, or `--config` on the command line)."""

    run: Name = Field("paper", description="Name of the run; results go to `results/<run>/`.")
    data: Literal["public", "simulated"] = Field(
        "public", description="Raw files from the public sources, or simulated with known truth."
    )
    mirror: str | None = Field(
        None, description="Folder or URL with `<study>/<file>` and `SHA256SUMS`, used instead of "
        "the public sources."
    )  # fmt: skip
    studies: Literal["all"] | list[Name] | str = Field(
        "all", description="`all`, or the studies to run, as a list or separated by blanks."
    )
    seeds: list[PositiveInt] = Field(
        [1], min_length=1, description="One model is trained per seed; the first draws the figures."
    )
    fidelity: Literal["published", "corrected"] = Field(
        "published", description="Which procedure where the paper's text and code disagree."
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="`auto` takes a GPU where there is one."
    )
    require_gpu: bool = Field(
        False, description="Whether a training rule that was given a GPU and finds none stops."
    )


# ---------------------------------------------------------------- studies.yaml


class Matrix(Model):
    """One count matrix of a study, in Matrix Market form with its side files."""

    matrix: str = Field(description="File of the matrix, genes down and cells across.")
    barcodes: str = Field(description="File of the cell barcodes, one a line.")
    genes: str = Field(description="File of the genes: Ensembl id, symbol.")
    obs: dict[str, str] = Field({}, description="Columns that hold for all cells of this matrix.")


class Annotation(Model):
    """The table that says what each cell is."""

    file: str = Field(description="Delimited table with one row per cell.")
    columns: dict[str, str] = Field(description="Its columns that are kept: their name -> ours.")
    values: dict[str, dict[str, str]] = Field(
        {}, description="Per column of ours: what the table says -> what we say."
    )
    match: list[str] = Field(
        ["barcode"], description="What identifies a cell, `barcode` (the row name) among it."
    )


class Relabel(Model):
    """Cells labelled anew by their correlation with the averages of the labelled clusters."""

    column: str = Field("cell_type", description="Column of the labels.")
    n_genes: PositiveInt = Field(20, description="Marker genes per cluster in the averages.")


class Step(Model):
    """One step of preprocessing: exactly one of these."""

    keep: dict[str, list[str]] | None = Field(None, description="Keep cells with these values.")
    drop: dict[str, list[str]] | None = Field(None, description="Drop cells with these values.")
    labelled: str | None = Field(None, description="Keep cells that have a value in this column.")
    relabel: Relabel | None = Field(None, description="Label by correlation with cluster averages.")
    gene_min_cells: PositiveInt | None = Field(None, description="Genes seen in so many cells.")
    gene_min_counts: PositiveInt | None = Field(None, description="Genes with so many counts.")
    cell_min_genes: PositiveInt | None = Field(None, description="Cells with so many genes.")
    cell_max_mito: PositiveFloat | None = Field(
        None, description="Cells with at most so many per cent mitochondrial counts."
    )
    normalise: Literal["median"] | PositiveFloat | None = Field(
        None, description="Counts per cell scaled to this total (or the median), then log1p."
    )
    highly_variable: PositiveInt | None = Field(
        None, description="Keep so many highly variable genes (on normalised data)."
    )

    @model_validator(mode="after")
    def _one(self):
        if len(self._given) != 1:
            raise ValueError("a step is exactly one of " + ", ".join(type(self).model_fields))
        return self

    @property
    def _given(self) -> list[str]:
        return [name for name in type(self).model_fields if getattr(self, name) is not None]

    @property
    def name(self) -> str:
        """Name of the step."""
        return self._given[0]

    @property
    def value(self) -> Any:
        """What the step was given."""
        return getattr(self, self.name)


class Study(Model):
    """A study: its raw matrices, its annotation and how it is preprocessed."""

    title: str = Field(description="One line for captions.")
    series: str | None = Field(None, description="GEO accession, for sample annotations.")
    organism: Literal["human", "mouse"] = Field("human", description="Species of the symbols.")
    format: Literal["mtx"] = Field(description="Format of the matrices.")
    matrices: list[Matrix] = Field(min_length=1, description="The matrices, joined in order.")
    annotation: Annotation | None = Field(None, description="What each cell is.")
    steps: list[Step] = Field(min_length=1, description="Preprocessing, in order.")
    cell_types: list[str] = Field([], description="Order of the types in figures and colours.")
    conditions: list[str] = Field([], description="Order of the conditions, control first.")

    @property
    def files(self) -> list[str]:
        """Raw files of the study, each once, in the order of use."""
        names = [f for m in self.matrices for f in (m.matrix, m.barcodes, m.genes)]
        names += [self.annotation.file] if self.annotation else []
        return list(dict.fromkeys(names))

    @property
    def family_file(self) -> str | None:
        """GEO's file of the series with its sample annotations."""
        return f"{self.series}_family.soft.gz" if self.series else None


# ---------------------------------------------------------------- models.yaml


class Contrast(Model):
    """A comparison of two groups of cells."""

    within: dict[str, list[str]] = Field({}, description="Only cells with these values.")
    column: str = Field(description="Column that tells the groups apart.")
    group: str = Field(description="The group whose higher activity gives a positive Bayes factor.")
    reference: str = Field(description="The group it is compared with.")
    gsea: bool = Field(False, description="Whether GSEA is run on the same cells.")


class ModelConfig(Model):
    """A model: its study, gene sets, settings and contrasts. Defaults: the published Kang model."""

    study: Name = Field(description="Study it learns from, an entry of `studies.yaml`.")
    gene_sets: str = Field(description="GMT file among the files of `gene_sets`.")
    min_genes: NonNegativeInt = Field(0, description="Smallest gene set used, as published.")
    max_genes: PositiveInt = Field(5000, description="Largest gene set used, as published.")
    extra_nodes: NonNegativeInt = Field(1, description="Fully connected extra latent variables.")
    batch_key: str | None = Field(None, description="Column of the batch given to the decoder.")
    n_hidden: PositiveInt = Field(800, description="Width of the encoder's hidden layers.")
    n_layers: PositiveInt = Field(2, description="Number of hidden layers of the encoder.")
    dropout: Share = Field(0.5, description="Dropout of the encoder's hidden layers.")
    latent_dropout: Share = Field(0.5, description="Dropout of the posterior's mean and variance.")
    beta: NonNegativeFloat = Field(1e-4, description="Weight of the KL term.")
    positive: bool = Field(True, description="Whether decoder weights are kept >= 0.")
    learning_rate: PositiveFloat = Field(1e-4, description="Learning rate of Adam.")
    weight_decay: NonNegativeFloat = Field(5e-4, description="Weight decay of Adam (coupled).")
    batch_size: PositiveInt = Field(128, description="Cells per update.")
    max_epochs: PositiveInt = Field(500, description="Most epochs.")
    patience: PositiveInt = Field(10, description="Epochs without a better loss before it stops.")
    train_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.8, description="Share of the cells that are trained on; the rest validates."
    )
    corrected: dict[str, float] = Field(
        {}, description="Settings that the paper's text has instead, for `fidelity: corrected`."
    )
    contrasts: dict[Name, Contrast] = Field({}, description="Comparisons to make, by name.")
    one_vs_rest: str | None = Field(
        None, description="Column whose every value is compared with all other cells."
    )

    def training_settings(self, fidelity: str = "published") -> dict[str, Any]:
        """What a trained model depends on: all but the questions asked of it afterwards."""
        asked = {"contrasts", "one_vs_rest"}
        changed = self.corrected if fidelity == "corrected" else {}
        entry = type(self).model_validate({**self.model_dump(exclude={"corrected"}), **changed})
        return entry.model_dump(exclude={"study", "gene_sets", "corrected", *asked})

    def questions(self) -> dict[str, Any]:
        """What is asked of a model once it is trained, and of which gene sets."""
        return self.model_dump(include={"contrasts", "one_vs_rest", "min_genes", "max_genes"})


# ---------------------------------------------------------------- simulations.yaml


class SimulatedGenes(Model):
    """The genes that all simulated studies measure."""

    seed: PositiveInt = Field(1, description="Seed of what the studies share: sets, levels, types.")
    n: PositiveInt = Field(description="Number of genes, real symbols included.")
    log2_sd: NonNegativeFloat = Field(
        description="Spread of the mean expression, as the SD of its log2."
    )
    outside: list[str] = Field([], description="Real symbols that are in no gene set.")


class NamedSet(Model):
    """A simulated gene set that claims or programmes ask for by name."""

    size: PositiveInt = Field(description="Number of its genes.")
    genes: list[str] = Field([], description="Real symbols in it; synthetic ones fill it up.")
    subset_of: str | None = Field(None, description="Named set that holds all its genes too.")


class SimulatedSets(Model):
    """A simulated GMT file: the named sets, then random ones of log-normal size."""

    prefix: str = Field("", description="Prefix of the random sets' names.")
    sets: NonNegativeInt = Field(description="Number of random sets.")
    median_size: PositiveInt = Field(description="Median size of the random sets.")
    size_log_sd: NonNegativeFloat = Field(description="SD of the natural log of their sizes.")
    min_size: PositiveInt = Field(description="Smallest random set.")
    max_size: PositiveInt = Field(description="Largest random set.")
    named: dict[str, NamedSet] = Field({}, description="The named sets.")


class SimulatedType(Model):
    """A simulated cell type."""

    share: PositiveFloat = Field(description="Its share of the cells, relative to the others.")
    library: PositiveFloat = Field(1, description="Its library size, relative to the others.")
    lineage: Name | None = Field(
        None, description="Types of one lineage share a second marker programme."
    )


class Programme(Model):
    """A planted activity: genes of one set, shifted in some of the cells."""

    gene_set: str = Field(description="A named gene set.")
    where: dict[str, list[str]] = Field({}, description="Only cells with these values.")
    effect: float = Field(description="log2 fold change; programmes that meet in a cell add up.")
    share: Annotated[float, Field(gt=0, le=1)] = Field(
        1, description="Share of the set's genes that respond, its real symbols first."
    )


class Simulation(Model):
    """A simulated study: the cells, the noise and the planted programmes."""

    seed: PositiveInt = Field(1, description="Seed of the study's cells and counts.")
    cells: PositiveInt = Field(description="Cells, spread evenly over the study's matrices.")
    library: PositiveFloat = Field(
        description="Median counts of a cell of library size 1, before any fold change."
    )
    library_log2_sd: NonNegativeFloat = Field(description="SD of the log2 library sizes.")
    dispersion: PositiveFloat = Field(
        description="Of the negative binomial: variance = mean + dispersion x mean^2."
    )
    markers: PositiveInt = Field(description="Marker genes of each type and of each lineage.")
    marker_log2: PositiveFloat = Field(
        description="Mean log2 fold change of markers, exponentially distributed."
    )
    cell_types: dict[str, SimulatedType] = Field(min_length=1, description="The cell types.")
    donors: list[str] = Field(min_length=1, description="Names of the donors.")
    donor_log2_sd: NonNegativeFloat = Field(0, description="SD of the donors' log2 fold changes.")
    doublets: Share = Field(0, description="Share of cells that hold the profile of another too.")
    unlabelled: Share = Field(0, description="Share of cells whose type the annotation misses.")
    low_quality: Share = Field(0, description="Share of cells with a quarter of the counts.")
    shared_barcodes: NonNegativeInt = Field(
        0, description="Barcodes that every matrix has in common with the first."
    )
    header: list[str] = Field([], description="Columns of the annotation, as the source has them.")
    programmes: list[Programme] = Field([], description="The planted truth.")


class Simulations(Model):
    """All that `data: simulated` makes: genes, gene sets and studies."""

    genes: SimulatedGenes = Field(description="The genes of all simulated studies.")
    gene_sets: dict[str, SimulatedSets] = Field(description="The gene sets, by GMT file.")
    studies: dict[Name, Simulation] = Field(description="The studies, by name in `studies.yaml`.")


# ---------------------------------------------------------------- figures.yaml, files.tsv


class FigureConfig(Model):
    """A figure: what it needs and what is on it."""

    title: str = Field(description="Title of the page.")
    studies: list[Name] = Field(min_length=1, description="Studies without which it is left out.")
    panels: list[Name] = Field(min_length=1, description="Panels in the order of the page.")


class File(Model):
    """A raw file (`config/files.tsv`): where it is and what it must be."""

    study: Name = Field(description="Folder of the file: the study, or `gene_sets`.")
    file: Name = Field(description="Its name.")
    url: str = Field(pattern=r"^(https?|ftp|doi):", description="Public source.")
    bytes: PositiveInt | None = Field(None, description="Its size.")
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = Field(None, description="MD5.")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        None, description="SHA-256. Without any checksum the file is pinned on first use."
    )


class Config(Model):
    """All of the configuration, and what a run selects from it."""

    settings: Settings
    studies: dict[Name, Study]
    models: dict[Name, ModelConfig]
    figures: dict[Name, FigureConfig]
    simulations: Simulations
    files: list[File]

    @property
    def selected_studies(self) -> list[str]:
        """Studies of this run, in the order of `studies.yaml`."""
        asked = self.settings.studies
        if asked == "all":
            return list(self.studies)
        asked = asked.replace(",", " ").split() if isinstance(asked, str) else asked
        unknown = [s for s in asked if s not in self.studies]
        if unknown or not asked:
            raise InputError(
                f"config: studies: {', '.join(unknown) or 'none'} is not in config/studies.yaml; "
                f"choose from {', '.join(self.studies)} or all"
            )
        return [s for s in self.studies if s in asked]

    @property
    def selected_models(self) -> list[str]:
        """Models whose study is part of this run."""
        return [m for m, c in self.models.items() if c.study in self.selected_studies]

    @property
    def selected_figures(self) -> list[str]:
        """Figures whose studies are all part of this run."""
        chosen = set(self.selected_studies)
        return [f for f, c in self.figures.items() if chosen.issuperset(c.studies)]

    @property
    def raw_files(self) -> list[tuple[str, str]]:
        """Study and name of every raw file of this run: its studies' files and the gene sets.

        Public data come with all gene sets of `files.tsv`; only those that models use are
        simulated.
        """
        files = [
            (study, file) for study in self.selected_studies for file in self.studies[study].files
        ]
        if self.settings.data == "simulated":
            used = dict.fromkeys(self.models[model].gene_sets for model in self.selected_models)
            return files + [("gene_sets", gene_sets) for gene_sets in used]
        return files + [(row.study, row.file) for row in self.files if row.study == "gene_sets"]

    def file(self, study: str, name: str) -> File:
        """The row of a raw file."""
        for row in self.files:
            if (row.study, row.file) == (study, name):
                return row
        raise InputError(f"config/files.tsv: no row for {study}/{name}; add its URL and checksum")


FILES = {
    "studies": (Path("studies.yaml"), Study),
    "models": (Path("models.yaml"), ModelConfig),
    "figures": (Path("figures.yaml"), FigureConfig),
}


def load(settings: dict[str, Any], folder: Path | str = "config") -> Config:
    """Check the settings of a run and read the tables beside them.

    Parameters
    ----------
    settings
        What `config.yaml` and the command line say, as Snakemake's `config`.
    folder
        Folder of the configuration files.

    Raises
    ------
    InputError
        With one line that names the file, the entry and what is wrong with it.
    """
    folder = Path(folder)
    tables = {
        key: {
            name: _checked(kind, entry, folder / file, name)
            for name, entry in _yaml(folder / file).items()
        }
        for key, (file, kind) in FILES.items()
    }
    config = Config(
        settings=_checked(Settings, settings, folder / "config.yaml"),
        simulations=_checked(
            Simulations, _yaml(folder / "simulations.yaml"), folder / "simulations.yaml"
        ),
        files=_files(folder / "files.tsv"),
        **tables,
    )
    _cross_check(config, folder)
    _check_simulations(config, folder / "simulations.yaml")
    return config


def _cross_check(config: Config, folder: Path) -> None:
    """Everything that one table says of another must be there."""
    config.selected_studies  # noqa: B018  (names an unknown study of the settings)
    for name, study in config.studies.items():
        for file in study.files:
            config.file(name, file)
    for name, model in config.models.items():
        if model.study not in config.studies:
            raise InputError(
                f"{folder / 'models.yaml'}: {name}.study: {model.study} is not in studies.yaml"
            )
        config.file("gene_sets", model.gene_sets)
        _checked(
            ModelConfig,
            {**model.model_dump(exclude={"corrected"}), **model.corrected},
            folder / "models.yaml",
            f"{name}.corrected",
        )
    for name, figure in config.figures.items():
        for study in figure.studies:
            if study not in config.studies:
                raise InputError(
                    f"{folder / 'figures.yaml'}: {name}.studies: {study} is not in studies.yaml"
                )


def _check_simulations(config: Config, path: Path) -> None:
    """Everything that the simulations say of sets, studies and cells must be there."""
    table = config.simulations
    for file, sets in table.gene_sets.items():
        for name, named in sets.named.items():
            if named.subset_of is not None:
                where = f"gene_sets.{file}.named.{name}.subset_of"
                _known(named.subset_of, sets.named, f"{path}: {where}")
    names = [name for sets in table.gene_sets.values() for name in sets.named]
    for study, simulation in table.studies.items():
        _known(study, config.studies, f"{path}: studies")
        groups = simulated_groups(config.studies[study], simulation)
        for i, programme in enumerate(simulation.programmes):
            where = f"{path}: studies.{study}.programmes.{i}"
            _known(programme.gene_set, names, f"{where}.gene_set")
            for column, values in programme.where.items():
                _known(column, groups, f"{where}.where")
                for value in values:
                    _known(value, groups[column], f"{where}.where.{column}")
        annotation = config.studies[study].annotation
        for column in annotation.columns if annotation else []:
            _known(column, simulation.header, f"{path}: studies.{study}.header: annotation column")
    if config.settings.data == "simulated":
        for study in config.selected_studies:
            _known(study, table.studies, f"{path}: studies: data: simulated, but study")
        for model in config.selected_models:
            gmt = config.models[model].gene_sets
            _known(gmt, table.gene_sets, f"{path}: gene_sets: data: simulated, but file")


def simulated_groups(study: Study, simulation: Simulation) -> dict[str, list[str]]:
    """What the cells of a simulated study can be told apart by: values by column."""
    groups = {"cell_type": list(simulation.cell_types), "donor": simulation.donors}
    for column in dict.fromkeys(c for m in study.matrices for c in m.obs):
        groups[column] = [m.obs[column] for m in study.matrices if column in m.obs]
    return groups


def _known(value: str, choices: Iterable[str], where: str) -> None:
    if value not in choices:
        raise InputError(f"{where} {value!r} is not among {', '.join(choices) or 'nothing'}")


def _yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold entries by name, got {type(content).__name__}")
    return content


def _files(path: Path) -> list[File]:
    try:
        with path.open(newline="") as handle:
            rows = list(csv.DictReader(handle, delimiter="\t"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return [
        _checked(File, {k: v for k, v in row.items() if v}, path, f"line {i}")
        for i, row in enumerate(rows, start=2)
    ]


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
