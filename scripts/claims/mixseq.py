"""Claims on cancer cell lines and drugs: D04 to D06 and M01 to M05 (Figures 2a-c, S6)."""

import numpy as np

from scripts.claims.judging import claim, exact_claim, lead
from scripts.claims.run_results import NotAvailable, RunResults, get_gmv
from scripts.common import mixseq
from scripts.common.clustering import clustered
from scripts.common.contrasts import FEW_CELLS
from scripts.common.mixseq import DRUGS, REFERENCE

G2M = "HALLMARK_G2M_CHECKPOINT"
INTERFERONS = {
    "IFN alpha": "HALLMARK_INTERFERON_ALPHA_RESPONSE",
    "IFN gamma": "HALLMARK_INTERFERON_GAMMA_RESPONSE",
}


def log_bayes_factors(results: RunResults, seed: int, drug: str):
    """Return log Bayes factors of a drug against DMSO, hallmarks x cell lines; note small lines."""
    model = DRUGS[drug]
    table = mixseq.line_bayes_factors(results.differential(model, seed))
    few = set(mixseq.few_cells(results.latent(model, seed).obs, drug)).intersection(table)
    if few:
        results.note(f"{drug}: cell lines with fewer than {FEW_CELLS} cells: {len(few)}")
    if not table.size:
        raise NotAvailable(f"no cell line has cells with {drug} and with {REFERENCE}")
    return table


@exact_claim("D04")
def cells_of_each_drug(results: RunResults, seed: int):
    """Cells of each drug and DMSO together."""
    return {drug: results.data(study).n_obs for drug, study in DRUGS.items()}


@exact_claim("D05")
def genes_of_each_drug(results: RunResults, seed: int):
    """Genes of each of the four studies."""
    return {drug: results.data(study).n_vars for drug, study in DRUGS.items()}


@exact_claim("D06")
def lines_and_drugs(results: RunResults, seed: int):
    """Cell lines and drugs of all four studies."""
    tables = [results.data(study).obs for study in DRUGS.values()]
    lines = {line for obs in tables for line in obs["cell_line"].dropna()}
    drugs = {condition for obs in tables for condition in obs["condition"].astype(str)}
    return {"cell lines": len(lines), "drugs": len(drugs - {REFERENCE})}


@claim(
    "M01",
    lambda v: v["difference"] < 0,
    lambda v: -v["difference"],
    shuffle="condition",
    beyond=True,
)
def g2m_under_trametinib(results: RunResults, seed: int):
    """Median activity of the G2M checkpoint with Trametinib and with DMSO."""
    latent = results.latent(DRUGS["Trametinib"], seed)
    activity, condition = get_gmv(latent, G2M), latent.obs["condition"].to_numpy()
    treated, control = (np.median(activity[condition == c]) for c in ("Trametinib", REFERENCE))
    return {"difference": treated - control, "Trametinib": treated, REFERENCE: control}


@claim(
    "M02",
    lambda v: lead(v, "Trametinib") > 0,
    lambda v: lead(v, "Trametinib"),
    shuffle="condition",
    beyond=True,
)
def strongest_drug(results: RunResults, seed: int):
    """Mean |log Bayes factor| of each drug, over hallmarks and cell lines."""
    tables = {drug: log_bayes_factors(results, seed, drug).to_numpy() for drug in DRUGS}
    clipped = {drug: np.abs(table).clip(max=4).mean() for drug, table in tables.items()}
    said = ", ".join(f"{drug} {mean:.2f}" for drug, mean in clipped.items())
    results.note(f"with log Bayes factors clipped at 4, as the figure's colours are: {said}")
    return {drug: np.abs(table).mean() for drug, table in tables.items()}


def lines_of_dabrafenib(results: RunResults, seed: int):
    """Return what is known of the cell lines; raise the reason if no mutation is known."""
    model = DRUGS["Dabrafenib"]
    lines = mixseq.cell_lines(results.latent(model, seed).obs)
    if lines["braf"].isna().all():
        files = results.origin(results.config.model(model).study).get("files", [])
        reasons = [f["reason"] for f in files if f["identity"] == "not available"]
        raise NotAvailable(": ".join(["the cell lines' mutations are not known", *reasons]))
    return lines


def responses(values: dict[str, float], trametinib: bool) -> list[float]:
    """Return the values of Trametinib, or those of the other drugs."""
    return [v for name, v in values.items() if name.startswith("Trametinib") == trametinib]


@claim(
    "M03",
    lambda v: min(responses(v, True)) > 0 >= max(responses(v, False)),
    lambda v: min(responses(v, True)) - max(0, *responses(v, False)),
    shuffle="condition",
    beyond=True,
)
def interferon_response(results: RunResults, seed: int):
    """Mean log Bayes factor of both interferon responses over cell lines, by drug."""
    tables = {drug: log_bayes_factors(results, seed, drug) for drug in DRUGS}
    return {
        f"{drug} {name}": get_gmv(table, gmv).mean()
        for drug, table in tables.items()
        for name, gmv in INTERFERONS.items()
    }


def stronger_in_melanoma(values: dict[str, float]) -> float:
    """Return by how much melanoma lines respond more strongly than the others."""
    melanoma, others = (values[f"mean of absolute values: {n}"] for n in ("melanoma", "others"))
    return melanoma - others


@claim(
    "M04",
    lambda v: stronger_in_melanoma(v) > 0,
    stronger_in_melanoma,
    shuffle="lines",
    beyond=True,
)
def dabrafenib_in_melanoma(results: RunResults, seed: int):
    """Mean and mean absolute log Bayes factor of Dabrafenib, in two groups of cell lines.

    Judged by the mean of absolute values: the published numbers are positive where the heatmap is
    rather blue, so they are probably these (erratum 7).
    """
    table = log_bayes_factors(results, seed, "Dabrafenib")
    lines = lines_of_dabrafenib(results, seed).loc[table.columns]
    if not 0 < lines["melanoma"].sum() < len(lines):
        raise NotAvailable("no BRAF-mutant melanoma line to compare with others")
    parts = {
        "melanoma": table.loc[:, lines["melanoma"]].to_numpy(),
        "others": table.loc[:, ~lines["melanoma"]].to_numpy(),
    }
    return {f"mean: {name}": part.mean() for name, part in parts.items()} | {
        f"mean of absolute values: {name}": np.abs(part).mean() for name, part in parts.items()
    }


@claim("M05", lambda v: v["adjacent"] >= 5 / 8 * v["BRAF-mutant lines"], shuffle="lines")
def adjacent_mutants(results: RunResults, seed: int):
    """Most BRAF-mutant lines without another between them in the Dabrafenib heatmap."""
    table = log_bayes_factors(results, seed, "Dabrafenib")
    lines = lines_of_dabrafenib(results, seed)
    mutant = (lines.loc[clustered(table), "braf"] == mixseq.MUTANT).to_numpy()
    if not mutant.any():
        raise NotAvailable("no cell line is known to have a BRAF mutation")
    return {"adjacent": longest_run(mutant), "BRAF-mutant lines": int(mutant.sum())}


def longest_run(flags: np.ndarray) -> int:
    """Return the length of the longest run of true values."""
    breaks = np.flatnonzero(~np.concatenate([[False], flags, [False]]))
    return int(np.diff(breaks).max() - 1)
