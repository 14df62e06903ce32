"""Each step of preprocessing against an independent computation, and all of them in turn."""

import json
from importlib.metadata import version

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.io
import scipy.sparse as sp
from conftest import ROOT
from scipy.stats import spearmanr

from scripts.common.config.load import load
from scripts.common.config.studies import Relabel, Step, Study
from scripts.common.provenance import Provenance
from scripts.figures.qc import qc_figure
from scripts.preprocess.orthologs import one_to_one
from scripts.preprocess.preprocess import about, preprocess
from scripts.preprocess.readers import read
from scripts.preprocess.readers.files import RawFile
from scripts.preprocess.steps import STEPS, describe
from vega.errors import InputError
from vega.values import layers_of

STUDIES = load({}, ROOT / "config").studies


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
    """60 cells x 80 genes of three types, each with 10 markers; one cell has no type."""
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


def test_every_step_of_the_configuration_is_registered():
    assert {*STEPS, "each"} == set(Step.model_fields)


def test_filters_agree_with_dense_counting(raw):
    """Each limit is one that a cell or gene just reaches; counts are raw after normalisation."""
    x = raw.X.toarray()
    in_cells, total, genes = (x > 0).sum(0), x.sum(0), (x > 0).sum(1)
    cases = {
        "gene_min_cells": (int(in_cells[5]), np.s_[:, in_cells >= in_cells[5]]),
        "gene_min_counts": (int(total[5]), np.s_[:, total >= total[5]]),
        "cell_min_genes": (int(genes[5]), np.s_[genes >= genes[5]]),
        "cell_max_mito": (2, np.s_[x[:, 77:].sum(1) / x.sum(1) <= 0.02]),
        "labelled": ("cell_type", np.s_[np.arange(60) != 7]),
    }
    for name, (value, kept) in cases.items():
        expected = raw[kept]
        assert 0 < expected.n_obs * expected.n_vars < x.size, f"{name}: nothing to remove"
        for adata in (raw, apply(raw, normalise="median")):
            got = apply(adata, **{name: value})
            assert list(got.obs_names) == list(expected.obs_names), name
            assert list(got.var_names) == list(expected.var_names), name
        np.testing.assert_array_equal(got.layers["counts"].toarray(), x[kept])


def test_a_share_of_the_cells_is_the_same_each_time_and_in_their_order(raw):
    half = apply(raw, cell_share=0.5)
    assert half.n_obs == 30 and len(set(half.obs_names)) == 30
    assert list(half.obs_names) == [name for name in raw.obs_names if name in half.obs_names]
    assert half.obs_names.equals(apply(raw, cell_share=0.5).obs_names)
    assert not half.obs_names.equals(raw.obs_names[:30])
    np.testing.assert_array_equal(half.X.toarray(), raw[half.obs_names].X.toarray())


def test_keep_and_drop_are_complements(raw, caplog):
    wanted = {"cell_type": ["B", "NK"], "condition": ["stim"]}
    kept, dropped = apply(raw, keep=wanted), apply(raw, drop=wanted)
    assert set(kept.obs["cell_type"]) == {"B", "NK"} and set(kept.obs["condition"]) == {"stim"}
    assert kept.n_obs == 20
    assert sorted([*kept.obs_names, *dropped.obs_names]) == sorted(raw.obs_names)
    assert "c7" in dropped.obs_names  # a cell without a type has none of the values
    caplog.set_level("INFO", "workflow")
    assert apply(raw, drop={"cell_type": ["Platelet"]}).n_obs == 60
    assert "no cell has cell_type Platelet" in caplog.text


@pytest.mark.parametrize("target", ["median", 1e4])
def test_normalise_scales_each_cell_to_the_total_and_takes_logs(raw, target):
    got = apply(raw, normalise=target)
    x = raw.X.toarray().astype(float)
    total = x.sum(1, keepdims=True)
    expected = np.log1p(x / total * (np.median(total) if target == "median" else target))
    np.testing.assert_allclose(got.X.toarray(), expected, rtol=1e-5)
    np.testing.assert_array_equal(got.layers["counts"].toarray(), x)
    np.testing.assert_array_equal(raw.X.toarray(), x)  # the input is unchanged
    kept = got.uns["normalisation"]["target_sum"]
    assert kept == (np.median(total[total > 0]) if target == "median" else target)


