import json
from importlib.metadata import version
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp
import yaml
from scipy.stats import spearmanr

from scripts.common.config.studies import Relabel, Step, Study
from scripts.common.provenance import Provenance
from scripts.figures.qc import qc_figure
from scripts.preprocess.orthologs import one_to_one
from scripts.preprocess.preprocess import about, preprocess
from scripts.preprocess.readers import read
from scripts.preprocess.readers.files import RawFile
from scripts.preprocess.steps import STEPS, _spearman, describe
from vega.errors import InputError
from vega.values import layers_of

STUDIES = Path(__file__).parents[1] / "config" / "studies.yaml"


def study(*steps, **changes):
    entry = {
        "title": "Toy",
        "format": "mtx",
        "matrices": [{"matrix": "m", "barcodes": "b", "genes": "g"}],
        "steps": list(steps),
    }
    return Study.model_validate(entry | changes)


@pytest.fixture
def raw():
    """60 cells x 80 genes of three types with markers of their own, one cell without a type."""
    rng = np.random.default_rng(1)
    types = np.repeat(["B", "NK", "Mono"], 20)
    rate = rng.gamma(0.3, size=80) + np.zeros((60, 1))
    for i, name in enumerate(["B", "NK", "Mono"]):
        rate[types == name, 10 * i : 10 * i + 10] += 3
    counts = rng.poisson(rate).astype(np.float32)
    obs = pd.DataFrame({"cell_type": types, "condition": ["stim", "ctrl"] * 30}, dtype=object)
    obs.loc[7, "cell_type"] = None
    names = [f"MT-{i}" if i > 76 else f"G{i}" for i in range(80)]
    var = pd.DataFrame({"gene_id": [f"ENSG{i:011d}" for i in range(80)]}, index=names)
    return ad.AnnData(sp.csr_matrix(counts), obs=obs.set_axis(obs.index.map("c{}".format)), var=var)


def apply(adata, given=None, **step):
    """One step alone."""
    step = Step.model_validate(step)
    return STEPS[step.name][0](adata, step.value if given is None else given)


def test_every_step_of_the_configuration_can_be_done():
    assert {*STEPS, "each"} == set(Step.model_fields)


# ---------------------------------------------------------------- single steps


def test_filters_agree_with_dense_counting(raw):
    x = raw.X.toarray()
    cases = {
        "gene_min_cells": (20, np.s_[:, (x > 0).sum(0) >= 20]),
        "gene_min_counts": (15, np.s_[:, x.sum(0) >= 15]),
        "cell_min_genes": (21, np.s_[(x > 0).sum(1) >= 21]),
        "cell_max_mito": (2, np.s_[x[:, 77:].sum(1) / x.sum(1) <= 0.02]),
        "labelled": ("cell_type", np.s_[np.arange(60) != 7]),
    }
    for name, (value, kept) in cases.items():
        expected = raw[kept]
        assert 0 < expected.n_obs * expected.n_vars < x.size, f"{name}: nothing to remove"
        got = apply(raw, **{name: value})
        assert list(got.obs_names) == list(expected.obs_names), name
        assert list(got.var_names) == list(expected.var_names), name
        np.testing.assert_array_equal(got.X.toarray(), x[kept])


def test_filters_count_raw_counts_after_normalisation_too(raw):
    before = apply(raw, gene_min_counts=15)
    after = apply(apply(raw, normalise="median"), gene_min_counts=15)
    assert list(after.var_names) == list(before.var_names)


def test_filters_keep_what_just_reaches_the_limit(raw):
    cells, genes = (raw.X > 0).sum(0).A1, (raw.X > 0).sum(1).A1
    assert apply(raw, gene_min_cells=int(cells.max())).n_vars == (cells == cells.max()).sum()
    assert apply(raw, cell_min_genes=int(genes.max())).n_obs == (genes == genes.max()).sum()


