"""The configuration: what its files may say, checked before anything runs.

Each class below is one level of a file in `config/`; its fields, defaults and descriptions are
the only source of `config/README.md` and of the JSON schemas in `config/schemas/` (`make config`
writes both). A wrong entry raises one `InputError` line that names the file and the entry.
"""

import csv
import hashlib
import re
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
    field_validator,
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
    data: Literal["public", "authors", "simulated"] = Field(
        "public", description="Raw files from the public sources, the authors' processed data, or "
        "simulated with known truth."
    )  # fmt: skip
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
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Of the matrix products of training; `auto` takes bfloat16 where the "
        "device computes in it. Results are in float32."
    )  # fmt: skip
    models_per_gpu: PositiveInt = Field(
        4, description="Models of one entry of `models.yaml` that train side by side on a GPU."
    )
    training: dict[str, float] = Field(
        {}, description="Settings that all models take instead of their own, for trials."
    )


# ---------------------------------------------------------------- studies.yaml


class Matrix(Model):
    """One count matrix of a study."""

    archive: str | None = Field(
        None, description="Archive (tar or zip) whose members the other files are."
    )
    matrix: str = Field(
        description="File of the counts: genes down and cells across, or an h5ad file."
    )
    barcodes: str | None = Field(None, description="`mtx`: file of the cell barcodes, one a line.")
    genes: str | None = Field(None, description="`mtx`: file of the genes: Ensembl id, symbol.")
    layer: str | None = Field(None, description="`h5ad`: layer of the counts, if not `X`.")
    no_genes: str | None = Field(
        None, description="`table`: regular expression of row names that are no genes."
    )
    cell_name: str | None = Field(
        None, description="Regular expression of cell names; its named groups become columns."
    )
    columns: dict[str, str] = Field(
        {}, description="`h5ad`: columns of its cells that are kept: their name -> ours."
    )
    values: dict[str, dict[str, str]] = Field(
        {}, description="Per column of ours: what the cell names or the file say -> what we say."
    )
    obs: dict[str, str] = Field({}, description="Columns that hold for all cells of this matrix.")

    @field_validator("no_genes", "cell_name")
    @classmethod
    def _pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return value

    @property
    def name(self) -> str:
        """What it is called: its archive or, without one, its file of counts."""
        return self.archive or self.matrix

    @property
    def files(self) -> list[str]:
        """Raw files that hold it."""
        parts = [self.matrix, self.barcodes, self.genes]
        return [self.archive] if self.archive else [part for part in parts if part]


