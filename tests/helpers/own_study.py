"""A study of a user's own, in every format: 160 cells of two types, half of them treated."""

import gzip
import sys

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from helpers.raw_files import cell_ranger, market

from tools.new_study.__main__ import main

GENES = [f"GENE{i}" for i in range(240)]
COMMON = ["RPL13A", "GAPDH", "ACTB"]  # show which names of a table are genes
SETS = {f"TOY_SET_{i}": GENES[20 * i : 20 * i + 20] for i in range(12)}
OF_ALPHA, OF_DRUG = "TOY_SET_0", "TOY_SET_5"  # active in type alpha, and under treatment


def write_gmt(path, gene_sets=SETS):
    path.write_text("".join("\t".join([n, "toy", *genes]) + "\n" for n, genes in gene_sets.items()))


def write_own(folder):
    """Write the same cells in each format, with planted activity."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    n, genes = 160, [*GENES, *COMMON]
    kind, drug = np.tile(["alpha", "beta"], n // 2), np.repeat(["treated", "Ctrl"], n // 2)
    mean = np.full((n, len(genes)), 2.0)
    for name, cells in ((OF_ALPHA, kind == "alpha"), (OF_DRUG, drug == "treated")):
        mean[np.ix_(cells, [genes.index(gene) for gene in SETS[name]])] *= 6
    counts = rng.poisson(mean)
    names = [f"AAAC{i:04d}-1" for i in range(n)]
    obs = pd.DataFrame({"Cell.Type": kind, "treatment": drug, "patient": "p1"}, index=names)
    obs.loc[names[::3], "patient"] = "p2"
    obs["score"] = rng.random(n)
    obs.to_csv(folder / "cells.csv")
    pd.DataFrame(counts, names, genes).to_csv(folder / "down.csv")
    pd.DataFrame(counts.T, genes, names).to_csv(folder / "across.tsv.gz", sep="\t")
    cells = AnnData(sp.csr_matrix(counts, dtype=np.float32), obs, pd.DataFrame(index=genes))
    cells.write_h5ad(folder / "mine.h5ad")
    (folder / "matrix.mtx.gz").write_bytes(gzip.compress(market(counts)))
    (folder / "barcodes.tsv").write_text("\n".join(names) + "\n")
    lines = [f"ENSG{i:011d}\t{gene}" for i, gene in enumerate(genes)]
    (folder / "features.tsv").write_text("\n".join(lines) + "\n")
    (folder / "filtered_feature_bc_matrix.h5").write_bytes(cell_ranger(counts, names, genes))
    write_gmt(folder / "own.gmt")


def new_study(monkeypatch, capsys, *words):
    """Run the command in this folder; its exit code, output and error."""
    monkeypatch.setattr(sys, "argv", ["new_study", *map(str, words)])
    try:
        main()
        code, error = 0, ""
    except SystemExit as stop:
        code, error = 1, str(stop.code)
    return code, capsys.readouterr().out, error
