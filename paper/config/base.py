"""What all parts of the configuration share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Share = Annotated[float, Field(ge=0, lt=1)]


class Model(BaseModel):
    """A part of the configuration: unknown entries are errors, so that typos are seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)