@pytest.mark.parametrize("target", [1e4, "median"])
def test_the_total_of_all_cells_is_kept_unless_each_part_has_its_own(raw, target):
    each = {"each": {"column": "cell_type", "steps": [{"normalise": target}]}}
    cells, _ = preprocess(raw, study(each, {"gene_min_cells": 2}))
    assert cells.uns.get("normalisation") == (None if target == "median" else {"target_sum": 1e4})


@pytest.mark.parametrize(
    ("step", "flavor"), [("highly_variable", "seurat"), ("highly_variable_counts", "seurat_v3")]
)
def test_variable_genes_are_those_of_scanpy_and_exactly_n(raw, caplog, step, flavor):
    caplog.set_level("INFO", "workflow")
    normal = apply(raw, normalise="median")
    cells = ad.AnnData(normal.X if flavor == "seurat" else raw.X, var=raw.var[[]])
    sc.pp.highly_variable_genes(cells, n_top_genes=30, flavor=flavor)
    expected = list(cells.var_names[cells.var["highly_variable"]])
    assert len(expected) == 30
    assert list(apply(normal, **{step: 30}).var_names) == expected
    if flavor == "seurat_v3":  # of counts, before normalisation too
        assert list(apply(raw, **{step: 30}).var_names) == expected
    twins = ad.concat([raw, raw], axis=1, merge="first")  # every gene ties with its twin
    twins.var_names_make_unique()
    assert apply(apply(twins, normalise="median"), **{step: 31}).n_vars == 31
    assert apply(normal, **{step: 81}).n_vars == 80
    assert "only 80 genes, fewer than" in caplog.text


def test_relabel_agrees_with_a_loop(raw):
    labels = raw.obs["cell_type"].copy()
    swapped = raw.copy()
    swapped.obs.loc[["c0", "c59"], "cell_type"] = ["Mono", "B"]  # two mistakes
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


def test_relabel_leaves_cells_without_markers_alone(raw):
    x = raw.X.toarray()
    x[[3, 7]] = 0
    raw.X, raw.obs.loc["c3", "cell_type"] = sp.csr_matrix(x), "Mono"
    got = apply(raw, relabel=Relabel(n_genes=5)).obs["cell_type"]
    assert got["c3"] == "Mono" and pd.isna(got["c7"])


def test_each_applies_its_steps_to_every_part(raw):
    """The parts, done apart, are joined over the genes that all of them keep."""
    raw.obs.loc["c4", "condition"] = None
    steps = [{"cell_min_genes": 20}, {"gene_min_cells": 11}, {"normalise": 1e4}]
    parts = {
        name: preprocess(raw[raw.obs["condition"] == name].copy(), study(*steps))
        for name in ("stim", "ctrl")
    }
    kept = [set(cells.var_names) for cells, _ in parts.values()]
    genes = [gene for gene in raw.var_names if gene in kept[0] & kept[1]]
    assert kept[0] != kept[1] and 0 < len(genes) < 80

    got, qc = preprocess(raw, study({"each": {"column": "condition", "steps": steps}}))
    expected = ad.concat([cells[:, genes] for cells, _ in parts.values()])
    expected = expected[[cell for cell in raw.obs_names if cell in expected.obs_names]]
    assert list(got.obs_names) == list(expected.obs_names) and list(got.var_names) == genes
    for matrix, own in ((got.X, expected.X), (got.layers["counts"], expected.layers["counts"])):
        np.testing.assert_array_equal(matrix.toarray(), own.toarray())
    assert qc["step"].tolist() == ["cell_min_genes", "gene_min_cells", "normalise"]
    assert qc["asked"][0] == "cells with at least 20 genes, by condition"
    assert qc["cells_before"].tolist() == [59, *[got.n_obs] * 2]
    assert qc["genes_after"].tolist() == [80, *[len(genes)] * 2]


@pytest.mark.parametrize(
    ("step", "first"),
    [
        ({"upper_case": True}, "GENE0"),
        ({"rename_genes": "gene(.+)"}, "0"),
        ({"orthologs": "table.csv"}, "H0"),
    ],
)
def test_genes_may_be_renamed_in_each_part(raw, step, first):
    raw.var_names = [f"gene{i}" for i in range(80)]
    given = {"orthologs": {f"gene{i}": f"H{i}" for i in range(80)}}
    steps = {"each": {"column": "condition", "steps": [step, NORMALISE]}}
    got, _ = preprocess(raw, study(steps), given)
    part = raw[raw.obs["condition"] == "stim"].copy()
    apart, _ = preprocess(part, study(step, NORMALISE), given)
    assert got.var_names[0] == first and list(got.var_names) == list(apart.var_names)
    np.testing.assert_array_equal(got[apart.obs_names].X.toarray(), apart.X.toarray())


