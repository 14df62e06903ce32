"""Claims on interferon-stimulated blood cells: K01 to K12 and T01 (Figures 1, S4, S5).

Negative controls shuffle the condition within each cell type, or the cell types within each
condition.
"""

from contextlib import suppress

import numpy as np
from scipy.stats import spearmanr

from scripts.claims.judging import Values, claim, exact_claim, shown
from scripts.claims.run_results import NotAvailable, RunResults, get_gmv, known, rows_of
from scripts.common import gmvs
from scripts.common.contrasts import ONE_VS_REST
from vega.metrics import auc

THRESHOLD = -np.log10(0.05)  # of -log10 FDR
INNATE = ["CD14+Mono", "FCGR3A+Mono", "Dendritic"]


def stimulated(latent):
    """Which cells are stimulated."""
    return (latent.obs["condition"] == "stimulated").to_numpy()


@claim(
    "K01",
    lambda v: v["silhouette"] > 0,
    lambda v: v["silhouette"],
    shuffle="condition",
    beyond=True,
)
def conditions_separate(results: RunResults, seed: int):
    """Silhouette of the condition in latent space."""
    rows = rows_of(results, "kang_silhouettes", seed)
    return {"silhouette": known(rows["silhouette_condition"], "the silhouette").mean()}


@claim("K02", lambda v: v["AUC"] > 0.95, lambda v: v["AUC"] - 0.5, shuffle="condition")
def interferon_separates(results: RunResults, seed: int):
    """AUC of stimulated against control cells by interferon alpha/beta activity, and medians."""
    latent = results.latent("kang", seed)
    activity, treated = get_gmv(latent, gmvs.INTERFERON_AB), stimulated(latent)
    return {
        "AUC": auc(activity, treated),
        "median stimulated": np.median(activity[treated]),
        "median control": np.median(activity[~treated]),
    }


@claim(
    "K03",
    lambda v: v["difference"] > 3 and v["response"] > 3,
    lambda v: min(v["difference"], v["response"]),
    shuffle="cell_type",
)
def tryptophan_separates(results: RunResults, seed: int):
    """Tryptophan catabolism of stimulated innate and adaptive cells: medians.

    `response` is by how much the difference exceeds that of control cells, as innate cells may
    have another activity before any stimulation.
    """
    latent = results.latent("kang", seed)
    activity, treated = get_gmv(latent, gmvs.TRYPTOPHAN), stimulated(latent)
    is_innate = latent.obs["cell_type"].isin(INNATE).to_numpy()
    (innate, adaptive), before = (
        [np.median(activity[cells & side]) for side in (is_innate, ~is_innate)]
        for cells in (treated, ~treated)
    )
    return {
        "difference": innate - adaptive,
        "response": innate - adaptive - (before[0] - before[1]),
        "median innate": innate,
        "median adaptive": adaptive,
    }


@claim(
    "K04",
    lambda v: min(v.values()) > 6,
    lambda v: min(v.values()),
    shuffle="condition",
)
def interferon_bayes_factors(results: RunResults, seed: int):
    """Log Bayes factors of the interferon sets, innate cells, stimulated against control."""
    table = results.contrast("kang", seed, "innate", "stimulated")
    names = {
        "IFN alpha/beta": gmvs.INTERFERON_AB,
        "IFN": gmvs.INTERFERON,
        "cytokine": gmvs.CYTOKINE,
    }
    return {name: get_gmv(table, gmv)["log_bf"] for name, gmv in names.items()}


@claim(
    "K05",
    lambda v: v["log BF"] > 3 and v["MD"] > 5,
    lambda v: v["log BF"],
    shuffle="condition",
)
def tryptophan_bayes_factor(results: RunResults, seed: int):
    """Log Bayes factor and mean difference of tryptophan catabolism."""
    row = get_gmv(results.contrast("kang", seed, "innate", "stimulated"), gmvs.TRYPTOPHAN)
    results.note(f"mean absolute difference, as the text defines MD: {row['md_text']:.2f}")
    return {"log BF": row["log_bf"], "MD": row["md"]}


@claim(
    "K06",
    lambda v: 8 <= v["significant"] <= 30 and v["negative"] <= 3,
    lambda v: v["significant"],
    shuffle="cell_type",
    beyond=True,
)
def significant_gmvs(results: RunResults, seed: int):
    """GMVs with |log Bayes factor| > 3 and MD > 5.

    All cells respond to interferon. The control shuffles cell types, so that the claim is about
    innate cells: fewer GMVs are significant in as many cells of all types.
    """
    table = results.contrast("kang", seed, "innate", "stimulated")
    passed = table[table["significant"] & (table["md"] > 5)]
    return {"significant": len(passed), "negative": int((passed["log_bf"] < 0).sum())}


def innate_gsea(results: RunResults):
    """GSEA of the innate contrast, by gene set."""
    table = results.table("kang_gsea")
    return table[table["contrast"] == "innate"].set_index("gmv")


