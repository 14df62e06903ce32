"""The tables that panels are drawn from, which journals ask for as Source Data.

A figure's folder holds `<panel>.tsv` (`<panel>.tsv.gz` above 5,000 rows) and `columns.tsv`, which
says what each column means and, of labels, the categories in the order of the figure.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from scripts.common.tables import read_table, write_table

MOST_ROWS = 5_000  # of a table that is not compressed
DICTIONARY = "columns.tsv"
BETWEEN = " | "  # categories
# What columns mean, by name or pattern.
COLUMNS = {
    "accuracy": "share of cells whose condition the GMV alone predicts",
    "activity": "mean of the posterior of the GMV in the title, in a drawn cell; no unit",
    "activity_*": "mean of the posterior of the GMV that the column is named after; no unit",
    "architecture": "which halves of the model gene sets mask",
    "auprc": "area under the precision-recall curve",
    "auroc": "area under the receiver operating characteristic",
    "base_rate": "share of gene sets with planted activity, the AUPRC of chance",
    "batch": "batch of the cell",
    "block": "studies that the methods are compared on",
    "braf": "whether BRAF is mutant in the cell line; empty if not known",
    "caution": "whether the criterion holds in more than one shuffle of the labels too",
    "cell": "name of the cell in the preprocessed study",
    "cell_line": "cell line",
    "cell_type": "annotated cell type; empty if not known",
    "chance": "expected share of two random choices",
    "choice": "what differs from the published procedure",
    "claim": "id of the claim in config/claims.tsv",
    "comparison": "group, after the name of its contrast unless it is one type against the rest",
    "condition": "condition, such as treatment, of the cell",
    "contrast": "name of the comparison in config/models.yaml",
    "drug": "drug, compared with DMSO",
    "expression_*": "log(1 + transcripts per 10,000) of the gene that the column is named after",
    "extra_nodes": "fully connected latent variables in addition to the annotated GMVs",
    "few_cells": "whether fewer than 10 cells have the drug, or DMSO",
    "fold": "cross-validation fold",
    "gene": "gene symbol",
    "gene_set": "gene set with planted activity",
    "gmv": "gene module variable, by the name of its gene set",
    "group": "cells that are compared",
    "heading": "kind of choice",
    "in_set": "whether the gene is in the gene set of the GMV",
    "inactive": "whether the GMV has the same activity in all cells",
    "kind": "whether the comparison is of conditions or of cell types",
    "kras": "whether KRAS is mutant in the cell line; empty if not known",
    "labels": "labels that the silhouette is computed from",
    "larger_condition": "share of cells in the larger condition, the accuracy of a constant guess",
    "log_bf": "natural logarithm of the Bayes factor",
    "loss": "lowest loss of all epochs, per cell",
    "md": "absolute difference of mean activities (MD); no unit",
    "mean": "mean over repeats",
    "measure": "what the value is of",
    "method": "method, or model of VEGA",
    "n_genes": "genes of the set among the genes of the study",
    "n_group": "cells in the group",
    "neg_log10_fdr": "-log10 of the false discovery rate of GSEA",
    "l1_lambda": "lambda, the penalty on weights of genes outside the set",
    "noise_floor": "mean of two models that differ by the seed alone; empty without a second seed",
    "rank": "rank of the weight among all genes, 1 is the largest",
    "reference": "cells that the group is compared with",
    "removed": "whether the gene was removed from the set before training",
    "round": "repeat of the timing",
    "run": "repeat of the training",
    "sample": "cells, and whether the model has seen them",
    "sd": "standard deviation over repeats",
    "seconds": "seconds per epoch",
    "silhouette": "average silhouette width of the labels in the latent space",
    "spearman": "Spearman correlation over cells with the planted activity",
    "statement": "what the paper claims",
    "study": "study, by its name in config/studies.yaml",
    "tissue": "tissue of the cell line",
    "tsne_*": "coordinate of the t-SNE of the posterior means; no unit",
    "umap_*": "coordinate of the UMAP of the posterior means; no unit",
    "validation_loss": "lowest validation loss of all epochs, per cell",
    "value": "number that stands for the claim",
    "verdict": "whether the claim is reproduced under the choice",
    "weight": "decoder weight",
    "weight_*": "decoder weight from the GMV that the column is named after",
}


def meaning(column: str) -> str:
    """Return what a column means; a column that is not described is a KeyError."""
    for name, text in COLUMNS.items():
        if fnmatchcase(column, name):
            return text
    raise KeyError(f"column {column}: not described in scripts/figures/source_data.py")


def write_source_data(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write the tables of a figure, by panel, and the dictionary of their columns."""
    rows = []
    for panel, table in tables.items():
        write_table(table, folder / f"{panel}.tsv{'.gz' if len(table) > MOST_ROWS else ''}")
        for name, column in table.items():
            labels = column.dtype == "category"
            categories = BETWEEN.join(column.cat.categories) if labels else ""
            rows.append((panel, name, meaning(name), categories))
    columns = ["panel", "column", "meaning", "categories"]
    write_table(pd.DataFrame(rows, columns=columns), folder / DICTIONARY)


def read_source_data(folder: Path) -> dict[str, pd.DataFrame]:
    """Read what `write_source_data` has written, labels as categories."""
    tables = {}
    dictionary = read_table(folder / DICTIONARY, text=["categories"]).set_index("column")
    for panel, columns in dictionary.groupby("panel"):
        categories = columns["categories"].dropna().str.split(BETWEEN, regex=False)
        (path,) = folder.glob(f"{panel}.tsv*")
        table = read_table(path, text=categories.index)
        tables[panel] = table.astype({c: pd.CategoricalDtype(v) for c, v in categories.items()})
    return tables
