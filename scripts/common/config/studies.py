"""Studies: where their cells come from, and how they are preprocessed (`studies.yaml`)."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from scripts.common.config.base import GroupPattern, Model, Name, Pattern, Template


class Matrix(Model):
    """One count matrix of a study."""

    archive: str | Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="Archive (tar or zip) whose members the other files are; of several, the "
        "first that has `matrix`."
    )  # fmt: skip
    matrix: str = Field(
        description="File of the counts: genes down and cells across (`mtx`: or the other way, as "
        "the lists say), an HDF5 file or a zip of zarr."
    )
    barcodes: str | None = Field(None, description="`mtx`: file of the cell barcodes, one a line.")
    genes: str | None = Field(
        None, description="`mtx`: file of the genes: Ensembl id, symbol, kind; or one name a line."
    )
    layer: str | None = Field(
        None, description="`h5ad`, `loom`, `zarr`: layer of the counts, if not `X`."
    )
    raw: bool = Field(False, description="`h5ad`, `zarr`: the counts are those of `raw`.")
    symbols: str | None = Field(
        None, description="`h5ad`, `loom`, `zarr`: column of its genes that has their symbols; "
        "their names by default."
    )  # fmt: skip
    cells_down: bool = Field(False, description="`table`: cells are down and genes across.")
    no_genes: Pattern | None = Field(
        None, description="`table`: regular expression of row names that are no genes."
    )
    cell_name: Pattern | None = Field(
        None, description="Regular expression of cell names; its named groups become columns."
    )
    columns: dict[str, str] = Field(
        {},
        description="`h5ad`, `loom`, `zarr`: columns of its cells that are kept: their name -> "
        "ours.",
    )
    values: dict[str, dict[str, str]] = Field(
        {}, description="Per column of ours: what the cell names or the file say -> what we say. A "
        "key that ends in `*` stands for all that begin so; exact keys win."
    )  # fmt: skip
    obs: dict[str, str] = Field({}, description="Columns that hold for all cells of this matrix.")

    @property
    def archives(self) -> list[str]:
        """Archives that are looked through for it, in order."""
        return [self.archive] if isinstance(self.archive, str) else self.archive or []

    @property
    def name(self) -> str:
        """What it is called: its (first) archive or, without one, its file of counts."""
        return next(iter(self.archives), self.matrix)

    @property
    def files(self) -> list[str]:
        """Raw files that hold it."""
        parts = [self.matrix, self.barcodes, self.genes]
        return self.archives or [part for part in parts if part]


class Annotation(Model):
    """A table that says what the cells are: delimited, of an h5ad or R file, or GEO's family file.

    A named vector of an R file is a table of one column `value`.
    """

    archive: str | None = Field(None, description="Archive (tar or zip) whose member the file is.")
    file: str = Field(description="The table, with one row per cell (or per value of `match`).")
    element: str | None = Field(
        None, description="`.rds`: name of the table, if the file holds a list of tables."
    )
    matrix: str | None = Field(
        None, description="`archive` or `matrix` of the only matrix whose cells it describes."
    )
    skip_rows: NonNegativeInt = Field(0, description="Lines between header and first row.")
    rows: dict[str, list[str]] = Field(
        {}, description="Only rows with these values in its columns; R's logicals are `TRUE` and "
        "`FALSE`."
    )  # fmt: skip
    barcode: Template | None = Field(
        None, description="The cell's name in terms of the columns, such as `{plate}.{well}`; "
        "by default the row name, or the column that has the cells' names."
    )  # fmt: skip
    columns: dict[str, str] = Field(description="Its columns that are kept: their name -> ours.")
    values: dict[str, dict[str, str]] = Field(
        {}, description="Per column of ours: what the table says -> what we say, as for a matrix."
    )
    match: list[str] = Field(
        ["barcode"], description="What identifies a row: `barcode`, or columns of ours."
    )
    optional: bool = Field(
        False,
        description="If its file is not available, its columns stay empty, and the run continues.",
    )
    otherwise: "Annotation | None" = Field(
        None, description="The annotation that is read if the file of this one is not available."
    )

    @property
    def files(self) -> list[str]:
        """Raw file that holds it."""
        return [self.archive or self.file]

    @property
    def sources(self) -> list["Annotation"]:
        """Itself and what is read otherwise, the first choice first."""
        return [self, *(self.otherwise.sources if self.otherwise else [])]


class Relabel(Model):
    """Relabel cells by their correlation with the averages of the labelled clusters."""

    column: str = Field("cell_type", description="Column of the labels.")
    n_genes: PositiveInt = Field(20, description="Marker genes per cluster in the averages.")


class Step(Model):
    """One step of preprocessing: exactly one of these."""

    keep: dict[str, list[str]] | None = Field(None, description="Keep cells with these values.")
    drop: dict[str, list[str]] | None = Field(None, description="Drop cells with these values.")
    labelled: str | None = Field(None, description="Keep cells that have a value in this column.")
    cell_share: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="Keep this share of the cells, drawn at random."
    )
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
    highly_variable_counts: PositiveInt | None = Field(
        None, description="Keep so many highly variable genes (on counts, as Seurat v3 does)."
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
    rename_genes: GroupPattern | None = Field(
        None, description="Regular expression: genes whose whole name it matches are named by its "
        "group; names that then repeat are numbered."
    )  # fmt: skip
    upper_case: Literal[True] | None = Field(
        None, description="Gene symbols in capital letters; those that then repeat are numbered."
    )
    processed: Literal[True, "log1p"] | None = Field(
        None, description="The matrix is normalised already, there are no counts; `log1p` if its "
        "values are not yet log-transformed, such as TPM."
    )  # fmt: skip

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


Step.model_rebuild()  # now that the class exists which `each` names


def _without_gene_selection(steps: list[Step]) -> list[Step]:
    kept = []
    for step in steps:
        if step.each:
            inner = step.each.model_copy(update={"steps": _without_gene_selection(step.each.steps)})
            step = step.model_copy(update={"each": inner})
        if not (step.highly_variable or step.highly_variable_counts):
            kept.append(step)
    return kept


class Source(Model):
    """Where a study's cells come from, and how they are preprocessed."""

    raw: Name | None = Field(
        None, description="Folder of the raw files, for studies that share them; its own name."
    )
    format: Literal["mtx", "table", "h5ad", "10x_h5", "loom", "zarr"] = Field(
        description="Format of the matrices."
    )
    matrices: list[Matrix] = Field(min_length=1, description="The matrices, joined in order.")
    annotations: list[Annotation] = Field([], description="What each cell is.")
    steps: list[Step] = Field(min_length=1, description="Preprocessing, in order.")

    @property
    def files(self) -> list[str]:
        """Raw files, each once, in the order of use."""
        names = [f for part in (*self.matrices, *self.all_annotations) for f in part.files]
        names += [self.ortholog_table] if self.ortholog_table else []
        return list(dict.fromkeys(names))

    @property
    def all_annotations(self) -> list[Annotation]:
        """Annotations, those that are read otherwise included."""
        return [source for annotation in self.annotations for source in annotation.sources]

    @property
    def optional_files(self) -> set[str]:
        """Raw files that it can do without: alone, or as long as there is another source."""
        needed = {f for matrix in self.matrices for f in matrix.files} | {self.ortholog_table}
        optional = set()
        for annotation in self.annotations:
            files = {f for source in annotation.sources for f in source.files}
            (optional if annotation.optional or annotation.otherwise else needed).update(files)
        return optional - needed

    @model_validator(mode="after")
    def _parts_fit(self):
        for number, matrix in enumerate(self.matrices):
            if self.format == "mtx" and not (matrix.barcodes and matrix.genes):
                raise ValueError(f"matrices.{number}: mtx needs files of barcodes and of genes")
        names = [matrix.name for matrix in self.matrices]
        for number, annotation in enumerate(self.annotations):
            for source in annotation.sources:
                if source.matrix not in (None, *names):
                    where, known = f"annotations.{number}.matrix", ", ".join(names)
                    raise ValueError(f"{where}: {source.matrix} is not among {known}")
        return self

    @property
    def processed(self) -> bool:
        """Whether its matrices are log-normalised, and there are no counts."""
        return any(step.processed for step in self.steps)

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
    series: Name | None = Field(None, description="GEO accession, for sample annotations.")
    organism: Literal["human", "mouse"] = Field("human", description="Species of the symbols.")
    authors: Source | None = Field(
        None, description="The same study from the authors' processed data (`data: authors`)."
    )
    cell_types: list[str] = Field([], description="Order of the types in figures and colours.")
    conditions: list[str] = Field([], description="Order of the conditions, control first.")

    @property
    def selects_genes(self) -> bool:
        """Whether a step keeps the most variable genes only."""
        return self.without_gene_selection().steps != self.steps

    def without_gene_selection(self) -> "Study":
        """Return the study without the steps that keep the most variable genes only."""
        return self.model_copy(update={"steps": _without_gene_selection(self.steps)})

    def with_steps(self, changes: Mapping[str, Any]) -> "Study":
        """Return the study with other steps, given by name.

        None leaves a step out; steps that it does not have come first.
        """
        own = {step.name for step in self.steps}
        first = [Step.model_validate({n: v}) for n, v in changes.items() if n not in own]
        others = [
            Step.model_validate({step.name: changes[step.name]}) if step.name in changes else step
            for step in self.steps
            if changes.get(step.name, step) is not None
        ]
        return self.model_copy(update={"steps": first + others})

    @property
    def family_file(self) -> str | None:
        """GEO's file of the series with its sample annotations."""
        return f"{self.series}_family.soft.gz" if self.series else None

    def from_authors(self) -> "Study":
        """The study with the authors' processed data as its source; itself if there are none."""
        return self.model_copy(update=dict(self.authors)) if self.authors else self