RANKINGS = ("first", "variable")
OTHER_RANKINGS = "over the first 8,096 genes of the ranking: {}; over the most variable genes: {}"


def gsea_significance(results: RunResults, gmv: str) -> dict[str, float]:
    """Return the significance and sign of a set in GSEA, and note the other rankings' results."""
    row = get_gmv(innate_gsea(results), gmv)
    if np.isnan(row["fdr"]):
        raise NotAvailable(f"GSEA does not test {gmv}, which has fewer than 5 genes in the data")
    if not results.is_shuffled:
        others = (shown(row[f"neg_log10_fdr_{ranking}"]) for ranking in RANKINGS)
        results.note(OTHER_RANKINGS.format(*others))
    return {"-log10 FDR": row["neg_log10_fdr"], "NES": row["nes"]}


@claim(
    "K07",
    lambda v: v["-log10 FDR"] >= THRESHOLD and v["NES"] > 0,
    lambda v: v["NES"],
    shuffle="condition",
    seeded=False,
)
def gsea_finds_interferon(results: RunResults, seed: int):
    """GSEA of interferon alpha/beta signaling."""
    return gsea_significance(results, gmvs.INTERFERON_AB)


@claim(
    "K08", lambda v: v["-log10 FDR"] < THRESHOLD and v["log BF of VEGA"] > 3, shuffle="condition"
)
def gsea_misses_tryptophan(results: RunResults, seed: int):
    """GSEA of tryptophan catabolism, which VEGA finds."""
    row = get_gmv(results.contrast("kang", seed, "innate", "stimulated"), gmvs.TRYPTOPHAN)
    return gsea_significance(results, gmvs.TRYPTOPHAN) | {"log BF of VEGA": row["log_bf"]}


@exact_claim("K09", shuffle="condition")
def gsea_significant(results: RunResults, seed: int):
    """Gene sets with an FDR of at most 0.05 in GSEA."""
    gsea = innate_gsea(results)
    if not results.is_shuffled:
        others = (int((gsea[f"fdr_{ranking}"] <= 0.05).sum()) for ranking in RANKINGS)
        results.note(OTHER_RANKINGS.format(*others))
    return {"significant sets": int((gsea["fdr"] <= 0.05).sum())}


def stronger_in_gsea(values: Values) -> float:
    """Return by how much the significance in GSEA depends more on the size of the sets."""
    return abs(values["rho GSEA"]) - abs(values["rho VEGA"])


@claim(
    "K10",
    lambda v: stronger_in_gsea(v) > 0,
    stronger_in_gsea,
    shuffle="condition",
    beyond=True,
)
def size_dependence(results: RunResults, seed: int):
    """Spearman correlation of significance with gene set size, over the sets that GSEA tests.

    Figure S4 shows the others too, with an FDR of 1: they are the smallest sets, so that a
    dependence on size is built in.
    """
    gsea = innate_gsea(results).dropna(subset="fdr")
    table = results.contrast("kang", seed, "innate", "stimulated").loc[gsea.index]
    return {
        "rho GSEA": spearmanr(table["n_genes"], gsea["neg_log10_fdr"]).statistic,
        "rho VEGA": spearmanr(table["n_genes"], table["log_bf"].abs()).statistic,
    }


def one_vs_rest_rank(results: RunResults, seed: int, cell_type: str, gmv: str):
    """Rank of a GMV by signed log Bayes factor, one type against the rest, and its value.

    The rank in a model of another seed, if there is one, is noted.
    """

    def measured(seed: int) -> dict[str, float]:
        table = results.contrast("kang", seed, ONE_VS_REST, cell_type)
        value = get_gmv(table, gmv)["log_bf"]
        return {"rank": int((table["log_bf"] > value).sum()) + 1, "log BF": value}

    other = results.config.other_seed("kang", seed)
    if other is not None and not results.is_shuffled:
        with suppress(NotAvailable):  # a note costs no verdict
            results.note(f"rank with seed {other}: {measured(other)['rank']}")
    return measured(seed)


@claim(
    "K11",
    lambda v: v["rank"] <= 3 and v["log BF"] > 3,
    lambda v: v["log BF"],
    shuffle="cell_type",
)
def b_cell_receptor(results: RunResults, seed: int):
    """B cell receptor signaling in B cells."""
    return one_vs_rest_rank(results, seed, "B", gmvs.B_CELL_RECEPTOR)


@claim(
    "K12",
    lambda v: v["rank"] <= 3,
    lambda v: v["log BF"],
    shuffle="cell_type",
    beyond=True,
)
def nk_apoptosis(results: RunResults, seed: int):
    """Intrinsic pathway for apoptosis in NK cells."""
    return one_vs_rest_rank(results, seed, "NK", gmvs.APOPTOSIS)


@claim("T01", exact=True)
def final_losses(results: RunResults, seed: int):
    """Losses per cell of the last epoch, and the number of epochs."""
    losses = results.model("kang", seed)["losses"]
    names = {"training": "train_loss", "validation": "validation_loss", "epochs": "epochs"}
    return {name: losses[column] for name, column in names.items()}
