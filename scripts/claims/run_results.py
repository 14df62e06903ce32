"""The results of a run, read when a claim asks for them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from anndata import AnnData

from scripts.common.config.run import Config
from scripts.common.h5ad import read_cells, read_latent
from scripts.common.tables import read_table
from vega.description import read_description
from vega.gene_sets import read_gmt
from vega.values import values_of

SIMULATED = "simulated data"  # a reason why data are partial


class NotAvailable(Exception):
    """The results lack what a claim needs; the message is the reason in the table."""


class RunResults:
    """Read access to `results/<run>/`; each file is read once."""

    is_shuffled = False  # a negative control needs no notes

    def __init__(self, folder: Path | str, config: Config):
        self.folder = Path(folder)
        self.config = config
        self.notes: list[str] = []  # what the function of a claim adds to the note of its row
        self._files: dict[Path, Any] = {}
        self._ranks: dict[tuple, Any] = {}  # of `ShuffledResults`, which share both

    def _read(self, read: Callable[..., Any], *parts: str, **options: Any) -> Any:
        path = self.folder.joinpath(*parts)
        if not self.has(*parts):
            raise NotAvailable(f"{'/'.join(parts)} is not part of this run")
        if path not in self._files:
            self._files[path] = read(path, **options)
        return self._files[path]

    def has(self, *parts: str) -> bool:
        """Return whether there is a file."""
        path = self.folder.joinpath(*parts)
        return path in self._files or path.exists()

    def put(self, value: Any, *parts: str) -> None:
        """Take a value in place of a file of the run."""
        self._files[self.folder.joinpath(*parts)] = value

    def data(self, study: str) -> AnnData:
        """Return the cells of a study; their expression stays in the file."""
        return self._read(read_cells, "data", f"{study}.h5ad", backed=True)

    def latent(self, model: str, seed: int) -> AnnData:
        """Return cells x GMVs of a model."""
        return self._read(read_latent, "models", model, f"seed{seed}", "latent.h5ad")

    def model(self, model: str, seed: int) -> dict[str, Any]:
        """Return the description of a trained model."""
        return self._read(read_description, "models", model, f"seed{seed}", "model.json")

    def gene_sets(self, file: str) -> dict[str, list[str]]:
        """Return a gene set collection of the run."""
        return self._read(read_gmt, "raw", "gene_sets", file)

    def table(self, name: str, ending: str = "tsv") -> pd.DataFrame:
        """Return a table of the run by name."""
        return self._read(read_table, "tables", f"{name}.{ending}")

    def differential(self, model: str, seed: int) -> pd.DataFrame:
        """Return the differential activities of a model in all its comparisons."""
        return self.table(f"{model}_seed{seed}_differential")

    def contrast(self, model: str, seed: int, contrast: str, group: str) -> pd.DataFrame:
        """Return the differential activities of one comparison, by GMV."""
        table = self.differential(model, seed)
        chosen = table[(table["contrast"] == contrast) & (table["group"] == group)]
        if chosen.empty:
            raise NotAvailable(f"{model} has no contrast {contrast} for {group}")
        return chosen.set_index("gmv")

    def origin(self, study: str) -> dict[str, Any]:
        """Return the provenance of a study's cells."""
        return json.loads(self.data(study).uns["provenance"])

    def studies_of(self, study: str) -> list[str]:
        """Return the studies of the run that a claim is about: one, or all that share its files."""
        chosen = self.config.selected_studies
        if study in self.config.studies:
            return [study] if study in chosen else []
        return [s for s in chosen if study == self.config.group(s)]

    def partial(self, studies: list[str]) -> str:
        """Return why the data are not the whole public ones; empty if they are."""
        if self.config.settings.simulated:
            return SIMULATED
        for study in (study for name in studies for study in self.studies_of(name)):
            if self.origin(study)["origin"] != "public":
                return f"subset of {study} from a mirror ({self.data(study).n_obs} cells)"
        return ""

    def note(self, text: str) -> None:
        """Add to the note of the claim being measured."""
        self.notes.append(text)


def get_gmv(table: pd.DataFrame | AnnData, gmv: str):
    """Return the row of a GMV in a table by GMV, or its activity in each cell of a latent space."""
    names = table.var_names if isinstance(table, AnnData) else table.index
    if gmv not in names:
        raise NotAvailable(f"the gene sets have no {gmv}")
    return values_of(table, gmv) if isinstance(table, AnnData) else table.loc[gmv]


def rows_of(results: RunResults, table: str, seed: int) -> pd.DataFrame:
    """Return the rows of a seed in a table of the run."""
    found = results.table(table)
    found = found[found["seed"] == seed]
    if found.empty:
        raise NotAvailable(f"tables/{table}.tsv has nothing of seed {seed}")
    return found


def known(values: pd.Series, name: str) -> pd.Series:
    """Return the values that are known, at least one."""
    if values.isna().all():
        raise NotAvailable(f"{name} is not known: no such model, or too few cells or labels")
    return values.dropna()
