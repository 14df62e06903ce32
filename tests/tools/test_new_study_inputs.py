"""Inputs as users have them: what is proposed runs, or is refused before anything is written."""

import gzip
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp
from anndata import AnnData, read_h5ad
from conftest import edit
from helpers.own_study import COMMON, GENES, OF_ALPHA, SETS, new_study, write_own

from scripts.common.config.load import load
from scripts.common.config.models import ModelConfig
from scripts.common.config.studies import Study
from scripts.common.contrasts import groups
from scripts.preprocess.preprocess import read_and_preprocess
from tools.new_study.files import linked
from tools.new_study.inspect import inspect_file
from tools.new_study.names import pair
from tools.new_study.suggest import guessed, reference, suggest
from vega import read_gmt
from vega.errors import InputError

KNOWN = {gene for genes in SETS.values() for gene in genes}


@pytest.fixture
def own(tmp_path):
    write_own(tmp_path / "own")
    return tmp_path / "own"


@pytest.fixture
def cells(own):
    """The cells in memory: 160 x 243 counts, of alpha and beta, half of them treated."""
    return read_h5ad(own / "mine.h5ad")


class Added:
    """What the command would add, and the cells that the run makes of it."""

    def __init__(self, path, table=None, contrast=None, batch=False, columns=None, **choices):
        found = inspect_file(path, KNOWN, **choices)
        found = found.annotated(table) if table else found
        names = guessed(list(found.columns)) | (columns or {})
        self.rows = suggest(
            "mine", found, title="Mine", gene_sets="own.gmt", columns=names, contrast=contrast,
            batch=batch, sets=SETS,
        )  # fmt: skip
        self.files = found.files
        self.study, self.notes = self.rows.study, " | ".join(self.rows.notes)
        self.steps = {name: value for step in self.study["steps"] for name, value in step.items()}
        with linked(found.files) as folder:
            self.cells, _ = read_and_preprocess(Study.model_validate(self.study), folder)

    @property
    def sizes(self):
        """Cells of the group and of the reference, by comparison."""
        asked = ModelConfig.model_validate(self.rows.model).comparisons()
        return {
            f"{group}:{reference}": ((side == 1).sum(), (side == -1).sum())
            for _, group, reference, side in groups(self.cells.obs, asked)
        }


@pytest.fixture
def added(own):
    """Writes cells to a file and returns what is added."""

    def of(cells, **options):
        cells.write_h5ad(own / "new.h5ad")
        return Added(own / "new.h5ad", **options)

    return of


def refused(message, call, *arguments, **options):
    with pytest.raises(InputError, match=message) as caught:
        call(*arguments, **options)
    assert "\n" not in str(caught.value)


def test_spike_ins_and_summary_rows_are_left_out(own):
    table = pd.read_csv(own / "across.tsv.gz", sep="\t", index_col=0)
    genes = ["ERCC1", "ERCC6L2", *table.index]
    others = ["ERCC-00002", "ERCC-00171", "__no_feature", "alignment_not_unique"]
    table.reindex([*genes, *others], fill_value=7).to_csv(own / "spiked.tsv", sep="\t")
    found = inspect_file(own / "spiked.tsv", ())
    assert list(found.adata.var_names) == genes
    assert list(Added(own / "spiked.tsv", own / "cells.csv").cells.var_names) == genes
    assert "no_genes" not in Added(own / "across.tsv.gz").study["matrices"][0]


def test_only_columns_that_group_cells_are_kept(own):
    expected = {
        "Cell.Type": {"alpha": 80, "beta": 80},
        "treatment": {"Ctrl": 80, "treated": 80},
        "patient": {"p1": 106, "p2": 54},
    }
    table = inspect_file(own / "down.csv", ()).annotated(own / "cells.csv")
    assert table.columns == expected  # and not score
    assert inspect_file(own / "mine.h5ad", ()).columns == expected


def test_columns_and_references_are_guessed_by_their_names():
    assert guessed(["Cell.Type", "Treatment", "patient", "n"]) == {
        "cell_type": "Cell.Type", "condition": "Treatment", "batch": "patient",
    }  # fmt: skip
    assert guessed(["louvain", "cell_type"]) == {"cell_type": "cell_type"}
    assert guessed(["x"]) == {}
    assert reference(["stim", "CTRL"]) == "CTRL"
    assert reference(["a", "b"]) is None