def test_orthologs_rename_genes_and_drop_those_without(raw, caplog):
    caplog.set_level("INFO", "workflow")
    symbols = {"G3": "H3", "G1": "H1", "G79": "X", "Absent": "H9"}
    got = apply(raw, given=symbols, orthologs="table.csv")
    assert list(got.var_names) == ["H1", "H3"]
    np.testing.assert_array_equal(got.X.toarray(), raw.X.toarray()[:, [1, 3]])
    assert "78 of 80 genes have none" in caplog.text
    assert list(raw.var_names[:2]) == ["G0", "G1"]  # the input is unchanged
    with pytest.raises(InputError, match=r"none of the genes \(such as G0, G1, G2\) is in"):
        apply(raw, given={"Rho": "RHO"}, orthologs="table.csv")


def test_one_to_one_orthologs_are_unique_on_both_sides(tmp_path):
    header = "Gene stable ID,Gene name,Human gene name,Human homology type"
    pairs = ["Rho,RHO", "Gm1,", ",ABC", "Nrg1,NRG1", "Nrg1,NRG1-AS", "A,SAME", "B,SAME"]
    rows = [f"{i},{pair},ortholog_one2one" for i, pair in enumerate([*pairs, *["Gad1,GAD1"] * 2])]
    rows += ["20,Cst9,CST9L,ortholog_one2many", "21,mt-Tf,,"]
    path = tmp_path / "mouse_to_human.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    assert one_to_one(RawFile(path)) == {"Rho": "RHO", "Gad1": "GAD1"}
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"mouse_to_human.csv: no column Gene name, Human gene"):
        one_to_one(RawFile(path))


@pytest.mark.parametrize("normalised", [False, True])
def test_reindex_takes_the_other_genes_and_fills_with_zeros(raw, caplog, normalised):
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


def test_processed_cells_keep_their_values(raw):
    logs = raw.copy()
    logs.X.data = np.log1p(logs.X.data)
    entry = study({"processed": True}, {"drop": {"cell_type": ["Mono"]}}, {"highly_variable": 20})
    cells, qc = preprocess(logs, entry)
    assert cells.n_vars == 20 and not cells.layers and cells.X.format == "csr"
    kept = raw.var_names.get_indexer(cells.var_names)
    np.testing.assert_array_equal(cells.X.toarray(), logs.X.toarray()[:40][:, kept])
    assert qc["asked"][0] == "log-normalised by the authors"


@pytest.mark.parametrize("column", ["cell_type", "condition"])
def test_a_study_without_types_or_conditions(raw, column):
    del raw.obs[column]
    cells, _ = preprocess(raw, study({"normalise": "median"}))
    assert column not in cells.obs and cells.n_obs == 60
    with pytest.raises(InputError, match=f"{column}s are given, but the cells have no column"):
        preprocess(raw, study({"normalise": "median"}, **{f"{column}s": ["a"]}))


B = {"keep": {"cell_type": ["B"]}}
NORMALISE = {"normalise": "median"}


def each(column):
    return {"each": {"column": column, "steps": [{"cell_min_genes": 20}, B]}}


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([{"keep": {"cell_type": ["T"]}}], ["step 1 (cell_type is T)", "there are: B, Mono, NK"]),
        ([{"keep": {"batch": ["1"]}}], ["no column batch", "cell_type, condition"]),
        ([{"drop": {"batch": ["1"]}}], ["no column batch"]),
        ([{"labelled": "type"}], ["no column type"]),
        (
            [{"drop": {"condition": ["stim"]}}, {"drop": {"condition": ["ctrl"]}}],
            ["step 2 (condition is not ctrl)", "no cells or genes remain"],
        ),
        (
            [{"cell_min_genes": 81}],
            ["step 1 (cells with at least 81 genes)", "no cells or genes remain"],
        ),
        (
            [{"gene_min_cells": 61}],
            ["step 1 (genes in at least 61 cells)", "no cells or genes remain"],
        ),
        ([{"highly_variable": 5}], ["step 1 (5 most variable genes)", "after normalise"]),
        ([NORMALISE, {"normalise": 1e4}], ["step 2", "normalised already"]),
        ([{"gene_min_cells": 1}], ["normalise is missing"]),
        ([B, {"relabel": {}}], ["step 2", "at least two labels"]),
        ([each("cell_type")], ["step 1 (for each cell_type: cells ", "no cell has cell_type B"]),
        ([each("plate")], ["no column plate"]),
    ],
)
def test_steps_that_cannot_be_done_are_named(raw, steps, words):
    with pytest.raises(InputError) as error:
        preprocess(raw, study(*steps))
    assert "\n" not in str(error.value) and str(error.value).startswith("studies.yaml: Toy: ")
    for word in words:
        assert word in str(error.value), str(error.value)