def test_keep_and_drop_are_complements(raw):
    wanted = {"cell_type": ["B", "NK"], "condition": ["stim"]}
    kept, dropped = apply(raw, keep=wanted), apply(raw, drop=wanted)
    assert set(kept.obs["cell_type"]) == {"B", "NK"} and set(kept.obs["condition"]) == {"stim"}
    assert kept.n_obs == 20
    assert sorted([*kept.obs_names, *dropped.obs_names]) == sorted(raw.obs_names)
    assert "c7" in dropped.obs_names  # a cell without a type has none of the values


@pytest.mark.parametrize("target", ["median", 1e4])
def test_normalise_is_scanpys(raw, target):
    got = apply(raw, normalise=target)
    x = raw.X.toarray().astype(float)
    total = x.sum(1, keepdims=True)
    expected = np.log1p(x / total * (np.median(total) if target == "median" else target))
    np.testing.assert_allclose(got.X.toarray(), expected, rtol=1e-5)
    np.testing.assert_array_equal(got.layers["counts"].toarray(), x)
    np.testing.assert_array_equal(raw.X.toarray(), x)  # what came in is as it was
    to = None if target == "median" else target
    scanpys = sc.pp.normalize_total(raw, target_sum=to, inplace=False)
    np.testing.assert_array_equal(got.X.toarray(), np.log1p(scanpys["X"].toarray()))
    kept = got.uns["normalisation"]["target_sum"]
    assert kept == (np.median(total[total > 0]) if target == "median" else target)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (["median"], "median"),
        ([{"column": "cell_type", "steps": [{"normalise": 1e4}]}], 1e4),
        ([{"column": "cell_type", "steps": [{"normalise": "median"}]}], None),
    ],
)
def test_the_total_of_all_cells_is_kept(raw, steps, expected):
    """If each part is scaled to its own median, there is no total of all."""
    asked = [{"normalise": s} if s == "median" else {"each": s} for s in steps]
    cells, _ = preprocess(raw, study(*asked, {"gene_min_cells": 2}))
    if expected == "median":
        expected = np.median(np.asarray(raw.X.sum(axis=1)))
    assert cells.uns.get("normalisation") == (expected and {"target_sum": expected})


def test_highly_variable_is_scanpys(raw):
    normal = apply(raw, normalise="median")
    sc.pp.highly_variable_genes(normal, n_top_genes=30, flavor="seurat")
    expected = normal.var_names[normal.var["highly_variable"]]
    assert len(expected) == 30
    assert list(apply(normal, highly_variable=30).var_names) == list(expected)


def test_highly_variable_is_exact_in_spite_of_ties(raw):
    twins = ad.concat([raw, raw], axis=1, merge="first")  # every gene ties with its twin
    twins.var_names_make_unique()
    normal = apply(twins, normalise="median")
    assert apply(normal, highly_variable=31).n_vars == 31


def test_highly_variable_counts_is_seurat_v3_on_counts(raw):
    """Before and after normalisation alike; n exactly, in spite of ties."""
    counts = ad.AnnData(raw.X, var=raw.var[[]])
    sc.pp.highly_variable_genes(counts, n_top_genes=30, flavor="seurat_v3")
    expected = list(counts.var_names[counts.var["highly_variable"]])
    assert len(expected) == 30
    assert list(apply(raw, highly_variable_counts=30).var_names) == expected
    normal = apply(apply(raw, normalise=1e4), highly_variable_counts=30)
    assert list(normal.var_names) == expected
    assert list(apply(normal, highly_variable=30).var_names) == expected  # nothing left to drop
    twins = ad.concat([raw, raw], axis=1, merge="first")
    twins.var_names_make_unique()
    assert apply(twins, highly_variable_counts=31).n_vars == 31


def test_highly_variable_keeps_all_of_too_few_genes(raw, caplog):
    caplog.set_level("INFO", "workflow")
    assert apply(apply(raw, normalise="median"), highly_variable=81).n_vars == 80
    assert "only 80 genes, fewer than the 81 asked" in caplog.text


