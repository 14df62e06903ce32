"""The configuration: what its files may say, checked before anything runs.

Each class below is one level of a file in `config/`; its fields, defaults and descriptions are
the only source of `config/README.md` and of the JSON schemas in `config/schemas/` (`make config`
writes both). A wrong entry raises one `InputError` line that names the file and the entry.
"""

import csv
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
        if len(self.model_fields_set) != 1:
            raise ValueError("a step is exactly one of " + ", ".join(type(self).model_fields))
        return self

    @property
    def name(self) -> str:
        """Name of the step."""
        return next(iter(self.model_fields_set))

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
    contrasts: dict[Name, Contrast] = Field({}, description="Comparisons to make, by name.")
    one_vs_rest: str | None = Field(
        None, description="Column whose every value is compared with all other cells."
    )


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
        files=_files(folder / "files.tsv"),
        **tables,
    )
    _cross_check(config, folder)
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
    for name, figure in config.figures.items():
        for study in figure.studies:
            if study not in config.studies:
                raise InputError(
                    f"{folder / 'figures.yaml'}: {name}.studies: {study} is not in studies.yaml"
                )


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