@pytest.mark.parametrize(
    ("change", "steps", "words"),
    [
        (lambda x: x, [], "whole numbers, as counts are; normalise"),
        (lambda x: np.log1p(x) - 1, [], "are not log-normalised"),
        (lambda x: x * 1000.5, [], "are not log-normalised"),
        (lambda x: x * np.nan, [], "are not log-normalised"),
        (np.log1p, [{"gene_min_cells": 3}], "step 2 .* there are no counts of processed cells"),
        (np.log1p, [{"normalise": 1e4}], "step 2 .* normalised already"),
    ],
)
def test_cells_that_are_not_processed_or_not_counts_are_refused(raw, change, steps, words):
    raw.X.data = change(raw.X.data)
    with pytest.raises(InputError, match=words):
        preprocess(raw, study({"processed": True}, *steps))


def test_a_type_without_a_place_and_mitochondria_that_are_absent_are_refused(raw):
    with pytest.raises(InputError, match="no gene begins with MT-"):
        preprocess(raw[:, :77].copy(), study({"cell_max_mito": 10}))
    with pytest.raises(InputError, match=r"cell_type Mono has no place.*add it there, or drop"):
        preprocess(raw, study(NORMALISE, cell_types=["NK", "B"]))


STEPS_IN_A_ROW = [
    {"labelled": "cell_type"},
    {"drop": {"cell_type": ["Mono"]}},
    {"gene_min_cells": 5},
    {"cell_min_genes": 19},
    {"normalise": "median"},
    {"highly_variable": 20},
]


def test_steps_are_applied_in_turn_and_counted(raw):
    raw.obs["annotated"] = ~raw.obs_names.isin(["c1", "c2", "c30"])
    annotation = {"file": "cells.tsv", "columns": {"t": "cell_type"}}
    orders = {"cell_types": ["NK", "B", "Mono"], "conditions": ["ctrl", "stim"]}
    cells, qc = preprocess(raw, study(*STEPS_IN_A_ROW, annotations=[annotation], **orders))
    expected = [raw, raw[raw.obs["annotated"]].copy()]
    for step in STEPS_IN_A_ROW:
        expected.append(apply(expected[-1], **step))
    assert qc["step"].tolist() == ["annotated", *(next(iter(s)) for s in STEPS_IN_A_ROW)]
    shapes = np.array([adata.shape for adata in expected])
    assert len(np.unique(shapes, axis=0)) > 5
    for column, sizes in zip(("cells", "genes"), shapes.T, strict=True):
        assert qc[f"{column}_before"].tolist() == sizes[:-1].tolist()
        assert qc[f"{column}_after"].tolist() == sizes[1:].tolist()
        assert qc[f"{column}_removed"].tolist() == (-np.diff(sizes)).tolist()

    last = expected[-1]
    assert list(cells.obs_names) == list(last.obs_names) and cells.n_vars == 20
    assert list(cells.var_names) == list(last.var_names)
    assert list(cells.obs) == ["cell_type", "condition"]
    assert list(cells.obs["cell_type"].cat.categories) == ["NK", "B"]
    assert list(cells.obs["condition"].cat.categories) == ["ctrl", "stim"]
    for matrix, own in ((cells.X, last.X), (cells.layers["counts"], last.layers["counts"])):
        assert matrix.format == "csr" and matrix.dtype == np.float32
        np.testing.assert_array_equal(matrix.toarray(), own.toarray())
    assert list(cells.var["gene_id"]) == list(raw.var.loc[cells.var_names, "gene_id"])


def test_two_runs_give_the_same_bytes(raw):
    entry = study({"relabel": {"n_genes": 5}}, *STEPS_IN_A_ROW)
    runs = [preprocess(raw.copy(), entry)[0] for _ in range(2)]
    for matrices in zip(*((cells.X, cells.layers["counts"]) for cells in runs), strict=True):
        for part in ("data", "indices", "indptr"):
            assert len({getattr(matrix, part).tobytes() for matrix in matrices}) == 1
    pd.testing.assert_frame_equal(*(cells.obs for cells in runs))


