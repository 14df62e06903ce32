"""Claims on other architectures and methods: S01 to S05 (Figures S1 to S3)."""

import pandas as pd

from scripts.claims.judging import Values, claim, near
from scripts.claims.run_results import RunResults
from scripts.claims.supplement import known, rows_of

# Variants of the model kang_architectures, by the names that the claims give them.
ARCHITECTURES = {
    "sparse-sparse": "sparse-sparse",
    "VEGA": "vega",
    "sparse-deep": "sparse-deep",
    "VAE": "vae",
}
CONDITION = {"sparse-sparse": 0.023, "VEGA": 0.113, "sparse-deep": 0.065, "VAE": 0.093}

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

# As published.
TYPES_BY_ARCHITECTURE = {
    f"{name} {of}": number
    for of, numbers in zip(
        CONDITIONS, ((-0.002, 0.063, 0.021, 0.087), (-0.005, 0.040, 0.017, 0.050)), strict=True
    )
    for name, number in zip(ARCHITECTURES, numbers, strict=True)
}
TYPES_BY_DECODER = {
    f"{name} {of}": number
    for name, numbers in zip(
        DECODERS, ((0.019, 0.008, 0.002), (0.028, 0.007, 0.013), (0.072, 0.078, 0.049)), strict=True
    )
    for of, number in zip(TYPES, numbers, strict=True)
}


def over_folds(results: RunResults, seed: int, column: str) -> dict[str, pd.Series]:
    """The values of each architecture's folds, where known."""
    table = rows_of(results, "kang_architectures_members", seed)
    return {
        name: known(table.loc[table["variant"] == variant, column], f"{column} of {name}")
        for name, variant in ARCHITECTURES.items()
    }


def fold_means(results: RunResults, seed: int, column: str) -> Values:
    """Mean over the folds of each architecture."""
    return {name: values.mean() for name, values in over_folds(results, seed, column).items()}


def silhouettes(results: RunResults, seed: int, tables: dict[str, str], column: str) -> Values:
    """A silhouette of each of several methods, from their tables."""
    return {
        name: known(rows_of(results, table, seed)[column], f"{column} of {name}").mean()
        for name, table in tables.items()
    }


def highest(values: Values) -> str:
    """The name of the highest value."""
    return max(values, key=values.__getitem__)


def said(values: Values, digits: int) -> str:
    """Values as words for a note."""
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in values.items())


# ---------------------------------------------------------------- deep and sparse networks


@claim(
    "S01",
    lambda v: highest(v) == "VEGA" and near(CONDITION, 0.03)(v),
    lambda v: highest(v) == "VEGA",
    exact=True,
    published=CONDITION,
    near_zero=True,
)
def condition_by_architecture(results: RunResults, seed: int):
    """Silhouette of the condition, of a posterior sample, mean over folds."""
    of_mean = fold_means(results, seed, "silhouette_condition_mean")
    results.note(f"of the posterior mean instead of a sample: {said(of_mean, 3)}")
    return fold_means(results, seed, "silhouette_condition")


def vae_first(values: Values) -> bool:
    """Whether the VAE is first in either condition."""
    return all(
        highest({name: values[f"{name} {of}"] for name in ARCHITECTURES}) == "VAE"
        for of in CONDITIONS
    )


@claim(
    "S02",
    vae_first,
    published=TYPES_BY_ARCHITECTURE,
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
    lambda v: min(v["VEGA"], v["sparse-sparse"]) > max(v["sparse-deep"], v["VAE"]),
    published=dict(zip(ARCHITECTURES, (164.4, 167.6, 152.1, 151.6), strict=True)),
)
def loss_by_architecture(results: RunResults, seed: int):
    """Lowest validation loss, mean over folds; at least, a sparse decoder loses more."""
    folds = over_folds(results, seed, "validation_loss")
    spread = {name: losses.std() for name, losses in folds.items()}
    results.note(f"standard deviation over folds: {said(spread, 2)}")
    return fold_means(results, seed, "validation_loss")


# ---------------------------------------------------------------- other methods


@claim(
    "S04",
    lambda v: highest(v) == "PCA" and max(v["linear scVI"], v["VEGA"]) < 0.02,
    lambda v: highest(v) == "PCA",
    published={"PCA": 0.0380, "linear scVI": 0.0024, "VEGA": 0.0059},
    near_zero=True,
)
def batches_of_the_retina(results: RunResults, seed: int):
    """Silhouette of the batch: the lower, the better the batches mix."""
    return silhouettes(results, seed, RETINA, "silhouette_batch")


def trainable_first(values: Values) -> bool:
    """Whether the trainable decoder is first in all three."""
    return all(
        highest({name: values[f"{name} {of}"] for name in DECODERS}) == "trainable" for of in TYPES
    )


def trainable_first_on_average(values: Values) -> bool:
    """Whether the sum of the three is highest for the trainable decoder."""
    sums = {name: sum(values[f"{name} {of}"] for of in TYPES) for name in DECODERS}
    return highest(sums) == "trainable"


@claim(
    "S05",
    trainable_first,
    trainable_first_on_average,
    published=TYPES_BY_DECODER,
    near_zero=True,
)
def decoders(results: RunResults, seed: int):
    """Silhouettes of the cell types, as published."""
    condition = silhouettes(results, seed, DECODERS, "silhouette_condition")
    results.note(
        "“condition” was published of the cell types in all cells (erratum 5); of the conditions: "
        + said(condition, 3)
    )
    values = {of: silhouettes(results, seed, DECODERS, column) for of, column in TYPES.items()}
    return {f"{name} {of}": values[of][name] for name in DECODERS for of in TYPES}
