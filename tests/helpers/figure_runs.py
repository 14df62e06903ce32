"""Made-up results for every figure, with all that a figure may show."""

from dataclasses import replace

import numpy as np
import pandas as pd
from anndata import AnnData
from conftest import ROOT
from helpers.claim_runs import out_of_sample_tables, silhouette_tables
from helpers.drugs import planted_results
from helpers.organoid import planted_organoid
from helpers.variants import planted_variants, results_of

from scripts.analyse.robustness import DEPENDS, MAIN, Changed
from scripts.claims.judging import UNINFORMATIVE, Verdict, read_claims
from scripts.common.config.load import load
from scripts.common.config.studies import Study
from scripts.common.gmvs import ANTIVIRAL, INTERFERON, INTERFERON_AB, TRYPTOPHAN
from scripts.figures.data import FigureData, Results, in_order

TYPES = ["NK", "Dendritic", "CD4T", "B", "FCGR3A+Mono", "CD14+Mono", "CD8T"]
CONDITIONS = ["control", "stimulated"]
GMVS = [
    INTERFERON_AB,
    INTERFERON,
    TRYPTOPHAN,
    ANTIVIRAL,
    "REACTOME_RIG_I_MDA5_MEDIATED_INDUCTION_OF_IFN_ALPHA_BETA_PATHWAYS",
    "REACTOME_ANTIGEN_ACTIVATES_B_CELL_RECEPTOR_LEADING_TO_GENERATION_OF_SECOND_MESSENGERS",
    "REACTOME_IMMUNOREGULATORY_INTERACTIONS_BETWEEN_A_LYMPHOID_AND_A_NON_LYMPHOID_CELL",
    *(f"REACTOME_SYNTHESIS_SECRETION_AND_DEACYLATION_OF_GHRELIN_{i}" for i in range(73)),
]
VARIANTS = ["sparse-sparse", "vega", "sparse-deep", "vae"]  # of Figure S1, in the paper's order
S1_COLUMNS = ["silhouette_condition", "silhouette_type_control", "silhouette_type_stimulated"]
S3_COLUMNS = ["silhouette_type", *S1_COLUMNS[1:], S1_COLUMNS[0]]
RETINA = ["retina_pca", "retina_linear_scvi", "retina"]
KANG = ["kang_mask_pca", "kang_binary", "kang"]
RETINA_TYPES = [f"BC{i}" for i in range(13)] + ["Mueller glia", "BC8/BC9"]
COMMON = ["VEGA", "ULM", "score_genes", "GSEA"]  # methods of the simulation benchmark
VEGA_VARIANTS = [
    "VEGA, signed", "VEGA, no latent dropout", "VEGA, soft mask", "VEGA, binary decoder",
    "VEGA, sparse encoder", "VEGA, counts",
]  # fmt: skip


def planted(name: str) -> FigureData:
    """Return what a figure is drawn from."""
    if name in ("fig1", "sfig4", "sfig5"):
        return FigureData({"kang": kang_results()})
    if name in ("fig3", "sfig7"):
        return planted_organoid()
    if name in ("fig2", "sfig6"):
        models = planted_results()
        if name == "sfig6":
            del models["gbm"]
        return FigureData(models)
    if name == "fig4":
        cells = AnnData(np.zeros((140, 2), np.float32))
        return FigureData({"kang": results_of(cells, TYPES)}, out_of_sample_tables())
    if name == "recovery":
        return FigureData({}, recovery_tables(), {}, [("simulated", 1000)])
    if name == "robustness":
        return FigureData({}, {"robustness": robustness_table()}, {}, [("public", 1000)])
    if name in ("sfig9", "sfig10", "sfig11", "sfig12"):
        return planted_variants()
    models = {model: results_of(cells, TYPES) for model, cells in latents().items()}
    return FigureData(models, silhouette_tables())


def with_origin(data: FigureData, origin: str) -> FigureData:
    """Return the same data with cells from elsewhere."""
    models = {name: replace(results, origin=origin) for name, results in data.models.items()}
    return replace(data, models=models, cells=[] if models else [(origin, 1000)])


def labelled(rng: np.random.Generator, n: int, **labels: list[str]) -> pd.DataFrame:
    """Cells with labels: all types in turn, others at random; categories in the given order."""
    obs = pd.DataFrame(index=[f"c{i}" for i in range(n)])
    for column, order in labels.items():
        values = np.resize(order, n) if column == "cell_type" else rng.choice(order, n)
        obs[column] = in_order(pd.Series(values, obs.index), order)
    return obs


# ---------------------------------------------------------------- Figures 1, S4, S5