def test_conditions_are_compared_with_their_reference(own):
    rows = Added(own / "mine.h5ad").rows
    assert rows.model["analyses"]["contrasts"] == {
        "treated": {"column": "condition", "group": "treated", "reference": "Ctrl", "gsea": True}
    }
    assert rows.study["conditions"] == ["Ctrl", "treated"]
    assert rows.model["analyses"]["one_vs_rest"] == "cell_type"
    assert "batch_key" not in rows.model
    asked = Added(own / "mine.h5ad", contrast=("Ctrl", "treated"), batch=True).rows
    assert asked.model["analyses"]["contrasts"]["Ctrl"]["reference"] == "treated"
    assert asked.model["data"]["batch_key"] == "batch"


def test_conditions_that_differ_in_signs_alone_or_have_colons_are_compared(own):
    cells = pd.read_csv(own / "cells.csv", index_col=0)
    cells["treatment"] = np.resize(["dox+", "dox-", "IL2:1h", "Ctrl"], len(cells))
    cells.to_csv(own / "cells.csv")
    contrasts = Added(own / "down.csv", own / "cells.csv").rows.model["analyses"]["contrasts"]
    assert {name: c["group"] for name, c in contrasts.items()} == {
        "dox": "dox+", "dox-2": "dox-", "IL2-1h": "IL2:1h"
    }  # fmt: skip
    assert {c["reference"] for c in contrasts.values()} == {"Ctrl"}
    chosen = pair("IL2:1h:dox-", ["dox+", "dox-", "IL2:1h"])
    assert chosen == ("IL2:1h", "dox-")
    found = Added(own / "down.csv", own / "cells.csv", contrast=chosen)
    (contrast,) = found.rows.model["analyses"]["contrasts"].values()
    assert (contrast["group"], contrast["reference"]) == ("IL2:1h", "dox-")
    with pytest.raises(InputError, match="give two conditions as A:B; there are a:b, c"):
        pair("a:b:d", ["a:b", "c"])


def test_counts_of_raw_are_taken_where_x_is_scaled(cells, added):
    counts = cells.X.toarray()
    cells.raw = cells.copy()
    cells = cells[:, :100].copy()
    cells.X = (counts[:, :100] - counts[:, :100].mean(0)) / counts[:, :100].std(0)
    found = added(cells)
    assert found.study["matrices"][0]["raw"]
    assert "X holds negative values; taken are the counts of .raw (243 genes)" in found.notes
    chosen = found.cells.layers["counts"].toarray()
    rows = cells.obs_names.isin(found.cells.obs_names)
    np.testing.assert_array_equal(chosen, counts[rows])


def test_values_that_are_not_counts_are_logged_unless_they_are(cells, added):
    counts = cells.X
    cells.X = counts.log1p()
    found = added(cells)
    assert found.study["steps"] == [{"processed": True}] and "values are no counts" in found.notes
    cells.X = counts
    tpm = cells.X.toarray() / cells.X.sum(1) * 1e6
    tpm[0, 0] = 345294.25
    cells.X = sp.csr_matrix(tpm, dtype=np.float32)
    found = added(cells)
    assert found.study["steps"] == [{"processed": "log1p"}]
    assert "up to 345,294, such as TPM: log1p is taken" in found.notes
    np.testing.assert_allclose(found.cells.X.toarray(), np.log1p(tpm), rtol=1e-5)


def test_counts_with_rounding_errors_are_rounded_and_told(cells, added, caplog):
    counts = cells.X.toarray()
    cells.X = cells.X.astype(np.float64)
    cells.X.data += np.random.default_rng(0).normal(0, 1e-7, cells.X.nnz)
    found = added(cells)
    rows = cells.obs_names.isin(found.cells.obs_names)
    np.testing.assert_array_equal(found.cells.layers["counts"].toarray(), counts[rows])
    assert "counts differ from whole numbers by up to" in caplog.text


def test_a_missing_value_among_logs_is_refused(cells, added):
    cells.X[3, 5] = np.nan
    cells.X = cells.X.log1p()
    refused("with own.gmt: .* 1 not finite", added, cells)


def test_a_panel_of_few_genes_keeps_its_cells(cells, added):
    found = added(cells[:, :150].copy())
    assert found.cells.shape == (160, 150)
    assert found.steps == {"gene_min_cells": 3, "normalise": "median"}
    assert "left out, as too few cells or genes would remain: cell_min_genes: 200" in found.notes


