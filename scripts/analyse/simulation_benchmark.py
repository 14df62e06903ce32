"""Simulation benchmark: how well methods recover planted activity. Beyond the paper.

None of the paper's comparisons has a known answer; in a simulated study the truth is known. Each
method gets two scores:

- Which gene sets shift between two groups of cells? The statistic of a method, a signed number per
  set, classifies the sets: positives were made to shift, negatives were not.
- How active is a set in each cell? The activity is correlated with the planted one.

The expected shift of a set between a group and its reference is that of the mean log2 expression of
its genes: over the programmes that reach it, the sum of share x effect x (fraction of the group's
cells that have the programme - fraction of the reference's cells). A set is positive if this is at
least `POSITIVE` in size, negative if it is at most `NEGATIVE`, and left out in between.

The statistic of a method with activities of cells is the log Bayes factor of p = P(activity in the
group > activity in the reference) over all pairs of cells. VEGA's p is over the whole posterior.
Without a posterior, p is the area of the Mann-Whitney test, so that sets rank by |AUC - 0.5|, as
with a posterior without width. The statistic of GSEA is the normalised enrichment score, 0 for sets
that it does not test.

Not every set that shifts has a simulated effect: the random sets hold marker genes of the cell
types, and do shift between types, yet they count as negative. This is the same for all methods, but
it bounds what can be reached where types are compared; conditions do not have this flaw. The two
kinds of comparisons are therefore reported separately.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.stats import rankdata

import vega
from scripts.analyse.gsea import prerank, wilcoxon_scores
from scripts.common.contrasts import ONE_VS_REST, Analyses, groups
from scripts.common.h5ad import read_cells
from scripts.common.obs_mask import obs_mask
from scripts.common.run import log, run
from scripts.common.tables import read_table, write_table
from vega.differential import exact_comparisons, log_bayes_factor, rank
from vega.errors import InputError
from vega.metrics import auc
from vega.posterior import Posterior
from vega.values import values_of

# Mean log2 fold changes of a set's genes. The weakest programmes of whole sets shift it by 0.5, and
# random sets that share genes with strong programmes shift by up to 0.5 too: those with 0.3 (a fold
# change of 1.23) have been made to shift, those with 0.1 (1.07) hardly. Untouched sets alone would
# not do as negatives: where a drug has many programmes, and among regulons, each shares some gene.
POSITIVE, NEGATIVE = 0.3, 0.1

CONDITION, TYPE = "condition", "type"  # kinds of comparisons
GSEA = "GSEA"
# With 200 sets rank as with the usual 1,000 (correlation of |NES| at least .99), and AUROC moves by
# no more than it does with another seed (.01).
PERMUTATIONS = 200

GeneSets = Mapping[str, Sequence[str]]
Method = tuple[str, int | None]  # name and seed, None for what draws nothing


# One row per method, seed (missing for methods that draw nothing) and comparison with a positive
# and a negative set: `auroc` and `auprc` (average precision) of the size of the statistic,
# `base_rate`, which is the auprc of chance, and `sign`, the share of positive sets whose statistic
# has the sign of the shift.
COMPARISONS = [
    "study", "method", "seed", "contrast", "group", "kind", "n_positive", "n_negative", "auroc",
    "auprc", "base_rate", "sign", "note",
]  # fmt: skip
# One row per method with activities of cells, seed and planted set that is not equally active in
# all cells. With decoder weights of both signs, the sign of an activity is the model's choice.
ACTIVITY = ["study", "method", "seed", "gene_set", "spearman", "in_order"]


def benchmark(
    latents: Mapping[Method, AnnData],
    truth: pd.DataFrame,
    analyses: Analyses,
    cells: AnnData,
    gene_sets: GeneSets,
    threads: int = 1,
    seed: int = 1,
) -> dict[str, pd.DataFrame]:
    """Score methods, and GSEA (with `threads` and `seed`), on a simulated study.

    Returns the tables `comparisons` and `activity`.

    `latents` are `cells` x GMVs or sets, by method and seed: `X` is the activity, and
    `layers["variance"]` its variance if there is a posterior. Only sets that all methods have are
    scored. `truth` has the simulated effects (`scripts.simulate.truth.truth`).
    """
    study = json.loads(cells.uns["provenance"])["study"]
    sets = _sets_of_all(latents, gene_sets)
    # Names as reading a GMT file leaves them.
    truth = truth.assign(gene_set=truth["gene_set"].str.strip())
    asked = list(groups(cells.obs, analyses))
    sides = [side for *_, side in asked]
    shifts = expected_shifts(truth, cells.obs, sides, sets)
    statistics = {method: log_bayes_factors(x[:, sets], sides) for method, x in latents.items()}
    note, rows = _left_out(truth, cells.obs, sets, gene_sets), []
    for number, ((contrast, group, _, side), shift) in enumerate(zip(asked, shifts, strict=True)):
        positive, negative = positives_and_negatives(shift)
        if not (positive.any() and negative.any()):
            log.info("%s: %s: no positive or no negative gene set", contrast, group)
            continue
        comparison = {
            "study": study, "contrast": contrast, "group": group,
            "kind": TYPE if contrast == ONE_VS_REST else CONDITION,
            "n_positive": positive.sum(), "n_negative": negative.sum(), "note": note,
        }  # fmt: skip
        found = {method: values[number] for method, values in statistics.items()}
        ranking = wilcoxon_scores(cells[side != 0], side[side != 0] == 1)
        enriched = prerank(ranking, {s: gene_sets[s] for s in sets}, threads, seed, PERMUTATIONS)
        found[GSEA, None] = enriched["nes"].fillna(0).to_numpy()  # 0 for sets that are not tested
        for (method, of_seed), values in found.items():
            scores = score_sets(values, shift)
            rows.append({**comparison, "method": method, "seed": of_seed, **scores})
    activity = [
        {"study": study, "method": method, "seed": of_seed, "gene_set": name}
        | spearman(values_of(latent, name), planted)
        for name, planted in planted_activity(truth, cells.obs, sets).items()
        for (method, of_seed), latent in latents.items()
    ]
    return {
        "comparisons": pd.DataFrame(rows, columns=COMPARISONS).astype({"seed": "Int64"}),
        "activity": pd.DataFrame(activity, columns=ACTIVITY).astype({"seed": "Int64"}),
    }


def _sets_of_all(latents: Mapping[Method, AnnData], gene_sets: GeneSets) -> list[str]:
    """Return the sets that all methods have an activity of: a number for every cell."""
    sets = [s for s in gene_sets if all(s in latent.var_names for latent in latents.values())]
    if not sets:
        names = ", ".join(dict.fromkeys(name for name, _ in latents))
        raise InputError(
            f"simulation benchmark: {names} have no gene set of the collection in common; give all "
            "the same collection"
        )
    for (method, _), latent in latents.items():
        wrong = ~np.isfinite(np.asarray(latent[:, sets].X)).all(axis=0)
        if wrong.any():
            raise InputError(
                f"simulation benchmark: {method}: the activity of {sets[wrong.argmax()]} is not a "
                "number in some cells; give each cell one, or leave the set out"
            )
    return sets


def _left_out(truth: pd.DataFrame, obs: pd.DataFrame, sets: list[str], gene_sets: GeneSets) -> str:
    """Return which sets of the collection are not scored, as a text."""
    notes = []
    if len(sets) < len(gene_sets):
        notes.append(f"that not all methods have: {len(gene_sets) - len(sets)}")
    _, unknown = _programmes(truth, obs)
    if unknown:
        reached = truth.loc[truth["programme"].isin(unknown), "gene_set"]
        columns = dict.fromkeys(column for lacking in unknown.values() for column in lacking)
        notes.append(
            f"of programmes by {' and '.join(columns)}, which the cells do not tell: "
            f"{len(set(reached).intersection(sets))}"
        )
    return f"sets left out: {'; '.join(notes)}" if notes else ""


# ---------------------------------------------------------------- scores


def score_sets(statistic: np.ndarray, shift: np.ndarray) -> dict[str, float]:
    """Return how well a statistic of each set, by its size, separates positive from negative sets.

    Tied sets count as one step. See `COMPARISONS` for the scores.
    """
    from sklearn.metrics import average_precision_score

    positive, negative = positives_and_negatives(shift)
    taken = positive | negative
    size, truth = np.abs(statistic[taken]), positive[taken]
    return {
        "auroc": auc(size, truth),
        "auprc": float(average_precision_score(truth, size)),
        "base_rate": truth.mean(),
        "sign": (np.sign(statistic) == np.sign(shift))[positive].mean(),
    }


def positives_and_negatives(shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which sets are positive and which negative; those of unknown shift are neither."""
    return np.abs(shift) >= POSITIVE, np.abs(shift) <= NEGATIVE