def test_relabel_agrees_with_a_loop(raw):
    labels = raw.obs["cell_type"].copy()
    swapped = raw.copy()
    swapped.obs.loc[["c0", "c59"], "cell_type"] = ["Mono", "B"]  # two mistakes to be mended
    got = apply(swapped, relabel=Relabel(n_genes=5)).obs["cell_type"]

    normal = apply(swapped, normalise="median")
    known = normal[swapped.obs["cell_type"].notna().to_numpy()].copy()
    known.obs["cell_type"] = known.obs["cell_type"].astype("category")
    sc.tl.rank_genes_groups(known, "cell_type", method="t-test", n_genes=5)
    names = known.uns["rank_genes_groups"]["names"]
    genes = sorted({gene for group in names.dtype.names for gene in names[group]})
    assert len(genes) <= 15
    x = pd.DataFrame(known[:, genes].X.toarray(), index=known.obs_names)
    averages = x.groupby(known.obs["cell_type"], observed=True).mean()
    for cell in swapped.obs_names:
        own = swapped[cell, genes].X.toarray().ravel()
        scores = {c: spearmanr(own, averages.loc[c]).statistic for c in averages.index}
        assert got[cell] == max(scores, key=scores.get), cell
    assert got["c0"] == "B" and got["c59"] == "Mono" and got["c7"] == labels["c6"]


def test_correlation_is_spearmans_with_ties():
    rng = np.random.default_rng(2)
    a, b = rng.poisson(1, (6, 30)), rng.exponential(1, (3, 30)) ** 4
    expected = [[spearmanr(x, y).statistic for y in b] for x in a]
    np.testing.assert_allclose(_spearman(a, b), expected, atol=1e-12)


def test_relabel_leaves_cells_without_markers_alone(raw):
    x = raw.X.toarray()
    x[3], x[7] = 0, 0
    empty = ad.AnnData(sp.csr_matrix(x), obs=raw.obs.copy(), var=raw.var)
    empty.obs.loc["c3", "cell_type"] = "Mono"
    got = apply(empty, relabel=Relabel(n_genes=5)).obs["cell_type"]
    assert got["c3"] == "Mono" and pd.isna(got["c7"])


# ---------------------------------------------------------------- steps of parts, other genes


BY_CONDITION = {
    "each": {
        "column": "condition",
        "steps": [{"cell_min_genes": 20}, {"gene_min_cells": 11}, {"normalise": 1e4}],
    }
}


def test_each_does_its_steps_apart(raw):
    raw.obs.loc["c4", "condition"] = None
    x, condition = raw.X.toarray(), raw.obs["condition"].to_numpy()
    cells, genes = np.zeros(60, dtype=bool), np.ones(80, dtype=bool)
    counts = []
    for name in ("stim", "ctrl"):
        rich = (condition == name) & ((x > 0).sum(1) >= 20)
        kept = (x[rich] > 0).sum(0) >= 11
        counts.append((rich.sum(), kept))
        cells |= rich
        genes &= kept
    assert any((kept != genes).any() for _, kept in counts) and 0 < genes.sum() < 80

    got, qc = preprocess(raw, study(BY_CONDITION))
    assert list(got.obs_names) == list(raw.obs_names[cells])
    assert list(got.var_names) == list(raw.var_names[genes])
    np.testing.assert_array_equal(got.layers["counts"].toarray(), x[cells][:, genes])
    # Each cell is normalised with the genes that its own part kept.
    for row, (cell, name) in enumerate(got.obs["condition"].items()):
        kept = counts[0 if name == "stim" else 1][1]
        own = x[raw.obs_names.get_loc(cell)]
        expected = np.log1p(own / own[kept].sum() * 1e4)[genes]
        np.testing.assert_allclose(got.X[row].toarray().ravel(), expected, rtol=1e-5)
    assert qc["step"].tolist() == ["cell_min_genes", "gene_min_cells", "normalise"]
    assert qc["asked"][0] == "cells with at least 20 genes, by condition"
    assert qc["cells_before"].tolist() == [59, *[cells.sum()] * 2]
    assert qc["genes_after"].tolist() == [80, *[genes.sum()] * 2]