def test_clusters_that_are_numbers_are_named_as_the_run_names_them(cells, added):
    cells.obs["Cell.Type"] = np.arange(160.0) % 2
    found = added(cells)
    assert found.study["cell_types"] == ["0", "1"]
    assert list(found.cells.obs["cell_type"].cat.categories) == ["0", "1"]


@pytest.mark.parametrize("word", ["n/a", "NA", ""])
def test_a_missing_type_is_no_type(own, cells, added, word):
    cells.obs["Cell.Type"] = cells.obs["Cell.Type"].astype(str)
    cells.obs.loc[cells.obs_names[:10], "Cell.Type"] = word
    cells.obs.to_csv(own / "cells.csv")
    for found in (added(cells), Added(own / "down.csv", own / "cells.csv")):
        assert found.study["cell_types"] == ["alpha", "beta"]
        assert "10 of 160 cells have no cell_type (Cell.Type)" in found.notes
        assert found.cells.obs["cell_type"].isna().sum() == 10


def test_a_filter_that_removes_the_control_is_left_out(cells, added):
    control = (cells.obs["treatment"] == "Ctrl").to_numpy()
    kept = np.where(control[:, None], np.arange(243) % 2 == 0, True)
    cells.X = cells.X.multiply(kept).tocsr()
    found = added(cells)
    assert "cell_min_genes" not in found.steps and "cell_min_genes: 200" in found.notes
    assert found.sizes["treated:Ctrl"] == (80, 80)


def test_a_group_that_is_not_there_stops_a_run_at_its_start(repository):
    config = repository / "config"
    contrasts = {"x": {"column": "condition", "group": "stimulatd", "reference": "control"}}
    edit(config / "models.yaml", lambda c: c["kang"]["analyses"].update(contrasts=contrasts))
    message = "config/models.yaml: kang.contrasts.x.group: condition 'stimulatd' is not among cont"
    refused(message, load, {}, config)


def test_symbols_in_small_letters_become_capital_ones(cells, added):
    cells.var_names = cells.var_names.str.lower()
    found = added(cells)
    assert found.steps["upper_case"] and "small letters: they become capital" in found.notes
    assert list(found.cells.var_names) == [*GENES, *COMMON]


def test_ensembl_ids_need_a_column_of_symbols(own, cells, added):
    symbols = list(cells.var_names)
    cells.var_names = [f"ENSG{i:011d}.12" for i in range(243)]
    cells.var["feature_name"] = symbols
    cells.var["feature_name"] = cells.var["feature_name"].astype("category")
    cells.var["other"] = "x"
    for found in (added(cells), added(cells, symbols="feature_name")):
        assert found.study["matrices"][0]["symbols"] == "feature_name"
        assert list(found.cells.var_names) == symbols
        assert list(found.cells.var["gene_id"][:1]) == ["ENSG00000000000.12"]
    cells.raw = cells.copy()
    del cells.raw.var["feature_name"]
    cells.X = cells.X.log1p()
    found = added(cells)
    assert found.study["matrices"][0]["raw"] and list(found.cells.var_names) == symbols


@pytest.mark.parametrize(
    "name", ["ENSG00000000001_{}", "GRCh38_____{}", "{}|ENSG00000000001", "{};ENSG00000000001.2"]
)
def test_symbols_in_longer_names_are_found(own, cells, added, name):
    symbols = list(cells.var_names)
    cells.var_names = [name.format(symbol) for symbol in symbols]
    found = added(cells)
    assert list(found.cells.var_names) == symbols
    assert "genes are named by a part of their names, such as" in found.notes
    # In a table it is these names, too, that tell genes from cells.
    table = pd.DataFrame(cells.X.toarray(), cells.obs_names, cells.var_names)
    table.to_csv(own / "long.csv")
    assert list(Added(own / "long.csv", columns={}).cells.var_names) == symbols


def test_columns_that_the_workflow_uses_itself_are_refused_with_the_reason(cells, added):
    for name in ("barcode", "matrix", "annotated"):
        cells.obs[name] = cells.obs["treatment"].to_numpy()
        message = f"{name} is a name that the workflow uses itself; rename the column"
        refused(message, added, cells, columns={"condition": name})