def spearman(activity: np.ndarray, planted: np.ndarray) -> dict[str, float]:
    """Return the Spearman correlation over cells, 0 for a constant activity, and its bound.

    Tied cells have their mean rank. `in_order` is the correlation of the planted activity with one
    that orders all cells correctly and none equally. As most cells have the same activity, it is
    below 1; only ties can exceed it.
    """
    ranks, truth = rankdata(activity), rankdata(planted)
    return {
        "spearman": float(np.corrcoef(ranks, truth)[0, 1]) if np.ptp(ranks) else 0.0,
        "in_order": float(truth.std() / np.arange(len(truth)).std()),
    }


# ---------------------------------------------------------------- statistics


def log_bayes_factors(latent: AnnData, sides: Sequence[np.ndarray]) -> np.ndarray:
    """Return those of P(activity in group > in reference) over all pairs: comparisons x K."""
    mean = np.asarray(latent.X)
    pairs = [(side == 1, side == -1) for side in sides]
    if "variance" in latent.layers:
        posterior = Posterior(mean, np.asarray(latent.layers["variance"]))
        return log_bayes_factor(exact_comparisons(posterior, pairs)[0])
    scores = Posterior(mean, np.zeros_like(mean))
    rng = np.random.default_rng(0)  # without variance, a draw is the score itself
    return log_bayes_factor(np.array([rank(scores[a], scores[b], rng)[0] for a, b in pairs]))