def test_each_that_cannot_be_done(raw):
    steps = [{"cell_min_genes": 20}, {"keep": {"cell_type": ["B"]}}]
    entry = study({"each": {"column": "cell_type", "steps": steps}})
    with pytest.raises(
        InputError, match=r"step 1 \(for each cell_type: cells .*no cell has cell_t"
    ):
        preprocess(raw, entry)
    with pytest.raises(InputError, match="no column plate"):
        preprocess(raw, study({"each": {"column": "plate", "steps": steps}}))


def test_orthologs(raw, caplog):
    caplog.set_level("INFO", "workflow")
    symbols = {"G3": "H3", "G1": "H1", "G79": "X", "Absent": "H9"}
    got = apply(raw, given=symbols, orthologs="table.csv")
    assert list(got.var_names) == ["H1", "H3"]
    np.testing.assert_array_equal(got.X.toarray(), raw.X.toarray()[:, [1, 3]])
    assert "78 of 80 genes have none" in caplog.text
    assert list(raw.var_names[:2]) == ["G0", "G1"]  # what came in is as it was
    with pytest.raises(InputError, match=r"none of the genes \(such as G0, G1, G2\) is in"):
        apply(raw, given={"Rho": "RHO"}, orthologs="table.csv")


def test_one_to_one_orthologs_are_unique_on_both_sides(tmp_path):
    header = "Gene stable ID,Gene name,Human gene name,Human gene stable ID,Human homology type,c"
    rows = [
        "1,Rho,RHO,11,ortholog_one2one,1",
        "2,Cst9,CST9L,12,ortholog_one2many,0",
        "3,Gm1,,13,ortholog_one2one,1",
        "4,,ABC,14,ortholog_one2one,1",
        "5,mt-Tf,,,,",
        "6,Nrg1,NRG1,16,ortholog_one2one,1",
        "7,Nrg1,NRG1-AS,17,ortholog_one2one,1",
        "8,A,SAME,18,ortholog_one2one,1",
        "9,B,SAME,19,ortholog_one2one,1",
        "10,Gad1,GAD1,20,ortholog_one2one,1",
        "11,Gad1,GAD1,20,ortholog_one2one,1",
    ]
    path = tmp_path / "mouse_to_human.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    assert one_to_one(RawFile(path)) == {"Rho": "RHO", "Gad1": "GAD1"}
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"mouse_to_human.csv: no column Gene name, Human gene"):
        one_to_one(RawFile(path))


@pytest.mark.parametrize("normalised", [False, True])
def test_reindex(raw, caplog, normalised):
    caplog.set_level("INFO", "workflow")
    names = ["New", "G5", "G0", "MT-79", "Other"]
    genes = pd.DataFrame({"gene_id": list("abcde"), "more": 1}, index=names)
    adata = apply(raw, normalise="median") if normalised else raw
    got = apply(adata, given=genes, reindex="other")
    layers = zip(layers_of(got).values(), layers_of(adata).values(), strict=True)
    for matrix, whole in ((got.X, adata.X), *layers):
        expected = np.zeros((60, 5))
        expected[:, 1:4] = whole.toarray()[:, [5, 0, 79]]
        np.testing.assert_array_equal(matrix.toarray(), expected)
    assert list(got.var_names) == names and list(got.var["gene_id"]) == list("abcde")
    assert list(layers_of(got)) == list(layers_of(adata))
    pd.testing.assert_frame_equal(got.obs, raw.obs)
    assert "2 of 5 genes are absent" in caplog.text
    with pytest.raises(InputError, match="none of its genes"):
        apply(adata, given=genes.iloc[[0, 4]], reindex="other")


def test_processed_cells(raw):
    logs = raw.copy()
    logs.X.data = np.log1p(logs.X.data)
    entry = study({"processed": True}, {"drop": {"cell_type": ["Mono"]}}, {"highly_variable": 20})
    cells, qc = preprocess(logs, entry)
    assert cells.n_vars == 20 and not cells.layers and cells.X.format == "csr"
    kept = raw.var_names.get_indexer(cells.var_names)
    np.testing.assert_array_equal(cells.X.toarray(), logs.X.toarray()[:40][:, kept])
    assert qc["asked"][0] == "log-normalised by the authors"


