"""Models, other methods, and what is asked of both (`models.yaml`, `peers.yaml`)."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from scripts.common.config.base import Model, Name, Share


class Contrast(Model):
    """A comparison of two groups of cells."""

    within: dict[str, list[str]] = Field({}, description="Only cells with these values.")
    column: str = Field(description="Column that tells the groups apart.")
    group: str = Field(description="The group whose higher activity gives a positive Bayes factor.")
    reference: str = Field(description="The group it is compared with.")
    by: str | None = Field(
        None, description="One comparison for each value of this column, which names the group."
    )
    gsea: bool = Field(False, description="Whether GSEA is run on the same cells.")


class Silhouette(Model):
    """A silhouette of labels in latent space."""

    column: str = Field(description="Column of the labels.")
    within: dict[str, list[str]] = Field({}, description="Only cells with these values.")
    of: Literal["mean", "sample"] = Field(
        "mean", description="Whether cells stand at their posterior mean or at a sample of it."
    )
    extra_nodes: bool = Field(True, description="Whether extra nodes are part of the space.")


class Folds(Model):
    """Cross-validation: the cells in parts of alike composition, of which one validates."""

    n: Annotated[int, Field(ge=2)] = Field(description="Number of parts.")
    column: str = Field(description="Column whose values are spread evenly over them.")


class Latent(Model):
    """What gives cells x latent variables, and what is asked of that."""

    study: Name = Field(description="Study it learns from, an entry of `studies.yaml`.")
    gene_sets: str = Field(description="GMT file among the files of `gene_sets`.")
    min_genes: NonNegativeInt = Field(0, description="Smallest gene set used, as published.")
    max_genes: PositiveInt = Field(5000, description="Largest gene set used, as published.")
    embedding: Literal["umap", "tsne", "none"] = Field(
        "umap", description="Two-dimensional embedding of the posterior means."
    )
    tsne_learning_rate: PositiveFloat | None = Field(
        None, description="Learning rate of t-SNE, if not scikit-learn's."
    )
    silhouettes: dict[Name, Silhouette] = Field({}, description="Silhouettes to compute, by name.")


class ModelConfig(Latent):
    """A model: its study, gene sets, settings and contrasts. Defaults: the published Kang model."""

    cells: dict[str, list[str]] = Field(
        {}, description="Only cells with these values are learnt from."
    )
    leave_out: dict[str, list[str]] = Field(
        {}, description="Cells with all of these values are not learnt from."
    )
    remove_genes: dict[str, list[str]] = Field(
        {}, description="Genes that are taken out of gene sets, by set."
    )
    each: str | None = Field(
        None, description="Column of types: one model for each, which is added to `leave_out`."
    )
    variants: dict[str, dict[str, Any]] = Field(
        {}, description="Sets of settings by name: one model for each; without those that read "
        "counts where the study has none."
    )  # fmt: skip
    sweep: dict[str, list[bool | int | float | str]] = Field(
        {}, description="Settings with several values each: one model for each combination."
    )
    batch_key: str | None = Field(None, description="Column of the batch given to the decoder.")
    encoder: Literal["deep", "masked", "masked_linear"] = Field(
        "deep", description="`masked`: each GMV sees the genes of its set only, through one layer "
        "with ReLU; `masked_linear`: without, with weights >= 0."
    )  # fmt: skip
    decoder: Literal["masked", "binary", "soft", "deep"] = Field(
        "masked", description="`binary`: weights of 1 that never change; `soft`: weights outside "
        "the sets at a price; `deep`: hidden layers."
    )  # fmt: skip
    likelihood: Literal["gaussian", "negative_binomial"] = Field(
        "gaussian", description="Of log-normalised expression, or of counts."
    )
    layer: str | None = Field(None, description="Layer of the expression, if not `X`.")
    extra_nodes: NonNegativeInt = Field(1, description="Fully connected extra latent variables.")
    n_hidden: PositiveInt = Field(800, description="Width of the encoder's hidden layers.")
    n_layers: PositiveInt = Field(2, description="Number of hidden layers of the encoder.")
    dropout: Share = Field(0.5, description="Dropout of the encoder's hidden layers.")
    latent_dropout: Share = Field(0.5, description="Dropout of the posterior's mean and variance.")
    norm_momentum: Annotated[float, Field(gt=0, le=1)] = Field(
        0.01, description="Momentum of batch norm."
    )
    norm_epsilon: PositiveFloat = Field(1e-3, description="Epsilon of batch norm.")
    nonnegative_start: Literal["clamped", "uniform"] = Field(
        "clamped", description="Initial weights that are kept >= 0: from U(-b, b), the negative "
        "ones set to 0; or from U(0, b)."
    )  # fmt: skip
    beta: NonNegativeFloat = Field(1e-4, description="Weight of the KL term.")
    positive: bool = Field(True, description="Whether decoder weights are kept >= 0.")
    bias: bool = Field(True, description="Whether the decoder has a bias.")
    penalty: NonNegativeFloat = Field(10, description="`soft`: weight of the L1 penalty, lambda.")
    l1_update: Literal["multiplicative", "soft_threshold"] = Field(
        "multiplicative", description="`soft`: how it is paid; the first as published."
    )
    learning_rate: PositiveFloat = Field(1e-4, description="Learning rate of Adam.")
    weight_decay: NonNegativeFloat = Field(5e-4, description="Weight decay of Adam (coupled).")
    adam_epsilon: PositiveFloat = Field(1e-8, description="Epsilon of Adam.")
    batch_size: PositiveInt = Field(128, description="Cells per update.")
    drop_last: bool = Field(False, description="Whether a smaller last minibatch is left out.")
    mean_loss: bool = Field(
        False, description="Whether an update takes the mean loss of its cells, not their sum."
    )
    n_epochs_kl_warmup: NonNegativeInt = Field(
        0, description="Epochs in which the KL weight rises."
    )
    max_epochs: PositiveInt = Field(500, description="Most epochs.")
    patience: PositiveInt = Field(10, description="Epochs without a better loss before it stops.")
    train_fraction: Annotated[float, Field(gt=0, le=1)] = Field(
        0.8, description="Share of the cells that are trained on; the rest validates."
    )
    folds: Folds | None = Field(
        None, description="Cross-validation instead of `train_fraction`; `sweep` takes its folds."
    )
    fold: PositiveInt = Field(1, description="Fold that validates, with `folds`.")
    run: PositiveInt = Field(1, description="Further runs start from other weights.")
    corrected: dict[str, float] = Field(
        {}, description="Settings that the paper's text has instead, for `fidelity: corrected`."
    )
    contrasts: dict[Name, Contrast] = Field({}, description="Comparisons to make, by name.")
    one_vs_rest: str | None = Field(
        None, description="Column whose every value is compared with all other cells."
    )
    weights_of: list[str] = Field([], description="GMVs whose decoder weights get a table.")
    recovery: str | None = Field(
        None, description="Name under which it is held against what is planted in simulated cells."
    )
    simulated: bool = Field(
        False, description="Whether it is part of runs on simulated cells only."
    )

    def training_settings(
        self, fidelity: str = "published", instead: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """What a trained model depends on: all but the questions asked of it afterwards.

        `instead` holds settings that are taken in place of the model's own.
        """
        changed = self.corrected if fidelity == "corrected" else {}
        entry = self.with_settings({**changed, **(instead or {})})
        return entry.model_dump(exclude={"study", "gene_sets", *CORRECTIONS, *QUESTIONS})

    def with_settings(self, settings: dict[str, Any]) -> "ModelConfig":
        """The entry with other settings, checked, and without those of the paper's text."""
        plain = self.model_dump(exclude=CORRECTIONS)
        return type(self).model_validate({**plain, **settings})

    def questions(self) -> dict[str, Any]:
        """What is asked of a model once it is trained, and of which gene sets."""
        return self.model_dump(include={"contrasts", "one_vs_rest", "min_genes", "max_genes"})


