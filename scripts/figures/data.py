"""What the panels of a model's figures are drawn from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from anndata import AnnData

from scripts.common.config.studies import Study
from scripts.common.h5ad import read_cells, read_latent
from scripts.common.tables import read_table

SIMULATED = "SIMULATED DATA"


@dataclass(frozen=True)
class FigureData:
    """All that a figure may show.

    `models` holds the results of each model by name, `tables` further tables by name, and
    `expression` the preprocessed cells of studies by name. A figure of tables alone knows of its
    `cells` where they are from, and how many there are.
    """

    models: dict[str, "Results"]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    expression: dict[str, AnnData] = field(default_factory=dict)
    cells: list[tuple[str, int]] = field(default_factory=list)

    def __getitem__(self, model: str) -> "Results":
        """The results of a model."""
        return self.models[model]

    @property
    def tag(self) -> str:
        """Say where the cells are from, the least public of all that is shown; empty if public."""
        origins = {results.origin for results in self.models.values()}
        origins |= {origin for origin, _ in self.cells}
        if "simulated" in origins:
            return SIMULATED
        # Each model brings its own copy of what the configuration says of its study.
        of_models = {r.study.model_dump_json(): r.latent.n_obs for r in self.models.values()}
        n_cells = sum(of_models.values()) + sum(n for _, n in self.cells)
        return f"subset of the study: {n_cells:,} cells" if "mirror subset" in origins else ""


@dataclass(frozen=True)
class Results:
    """A trained model's results.

    `latent` holds the cells in the latent space (cells x GMVs), `differential`, `gsea` and `genes`
    the tables of the analyses, and `origin` says whether the cells are the public ones,
    a `mirror subset` of them or `simulated`.
    """

    latent: AnnData
    differential: pd.DataFrame | None
    gsea: pd.DataFrame | None
    study: Study
    origin: str
    genes: pd.DataFrame | None = None

    def contrast(self, name: str, group: str | None = None) -> pd.DataFrame:
        """Differential activity in one contrast (and group), GMVs the index; it may be empty."""
        rows = self.differential["contrast"] == name
        if group is not None:
            rows &= self.differential["group"] == group
        return self.differential[rows].set_index("gmv")

    def with_gsea(self, name: str, group: str | None = None) -> pd.DataFrame:
        """The gene sets of a contrast (and group) that GSEA was asked of, with both results."""
        rows = self.gsea["contrast"] == name
        if group is not None:
            rows &= self.gsea["group"] == group
        gsea = self.gsea[rows].set_index("gmv")
        return self.contrast(name, group).join(gsea[["fdr", "neg_log10_fdr"]], how="inner")


def read_figure_data(
    studies: dict[str, Study],
    latents: Sequence[str],
    tables: Sequence[str],
    expression: Sequence[str] = (),
    cells: Sequence[str] = (),
) -> FigureData:
    """Read what a figure shows.

    Parameters
    ----------
    studies
        The study of each model, by the model's name.
    latents
        Its latent space, in the same order.
    tables
        Tables by their file names: `<model>_seed<N>_differential.tsv`, `<model>_gsea.tsv` and
        `<model>_seed<N>_top_genes.tsv` are those of a model, the others the figure's own.
    expression
        Preprocessed studies, `<study>.h5ad`.
    cells
        The same of studies of which nothing but tables is shown.
    """
    found = {Path(path).stem: path for path in tables}
    models = {}
    for (model, study), latent in zip(studies.items(), latents, strict=True):
        seed = Path(latent).parent.name
        names = (f"{model}_{seed}_differential", f"{model}_gsea", f"{model}_{seed}_top_genes")
        models[model] = load(latent, *(found.pop(name, None) for name in names), study)
    return FigureData(
        models,
        {name: read_table(path) for name, path in found.items()},
        {Path(path).stem: read_cells(path) for path in expression},
        [_origin_of(path) for path in cells],
    )


def _origin_of(path: str) -> tuple[str, int]:
    """Where the cells of a preprocessed study are from, and how many there are."""
    cells = read_cells(path, backed=True)
    return json.loads(cells.uns["provenance"])["origin"], cells.n_obs


def load(
    latent: Path | str,
    differential: Path | str | None,
    gsea: Path | str | None,
    genes: Path | str | None,
    study: Study,
) -> Results:
    """Read the results of a model, with its tables where they were asked for.

    Types and conditions get the order of the study's entry.

    Raises
    ------
    InputError
        If a file is not what it should be, or the cells lack their provenance.
    """
    cells = read_latent(latent)
    for column, order in (("cell_type", study.cell_types), ("condition", study.conditions)):
        if column in cells.obs:
            cells.obs[column] = in_order(cells.obs[column], order)
    origin = json.loads(cells.uns["provenance"])["origin"]
    tables = (read_table(table) if table else None for table in (differential, gsea, genes))
    of_contrasts, of_gsea, of_genes = tables
    return Results(cells, of_contrasts, of_gsea, study, origin, of_genes)


def in_order(labels: pd.Series, order: list[str]) -> pd.Series:
    """Labels as categories: those of `order`, which fixes their colours, then any others."""
    others = sorted(set(labels.dropna().astype(str)).difference(order))
    return labels.astype(str).where(labels.notna()).astype(pd.CategoricalDtype([*order, *others]))
