"""What a run shows, in plain sentences, from its table of claims."""

from collections.abc import Mapping, Sequence

import pandas as pd

from scripts.claims.judging import UNINFORMATIVE, Verdict
from scripts.common.shuffles import SHUFFLES

# The verdicts as a report of simulated cells writes them, which reproduce no finding.
WORDS_SIMULATED = {
    Verdict.REPRODUCED: "holds on simulated data",
    Verdict.DIRECTION: "direction only, on simulated data",
    Verdict.DIFFERS: "does not hold on simulated data",
    Verdict.NOT_RUN: "not run",
}
# What claims of each verdict do, one and several of them: in runs on real and on simulated cells.
VERBS = {
    Verdict.REPRODUCED: ("is reproduced", "are reproduced"),
    Verdict.DIRECTION: ("has the published direction only", "have the published direction only"),
    Verdict.DIFFERS: ("differs", "differ"),
}
VERBS_SIMULATED = VERBS | {
    Verdict.REPRODUCED: ("holds", "hold"),
    Verdict.DIFFERS: ("does not hold", "do not hold"),
}
MOST_DESCRIBED = 2  # claims of a figure that are described, and not only named


def words_of(simulated: bool) -> Mapping[str, str]:
    """Return how a report writes each verdict."""
    return {v.value: WORDS_SIMULATED[v] if simulated else v.value for v in Verdict}


def what_it_shows(claims: pd.DataFrame, simulated: bool) -> list[str]:
    """Return sentences on the verdicts of a run.

    `claims` is the table of `scripts.claims.judging.evaluate`, in the order of the figures, with a
    column `label`: the figure of each claim ("Figure 1"), or empty.
    """
    judged = claims[claims["verdict"] != Verdict.NOT_RUN]
    if judged.empty:
        return ["No claim of the paper could be judged on this run; the table says why."]
    sentences = [_overview(judged, len(claims), simulated), *_by_figure(judged, simulated)]
    weak = judged.loc[judged["caution"] == UNINFORMATIVE, "id"]
    if len(weak):
        sentences.append(
            f"The criterion of {joined([*weak])} also holds on shuffled labels, so that its "
            "verdict says little."
        )
    controlled = judged["control_holds"].astype(str).str.len() > 0
    sound = (controlled & (judged["caution"] != UNINFORMATIVE)).sum()
    if sound:
        sentences.append(
            f"{sound} of these claims were also measured on {SHUFFLES} shuffles of the labels; "
            "their criterion holds in at most one shuffle."
        )
    if simulated:
        sentences.append(
            "The cells are simulated with known effects. A claim that holds here shows that the "
            "workflow finds what is in the data. It says nothing about biology, and the numbers "
            "are not expected to be the published ones."
        )
    return sentences


def _overview(judged: pd.DataFrame, total: int, simulated: bool) -> str:
    counts = judged["verdict"].value_counts().to_dict()
    verbs = (VERBS_SIMULATED if simulated else VERBS).items()
    numbers = [f"{counts[v]} {verb[counts[v] > 1]}" for v, verb in verbs if v in counts]
    where = " on simulated data" if simulated else ""
    return f"{len(judged)} of the paper’s {total} claims were judged{where}: {joined(numbers)}."


def _by_figure(judged: pd.DataFrame, simulated: bool) -> list[str]:
    """Return a sentence on the figures whose claims are all met, and one for each other figure."""
    _, verb = (VERBS_SIMULATED if simulated else VERBS)[Verdict.REPRODUCED]
    whole, sentences = [], []
    for label, rows in judged[judged["label"] != ""].groupby("label", sort=False):
        missed = rows[rows["verdict"] != Verdict.REPRODUCED]
        if missed.empty:
            whole.append(str(label))
            continue
        names = list(missed["id"])
        if len(missed) <= MOST_DESCRIBED:
            names = [f"{row.id} ({row.statement})" for row in missed.itertuples()]
        met = f"{len(rows) - len(missed)} of {len(rows)} claims {verb}"
        sentences.append(f"{label}: {met}; not {joined(names)}.")
    if whole:
        sentences.insert(0, f"All judged claims of {joined(whole)} {verb}.")
    return sentences


def joined(parts: Sequence[str]) -> str:
    """Return parts as a list in a sentence.

    >>> joined(["a"]), joined(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