def kang_results() -> Results:
    """Seven GMVs differ in every contrast, two of them in all pairs of cells."""
    rng = np.random.default_rng(0)
    obs = labelled(rng, 140, cell_type=TYPES, condition=CONDITIONS)
    values = rng.normal(size=(140, 80)).astype("float32")
    latent = AnnData(values, obs=obs, var=pd.DataFrame(index=GMVS))
    latent.obsm["X_umap"] = rng.normal(size=(140, 2))
    tables = []
    for contrast, group in (("innate", "stimulated"), *(("one_vs_rest", t) for t in TYPES)):
        table = pd.DataFrame({"contrast": contrast, "group": group, "gmv": GMVS})
        table["log_bf"] = np.concatenate([rng.uniform(4, 9, 7), rng.normal(0, 1.5, 73)])
        table.loc[3:4, "log_bf"] = 27.6
        table["md"] = np.concatenate([rng.uniform(6, 12, 7), rng.gamma(2, 1, 73)])
        table["n_genes"] = rng.integers(9, 900, 80)
        tables.append(table.assign(reference="rest", n_group=20, n_reference=120))
    fdr = rng.uniform(0, 1, 80).clip(1e-5)
    gsea = pd.DataFrame({"contrast": "innate", "group": "stimulated", "gmv": GMVS, "fdr": fdr})
    gsea["neg_log10_fdr"] = -np.log10(fdr)
    study = Study.model_construct(cell_types=TYPES, conditions=CONDITIONS)
    return Results(latent, pd.concat(tables, ignore_index=True), gsea, study, "public")


# ---------------------------------------------------------------- Figures S1, S2, S3, S8


def latents() -> dict[str, AnnData]:
    """Cells of all types in both conditions and batches, at random places."""
    types = {**dict.fromkeys(RETINA, RETINA_TYPES), **dict.fromkeys([*KANG, "kang_counts"], TYPES)}
    found = {}
    for seed, (model, order) in enumerate(types.items()):
        rng = np.random.default_rng(seed)
        obs = labelled(rng, 150, cell_type=order, condition=CONDITIONS, batch=["0", "1"])
        values = rng.normal(size=(150, 3)).astype(np.float32)
        found[model] = AnnData(values, obs=obs, var=pd.DataFrame(index=["A", INTERFERON, "B"]))
        found[model].obsm["X_umap"] = rng.normal(size=(150, 2))
    return found


# ---------------------------------------------------------------- the simulation benchmark


def recovery_tables(variants: list[str] = VEGA_VARIANTS) -> dict[str, pd.DataFrame]:
    """As five studies would give them; Kang has further methods, and they come in no order."""
    rng = np.random.default_rng(7)
    comparisons, activity = [], []
    for study in ("kang", "field", "mixseq_trametinib", "mixseq_dabrafenib", "darmanis"):
        methods = [*variants, *COMMON] if study == "kang" else COMMON
        for method in methods:
            groups = [("condition", g) for g in "xyz" if study[0] in "km"]
            groups += [("type", g) for g in "ABCD" if study[0] in "kfd"]
            comparisons += [
                (study, method, kind, group, *rng.uniform(0, 1, 2), 0.1 if kind == "type" else 0.3)
                for kind, group in groups
            ]
            if method != "GSEA":
                activity += [(study, method, s, rng.uniform(-0.3, 0.9), 0.9) for s in ("P", "Q")]
    columns = ["study", "method", "kind", "group", "auroc", "auprc", "base_rate"]
    return {
        "recovery_comparisons": pd.DataFrame(comparisons, columns=columns),
        "recovery_activity": pd.DataFrame(
            activity, columns=["study", "method", "gene_set", "spearman", "in_order"]
        ),
    }


# ---------------------------------------------------------------- robustness


def robustness_table() -> pd.DataFrame:
    """Return claims under all choices of the shipped configuration, with verdicts in turn."""
    config = load({"robustness": "all"}, ROOT / "config")
    claims = read_claims(ROOT / "config" / "claims.tsv").set_index("id")
    choices = [("this run", "published settings, seed 1", {*DEPENDS})]
    for name, choice in config.choices.items():
        parts = Changed(name, choice, ROOT, config).parts
        choices.append((choice.heading, choice.label, {c for c in DEPENDS if DEPENDS[c] & parts}))
    rows = [
        (claim, claims.loc[claim, "statement"], heading, label, MAIN.get(claim, ("first",))[0],
         [0.05, -12.34, 271, 5123.4][i % 4], list(Verdict)[(i + j) % 4].value)
        for j, (heading, label, asked) in enumerate(choices)
        for i, claim in enumerate(claims.index[claims.index.isin(asked)])
    ]  # fmt: skip
    columns = ["claim", "statement", "heading", "label", "measure", "value", "verdict"]
    table = pd.DataFrame(rows, columns=columns)
    table.loc[table["verdict"] == Verdict.NOT_RUN, ["measure", "value"]] = None, np.nan
    table["caution"] = np.where(table.index % 7 == 0, UNINFORMATIVE, None)
    return table
