"""Cells of an AnnData as a model takes them: its genes, in its order."""

import warnings
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from anndata.abc import CSCDataset, CSRDataset

from vega.data import BackedData, Data, InMemoryData, Transform, as_csr, take_genes
from vega.errors import InputError
from vega.scale import (
    COUNTS,
    LOGS,
    SAME_TOTAL,
    check_scale,
    common_total,
    log_normalise,
    rescale,
    scale_of,
    totals,
)
from vega.values import layers_of

SAMPLE = 512  # cells that are looked at
BLOCKS = 8  # of neighbouring cells, in a sample
LEAST_COVERAGE = 0.5  # of a model's genes; with fewer, cells hardly resemble those it learnt from
SIMILAR = 2.0  # ratio of the median total of cells to that of the training cells
WARN_AT = 5  # calls up from a warning is the user's line


class Inputs:
    """The expression of some cells, in memory or on disk.

    `counts` says whether the model reads counts; else it reads log-normalised values.

    Attributes
    ----------
    where
        Column of each gene of the model, -1 if it is not there; None if all columns are those.
    place
        `X` or the name of the layer, for errors.
    """

    def __init__(self, adata: AnnData, genes: Sequence[str], layer: str | None, counts: bool):
        self.genes, self.var_names = genes, adata.var_names
        self.expected = COUNTS if counts else LOGS
        self.where: np.ndarray | None = None
        if not adata.var_names.equals(pd.Index(genes)):
            if not adata.var_names.is_unique:
                raise InputError("gene names are not unique; call adata.var_names_make_unique()")
            self.where = adata.var_names.get_indexer(genes)
        if layer is not None and layer not in adata.layers:
            there = ", ".join(layers_of(adata)) or "none"
            raise InputError(f"the model reads the layer {layer!r} of the data; there is {there}")
        self.place = "X" if layer is None else f"layer {layer!r}"
        self.matrix = adata.X if layer is None else adata.layers[layer]
        self.stated_total = adata.uns.get("normalisation", {}).get("target_sum")
        self.path: Path | None = None
        if not adata.is_view:  # anndata reads a view into memory
            if isinstance(self.matrix, CSCDataset):
                raise InputError(
                    f"{self.matrix.group.file.filename}: {layer or 'X'} is stored gene by gene, so "
                    "that its cells cannot be read one by one; write it as a CSR matrix"
                )
            if isinstance(self.matrix, CSRDataset | h5py.Dataset):
                on_disk = isinstance(self.matrix, h5py.Dataset)
                file = self.matrix.file if on_disk else self.matrix.group.file
                self.path = Path(file.filename)

    def missing(self) -> list[str]:
        """Return the genes of the model that are not there."""
        if self.where is None:
            return []
        return [gene for gene, column in zip(self.genes, self.where, strict=True) if column < 0]

    @cached_property
    def sample(self) -> sp.csr_matrix:
        """Return at most `SAMPLE` cells from all parts, with all genes that were measured."""
        n = self.matrix.shape[0]
        starts = range(0, n, -(-n // BLOCKS)) if n > SAMPLE else [0]
        width = SAMPLE // BLOCKS if n > SAMPLE else n
        return sp.vstack([as_csr(self.matrix[i : i + width]) for i in starts], format="csr")

    def to_learn_from(self, covariates: np.ndarray) -> Data:
        """Return the cells, which must have all genes of the model and its scale."""
        if missing := self.missing():
            raise InputError(
                f"{len(missing)} of the model's {len(self.genes)} genes are not in the data, such "
                f"as {', '.join(missing[:3])}; build the model of the genes of the data"
            )
        check_scale(self.sample, self.expected, self.place)
        return self._data(covariates)

    def total_of_cells(self, stated: float | None = None) -> float | None:
        """Return the total that counts were scaled to: stated, in `uns`, or that of all cells."""
        if self.expected == COUNTS:
            return None
        stated = self.stated_total if stated is None else stated
        return common_total(self.sample) if stated is None else float(stated)

    def median_total(self, transform: Transform | None = None) -> float | None:
        """Return the median over cells of the total of the model's genes, before log1p."""
        if self.expected == COUNTS:
            return None
        x = transform(self.sample) if transform else self.sample
        return float(np.median(totals(take_genes(x, self.where))))

    def to_embed(
        self,
        covariates: np.ndarray,
        target_sum: float | None,
        median_total: float | None,
        min_coverage: float,
    ) -> tuple[Data, dict[str, Any]]:
        """Return the cells as a trained model takes them, and a report of what was done.

        Genes that are not there are zero. Counts are log-normalised to `target_sum`, and cells
        that were log-normalised to another total are scaled to it. `median_total` is that of the
        training cells.
        """
        missing = self.missing()
        coverage = 1 - len(missing) / len(self.genes)
        if coverage < min_coverage:
            its, known = (", ".join(map(str, names[:3])) for names in (self.var_names, self.genes))
            raise InputError(
                f"only {coverage:.0%} of the model's {len(self.genes):,} genes are in the data, "
                f"expected {min_coverage:.0%} (min_coverage); the data have {its}, the model "
                f"{known}; use the same kind of names"
            )
        if missing:
            warnings.warn(
                f"{len(missing):,} of the model's {len(self.genes):,} genes are not in the data "
                f"and count as zero, such as {', '.join(missing[:3])}",
                stacklevel=WARN_AT,
            )
        scaling, transform = self._scaling(target_sum)
        ratio = (self.median_total(transform) or 0) / (median_total or 1)
        if median_total and ratio and not 1 / SIMILAR <= ratio <= SIMILAR:
            warnings.warn(
                f"the genes of the model have {ratio:.2g} times the total that they have in the "
                "training cells; if the cells were scaled to another total, give counts",
                stacklevel=WARN_AT,
            )
        # As an array, as an h5ad keeps no empty list.
        not_there = np.array(missing, dtype=object)
        report = {"coverage": coverage, "missing_genes": not_there, "scaling": scaling}
        return self._data(covariates, transform), report

    def _scaling(self, target_sum: float | None) -> tuple[str, Transform | None]:
        """Return how cells are brought to the scale of the training cells, in words and in code."""
        as_they_are = f"{self.expected}, as they are"
        if self.expected == LOGS and target_sum and scale_of(self.sample) == COUNTS:
            words = f"{COUNTS}, log-normalised to {target_sum:,.6g} per cell"
            return words, partial(log_normalise, target_sum=target_sum)
        check_scale(self.sample, self.expected, self.place)
        if self.expected == COUNTS:
            return as_they_are, None
        if not target_sum:
            return f"{as_they_are}: the total of the training cells is not known", None
        total = common_total(self.sample)
        if total is None:
            return f"{as_they_are}: they have no common total", None
        if abs(total / target_sum - 1) <= SAME_TOTAL:
            return as_they_are, None
        words = f"{LOGS} of {total:,.6g} per cell, scaled to {target_sum:,.6g}"
        return words, partial(rescale, factor=target_sum / total)

    def _data(self, covariates: np.ndarray, transform: Transform | None = None) -> Data:
        if self.path is not None:
            return BackedData(self.matrix, self.where, covariates, self.path, transform)
        if self.where is None and transform is None:
            return InMemoryData(self.matrix, covariates)
        x = as_csr(self.matrix)
        x = transform(x) if transform else x
        return InMemoryData(take_genes(x, self.where), covariates)