@pytest.mark.parametrize(
    ("change", "steps", "words"),
    [
        (lambda x: x, [], "whole numbers, as counts are; normalise"),
        (lambda x: np.log1p(x) - 1, [], "are not log-normalised"),
        (lambda x: x * 1000.5, [], "are not log-normalised"),
        (lambda x: x * np.nan, [], "are not log-normalised"),
        (np.log1p, [{"gene_min_cells": 3}], "step 2 .* there are no counts of processed cells"),
        (np.log1p, [{"cell_min_genes": 3}], "step 2 .* there are no counts of processed cells"),
        (np.log1p, [{"normalise": 1e4}], "step 2 .* normalised already"),
    ],
)
def test_cells_that_are_not_processed_or_not_counts(raw, change, steps, words):
    raw.X.data = change(raw.X.data)
    with pytest.raises(InputError, match=words):
        preprocess(raw, study({"processed": True}, *steps))


@pytest.mark.parametrize("column", ["cell_type", "condition"])
def test_a_study_without_types_or_conditions(raw, column):
    del raw.obs[column]
    cells, _ = preprocess(raw, study({"normalise": "median"}))
    assert column not in cells.obs and cells.n_obs == 60
    with pytest.raises(InputError, match=f"{column}s are given, but the cells have no column"):
        preprocess(raw, study({"normalise": "median"}, **{f"{column}s": ["a"]}))


# ---------------------------------------------------------------- what cannot be done


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([{"keep": {"cell_type": ["T"]}}], ["step 1 (cell_type is T)", "there are: B, Mono, NK"]),
        ([{"keep": {"batch": ["1"]}}], ["no column batch", "cell_type, condition"]),
        ([{"drop": {"batch": ["1"]}}], ["no column batch"]),
        ([{"labelled": "type"}], ["no column type"]),
        (
            [{"drop": {"condition": ["stim"]}}, {"drop": {"condition": ["ctrl"]}}],
            ["step 2 (condition is not ctrl)", "nothing is left"],
        ),
        ([{"cell_min_genes": 81}], ["step 1 (cells with at least 81 genes)", "nothing is left"]),
        ([{"gene_min_cells": 61}], ["step 1 (genes in at least 61 cells)", "nothing is left"]),
        ([{"highly_variable": 5}], ["step 1 (5 most variable genes)", "after normalise"]),
        ([{"normalise": "median"}, {"normalise": 1e4}], ["step 2", "normalised already"]),
        ([{"gene_min_cells": 1}], ["normalise is missing"]),
        ([{"keep": {"cell_type": ["B"]}}, {"relabel": {}}], ["step 2", "at least two labels"]),
    ],
)
def test_steps_that_cannot_be_done(raw, steps, words):
    with pytest.raises(InputError) as error:
        preprocess(raw, study(*steps))
    assert "\n" not in str(error.value) and str(error.value).startswith("studies.yaml: Toy: ")
    for word in words:
        assert word in str(error.value), str(error.value)


def test_mitochondria_that_are_not_there(raw):
    with pytest.raises(InputError, match="no gene begins with MT-"):
        preprocess(raw[:, :77].copy(), study({"cell_max_mito": 10}))


def test_dropping_what_is_not_there_is_only_told(raw, caplog):
    caplog.set_level("INFO", "workflow")
    assert apply(raw, drop={"cell_type": ["Platelet"]}).n_obs == 60
    assert "no cell has cell_type Platelet" in caplog.text


def test_a_type_without_a_place_in_the_order(raw):
    with pytest.raises(InputError, match=r"cell_type Mono has no place.*add it there, or drop"):
        preprocess(raw, study({"normalise": "median"}, cell_types=["NK", "B"]))


# ---------------------------------------------------------------- the whole


STEPS_IN_A_ROW = [
    {"labelled": "cell_type"},
    {"drop": {"cell_type": ["Mono"]}},
    {"gene_min_cells": 5},
    {"cell_min_genes": 19},
    {"normalise": "median"},
    {"highly_variable": 20},
]


