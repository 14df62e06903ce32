"""Results of MIX-seq and glioblastoma made by hand, in which everything is as published."""

from itertools import cycle, islice

import numpy as np
import pandas as pd
from anndata import AnnData

from scripts.common.config.studies import Study
from scripts.common.mixseq import DRUGS
from scripts.figures.data import Results, in_order
from vega.differential import compare_groups
from vega.posterior import Posterior

HALLMARKS = [
    "HALLMARK_G2M_CHECKPOINT",
    "HALLMARK_INTERFERON_ALPHA_RESPONSE",
    "HALLMARK_INTERFERON_GAMMA_RESPONSE",
    "HALLMARK_EPITHELIAL_MESENCHYMAL_TRANSITION",
    *(f"HALLMARK_SET_{i}" for i in range(46)),
]
TISSUES = [
    "SKIN", "LUNG", "CENTRAL_NERVOUS_SYSTEM", "BREAST", "LARGE_INTESTINE", "OVARY", "PANCREAS",
    "UPPER_AERODIGESTIVE_TRACT", "ENDOMETRIUM", "HAEMATOPOIETIC_AND_LYMPHOID_TISSUE", "LIVER",
    "BONE", "SOFT_TISSUE", "STOMACH", "OESOPHAGUS", "URINARY_TRACT", "KIDNEY", "THYROID",
    "AUTONOMIC_GANGLIA", "BILIARY_TRACT",
]  # fmt: skip
TYPES = ["Immune cell", "Neoplastic", "OPC", "Astocyte", "Oligodendrocyte", "Vascular", "Neuron"]


def mixseq_latent(drug: str) -> AnnData:
    """Cells of a drug and DMSO, with the published response planted.

    Trametinib lowers G2M, raises both interferon responses and changes sixteen more hallmarks in
    all lines; Dabrafenib changes three in the eight BRAF-mutant lines of the skin, which come
    first. The last line has too few cells of the drug.
    """
    n_lines, n_cells = 28, 24
    rng = np.random.default_rng(list(DRUGS).index(drug))
    tissues = [*TISSUES[:1] * 8, *islice(cycle(TISSUES[1:]), n_lines - 8)]
    names = [f"L{i}_{tissue}" for i, tissue in enumerate(tissues)]
    line = np.repeat(names, n_cells)
    condition = np.tile(np.repeat(["DMSO", drug], n_cells // 2), n_lines)
    treated = condition == drug
    braf = np.isin(line, names[:8])
    kras = np.isin(line, names[10:15])
    gmvs = [*HALLMARKS, *(f"UNANNOTATED_{i + 1}" for i in range(5))]
    centres = rng.normal(0, 1, (n_lines, len(gmvs)))
    mean = np.repeat(centres, n_cells, axis=0) + rng.normal(0, 1, (len(line), len(gmvs)))
    if drug == "Trametinib":
        mean[np.ix_(treated, [0])] -= 3
        mean[np.ix_(treated, [1, 2])] += 2
        mean[treated, 4:20] += np.resize([2, -2], 16)
    else:
        mean[np.ix_(treated, [1, 2])] -= 0.5
    if drug == "Dabrafenib":
        mean[np.ix_(treated & braf, [10, 11, 12])] += [3, -3, 3]
    position = np.repeat(rng.uniform(-30, 30, (n_lines, 2)), n_cells, axis=0)
    position += rng.normal(0, 1.2, position.shape)
    shift = rng.normal(0, 6 if drug == "Trametinib" else 1, (n_lines, 2))
    position += np.repeat(shift, n_cells, axis=0) * treated[:, None]
    obs = pd.DataFrame({"cell_line": line}, index=[f"{drug}{i}" for i in range(len(line))])
    obs["condition"] = in_order(pd.Series(condition, obs.index), ["DMSO", drug])
    obs["braf_mutant"] = np.where(braf, "mutant", "wild type")
    obs["kras_mutant"] = np.where(kras, "mutant", "wild type")
    latent = AnnData(
        mean.astype("float32"),
        obs=obs,
        var=pd.DataFrame({"n_genes": 100}, index=pd.Index(gmvs, name="gmv")),
        layers={"variance": np.full(mean.shape, 0.05, "float32")},
    )
    latent.obsm["X_tsne"] = position
    few = (obs["cell_line"] == names[-1]).to_numpy() & treated
    return latent[~few | (np.cumsum(few) <= 5)].copy()


def gbm_latent(n: int = 600) -> AnnData:
    """Cells of glioblastoma: OLIG2 is high in OPC, STAT3 and OLIG2 take turns in tumour cells."""
    rng = np.random.default_rng(9)
    cell_type = rng.choice(TYPES, n, p=[0.4, 0.3, 0.12, 0.06, 0.05, 0.04, 0.03])
    mean = rng.normal(-1, 0.6, (n, 40))
    neoplastic = cell_type == "Neoplastic"
    state = rng.uniform(0, 4, neoplastic.sum())
    mean[neoplastic, 0], mean[neoplastic, 1] = 4 - state, state
    mean[cell_type == "OPC", 1] += 6
    obs = pd.DataFrame({"cell_type": cell_type}, index=[f"g{i}" for i in range(n)])
    obs["cell_type"] = in_order(obs["cell_type"], TYPES)
    gmvs = ["STAT3", "OLIG2", *(f"TF{i}" for i in range(38))]
    latent = AnnData(mean.astype("float32"), obs=obs, var=pd.DataFrame(index=gmvs))
    centre = rng.uniform(-30, 30, (len(TYPES), 2))[obs["cell_type"].cat.codes]
    latent.obsm["X_tsne"] = centre + rng.normal(0, 4, (n, 2)) + mean[:, :2]
    return latent


def line_table(latent: AnnData, drug: str) -> pd.DataFrame:
    """A drug against DMSO in each cell line, over all pairs of cells."""
    posterior = Posterior(latent.X, latent.layers["variance"])
    table = compare_groups(
        posterior, latent.obs, latent.var_names, "condition", drug, "DMSO", by="cell_line"
    )
    return table.assign(contrast="drug", group=table["by"])


def planted_results() -> dict[str, Results]:
    """The results of all models of Figure 2 and Supplementary Figure 6."""
    models = {}
    for drug, model in DRUGS.items():
        latent = mixseq_latent(drug)
        study = Study.model_construct(cell_types=[], conditions=["DMSO", drug])
        models[model] = Results(latent, line_table(latent, drug), None, study, "public")
    study = Study.model_construct(cell_types=TYPES, conditions=[])
    models["gbm"] = Results(gbm_latent(), None, None, study, "public")
    return models
