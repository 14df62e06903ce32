"""Simulated studies of the default configuration, each drawn once per session."""

from functools import cache
from math import ceil

import numpy as np
import pandas as pd
from conftest import ROOT

from scripts.common.config.load import load
from scripts.simulate.genes import simulate_gene_sets
from scripts.simulate.simulate_study import simulate_study
from scripts.simulate.writers import raw_files

CONFIG = load({"data": "simulated"}, ROOT / "config")
TABLES = CONFIG.simulations.studies
FOLDERS = list(TABLES)


def draw(config, folder):
    """Draw a study by another configuration."""
    return simulate_study(folder, config.raw_source(folder), config.simulations)


def written(config, folder, drawn):
    """Return the content of each raw file."""
    return dict(raw_files(config.raw_source(folder), drawn, config.simulations.studies[folder]))


@cache
def simulated(folder):
    return draw(CONFIG, folder)


@cache
def contents(folder):
    return written(CONFIG, folder, simulated(folder))


@cache
def sets(file):
    return simulate_gene_sets(CONFIG.simulations, file)


def sets_of(folder):
    return sets(TABLES[folder].gene_sets)


@cache
def good_cells(folder):
    """Return the counts of good, labelled cells with a column per symbol, and their obs."""
    drawn = simulated(folder)
    labelled = drawn.cells[TABLES[folder].type_column].notna()
    good = (drawn.cells["quality"] == "normal") & labelled
    counts = pd.DataFrame(drawn.counts.toarray()[good.to_numpy()], columns=drawn.genes["symbol"])
    return counts, drawn.cells[good].reset_index(drop=True)


def planted_genes(folder, programme):
    """Return the first genes of the programme's set, and its further genes."""
    genes = sets_of(folder).get(programme.gene_set, [])
    return genes[: ceil(programme.share * len(genes))] + programme.genes


@cache
def unplanted(folder):
    """Return the genes that no programme shifts."""
    planted = {gene for p in TABLES[folder].programmes for gene in planted_genes(folder, p)}
    return [gene for gene in good_cells(folder)[0] if gene not in planted]


def mask(cells, where):
    return np.logical_and.reduce([cells[column].isin(v) for column, v in where.items()])


def log2_change(folder, genes, group, reference):
    """Return the log2 ratio of the pooled counts of `genes`, relative to the unplanted genes."""
    counts, _ = good_cells(folder)
    x = counts.to_numpy()
    a, b = (pd.Series(x[rows].sum(axis=0), counts.columns) for rows in (group, reference))
    steady = pd.Index(unplanted(folder))
    steady = steady[(a[steady] > 50) & (b[steady] > 50)]
    depth = np.log2(a[steady] / b[steady]).median()  # the median ignores markers of types
    return np.log2(a[genes].sum() / b[genes].sum()) - depth