def test_result_and_table(raw):
    raw.obs["annotated"] = ~raw.obs_names.isin(["c1", "c2", "c30"])
    annotation = {"file": "cells.tsv", "columns": {"t": "cell_type"}}
    entry = study(
        *STEPS_IN_A_ROW,
        annotations=[annotation],
        cell_types=["NK", "B", "Mono"],
        conditions=["ctrl", "stim"],
    )
    cells, qc = preprocess(raw, entry)

    here = ~np.isin(np.arange(60), [1, 2, 30])
    typed = here & (np.arange(60) != 7)
    lymphoid = typed & (np.arange(60) < 40)
    x = raw.X.toarray()
    genes = (x[lymphoid] > 0).sum(0) >= 5
    rich = lymphoid & ((x[:, genes] > 0).sum(1) >= 19)
    counts = [60, here.sum(), typed.sum(), lymphoid.sum(), lymphoid.sum(), *[rich.sum()] * 3]
    assert qc["step"].tolist() == ["annotated", *(next(iter(s)) for s in STEPS_IN_A_ROW)]
    assert qc["cells_before"].tolist() == counts[:-1]
    assert qc["cells_after"].tolist() == counts[1:]
    assert qc["cells_removed"].tolist() == (-np.diff(counts)).tolist()
    assert qc["genes_after"].tolist() == [80] * 3 + [genes.sum()] * 3 + [20]
    assert (qc["genes_before"] - qc["genes_after"] == qc["genes_removed"]).all()

    assert cells.shape == (rich.sum(), 20) and list(cells.obs) == ["cell_type", "condition"]
    assert list(cells.obs["cell_type"].cat.categories) == ["NK", "B"]
    assert list(cells.obs["condition"].cat.categories) == ["ctrl", "stim"]
    for matrix in (cells.X, cells.layers["counts"]):
        assert matrix.format == "csr" and matrix.dtype == np.float32
    kept = raw.var_names.get_indexer(cells.var_names)
    np.testing.assert_array_equal(cells.layers["counts"].toarray(), x[rich][:, kept])
    assert list(cells.var["gene_id"]) == [f"ENSG{i:011d}" for i in kept]


def arrays(cells):
    return [
        part.tobytes()
        for matrix in (cells.X, cells.layers["counts"])
        for part in (matrix.data, matrix.indices, matrix.indptr)
    ]


def test_two_runs_are_the_same_to_the_byte(raw):
    entry = study({"relabel": {"n_genes": 5}}, *STEPS_IN_A_ROW)
    (first, _), (second, _) = preprocess(raw.copy(), entry), preprocess(raw.copy(), entry)
    assert arrays(first) == arrays(second)
    pd.testing.assert_frame_equal(first.obs, second.obs)


def records(identities):
    for name, identity in zip("mbg", identities, strict=False):
        yield Provenance("toy", name, "https://x", 1, "cd", "ab", identity, pinned={})
    yield Provenance("toy", "unused", "https://x", 1, "cd", "ab", "simulated", pinned={})


@pytest.mark.parametrize(
    ("identities", "origin"),
    [
        (["pinned", "first use"], "public"),
        (["pinned", "mirror"], "mirror subset"),
        (["simulated"], "simulated"),
    ],
)
def test_provenance_survives_the_file(raw, tmp_path, identities, origin):
    entry = study(*STEPS_IN_A_ROW, series="GSE1")
    cells, _ = preprocess(raw, entry)
    cells.uns["provenance"] = about("toy", entry, records(identities))
    cells.write_h5ad(tmp_path / "toy.h5ad", compression="gzip")
    again = ad.read_h5ad(tmp_path / "toy.h5ad")
    assert arrays(again) == arrays(cells)
    pd.testing.assert_frame_equal(again.obs, cells.obs)
    facts = json.loads(again.uns["provenance"])
    assert (facts["study"], facts["series"], facts["origin"]) == ("toy", "GSE1", origin)
    assert [f["sha256"] for f in facts["files"]] == ["ab"] * len(identities)
    assert facts["steps"] == [describe(s) for s in entry.steps]
    assert facts["versions"]["scanpy"] == version("scanpy")