@pytest.mark.parametrize(
    ("identities", "origin"),
    [
        (["pinned", "first use"], "public"),
        (["pinned", "mirror"], "mirror subset"),
        (["pinned", "simulated"], "simulated"),
    ],
)
def test_provenance_survives_the_file(raw, tmp_path, identities, origin):
    entry = study(*STEPS_IN_A_ROW, series="GSE1")
    cells, _ = preprocess(raw, entry)
    files = zip(["m", "b", "unused"], [*identities, "simulated"], strict=True)
    records = [Provenance("toy", f, "https://x", 1, "cd", "ab", kind, {}) for f, kind in files]
    cells.uns["provenance"] = about("toy", entry, records)
    cells.write_h5ad(tmp_path / "toy.h5ad")
    facts = json.loads(ad.read_h5ad(tmp_path / "toy.h5ad").uns["provenance"])
    assert (facts["study"], facts["series"], facts["origin"]) == ("toy", "GSE1", origin)
    assert [f["sha256"] for f in facts["files"]] == ["ab"] * 2
    assert facts["steps"] == [describe(s) for s in entry.steps]
    assert facts["versions"]["scanpy"] == version("scanpy")


@pytest.mark.parametrize("simulated", [True, False])
def test_the_figure_shows_every_number_of_the_table(raw, simulated):
    _, qc = preprocess(raw, study(*STEPS_IN_A_ROW))
    figure = qc_figure(qc, "Toy", simulated)
    assert figure.get_suptitle() == ("SIMULATED · Toy" if simulated else "Toy")
    figure.draw_without_rendering()
    for axis, what in zip(figure.axes, ("cells", "genes"), strict=True):
        numbers = zip(qc[f"{what}_after"], qc[f"{what}_removed"], strict=True)
        expected = [f"{left}  (−{gone})" if gone else f"{left}" for left, gone in numbers]
        notes = [text.get_text() for text in axis.texts]
        assert notes == [str(qc[f"{what}_before"][0]), *expected]
        assert not any(label.get_parse_math() for label in axis.get_yticklabels())  # `$` is a `$`
        boxes = [text.get_window_extent() for text in [*axis.texts, *axis.get_yticklabels()]]
        assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)


def test_real_cells_of_kang(mirror):
    kang = STUDIES["kang"]
    raw = read(kang, mirror / "kang")
    assert raw.shape == (2000, 13215) and raw.obs["annotated"].all()
    assert raw.obs["condition"].tolist() == ["control"] * 1000 + ["stimulated"] * 1000
    assert raw.obs["multiplet"].value_counts().to_dict() == {"singlet": 1993, "doublet": 7}
    # An independent reading: the mirror's rows have the order of the matrices.
    table = pd.read_csv(mirror / "kang" / kang.annotations[0].file, sep="\t", keep_default_na=False)
    assert (table.index != [n[:-2] for n in raw.obs_names]).sum() == 2  # doubled barcodes
    meant = table["cell"].map(kang.annotations[0].values["cell_type"])
    assert raw.obs["cell_type"].fillna("-").tolist() == meant.fillna("-").tolist()
    sums = [scipy.io.mmread(mirror / "kang" / m.matrix, spmatrix=True).sum() for m in kang.matrices]
    assert raw.X.sum(dtype=float) == sum(sums)

    cells, qc = preprocess(raw, kang)
    by_step = qc.set_index("step")
    assert by_step.loc["annotated", "cells_before"] == 2000
    assert by_step.loc["keep", "cells_removed"] == 7  # the doublets
    assert by_step.loc["labelled", "cells_removed"] == 5
    assert cells.n_vars == 6998 and cells.n_obs == by_step["cells_after"].iloc[-1] > 1900
    assert list(cells.obs["cell_type"].cat.categories) == kang.cell_types
    assert list(cells.obs["condition"].cat.categories) == ["control", "stimulated"]
    assert set(cells.obs["multiplet"]) == {"singlet"}
    # ISG15 responds to interferon in every cell.
    isg15 = cells.obs_vector("ISG15")
    stimulated = (cells.obs["condition"] == "stimulated").to_numpy()
    assert isg15[stimulated].mean() > 5 * isg15[~stimulated].mean()


def test_real_cells_of_zheng_with_the_genes_of_kang(mirror):
    """All 2,700 cells of 10x; the labels of the mirror have 14 megakaryocytes, the paper 15."""
    kang, zheng = STUDIES["kang"], STUDIES["zheng"]
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
    cd79a = pd.Series(cells.obs_vector("CD79A")).groupby(cells.obs["cell_type"].to_numpy())
    assert cd79a.mean().idxmax() == "B"
