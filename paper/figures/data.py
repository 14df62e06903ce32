"""What the panels of a model's figures are drawn from."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from anndata import AnnData, read_h5ad

from paper.config import Study
from paper.errors import InputError
from paper.tables import read_table


@dataclass(frozen=True)
class Results:
    """A trained model's results.

    `latent` holds the cells in the latent space (cells x GMVs), `differential` and `gsea` the
    tables that `paper.analyse` made, and `origin` says whether the cells are the public ones, a
    `mirror subset` of them or `simulated`.
    """

    latent: AnnData
    differential: pd.DataFrame
    gsea: pd.DataFrame
    study: Study
    origin: str

    def contrast(self, name: str, group: str | None = None) -> pd.DataFrame:
        """Differential activity in one contrast (and group), GMVs the index; it may be empty."""
        rows = self.differential["contrast"] == name
        if group is not None:
            rows &= self.differential["group"] == group
        return self.differential[rows].set_index("gmv")

    def with_gsea(self, name: str) -> pd.DataFrame:
        """The gene sets of a contrast that GSEA was asked of, with both results."""
        gsea = self.gsea[self.gsea["contrast"] == name].set_index("gmv")
        return self.contrast(name).join(gsea[["fdr", "neg_log10_fdr"]], how="inner")


def load(latent: Path | str, differential: Path | str, gsea: Path | str, study: Study) -> Results:
    """Read the results of a model; types and conditions get the order of the study's entry.

    Raises
    ------
    InputError
        If the cells lack their type, condition, UMAP or provenance.
    """
    cells = read_h5ad(latent)
    for part, names in (
        ("obs", ("cell_type", "condition")),
        ("obsm", ("X_umap",)),
        ("uns", ("provenance",)),
    ):
        for name in names:
            if name not in getattr(cells, part):
                raise InputError(f"{latent}: {part} has no {name}; make it again from the study")
    for column, order in (("cell_type", study.cell_types), ("condition", study.conditions)):
        cells.obs[column] = in_order(cells.obs[column], order)
    origin = json.loads(cells.uns["provenance"])["origin"]
    return Results(cells, read_table(differential), read_table(gsea), study, origin)


def in_order(labels: pd.Series, order: list[str]) -> pd.Series:
    """Labels as categories: those of `order`, which fixes their colours, then any others."""
    others = sorted(set(labels.dropna().astype(str)).difference(order))
    return labels.astype(str).where(labels.notna()).astype(pd.CategoricalDtype([*order, *others]))
