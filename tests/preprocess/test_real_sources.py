"""Real labels, metadata and gene names of each source, read by its configuration."""

import gzip

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from scripts.common.config.load import load
from scripts.common.config.simulations import SimulatedTable
from scripts.preprocess.preprocess import preprocess
from scripts.preprocess.readers import read
from scripts.preprocess.readers.annotations import annotate
from scripts.simulate.writers import ANNOTATIONS, Table, write
from vega.errors import InputError

STUDIES = load({}, ROOT / "config").studies


def cells(names, **obs):
    return ad.AnnData(obs=pd.DataFrame({"barcode": names, "matrix": "m", **obs}, index=names))


R_FILE, PORTAL = "Reference_clusters.rds", "clust_retinal_bipolar.txt"


@pytest.fixture
def retina(real, tmp_path):
    """Put sources of the labels into a folder and annotate their cells."""
    sources = {R_FILE: R_FILE, PORTAL: "clust_retinal_bipolar.26830.txt"}

    def put(*names):
        for name in names:
            (tmp_path / name).write_bytes((real / "shekhar" / sources[name]).read_bytes())
        labels = pd.read_csv(real / "shekhar" / sources[PORTAL], sep="\t", skiprows=[1])
        adata = cells([*labels["NAME"], "Bipolar9_ACGT"])
        annotate(adata, STUDIES["shekhar"].annotations, tmp_path)
        return adata.obs

    return put


def test_both_sources_of_the_types_of_the_retina_agree(retina, tmp_path):
    (tmp_path / PORTAL).write_bytes(b"")  # not downloaded
    of_r = retina(R_FILE)
    (tmp_path / R_FILE).unlink()
    pd.testing.assert_frame_equal(of_r, retina(PORTAL))
    types = of_r["cell_type"].value_counts()
    assert types[STUDIES["shekhar"].cell_types].sum() == 26439
    assert types["RBC"] == 10888 and types["other"] == 391 and types.sum() == 26830
    assert of_r["annotated"].sum() == 26830 and not of_r["annotated"]["Bipolar9_ACGT"]


def test_without_any_source_both_are_named(tmp_path):
    with pytest.raises(InputError, match=f"{R_FILE}.*no such file.*{PORTAL}") as error:
        annotate(cells(["Bipolar1_A"]), STUDIES["shekhar"].annotations, tmp_path)
    assert "\n" not in str(error.value)


def test_tumours_have_the_published_cells_genes_and_types(real, tmp_path):
    """GSE84465 with the real names and numbers of genes per cell; other rows are in all cells."""
    table = pd.read_csv(real / "darmanis" / "cell_metadata_3589.csv", dtype=str)
    genes = (real / "darmanis" / "genes_23k_from_cellxgene.txt").read_text().split("\n")[:-1]
    htseq = ["no_feature", "ambiguous", "too_low_aQual", "not_aligned", "alignment_not_unique"]
    others = [f"ERCC-{i:05d}" for i in range(2, 94)] + [f"__{name}" for name in htseq]
    seen = table["genes"].astype(int).to_numpy()
    row = np.full((len(table), 2), ord(" "), np.uint8)
    with gzip.open(tmp_path / "GSE84465_GBM_All_data.csv.gz", "wb", compresslevel=1) as file:
        file.write(" ".join(f'"{name}"' for name in table["cell_id"]).encode() + b"\n")
        for number, gene in enumerate([*genes, *others]):
            row[:, 1] = ord("0") + (np.ones_like(seen) if gene in others else seen > number)
            file.write(f'"{gene}"'.encode() + row.tobytes() + b"\n")
    known = ["plate_id", "well", "tissue", "patient_id", "cell_type", "neoplastic", "selection"]
    frame = table[known].rename(columns=lambda name: name.replace("_", " "))
    frame["cell type"] = frame["cell type"].replace("Astrocyte", "Astocyte")
    soft = ANNOTATIONS["soft"](Table(frame, SimulatedTable(), False), STUDIES["darmanis"])
    write([("GSE84465_family.soft.gz", soft)], tmp_path, "test")

    adata = read(STUDIES["darmanis"], tmp_path)
    assert adata.var_names.tolist() == genes and len(genes) == 23368
    assert adata.obs_names.tolist() == table["cell_id"].tolist()
    assert adata.obs["annotated"].all()
    sizes = adata.obs["cell_type"].value_counts()
    assert sizes.tolist() == [1847, 1091, 406, 88, 85, 51, 21]
    assert sizes.index[:3].tolist() == ["Immune cell", "Neoplastic", "OPC"]
    assert set(adata.obs["cell_type"]) == set(STUDIES["darmanis"].cell_types)
    assert adata.obs["patient"].tolist() == table["patient_id"].tolist()
    _, qc = preprocess(adata, STUDIES["darmanis"])
    assert qc.set_index("step").loc["cell_min_genes", "cells_after"] == 3567


@pytest.mark.parametrize("as_numbers", [True, False])
def test_mutations_of_the_pool_are_joined_by_cell_line(real, tmp_path, as_numbers):
    facts = pd.read_csv(real / "mixseq" / "expt3_mutations_94_of_97.csv", dtype=str)
    assert len(facts) == 97 and facts["BRAF_MUT"].notna().sum() == 94
    if not as_numbers:
        facts = facts.replace({"1": "TRUE", "0": "FALSE"})
    facts.insert(0, "DEPMAP_ID", [f"ACH-{i:06d}" for i in range(97)])
    facts["in_pool"] = "TRUE"
    elsewhere = facts.head(5).assign(in_pool="FALSE", BRAF_MUT=facts["BRAF_MUT"].iloc[::-1].iloc[0])
    whole = pd.concat([elsewhere, elsewhere, facts])
    [annotation] = [a for a in STUDIES["mixseq_brd3379"].annotations if a.file.endswith(".rds")]
    table = Table(whole, SimulatedTable(), False, annotation.element)
    rds = ANNOTATIONS["rds"](table, STUDIES["mixseq_brd3379"])
    write([(annotation.file, rds)], tmp_path, "test")
    names = [f"c{i}" for i in range(97)]
    adata = cells(names, cell_line=facts["CCLE_ID"].to_numpy())
    annotate(adata, [annotation], tmp_path)
    counts = adata.obs[["braf_mutant", "kras_mutant"]].apply(pd.Series.value_counts)
    assert counts.loc["mutant"].tolist() == [8, 19]
    assert counts.loc["wild type"].tolist() == [86, 75]
    unknown = adata.obs["cell_line"][adata.obs["braf_mutant"].isna()]
    assert sorted(line.split("_")[0] for line in unknown) == ["JHOM1", "SNU410", "SNU61"]
    skin = adata.obs["cell_line"].str.endswith("_SKIN")
    mutant = facts.set_axis(names)["BRAF_MUT"].isin(["1", "TRUE"])
    assert (adata.obs["braf_mutant"][skin & mutant] == "mutant").all() and (skin & mutant).any()
    assert "annotated" not in adata.obs