def test_small_groups_are_told_in_one_note(cells, added):
    cells.obs["Cell.Type"] = [f"type {i // 4}" for i in range(160)]
    assert "groups of fewer than 10 cells: type 0 (4, one_vs_rest), type 1" in added(cells).notes
    assert "and 32 more" in added(cells).notes


def test_two_species_are_told(cells, added):
    genomes = cells.copy()
    genomes.var_names = [f"{'GRCh38' if i % 2 else 'mm10'}_{g}" for i, g in enumerate(GENES)] + [
        f"mm10_{gene}" for gene in COMMON
    ]
    refused("names of several genomes .*take the genes of one species", added, genomes)
    mouse = cells[:, :100].copy()
    mouse.var_names = mouse.var_names.str.capitalize()
    both = AnnData(sp.hstack([cells.X, mouse.X]).tocsr(), obs=cells.obs)
    both.var_names = [*cells.var_names, *mouse.var_names]
    assert "are they of two species?" in added(both).notes


def test_a_study_without_cells_or_genes_is_refused(cells, added):
    refused("the run would stop: 1 cells cannot be split", added, cells[:1].copy(), columns={})
    refused("expected counts of cells x genes, found 160 cells x 0 genes", added, cells[:, :0])


def test_what_is_chosen_for_the_user_is_told(cells, added):
    cells.obs["batch"] = cells.obs["patient"].astype(str)
    cells.obs.loc[cells.obs_names[:7], "batch"] = None
    found = added(cells)
    assert "Ctrl is the reference, by its name" in found.notes
    assert "7 of 160 cells have no batch (batch)" in found.notes
    n = found.cells.n_vars
    assert f"240 of these genes ({240 / n:.0%}) are in a gene set, and 12 of 12 sets" in found.notes
    found = added(cells, batch=True)
    assert found.steps["labelled"] == "batch" and "left out, as the decoder" in found.notes
    assert found.cells.obs["batch"].notna().all()
    cells.obs["treatment"] = cells.obs["treatment"].astype(str).replace("Ctrl", "x")
    found = added(cells)
    assert "treated is the reference, as the first of two; --contrast treated:x" in found.notes
    assert found.sizes["x:treated"] == (80, 80) or found.cells.n_obs < 160
    found = added(cells, contrast=("treated", "x"))
    assert "x is the reference, as --contrast says" in found.notes


