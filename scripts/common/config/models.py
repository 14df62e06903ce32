"""Models, baselines, and what is asked of both (`models.yaml`, `baselines.yaml`)."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal, Self, get_type_hints

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    create_model,
    model_validator,
)

from scripts.common.config.base import Model, Name
from scripts.train.baselines import METHODS
from vega.settings import BOUNDS, ModelSettings, TrainSettings


def _block(settings: type) -> type[Model]:
    """Return the configuration's class for the hyperparameters that an entry may set."""
    hints = get_type_hints(settings)
    return create_model(
        settings.__name__,
        __base__=Model,
        __doc__=settings.__doc__,
        **{
            each.name: (
                hints[each.name],
                Field(
                    each.default,
                    description=each.metadata["description"],
                    **{b: each.metadata[b] for b in BOUNDS if b in each.metadata},
                ),
            )
            for each in fields(settings)
            if not each.metadata.get("per_run")
        },
    )


class Contrast(Model):
    """A comparison of two groups of cells."""

    within: dict[str, list[str]] = Field({}, description="Only cells with these values.")
    column: str = Field(description="Column of the groups.")
    group: str = Field(
        "", description="The group whose higher activity gives a positive Bayes factor; by default "
        "the second of the study's two conditions."
    )  # fmt: skip
    reference: str = Field(
        "", description="The group it is compared with; by default the first condition."
    )
    by: str | None = Field(
        None, description="One comparison for each value of this column, which names the group."
    )
    gsea: bool = Field(False, description="Whether GSEA is run on the same cells.")


class Silhouette(Model):
    """A silhouette of labels in latent space."""

    column: str = Field(description="Column of the labels.")
    within: dict[str, list[str]] = Field({}, description="Only cells with these values.")
    of: Literal["mean", "sample"] = Field(
        "mean",
        description="Whether cells are at their posterior mean or at a sample of the posterior.",
    )
    extra_nodes: bool = Field(True, description="Whether extra nodes are part of the space.")


class Folds(Model):
    """Cross-validation: the cells in parts of alike composition, of which one validates."""

    n: Annotated[int, Field(ge=2)] = Field(description="Number of parts.")
    column: str = Field(description="Column whose values are spread evenly over them.")


class Data(Model):
    """What a model or a baseline learns from."""

    study: Name = Field(description="Study it learns from, an entry of `studies.yaml`.")
    gene_sets: str = Field(description="GMT file among the files of `gene_sets`.")
    min_genes: NonNegativeInt = Field(0, description="Smallest gene set used, as published.")
    max_genes: PositiveInt = Field(5000, description="Largest gene set used, as published.")


class ModelData(Data):
    """What a model learns from."""

    cells: dict[str, list[str]] = Field({}, description="Only cells with these values.")
    leave_out: dict[str, list[str]] = Field(
        {}, description="Without cells that have all of these values."
    )
    remove_genes: dict[str, list[str]] = Field(
        {}, description="Genes that are taken out of gene sets, by set."
    )
    batch_key: str | None = Field(None, description="Column of the batch given to the decoder.")
    folds: Folds | None = Field(
        None, description="Cross-validation in place of `train_fraction`; `sweep` takes its folds."
    )
    fold: PositiveInt = Field(1, description="Fold that validates, with `folds`.")
    run: PositiveInt = Field(1, description="Further runs start from other weights.")


class LatentAnalyses(Model):
    """What is asked of a latent space."""

    embedding: Literal["umap", "tsne", "none"] = Field(
        "umap", description="Two-dimensional embedding of the posterior means."
    )
    tsne_learning_rate: PositiveFloat | None = Field(
        None, description="Learning rate of t-SNE, if not scikit-learn's."
    )
    silhouettes: dict[Name, Silhouette] = Field({}, description="Silhouettes to compute, by name.")
    shuffles: NonNegativeInt = Field(
        0, description="Shuffles of the labels for which silhouettes and GSEA are repeated: the "
        "negative control of claims."
    )  # fmt: skip


class Analyses(LatentAnalyses):
    """What is asked of a trained model."""

    contrasts: dict[Name, Contrast] = Field({}, description="Comparisons to make, by name.")
    one_vs_rest: str | None = Field(
        None, description="Column whose every value is compared with all other cells."
    )
    weights_of: list[str] = Field([], description="GMVs whose decoder weights get a table.")
    recovery: str | None = Field(
        None, description="Name under which it is scored against the truth of simulated cells."
    )