# ---------------------------------------------------------------- truth


def expected_shifts(
    truth: pd.DataFrame, obs: pd.DataFrame, sides: Sequence[np.ndarray], sets: Sequence[str]
) -> np.ndarray:
    """Return expected differences of the sets' mean log2 expression, comparisons x K.

    `sides` has 1 for cells of the group, -1 for those of the reference and 0 for others. The shift
    of a set that a programme reaches whose cells are unknown is not a number.
    """
    rows = truth.dropna(subset="gene_set")
    has, unknown = _programmes(rows, obs)
    shares = [has[side == 1].mean() - has[side == -1].mean() for side in sides]
    reach = (
        rows.assign(reach=rows["share"] * rows["effect"])
        .pivot_table("reach", "programme", "gene_set", "sum", fill_value=0)
        .reindex(columns=sets, fill_value=0)
    )
    shifts = np.array(shares) @ reach.loc[has.columns].to_numpy()
    shifts[:, np.isin(sets, rows.loc[rows["programme"].isin(unknown), "gene_set"])] = np.nan
    return shifts


def planted_activity(
    truth: pd.DataFrame, obs: pd.DataFrame, sets: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return the activity of each planted set by cell: the sum of its programmes' effects there.

    Sets whose activity is the same in all cells, or unknown in some, are left out.
    """
    rows = truth[(truth["kind"] == "planted") & truth["gene_set"].isin(sets)]
    has, unknown = _programmes(rows, obs)
    without = rows.loc[rows["programme"].isin(unknown), "gene_set"]
    rows = rows[~rows["gene_set"].isin(without)]
    activity = {
        name: has[planted["programme"]].to_numpy() @ planted["effect"].to_numpy()
        for name, planted in rows.groupby("gene_set", sort=False)
    }
    return {name: values for name, values in activity.items() if np.ptp(values) > 0}


def _programmes(
    truth: pd.DataFrame, obs: pd.DataFrame
) -> tuple[pd.DataFrame, dict[int, list[str]]]:
    """Return which cells each programme acts in: cells x programmes, 0 or 1.

    Then, of each programme whose cells are unknown, the columns that the cells lack.
    """
    masks, unknown = {}, {}
    named = truth.dropna(subset="programme").drop_duplicates("programme")
    for number, words in zip(named["programme"], named["where"], strict=True):
        where = _where(words)
        if lacking := [column for column in where if column not in obs]:
            unknown[number] = lacking
        else:
            masks[number] = obs_mask(obs, where)
    return pd.DataFrame(masks, index=obs.index, dtype=float), unknown


def _where(words: str) -> dict[str, list[str]]:
    """Return the cells of a programme, from the truth's `column: value, value; column: value`."""
    parts = (part.partition(": ") for part in words.split("; "))
    return {column: values.split(", ") for column, _, values in parts if values}


def main(snakemake):
    """Rule `simulation_benchmark`: all methods on the same cells of each study."""
    import torch  # late, as figures and claims take names from here

    from scripts.train.baselines.scores import score_genes, ulm

    params, inputs, threads = snakemake.params, snakemake.input, snakemake.threads
    torch.set_num_threads(threads)
    first_seed, parts = params.seeds[0], []
    for (study, about), data, truth, gmt in zip(
        params.studies.items(), inputs.data, inputs.truth, inputs.gene_sets, strict=True
    ):
        cells, analyses = read_cells(data), about["analyses"]
        log.info("%s: %d cells, %s", study, cells.n_obs, ", ".join(about["models"]))
        gene_sets = vega.read_gmt(gmt, analyses["min_genes"], analyses["max_genes"])
        latents = {
            (name, seed): vega.load(Path(folder, f"seed{seed}")).latent(cells)
            for name, folder in about["models"].items()
            for seed in params.seeds
        }
        for name, method in {"ULM": ulm, "score_genes": score_genes}.items():
            found = method(cells, gene_sets, seed=first_seed, threads=threads)
            var = pd.DataFrame(index=pd.Index(found.names, name="gmv"))
            latents[name, None] = AnnData(found.activity, obs=cells.obs, var=var)
        planted = read_table(truth)
        parts.append(benchmark(latents, planted, analyses, cells, gene_sets, threads, first_seed))
    for name in parts[0]:
        table = pd.concat([part[name] for part in parts], ignore_index=True)
        write_table(table, snakemake.output[name])


if __name__ == "__main__":
    run(main, snakemake)
