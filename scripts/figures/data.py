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
    """All that a figure may show, by name of the model, table or study."""

    models: dict[str, "Results"]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    expression: dict[str, AnnData] = field(default_factory=dict)  # preprocessed cells
    # Origin and number of cells of which nothing but tables is shown.
    cells: list[tuple[str, int]] = field(default_factory=list)

    def __getitem__(self, model: str) -> "Results":
        """Return the results of a model."""
        return self.models[model]

    @property
    def tag(self) -> str:
        """Return the least public origin of all cells that are shown; empty if all are public."""
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
    """A trained model's results; a table is None where its analysis was not asked for."""

    latent: AnnData  # cells x GMVs
    differential: pd.DataFrame | None
    gsea: pd.DataFrame | None
    study: Study
    origin: str  # "public", "mirror subset" or "simulated"
    genes: pd.DataFrame | None = None

    def contrast(self, name: str, group: str | None = None) -> pd.DataFrame:
        """Return the differential activity in a contrast (and group), GMVs the index."""
        return _of_contrast(self.differential, name, group)

    def with_gsea(self, name: str, group: str | None = None) -> pd.DataFrame:
        """Return both results of the gene sets of a contrast (and group) that GSEA has."""
        gsea = _of_contrast(self.gsea, name, group)["neg_log10_fdr"]
        return self.contrast(name, group).join(gsea, how="inner")

    def without_gsea(self, name: str, group: str) -> str:
        """Return why GSEA of a contrast and group was left out; empty if it was not."""
        found = _of_contrast(self.gsea, name, group)
        return " ".join(found["left_out"].dropna()) if "left_out" in found else ""


def _of_contrast(table: pd.DataFrame, name: str, group: str | None) -> pd.DataFrame:
    rows = table["contrast"] == name
    if group is not None:
        rows &= table["group"] == group
    return table[rows].set_index("gmv")


def read_figure_data(
    studies: dict[str, Study],
    latents: Sequence[str],
    tables: Sequence[str],
    expression: Sequence[str] = (),
    cells: Sequence[str] = (),
) -> FigureData:
    """Read what a figure shows.

    `latents` are in the order of `studies`, which has the study of each model. The tables
    `<model>_seed<N>_differential.tsv`, `<model>_gsea.tsv` and `<model>_seed<N>_top_genes.tsv` are
    those of a model, others the figure's own. `expression` and `cells` are preprocessed studies,
    the latter those of which nothing but tables is shown.
    """
    found = {Path(path).stem: read_table(path) for path in tables}
    models = {}
    for (model, study), path in zip(studies.items(), latents, strict=True):
        seed = Path(path).parent.name
        latent = read_latent(path)
        for column, order in (("cell_type", study.cell_types), ("condition", study.conditions)):
            if column in latent.obs:
                latent.obs[column] = in_order(latent.obs[column], order)
        models[model] = Results(
            latent,
            found.pop(f"{model}_{seed}_differential", None),
            found.pop(f"{model}_gsea", None),
            study,
            _origin(latent),
            found.pop(f"{model}_{seed}_top_genes", None),
        )
    of_tables = [read_cells(path, backed=True) for path in cells]
    return FigureData(
        models,
        found,
        {Path(path).stem: read_cells(path) for path in expression},
        [(_origin(study), study.n_obs) for study in of_tables],
    )


def _origin(cells: AnnData) -> str:
    return json.loads(cells.uns["provenance"])["origin"]


def in_order(labels: pd.Series, order: list[str]) -> pd.Series:
    """Return labels as categories: those of `order`, which fixes their colours, then others."""
    others = sorted(set(labels.dropna().astype(str)).difference(order))
    return labels.astype(str).where(labels.notna()).astype(pd.CategoricalDtype([*order, *others]))
