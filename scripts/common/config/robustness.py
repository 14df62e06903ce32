"""Choices whose effect on the published findings a run may ask for (`robustness.yaml`)."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from scripts.common.config.base import Model
from scripts.common.config.models import Overrides
from scripts.common.config.settings import Seed
from scripts.common.config.studies import Step

KANG, HELD_OUT = "kang", "kang_holdout_CD4T"  # models that each choice trains
# Models of the run with which the choices are compared.
COMPARED = {
    KANG, HELD_OUT, "kang_control", "kang_counts", "kang_latent_dropout_latent-dropout-0",
    "kang_latent_dropout_latent-dropout-0-5",
}  # fmt: skip


class Choice(Model):
    """A choice: in what it differs from the published procedure."""

    label: str = Field(description="Name of its column in the figure.")
    heading: str = Field(description="Heading over the columns of its kind.")
    seed: Seed | None = Field(None, description="Seed of its models.")
    precision: Literal["float32", "bfloat16"] | None = Field(
        None, description="Precision of their training."
    )
    settings: Overrides = Field(
        {}, description="Settings of their blocks `model` and `train`, by name."
    )
    steps: dict[str, Any] = Field(
        {}, description="Steps of preprocessing, by name: another value, or null to leave the step "
        "out. Steps that the study does not have come first."
    )  # fmt: skip
    also: list[Literal["kang_latent_dropout", "kang_counts"]] = Field(
        [], description="Entries of `models.yaml` that are trained in addition to `kang` and its "
        "held-out CD4T: for claims S12 and S06."
    )  # fmt: skip
    exact: bool = Field(False, description="Whether Bayes factors are exact, not Monte Carlo.")
    shuffled: bool = Field(
        False, description="Whether the labels of the cells are shuffled after training."
    )

    @field_validator("steps")
    @classmethod
    def _are_steps(cls, steps: dict[str, Any]) -> dict[str, Any]:
        for name, value in steps.items():
            if name not in Step.model_fields:
                raise ValueError(f"{name} is not among {', '.join(Step.model_fields)}")
            if value is not None:
                Step.model_validate({name: value})
        return steps

    @model_validator(mode="after")
    def _differs(self) -> Self:
        if not (self.is_trained or self.exact or self.shuffled):
            raise ValueError(
                "expected one of seed, precision, settings, steps, exact, shuffled; add one"
            )
        return self

    @property
    def is_trained(self) -> bool:
        """Whether it has models of its own."""
        return bool(self.seed or self.precision or self.settings or self.steps)

    @property
    def changes_cells(self) -> bool:
        """Whether its steps change more than which genes models have."""
        return not set(self.steps) <= {"highly_variable", "highly_variable_counts"}

    @property
    def entries(self) -> list[str]:
        """Entries of `models.yaml` that it trains."""
        return [KANG, "kang_holdout", *self.also] if self.is_trained else []
