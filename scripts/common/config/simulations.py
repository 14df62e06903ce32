"""Simulated genes, gene sets and studies (`simulations.yaml`)."""

from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from scripts.common.config.base import Model, Name, Share, Template
from scripts.common.config.studies import Study

# What a simulated cell's name may contain in addition to its columns.
PARTS_OF_NAMES = ("bases", "plate", "well")


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
    quoted: bool = Field(False, description="Whether names are in quotes.")
    row_names: str | None = Field(
        None, description="Counts: what the header calls the row names; by default, as R does, "
        "it does not count them."
    )  # fmt: skip
    spike_ins: Share = Field(
        0, description="Counts: mean share of a cell's reads that are of 92 ERCC spike-ins."
    )
    summary_rows: list[str] = Field([], description="Counts: last rows that are no genes.")
    columns: dict[str, str] = Field(
        {}, description="Its columns -> those of the simulated cells; `name` is the cell's. "
        "Without it the name comes first and, as in R, the header does not count it."
    )  # fmt: skip
    second_header: list[str] = Field([], description="A row between header and first row.")
    missing: str | None = Field(
        None, description="What stands for a type that is not known; without it there is no row."
    )
    without: dict[str, list[str]] = Field(
        {}, description="It has no row of cells with all of these values."
    )
    further_rows: list[dict[str, str]] = Field(
        [], description="Rows of no cell, before the others: value by its column."
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
    outside: list[str] = Field([], description="Further symbols that it measures.")
    genes: PositiveInt | None = Field(
        None, description="Genes that it measures: the first of `genes.n`, or further ones in no "
        "set; by default all of `genes.n`."
    )  # fmt: skip
    cells: PositiveInt | list[PositiveInt] = Field(
        description="Cells, spread evenly over the study's matrices; a list has those of each."
    )
    name: Template = Field(
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
    qualities: dict[str, Share] = Field(
        {}, description="Further calls of a cell's quality and their shares; an `empty_droplet` "
        "has few counts."
    )  # fmt: skip
    shared_barcodes: NonNegativeInt = Field(
        0, description="Barcodes that every matrix has in common with the first."
    )
    tables: dict[str, SimulatedTable] = Field({}, description="How the source writes its files.")
    programmes: list[Programme] = Field([], description="Shifts of gene sets, known by design.")

    @field_validator("qualities")
    @classmethod
    def _parts_of_all_cells(cls, value: dict[str, float]) -> dict[str, float]:
        if sum(value.values()) > 1:
            raise ValueError("their shares add up to more than 1")
        return value


class Simulations(Model):
    """All that `data: simulated` makes: genes, gene sets and studies."""

    genes: SimulatedGenes = Field(description="The genes of all simulated studies.")
    gene_sets: dict[str, SimulatedSets] = Field(description="The gene sets, by GMT file.")
    studies: dict[Name, Simulation] = Field(
        description="The studies, by the folder of their raw files."
    )


def named_sets(simulations: Simulations, file: str) -> dict[str, NamedSet]:
    """Return the named sets of a simulated GMT file, with those of the files it extends."""
    table = simulations.gene_sets[file]
    before = named_sets(simulations, table.extends) if table.extends else {}
    return before | table.named


def simulated_groups(study: Study, simulation: Simulation) -> dict[str, list[str]]:
    """Return the values of each column of the simulated cells.

    Columns are in the order of their making: types, what the matrices say, further columns.
    """
    groups = {simulation.type_column: list(simulation.types)}
    for column in dict.fromkeys(c for m in study.matrices for c in m.obs):
        values = (m.obs[column] for m in study.matrices if column in m.obs)
        groups[column] = list(dict.fromkeys(values))
    return groups | {name: column.choices for name, column in simulation.columns.items()}