class Latent(Model):
    """What gives cells x latent variables."""

    data: Data = Field(description="What it learns from.")
    analyses: LatentAnalyses = Field(LatentAnalyses(), description="What is asked of it.")

    @property
    def study(self) -> str:
        """The study it learns from."""
        return self.data.study

    @property
    def gene_sets(self) -> str:
        """Its gene set collection."""
        return self.data.gene_sets


ModelBlock, TrainBlock = _block(ModelSettings), _block(TrainSettings)
BLOCKS: dict[str, type[Model]] = {
    "data": ModelData, "model": ModelBlock, "train": TrainBlock, "analyses": Analyses,
}  # fmt: skip
Overrides = dict[str, Any]  # settings of any block by name, as no two blocks have one in common


class ModelConfig(Latent):
    """A model, or several that differ in some settings."""

    data: ModelData = Field(description="What it learns from.")
    model: ModelBlock = Field(ModelBlock(), description="What it is made of.")
    train: TrainBlock = Field(TrainBlock(), description="How it is trained.")
    analyses: Analyses = Field(Analyses(), description="What is asked of it.")
    each: str | None = Field(
        None, description="Column of types: one model for each, which is added to `leave_out`."
    )
    variants: dict[str, Overrides] = Field(
        {}, description="Settings of any block, by the variant's name: one model for each; without "
        "those that read counts where the study has none."
    )  # fmt: skip
    sweep: dict[str, list[bool | int | float | str]] = Field(
        {}, description="Settings with several values each: one model for each combination."
    )
    studies: list[Name] = Field(
        [], description="Studies in place of `data.study`: a model of its own name for each."
    )
    corrected: dict[str, float] = Field(
        {"learning_rate": 5e-4, "beta": 1},
        description="Settings of the paper's text, for `fidelity: corrected` (errata 2 and 3).",
    )
    simulated: bool = Field(
        False, description="Whether it is part of runs on simulated cells only."
    )

    def with_settings(self, settings: Mapping[str, Any]) -> Self:
        """Return the entry with other settings, given by name; ValueError if one is invalid."""
        changed = self.model_dump()
        for name, value in settings.items():
            changed[block_of(name)][name] = value
        return type(self).model_validate(changed)

    def training_settings(
        self, fidelity: str = "published", overrides: Mapping[str, Any] | None = None
    ) -> dict[str, dict[str, Any]]:
        """Return what the trained model depends on: blocks without the analyses."""
        text = self.corrected if fidelity == "corrected" else {}
        entry = self.with_settings({**text, **(overrides or {})})
        return entry.model_dump(include={"data": True, "model": True, "train": True})

    def comparisons(self) -> dict[str, Any]:
        """Return the comparisons that are asked of it, and of which gene sets."""
        return {
            **self.analyses.model_dump(include={"contrasts", "one_vs_rest"}),
            **self.data.model_dump(include={"min_genes", "max_genes"}),
        }


def block_of(setting: str) -> str:
    """Return the block of a setting; ValueError if there is none."""
    for block, kind in BLOCKS.items():
        if setting in kind.model_fields:
            return block
    known = [name for kind in BLOCKS.values() for name in kind.model_fields]
    raise ValueError(f"unknown setting {setting}; known: {', '.join(known)}")


class Baseline(Latent):
    """A method that VEGA is compared with: what it learns from and what is asked of it."""

    method: Literal[*METHODS] = Field(description="A function in `scripts/train/baselines/`.")
    settings: dict[str, bool | int | float | str] = Field(
        {}, description="Arguments of that function."
    )
    epochs_of: Name | None = Field(
        None, description="Model that it is trained for as many epochs as."
    )

    @model_validator(mode="after")
    def _known_settings(self) -> Self:
        known = METHODS[self.method].settings
        if unknown := sorted(self.settings.keys() - set(known)):
            raise ValueError(f"{self.method} has no {unknown[0]}; it has {', '.join(known)}")
        return self

    @model_validator(mode="after")
    def _no_samples(self) -> Self:
        if any(silhouette.of == "sample" for silhouette in self.analyses.silhouettes.values()):
            raise ValueError("silhouettes: of: sample is for models, which have a posterior")
        return self