def test_a_column_is_of_one_kind(own, repository, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    words = (own / "mine.h5ad", "--gene-sets", own / "own.gmt", "--condition", "patient", "--yes")
    code, said, error = new_study(monkeypatch, capsys, *words)
    assert code == 0 and "p1 is the reference, as the first of two" in said, error
    study = load({}, repository / "config").studies["mine"]
    assert study.matrices[0].columns == {"Cell.Type": "cell_type", "patient": "condition"}


def test_an_annotation_without_a_column_of_use_leaves_no_cell_out(own, cells):
    cells.obs[["score"]][:100].to_csv(own / "scores.csv")
    found = Added(own / "down.csv", own / "scores.csv")
    assert "annotations" not in found.study and "not in the annotation" not in found.notes
    assert_all_counts(found, cells)


def test_a_column_that_is_named_is_used_or_refused_with_the_reason(cells, added):
    cells.obs["fine"] = [f"type {i % 80:02d}" for i in range(160)]
    found = added(cells, columns={"cell_type": "fine"})
    assert len(found.study["cell_types"]) == 80
    cells.obs["one"] = "a"
    message = "no column one that groups the cells; there are .*; one has 1 value in 160 cells"
    refused(message, added, cells, columns={"cell_type": "one"})


# ---------------------------------------------------------------- files and parts of files


def assert_all_counts(found, cells):
    """All counts of all cells that remain are there, with names and symbols."""
    expected = cells[found.cells.obs_names, found.cells.var_names].X.toarray()
    np.testing.assert_array_equal(found.cells.layers["counts"].toarray(), expected)
    assert found.cells.n_obs > 150 and list(found.cells.var_names) == list(cells.var_names)


def test_layers_and_raw_can_be_named(cells, added):
    cells.layers["spliced"] = cells.X * 2
    cells.raw = cells.copy()
    found = added(cells, layer="spliced")
    assert found.study["matrices"] == [
        {
            "matrix": "new.h5ad", "layer": "spliced",
            "columns": {"Cell.Type": "cell_type", "treatment": "condition", "patient": "batch"},
        }
    ]  # fmt: skip
    cells.X = cells.X * 2
    assert_all_counts(found, cells)
    assert added(cells, raw=True).study["matrices"][0]["raw"]


def gzipped(path, folder):
    (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    return folder / f"{path.name}.gz"


def folder_of_cell_ranger(own, cells):
    folder = own / "filtered_feature_bc_matrix"
    folder.mkdir()
    shutil.copy(own / "matrix.mtx.gz", folder)
    for name in ("barcodes.tsv", "features.tsv"):
        gzipped(own / name, folder)
    return folder


def loom(own, cells):
    with h5py.File(own / "mine.loom", "w") as file:
        file["matrix"] = cells.X.toarray().T
        file["row_attrs/Gene"] = list(cells.var_names)
        file["col_attrs/CellID"] = list(cells.obs_names)
        for column in ("Cell.Type", "treatment"):
            file[f"col_attrs/{column}"] = list(cells.obs[column].astype(str))
    return own / "mine.loom"


def zarr(own, cells):
    cells.write_zarr(own / "mine.zarr")
    return own / "mine.zarr"


def zipped(file):
    return shutil.make_archive(file, "zip", file.parent, file.name)


FILES = {
    "h5ad": lambda own, cells: own / "mine.h5ad",
    "Cell Ranger's HDF5": lambda own, cells: own / "filtered_feature_bc_matrix.h5",
    "a table, cells down": lambda own, cells: own / "down.csv",
    "a table, cells across": lambda own, cells: own / "across.tsv.gz",
    "Matrix Market": lambda own, cells: own / "matrix.mtx.gz",
    "a folder of Cell Ranger": folder_of_cell_ranger,
    "a gzipped h5ad file": lambda own, cells: gzipped(own / "mine.h5ad", own),
    "loom": loom,
    "a folder of zarr": zarr,
    "a zip of zarr": lambda own, cells: zipped(zarr(own, cells)),
    "a zipped table": lambda own, cells: zipped(own / "down.csv"),
    "an h5ad file with another ending": lambda own, cells: shutil.copy(
        own / "mine.h5ad", own / "mine.data"
    ),
    "a table with another ending": lambda own, cells: shutil.copy(own / "down.csv", own / "a.h5ad"),
    "a file with blanks in its name": lambda own, cells: shutil.copy(
        own / "mine.h5ad", own / "My cells (1).h5ad"
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_files_are_read_by_their_content(own, cells, kind):
    found = Added(Path(FILES[kind](own, cells)), own / "cells.csv")
    assert_all_counts(found, cells)
    assert found.study["cell_types"] == ["alpha", "beta"]
    assert found.sizes["treated:Ctrl"][0] > 70


def test_the_lists_of_a_matrix_can_be_named(own, cells):
    (own / "names of cells.txt").write_bytes((own / "barcodes.tsv").read_bytes())
    (own / "barcodes.tsv").rename(own / "elsewhere.tsv")
    lists = {"barcodes": own / "names of cells.txt", "genes": own / "features.tsv"}
    assert_all_counts(Added(own / "matrix.mtx.gz", own / "cells.csv", **lists), cells)


def test_one_file_may_be_the_list_and_the_table_of_the_cells(own, cells):
    folder = own / "parse"
    folder.mkdir()
    scipy.io.mmwrite(folder / "DGE.mtx", sp.csr_matrix(cells.X.astype(int)))  # cells down
    cells.obs.to_csv(folder / "cells.csv", index_label="bc_wells")
    genes = pd.DataFrame({"gene_id": cells.var_names, "gene_name": cells.var_names, "genome": "x"})
    genes.to_csv(folder / "all_genes.csv", index=False)
    lists = {"barcodes": folder / "cells.csv", "genes": folder / "all_genes.csv"}
    found = Added(folder / "DGE.mtx", folder / "cells.csv", **lists)
    assert_all_counts(found, cells)
    assert [*found.files] == ["DGE.mtx", "cells.csv", "all_genes.csv"]


def test_gene_sets_may_be_gzipped(own):
    (own / "own.gmt.gz").write_bytes(gzip.compress((own / "own.gmt").read_bytes()))
    assert read_gmt(own / "own.gmt.gz")[OF_ALPHA] == SETS[OF_ALPHA]
