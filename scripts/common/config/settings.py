"""The switches of a run: `config.yaml`."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pydantic import Field, PositiveInt, field_validator, model_validator

from scripts.common.config.base import RESERVED, Model, Name

Seed = Annotated[int, Field(gt=0, lt=2**31)]


class Settings(Model):
    """The switches of a run (`config/config.yaml`, or `--config` on the command line)."""

    run: Name = Field("paper", description="Name of the run; results go to `results/<run>/`.")
    data: Literal["public", "authors", "simulated", "simulated_authors"] = Field(
        "public", description="Raw files from the public sources, or the authors' processed data; "
        "`simulated` and `simulated_authors` are files of the same forms, made with known truth "
        "and without a network."
    )  # fmt: skip
    mirror: str | None = Field(
        None, description="Folder or URL with `<study>/<file>` and `SHA256SUMS`, used instead of "
        "the public sources."
    )  # fmt: skip
    studies: Literal["all"] | list[Name] | str = Field(
        "all", description="`all`, or the studies to run, as a list or separated by blanks."
    )
    seeds: list[Seed] = Field(
        [1], min_length=1, description="One model is trained per seed, all of an entry side by "
        "side; the first draws the figures, all give claims a spread. Other seeds train new models."
    )  # fmt: skip
    extra_seeds: dict[Name, list[Seed]] = Field(
        {"kang": [2], "kang_control": [2]}, description="Further seeds of single entries of "
        "`models.yaml`. No figure or claim counts them as seeds of the run: they give the noise "
        "floor of Figure 4 and the tables `<model>_consensus.tsv`."
    )  # fmt: skip
    fidelity: Literal["published", "corrected"] = Field(
        "published", description="Which procedure where the paper's text and code disagree."
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="`auto` takes a GPU where there is one."
    )
    require_gpu: bool = Field(
        False, description="Whether a training rule that was given a GPU and finds none stops."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Of the matrix products of training; `auto` takes bfloat16 where the "
        "device computes in it. Results are in float32."
    )  # fmt: skip
    models_per_gpu: PositiveInt = Field(
        4, description="Models of one entry of `models.yaml` that train side by side on a GPU."
    )
    simulations: dict[str, Any] = Field(
        {}, description="Entries that simulated studies have in place of those of "
        "`simulations.yaml`, nested as there."
    )  # fmt: skip
    recovery_models: list[str] = Field(
        [], description="Models that are scored against the truth of simulated studies, by their "
        "`recovery`; all of them by default."
    )  # fmt: skip
    robustness: Literal["all"] | list[Name] = Field(
        [], description="Choices of `robustness.yaml` under which Kang's claims are judged again, "
        "or `all` of them. Each trains models of its own."
    )  # fmt: skip
    training_overrides: dict[str, bool | int | float | str] = Field(
        {}, description="Settings that all models take in place of their own, for trials."
    )
    model_overrides: dict[Name, dict[str, bool | int | float | str]] = Field(
        {}, description="The same for single entries of `models.yaml`; they have precedence."
    )

    @property
    def simulated(self) -> bool:
        """Whether the raw files are simulated."""
        return self.data in ("simulated", "simulated_authors")

    @property
    def from_authors(self) -> bool:
        """Whether studies are the authors' processed data where these have them."""
        return self.data in ("authors", "simulated_authors")

    @field_validator("run", "studies", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, bool | int | float):
                raise ValueError(
                    f"{each} was read as a number; use make RUN=, STUDIES=, or quote the name "
                    "between blanks, as in --config \"run= '2023_10' \""
                )
        return value

    @field_validator("run")
    @classmethod
    def _free(cls, value: str) -> str:
        if value in RESERVED:
            raise ValueError(f"{value} is a reserved name; choose another")
        return value

    @field_validator("mirror")
    @classmethod
    def _folder(cls, value: str | None) -> str | None:
        """Return the path of a folder that is given as a URL or below the home."""
        if value and value.lower().startswith("file:"):
            value = url2pathname(urlsplit(value).path)
        return str(Path(value).expanduser()) if value and value.startswith("~") else value

    @model_validator(mode="after")
    def _seeds_differ(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds: duplicate; give each seed once")
        return self
