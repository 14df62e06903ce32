"""Claims on other architectures and methods: S01 to S05 (Figures S1 to S3)."""

from collections.abc import Iterable

import pandas as pd

from scripts.claims.judging import Values, claim, lead
from scripts.claims.run_results import RunResults, known, rows_of

# Variants of the model kang_architectures, by the names that the claims give them.
ARCHITECTURES = {
    "sparse-sparse": "sparse-sparse",
    "VEGA": "vega",
    "sparse-deep": "sparse-deep",
    "VAE": "vae",
}

RETINA = {
    "PCA": "retina_pca_silhouettes",
    "linear scVI": "retina_linear_scvi_silhouettes",
    "VEGA": "retina_silhouettes",
}

DECODERS = {
    "mask + PCA": "kang_mask_pca_silhouettes",
    "binary": "kang_binary_silhouettes",
    "trainable": "kang_silhouettes",
}
# Silhouettes of cell types. The first was published as that of the condition (erratum 5).
TYPES = {
    "in all": "silhouette_type",
    "in control": "silhouette_type_control",
    "in stimulated": "silhouette_type_stimulated",
}
CONDITIONS = ("in control", "in stimulated")


def over_folds(results: RunResults, seed: int, column: str) -> dict[str, pd.Series]:
    """Return the known values of each architecture's folds."""
    table = rows_of(results, "kang_architectures_sweep", seed)
    return {
        name: known(table.loc[table["variant"] == variant, column], f"{column} of {name}")
        for name, variant in ARCHITECTURES.items()
    }


def fold_means(results: RunResults, seed: int, column: str) -> Values:
    """Return the mean over the folds of each architecture."""
    return {name: values.mean() for name, values in over_folds(results, seed, column).items()}


def silhouettes(results: RunResults, seed: int, tables: dict[str, str], column: str) -> Values:
    """Return a silhouette of several methods, from their tables."""
    return {
        name: known(rows_of(results, table, seed)[column], f"{column} of {name}").mean()
        for name, table in tables.items()
    }


def listed(values: Values, digits: int) -> str:
    """Return values as a text for a note."""
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in values.items())


@claim(
    "S01",
    lambda v: lead(v, "VEGA") > 0,
    lambda v: lead(v, "VEGA"),
    shuffle="condition",
    exact=True,
    near_zero=True,
)
def condition_by_architecture(results: RunResults, seed: int):
    """Silhouette of the condition, of a posterior sample, mean over folds."""
    of_mean = fold_means(results, seed, "silhouette_condition_mean")
    results.note(f"of the posterior mean instead of a sample: {listed(of_mean, 3)}")
    return fold_means(results, seed, "silhouette_condition")


def least_lead(values: Values, name: str, names: Iterable[str], parts: Iterable[str]) -> float:
    """Return the smallest lead of a name over the others, of several parts."""
    return min(lead({n: values[f"{n} {of}"] for n in names}, name) for of in parts)


def lead_of_vae(values: Values) -> float:
    """Return the smaller lead of the VAE, of both conditions."""
    return least_lead(values, "VAE", ARCHITECTURES, CONDITIONS)


@claim(
    "S02",
    lambda v: lead_of_vae(v) > 0,
    lead_of_vae,
    shuffle="cell_type",
    beyond=True,
    near_zero=True,
)
def types_by_architecture(results: RunResults, seed: int):
    """Silhouette of the cell types in either condition, mean over folds."""
    return {
        f"{name} {of}": value
        for of in CONDITIONS
        for name, value in fold_means(results, seed, TYPES[of]).items()
    }


@claim(
    "S03",
    lambda v: v["VEGA"] > v["sparse-sparse"] > v["sparse-deep"] > v["VAE"],
    lambda v: min(v["VEGA"], v["sparse-sparse"]) - max(v["sparse-deep"], v["VAE"]),
)
def loss_by_architecture(results: RunResults, seed: int):
    """Lowest validation loss, mean over folds; at least, a sparse decoder loses more."""
    folds = over_folds(results, seed, "validation_loss")
    spread = {name: losses.std() for name, losses in folds.items()}
    results.note(f"standard deviation over folds: {listed(spread, 2)}")
    return fold_means(results, seed, "validation_loss")


@claim(
    "S04",
    lambda v: lead(v, "PCA") > 0 and max(v["linear scVI"], v["VEGA"]) < 0.02,
    lambda v: lead(v, "PCA"),
    shuffle="batch",
    beyond=True,
    near_zero=True,
)
def batches_of_the_retina(results: RunResults, seed: int):
    """Silhouette of the batch: the lower, the better the batches mix."""
    return silhouettes(results, seed, RETINA, "silhouette_batch")


def lead_of_trainable(values: Values) -> float:
    """Return by how much the mean of the three is higher for the trainable decoder."""
    means = {name: sum(values[f"{name} {of}"] for of in TYPES) / 3 for name in DECODERS}
    return lead(means, "trainable")


@claim(
    "S05",
    lambda v: least_lead(v, "trainable", DECODERS, TYPES) > 0,
    lead_of_trainable,
    shuffle="cell_type",
    beyond=True,
    near_zero=True,
)
def decoders(results: RunResults, seed: int):
    """Silhouettes of the cell types, as published."""
    condition = silhouettes(results, seed, DECODERS, "silhouette_condition")
    results.note(
        "“condition” was published of the cell types in all cells (erratum 5); of the conditions: "
        + listed(condition, 3)
    )
    values = {of: silhouettes(results, seed, DECODERS, column) for of, column in TYPES.items()}
    return {f"{name} {of}": values[of][name] for name in DECODERS for of in TYPES}