class Annotation(Model):
    """A table that says what the cells are: delimited, of an h5ad file, or GEO's family file."""

    archive: str | None = Field(None, description="Archive (tar or zip) whose member the file is.")
    file: str = Field(description="The table, with one row per cell (or per value of `match`).")
    matrix: str | None = Field(
        None, description="`archive` or `matrix` of the only matrix whose cells it describes."
    )
    skip_rows: NonNegativeInt = Field(0, description="Lines between header and first row.")
    barcode: str | None = Field(
        None, description="The cell's name in terms of the columns, such as `{plate}.{well}`; "
        "the row name by default."
    )  # fmt: skip
    columns: dict[str, str] = Field(description="Its columns that are kept: their name -> ours.")
    values: dict[str, dict[str, str]] = Field(
        {}, description="Per column of ours: what the table says -> what we say."
    )
    match: list[str] = Field(
        ["barcode"], description="What identifies a row: `barcode`, or columns of ours."
    )

    @property
    def files(self) -> list[str]:
        """Raw file that holds it."""
        return [self.archive or self.file]


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
    each: "StepsOfEach | None" = Field(
        None, description="Do some steps apart for each value of a column; genes all keep remain."
    )
    orthologs: str | None = Field(
        None, description="BioMart table among the raw files; genes are renamed to their "
        "one-to-one orthologs, others dropped."
    )  # fmt: skip
    reindex: Name | None = Field(
        None, description="Take the genes of another study, in its order; absent ones are zero."
    )
    processed: Literal[True] | None = Field(
        None, description="The matrix is log-normalised already, there are no counts."
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


class StepsOfEach(Model):
    """Steps for each value of a column."""

    column: str = Field(description="The column.")
    steps: list[Step] = Field(min_length=1, description="The steps.")


class Source(Model):
    """Where a study's cells come from, and how they are preprocessed."""

    raw: Name | None = Field(
        None, description="Folder of the raw files, for studies that share them; its own name."
    )
    format: Literal["mtx", "table", "h5ad"] = Field(description="Format of the matrices.")
    matrices: list[Matrix] = Field(min_length=1, description="The matrices, joined in order.")
    annotations: list[Annotation] = Field([], description="What each cell is.")
    steps: list[Step] = Field(min_length=1, description="Preprocessing, in order.")

    @property
    def files(self) -> list[str]:
        """Raw files, each once, in the order of use."""
        names = [f for part in (*self.matrices, *self.annotations) for f in part.files]
        names += [self.ortholog_table] if self.ortholog_table else []
        return list(dict.fromkeys(names))

    @model_validator(mode="after")
    def _parts_fit(self):
        for number, matrix in enumerate(self.matrices):
            if self.format == "mtx" and not (matrix.barcodes and matrix.genes):
                raise ValueError(f"matrices.{number}: mtx needs files of barcodes and of genes")
        names = [matrix.name for matrix in self.matrices]
        for number, annotation in enumerate(self.annotations):
            if annotation.matrix not in (None, *names):
                raise ValueError(
                    f"annotations.{number}.matrix: {annotation.matrix} is not among "
                    f"{', '.join(names)}"
                )
        return self

    @property
    def ortholog_table(self) -> str | None:
        """Raw file of the orthologs that its genes are renamed to."""
        return next((step.orthologs for step in self.steps if step.orthologs), None)

    @property
    def reindexed_to(self) -> str | None:
        """Study whose genes this one takes."""
        return next((step.reindex for step in self.steps if step.reindex), None)


class Study(Source):
    """A study: what it is, its raw matrices, its annotation and how it is preprocessed."""

    title: str = Field(description="One line for captions.")
    series: str | None = Field(None, description="GEO accession, for sample annotations.")
    organism: Literal["human", "mouse"] = Field("human", description="Species of the symbols.")
    authors: Source | None = Field(
        None, description="The same study from the authors' processed data (`data: authors`)."
    )
    cell_types: list[str] = Field([], description="Order of the types in figures and colours.")
    conditions: list[str] = Field([], description="Order of the conditions, control first.")

    @property
    def family_file(self) -> str | None:
        """GEO's file of the series with its sample annotations."""
        return f"{self.series}_family.soft.gz" if self.series else None

    def from_authors(self) -> "Study":
        """The study with the authors' processed data as its source; itself if there are none."""
        return self.model_copy(update=dict(self.authors)) if self.authors else self


# ---------------------------------------------------------------- models.yaml


class Contrast(Model):
    """A comparison of two groups of cells."""

    within: dict[str, list[str]] = Field({}, description="Only cells with these values.")
    column: str = Field(description="Column that tells the groups apart.")
    group: str = Field(description="The group whose higher activity gives a positive Bayes factor.")
    reference: str = Field(description="The group it is compared with.")
    by: str | None = Field(
        None, description="One comparison for each value of this column, which names the group."
    )
    gsea: bool = Field(False, description="Whether GSEA is run on the same cells.")


class ModelConfig(Model):
    """A model: its study, gene sets, settings and contrasts. Defaults: the published Kang model."""

    study: Name = Field(description="Study it learns from, an entry of `studies.yaml`.")
    gene_sets: str = Field(description="GMT file among the files of `gene_sets`.")
    min_genes: NonNegativeInt = Field(0, description="Smallest gene set used, as published.")
    max_genes: PositiveInt = Field(5000, description="Largest gene set used, as published.")
    extra_nodes: NonNegativeInt = Field(1, description="Fully connected extra latent variables.")
    cells: dict[str, list[str]] = Field(
        {}, description="Only cells with these values are learnt from."
    )
    leave_out: dict[str, list[str]] = Field(
        {}, description="Cells with all of these values are not learnt from."
    )
    each: str | None = Field(
        None, description="Column of types: one model for each, which is added to `leave_out`."
    )
    embedding: Literal["umap", "tsne", "none"] = Field(
        "umap", description="Two-dimensional embedding of the posterior means."
    )
    tsne_learning_rate: PositiveFloat | None = Field(
        None, description="Learning rate of t-SNE, if not scikit-learn's."
    )
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

    def training_settings(
        self, fidelity: str = "published", instead: dict[str, float] | None = None
    ) -> dict[str, Any]:
        """What a trained model depends on: all but the questions asked of it afterwards.

        `instead` holds settings that are taken in place of the model's own.
        """
        asked = {"contrasts", "one_vs_rest", "embedding", "tsne_learning_rate", "each"}
        changed = self.corrected if fidelity == "corrected" else {}
        entry = type(self).model_validate(
            {**self.model_dump(exclude={"corrected"}), **changed, **(instead or {})}
        )
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
    sets: NonNegativeInt = Field(0, description="Number of random sets.")
    median_size: PositiveInt = Field(30, description="Median size of the random sets.")
    size_log_sd: NonNegativeFloat = Field(1, description="SD of the natural log of their sizes.")
    min_size: PositiveInt = Field(1, description="Smallest random set.")
    max_size: PositiveInt = Field(5000, description="Largest random set.")
    names: list[str] = Field([], description="Names of the random sets; the rest is numbered.")
    named: dict[str, NamedSet] = Field({}, description="The named sets.")
    extends: str | None = Field(None, description="GMT file whose sets come before these.")


class SimulatedType(Model):
    """A simulated cell type."""

    share: PositiveFloat = Field(description="Its share of the cells, relative to the others.")
    library: PositiveFloat = Field(1, description="Its library size, relative to the others.")
    lineage: Name | None = Field(
        None, description="Types of one lineage share a second marker programme."
    )


class SimulatedColumn(Model):
    """A column of the simulated cells: drawn at random, or following another column."""

    shares: list[str] | dict[str, PositiveFloat] = Field(
        [], description="Values that are drawn, all alike or with these relative shares."
    )
    within: dict[str, list[str]] = Field({}, description="Only these cells draw a value.")
    of: Name | None = Field(None, description="Column that it follows instead of being drawn.")
    values: dict[str, str] = Field({}, description="Its value for each value of that column.")
    otherwise: str | None = Field(None, description="Value of all other cells.")
    log2_sd: NonNegativeFloat = Field(
        0, description="SD of the log2 fold changes that each of its values has, gene by gene."
    )

    @property
    def choices(self) -> list[str]:
        """All its values, each once."""
        values = self.values.values() if self.of else self.shares
        return list(dict.fromkeys([*values, *filter(None, [self.otherwise])]))

    @model_validator(mode="after")
    def _one(self):
        if bool(self.shares) == bool(self.of):
            raise ValueError("a column has either shares or the column that it is of")
        return self


class SimulatedTable(Model):
    """A file of a simulated study as its source writes it: counts, or what the cells are."""

    normalised: PositiveFloat | None = Field(
        None, description="`h5ad`: counts per cell, whose log1p the file has instead of counts."
    )
    separator: Literal["tab", "comma", "blank"] = Field("tab", description="Between the fields.")
    quoted: bool = Field(False, description="Whether names stand in quotes.")
    row_names: str | None = Field(
        None, description="Counts: what the header calls the row names; by default, as R does, "
        "it does not count them."
    )  # fmt: skip
    summary_rows: list[str] = Field([], description="Counts: last rows that are no genes.")
    columns: dict[str, str] = Field(
        {}, description="Its columns -> those of the simulated cells; `name` is the cell's. "
        "Without it the name comes first and, as in R, the header does not count it."
    )  # fmt: skip
    second_header: list[str] = Field([], description="A row between header and first row.")
    missing: str | None = Field(
        None, description="What stands for a type that is not known; without it there is no row."
    )


class Programme(Model):
    """A planted activity: genes of one set, shifted in some of the cells."""

    gene_set: str | None = Field(None, description="A named gene set.")
    genes: list[str] = Field([], description="Further genes that respond.")
    where: dict[str, list[str]] = Field({}, description="Only cells with these values.")
    effect: float = Field(description="log2 fold change; programmes that meet in a cell add up.")
    share: Annotated[float, Field(gt=0, le=1)] = Field(
        1, description="Share of the set's genes that respond, its real symbols first."
    )

    @model_validator(mode="after")
    def _some_genes(self):
        if not (self.gene_set or self.genes):
            raise ValueError("a programme has a gene_set, genes or both")
        return self


class Simulation(Model):
    """A simulated study: the cells, the noise and the planted programmes."""

    seed: PositiveInt = Field(1, description="Seed of the study's cells and counts.")
    gene_sets: str = Field(description="GMT file whose genes it measures and programmes name.")
    outside: list[str] = Field([], description="Symbols that it measures besides.")
    cells: PositiveInt = Field(description="Cells, spread evenly over the study's matrices.")
    name: str = Field(
        "{bases}-1", description="A cell's name in terms of its columns; `bases` are its barcode, "
        "`plate` and `well` its place."
    )  # fmt: skip
    barcode_bases: PositiveInt = Field(14, description="Length of the barcodes.")
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
    type_column: Name = Field("cell_type", description="Column of the types.")
    types: dict[str, SimulatedType] = Field(
        min_length=1, description="The cell types, or whatever else has markers of its own."
    )
    columns: dict[Name, SimulatedColumn] = Field(
        {}, description="Further columns of the cells; one may refer to those before it."
    )
    doublets: Share = Field(0, description="Share of cells that hold the profile of another too.")
    unlabelled: Share = Field(0, description="Share of cells whose type the annotation misses.")
    low_quality: Share = Field(0, description="Share of cells with a quarter of the counts.")
    shared_barcodes: NonNegativeInt = Field(
        0, description="Barcodes that every matrix has in common with the first."
    )
    tables: dict[str, SimulatedTable] = Field({}, description="How the source writes its files.")
    programmes: list[Programme] = Field([], description="The planted truth.")


class Simulations(Model):
    """All that `data: simulated` makes: genes, gene sets and studies."""

    genes: SimulatedGenes = Field(description="The genes of all simulated studies.")
    gene_sets: dict[str, SimulatedSets] = Field(description="The gene sets, by GMT file.")
    studies: dict[Name, Simulation] = Field(
        description="The studies, by the folder of their raw files."
    )


# ---------------------------------------------------------------- figures.yaml, files.tsv


class FigureConfig(Model):
    """A figure: what it needs and what is on it."""

    title: str = Field(description="Title of the page.")
    studies: list[Name] = Field(min_length=1, description="Studies without which it is left out.")
    models: list[Name] = Field([], description="Models whose latent space and contrasts it shows.")
    tables: list[str] = Field([], description="Further tables it shows, by name.")
    expression: list[Name] = Field([], description="Studies whose expression it shows.")
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
    note: str | None = Field(None, description="What to know where the file cannot be had.")


def slug(name: str) -> str:
    """A name as part of a path: letters and digits, the rest a dash."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name)


class Config(Model):
    """All of the configuration, and what a run selects from it."""

    settings: Settings
    studies: dict[Name, Study]
    models: dict[Name, ModelConfig]
    figures: dict[Name, FigureConfig]
    simulations: Simulations
    files: list[File]

    def digest(self) -> str:
        """The same for the same configuration."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @property
    def selected_studies(self) -> list[str]:
        """Studies of this run, in the order of `studies.yaml`."""
        asked = self.settings.studies
        if asked == "all":
            return list(self.studies)
        asked = asked.replace(",", " ").split() if isinstance(asked, str) else asked
        unknown = [
            s for s in asked if s not in {*self.studies, *map(self.raw_folder, self.studies)}
        ]
        if unknown or not asked:
            raise InputError(
                f"config: studies: {', '.join(unknown) or 'none'} is not in config/studies.yaml; "
                f"choose from {', '.join(self.studies)} or all"
            )
        return [s for s in self.studies if {s, self.raw_folder(s)}.intersection(asked)]

    @property
    def selected_models(self) -> list[str]:
        """Models whose study is part of this run, the members of a family one by one."""
        return [
            member
            for name, model in self.models.items()
            if model.study in self.selected_studies
            for member in self.members(name)
        ]

    def members(self, name: str) -> list[str]:
        """Models of an entry of `models.yaml`: itself, or one for each left-out cell type."""
        if self.models[name].each is None:
            return [name]
        return [f"{name}_{slug(t)}" for t in self.studies[self.models[name].study].cell_types]

    def model(self, member: str) -> ModelConfig:
        """The settings of a model, or of a member of a family."""
        for name, model in self.models.items():
            if member in self.members(name):
                if model.each is None:
                    return model
                cell_type = self.studies[model.study].cell_types[self.members(name).index(member)]
                leave_out = {**model.leave_out, model.each: [cell_type]}
                return model.model_copy(update={"leave_out": leave_out, "each": None})
        raise InputError(f"config/models.yaml: there is no model {member}")

    def is_shown(self, member: str) -> bool:
        """Whether a model's latent space is of interest, beyond what it says of unseen cells."""
        return self.model(member).embedding != "none" or self.asks_contrasts(member)

    def asks_gsea(self, member: str) -> bool:
        """Whether GSEA is run beside a model's contrasts."""
        return any(contrast.gsea for contrast in self.model(member).contrasts.values())

    def asks_contrasts(self, member: str) -> bool:
        """Whether a model is asked for differential activity."""
        model = self.model(member)
        return bool(model.contrasts or model.one_vs_rest)

    def raw_folder(self, study: str) -> str:
        """Folder of a study's raw files, below `raw/`."""
        return self.studies[study].raw or study

    def raw_source(self, folder: str) -> Study:
        """All studies that share a folder of raw files as one: each matrix and annotation once."""
        members = [study for name, study in self.studies.items() if self.raw_folder(name) == folder]
        parts = {
            part: [entry for i, entry in enumerate(entries) if entry not in entries[:i]]
            for part in ("matrices", "annotations")
            if (entries := [entry for study in members for entry in getattr(study, part)])
        }
        return members[0].model_copy(update={**parts, "authors": None})

    @property
    def standard_models(self) -> list[str]:
        """Models of this run that no figure names, and that have something to show.

        Each has a standard page instead.
        """
        shown = {m for figure in self.figures.values() for m in figure.models}
        named = {member for name in shown for member in self.members(name)}
        return [
            member
            for member in self.selected_models
            if member not in named
            and (self.model(member).embedding != "none" or self.asks_contrasts(member))
        ]

    @property
    def selected_figures(self) -> list[str]:
        """Figures whose studies are all part of this run."""
        chosen = set(self.selected_studies)
        return [f for f, c in self.figures.items() if chosen.issuperset(c.studies)]

    @property
    def needed_studies(self) -> list[str]:
        """Studies of this run, and those whose genes they take."""
        needed = set(self.selected_studies)
        while more := {self.studies[s].reindexed_to for s in needed} - {None} - needed:
            needed |= more
        return [s for s in self.studies if s in needed]

    @property
    def left_out(self) -> dict[str, list[str]]:
        """Figures that are not part of this run, with the studies they lack."""
        chosen = set(self.selected_studies)
        return {
            name: [study for study in figure.studies if study not in chosen]
            for name, figure in self.figures.items()
            if not chosen.issuperset(figure.studies)
        }

    @property
    def raw_files(self) -> list[tuple[str, str]]:
        """Study and name of every raw file of this run: its studies' files and the gene sets.

        Public data come with all gene sets of `files.tsv`; only those that models use are
        simulated.
        """
        files = [
            (self.raw_folder(study), file)
            for study in self.needed_studies
            for file in self.studies[study].files
        ]
        files = list(dict.fromkeys(files))
        if self.settings.data == "simulated":
            used = dict.fromkeys(self.model(model).gene_sets for model in self.selected_models)
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
    if config.settings.data == "authors":
        studies = {name: study.from_authors() for name, study in config.studies.items()}
        config = config.model_copy(update={"studies": studies})
    return config


def _cross_check(config: Config, folder: Path) -> None:
    """Everything that one table says of another must be there."""
    config.selected_studies  # noqa: B018  (names an unknown study of the settings)
    for name, study in config.studies.items():
        for source in (study, study.from_authors()):
            for file in source.files:
                config.file(source.raw or name, file)
        if study.reindexed_to:
            others = [other for other in config.studies if other != name]
            _known(study.reindexed_to, others, f"{folder / 'studies.yaml'}: {name}.reindex")
    for name, model in config.models.items():
        if model.study not in config.studies:
            raise InputError(
                f"{folder / 'models.yaml'}: {name}.study: {model.study} is not in studies.yaml"
            )
        config.file("gene_sets", model.gene_sets)
        plain = model.model_dump(exclude={"corrected"})
        _checked(
            ModelConfig, {**plain, **model.corrected}, folder / "models.yaml", f"{name}.corrected"
        )
        _checked(
            ModelConfig, {**plain, **config.settings.training}, folder / "config.yaml", "training"
        )
    for name, figure in config.figures.items():
        for study in figure.studies:
            if study not in config.studies:
                raise InputError(
                    f"{folder / 'figures.yaml'}: {name}.studies: {study} is not in studies.yaml"
                )
        for model in figure.models:
            _known(model, config.models, f"{folder / 'figures.yaml'}: {name}.models")


def _check_simulations(config: Config, path: Path) -> None:
    """Everything that the simulations say of sets, studies and cells must be there."""
    table = config.simulations
    for file, sets in table.gene_sets.items():
        if sets.extends is not None:
            _known(sets.extends, table.gene_sets, f"{path}: gene_sets.{file}.extends")
        for name, named in sets.named.items():
            if named.subset_of is not None:
                where = f"gene_sets.{file}.named.{name}.subset_of"
                _known(named.subset_of, sets.named, f"{path}: {where}")
    folders = [config.raw_folder(study) for study in config.studies]
    for folder, simulation in table.studies.items():
        where = f"{path}: studies.{folder}"
        _known(folder, folders, f"{path}: studies")
        _known(simulation.gene_sets, table.gene_sets, f"{where}.gene_sets")
        source = config.raw_source(folder)
        groups = simulated_groups(source, simulation)
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
        described = {annotation.file: annotation.columns for annotation in source.annotations}
        described |= {matrix.matrix: matrix.columns for matrix in source.matrices if matrix.columns}
        for file, columns in described.items():
            _known(file, simulation.tables, f"{where}.tables: file")
            for column in columns:
                there = simulation.tables[file].columns
                _known(column, there, f"{where}.tables.{file}.columns: column")
    if config.settings.data == "simulated":
        for study in config.needed_studies:
            folder = config.raw_folder(study)
            _known(folder, table.studies, f"{path}: studies: data: simulated, but study")
        for model in config.selected_models:
            gmt = config.model(model).gene_sets
            _known(gmt, table.gene_sets, f"{path}: gene_sets: data: simulated, but file")


def named_sets(simulations: Simulations, file: str) -> dict[str, NamedSet]:
    """Named sets of a simulated GMT file, those of the files it extends included."""
    table = simulations.gene_sets[file]
    before = named_sets(simulations, table.extends) if table.extends else {}
    return before | table.named


def simulated_groups(study: Study, simulation: Simulation) -> dict[str, list[str]]:
    """What the cells of a simulated study can be told apart by: values by column.

    In the order in which they come to be: types, what the matrices say, further columns.
    """
    groups = {simulation.type_column: list(simulation.types)}
    for column in dict.fromkeys(c for m in study.matrices for c in m.obs):
        values = (m.obs[column] for m in study.matrices if column in m.obs)
        groups[column] = list(dict.fromkeys(values))
    return groups | {name: column.choices for name, column in simulation.columns.items()}


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
