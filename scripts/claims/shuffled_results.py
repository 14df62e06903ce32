"""The results of a run with shuffled labels: the negative control of its claims.

A claim is measured on them by the same function as on the results. What follows from the posterior
of a model is computed again when a claim asks for it; other analyses write tables of their own,
`tables/<name>_control.tsv`, with a column `shuffle`.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.stats import rankdata

from scripts.claims.run_results import NotAvailable, RunResults
from scripts.common.contrasts import groups
from scripts.common.shuffles import shuffle_labels
from vega.differential import log_bayes_factor
from vega.posterior import Posterior

SIGNIFICANT = 3.0  # |log Bayes factor|
RANKS_KEPT = 4  # of the last groups of cells, as most shuffles divide the same cells


class ShuffledResults(RunResults):
    """The results of a run in which one thing is shuffled.

    `what` is a column of labels (`shuffle_labels`), `activities` or `names` of GMVs, `weights` of
    genes, or `lines`, the cell lines' Bayes factors. The number of the shuffle starts at 1.
    """

    is_shuffled = True

    def __init__(self, results: RunResults, what: str, number: int):
        self.folder, self.config, self.notes = results.folder, results.config, []
        self._files, self._ranks = results._files, results._ranks
        self._what, self._number = what, number

    def latent(self, model: str, seed: int) -> AnnData:
        """Return cells x GMVs of a model, shuffled."""
        latent = super().latent(model, seed)
        if self._what == LINES:
            return latent
        shuffle = OF_ACTIVITIES.get(self._what, partial(_labels, column=self._what))
        return shuffle(latent, number=self._number)

    def table(self, name: str) -> pd.DataFrame:
        """Return a table of the run with shuffled labels, or with shuffled weights."""
        if self._what == WEIGHTS:
            return shuffle_weights(super().table(name), self._number)
        for ending in ("tsv", "tsv.gz"):
            if self.has("tables", f"{name}_control.{ending}"):
                table = super().table(f"{name}_control", ending)
                return table[table["shuffle"] == self._number]
        raise NotAvailable(f"tables/{name}_control.tsv is not part of this run")

    def differential(self, model: str, seed: int) -> pd.DataFrame:
        """Return log Bayes factors and mean differences of all comparisons of a model."""
        if self._what == LINES:
            return _other_lines(super().table(f"{model}_seed{seed}_differential"), self._number)
        return self._compared(model, seed)

    def contrast(self, model: str, seed: int, contrast: str, group: str) -> pd.DataFrame:
        """Return those of one comparison, by GMV."""
        return self._compared(model, seed, contrast, group).set_index("gmv")

    def _compared(self, model: str, seed: int, *which: str) -> pd.DataFrame:
        """Compare the shuffled groups over all pairs of one posterior sample per cell."""
        true, latent = super().latent(model, seed), self.latent(model, seed)
        tables = {}
        for contrast, group, _, side in groups(latent.obs, self.config.model(model).comparisons()):
            if which and (contrast, group) != which:
                continue
            chosen = side != 0
            key = (model, seed, chosen.tobytes())
            if key not in self._ranks:
                while len(self._ranks) >= RANKS_KEPT:
                    self._ranks.pop(next(iter(self._ranks)))
                self._ranks[key] = _ranked(true[chosen], seed)
            sample, ranks = self._ranks[key]
            tables[contrast, group] = _rank_sums(sample, ranks, side[chosen] == 1, true.var)
        if not tables:
            raise NotAvailable(f"{model} has no contrast {' for '.join(which)}")
        return pd.concat(tables, names=["contrast", "group", "gmv"]).reset_index()


def _ranked(latent: AnnData, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return one posterior sample of each cell and the ranks over the cells, both cells x K."""
    posterior = Posterior(np.asarray(latent.X), np.asarray(latent.layers["variance"]))
    sample = posterior.sample(np.random.default_rng(seed))
    return sample, rankdata(sample, axis=0).astype(np.float32)  # exact up to 8 million cells


def _rank_sums(
    sample: np.ndarray, ranks: np.ndarray, in_group: np.ndarray, var: pd.DataFrame
) -> pd.DataFrame:
    """Return what `vega.differential.rank` gives, from ranks over both groups together."""
    n_group, n_others = in_group.sum(), (~in_group).sum()
    p = (ranks[in_group].sum(axis=0, dtype=float) - n_group * (n_group + 1) / 2) / (
        n_group * n_others
    )
    log_bf = log_bayes_factor(p)
    table = pd.DataFrame(
        {
            "log_bf": log_bf,
            "md": np.abs(sample[in_group].mean(axis=0) - sample[~in_group].mean(axis=0)),
            "significant": np.abs(log_bf) > SIGNIFICANT,
        },
        index=var.index,
    )
    return table.assign(md_text=np.nan).join(var)


def _labels(latent: AnnData, column: str, number: int) -> AnnData:
    obs = shuffle_labels(latent.obs, column, number)
    return AnnData(latent.X, obs=obs, var=latent.var, layers=latent.layers)


def _activities(latent: AnnData, number: int) -> AnnData:
    """Shuffle each GMV over the cells by itself: no two go together any more, nor with a gene."""
    rng = np.random.default_rng(number)
    shuffled = rng.permuted(np.asarray(latent.X), axis=0)
    return AnnData(shuffled, obs=latent.obs, var=latent.var)


def _names(latent: AnnData, number: int) -> AnnData:
    """Give the activities of a GMV the name of another: two named ones are any two."""
    order = np.random.default_rng(number).permutation(latent.n_vars)
    return AnnData(latent.X, obs=latent.obs, var=latent.var.iloc[order])


def _other_lines(differential: pd.DataFrame, number: int) -> pd.DataFrame:
    """Give the Bayes factors of a cell line the name of another."""
    lines = np.sort(differential["group"].unique())
    names = dict(zip(lines, np.random.default_rng(number).permutation(lines), strict=True))
    return differential.assign(group=differential["group"].map(names))


def shuffle_weights(table: pd.DataFrame, number: int) -> pd.DataFrame:
    """Shuffle the weights of a GMV among the genes of its set, and among the other listed genes."""
    rng = np.random.default_rng(number)
    by = [column for column in WEIGHTS_OF if column in table]
    weight = table.groupby([*by, "in_set"])["weight"].transform(rng.permutation)
    rank = weight.groupby([table[column] for column in by]).rank(ascending=False, method="first")
    return table.assign(weight=weight, rank=rank)


# What the negative control of a claim shuffles, in words.
SHUFFLED = {
    None: "",
    "condition": "conditions within cell types or lines",
    "cell_type": "cell types within conditions",
    "batch": "batches within cell types",
    "study": "studies within cell types",
    "activities": "each GMV over the cells",
    "names": "names of the GMVs",
    "weights": "weights over the genes",
    "lines": "cell lines",
}
WEIGHTS_OF = ("seed", "l1_update", "l1_lambda", "latent_dropout", "gmv")  # one GMV of a model
WEIGHTS, LINES = "weights", "lines"
OF_ACTIVITIES: dict[str, Callable[..., AnnData]] = {"activities": _activities, "names": _names}