CORRECTIONS = {"corrected"}
QUESTIONS = {
    "contrasts", "one_vs_rest", "embedding", "tsne_learning_rate", "silhouettes", "weights_of",
    "recovery", "simulated", "each", "variants", "sweep",
}  # fmt: skip


class Peer(Latent):
    """Another method beside VEGA: what it learns from, its settings and what is asked of it."""

    method: Literal["pca", "mask_pca", "linear_scvi", "intercode", "ulm", "score_genes"] = Field(
        description="Principal components, of the cells or of their sums over gene sets; linear "
        "scVI; the regularised autoencoder of Rybakov et al.; univariate linear model; scanpy's "
        "score."
    )
    settings: dict[str, bool | int | float | str] = Field(
        {}, description="Arguments of its function in `scripts/train/baselines/`."
    )
    epochs_of: Name | None = Field(
        None, description="Model that it is trained for as many epochs as."
    )

    @model_validator(mode="after")
    def _no_samples(self) -> Self:
        if any(silhouette.of == "sample" for silhouette in self.silhouettes.values()):
            raise ValueError("silhouettes: of: sample is for models, which have a posterior")
        return self

    @property
    def is_trained(self) -> bool:
        """Whether it is a network, which a GPU trains faster."""
        return self.method in ("linear_scvi", "intercode")