@pytest.mark.parametrize("simulated", [True, False])
def test_figure_shows_every_number(raw, simulated):
    _, qc = preprocess(raw, study(*STEPS_IN_A_ROW))
    figure = qc_figure(qc, "Toy", simulated)
    assert figure.get_suptitle() == ("SIMULATED · Toy" if simulated else "Toy")
    for axis, what in zip(figure.axes, ("cells", "genes"), strict=True):
        notes = [text.get_text() for text in axis.texts]
        assert notes[0] == str(qc[f"{what}_before"][0])
        for note, left, gone in zip(
            notes[1:], qc[f"{what}_after"], qc[f"{what}_removed"], strict=True
        ):
            assert note == (f"{left}  (−{gone})" if gone else f"{left}")
    figure.draw_without_rendering()
    page = figure.bbox
    for axis in figure.axes:
        boxes = [text.get_window_extent() for text in [*axis.texts, *axis.get_yticklabels()]]
        assert all(page.x0 <= box.x0 and box.x1 <= page.x1 for box in boxes)


def test_real_cells(mirror):
    kang = Study.model_validate(yaml.safe_load(STUDIES.read_text())["kang"])
    cells, qc = preprocess(read(kang, mirror / "kang"), kang)
    by_step = qc.set_index("step")
    assert by_step.loc["annotated", "cells_before"] == 2000
    assert by_step.loc["keep", "cells_removed"] == 7  # the doublets
    assert by_step.loc["labelled", "cells_removed"] == 5
    assert cells.n_vars == 6998 and cells.n_obs == by_step["cells_after"].iloc[-1] > 1900
    assert list(cells.obs["cell_type"].cat.categories) == kang.cell_types
    assert list(cells.obs["condition"].cat.categories) == ["control", "stimulated"]
    assert set(cells.obs["multiplet"]) == {"singlet"}
    # ISG15 answers to interferon in every cell: the conditions are joined the right way round.
    isg15 = cells[:, "ISG15"].X.toarray().ravel()
    means = pd.Series(isg15).groupby(cells.obs["condition"].to_numpy()).mean()
    assert means["stimulated"] > 5 * means["control"]


def test_real_cells_of_another_study(mirror):
    """All 2,700 cells of 10x; the labels of the mirror know 14 megakaryocytes, the paper's 15."""
    kang, zheng = (
        Study.model_validate(yaml.safe_load(STUDIES.read_text())[name])
        for name in ("kang", "zheng")
    )
    genes = preprocess(read(kang, mirror / "kang"), kang)[0].var
    raw = read(zheng, mirror / "zheng")
    assert raw.shape == (2700, 32738) and raw.X.nnz == 2286884
    assert raw.obs["annotated"].sum() == raw.obs["cell_type"].notna().sum() == 2638
    labels = ad.read_h5ad(mirror / "zheng" / "pbmc3k.h5ad").obs["louvain"]
    dropped = (labels == "Megakaryocytes").sum()
    cells, qc = preprocess(raw, zheng, {"reindex": genes})
    assert qc["cells_after"].tolist() == [2638, *[2638 - dropped] * 3]
    assert list(cells.var_names) == list(genes.index) and cells.n_vars == 6998
    assert list(cells.obs["cell_type"].cat.categories) == zheng.cell_types
    meant = labels.map(zheng.annotations[0].values["cell_type"]).astype(str)[cells.obs_names]
    assert (cells.obs["cell_type"].astype(str) == meant).all()
    shared = genes.index[genes.index.isin(raw.var_names)]
    assert 6000 < len(shared) < 6998
    np.testing.assert_array_equal(
        cells[:, shared].layers["counts"].toarray(), raw[cells.obs_names, shared].X.toarray()
    )
    assert cells[:, ~cells.var_names.isin(shared)].X.nnz == 0
    by_type = pd.Series(cells[:, "CD79A"].X.toarray().ravel()).groupby(
        cells.obs["cell_type"].to_numpy()
    )
    assert by_type.mean().idxmax() == "B"
