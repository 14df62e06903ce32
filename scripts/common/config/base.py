"""What all parts of the configuration share."""

import re
from string import Formatter
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _template(value: str) -> str:
    """Only `{column}` has a meaning, no part or format of it."""
    for _, column, form, conversion in Formatter().parse(value):
        if column is not None and (not column.strip() or form or conversion):
            raise ValueError(f"not a text with {{column}} in it: {value}")
    return value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return value


def _with_group(value: str) -> str:
    if not re.compile(value).groups:
        raise ValueError("expected a group ( ) in it")
    return value


# Names become parts of paths: none leads out of its folder, or hides.
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
NO_NAME = "is no name; it begins with a letter or digit and has none but these and . _ -"
RESERVED = {"all", "gene_sets", "robustness"}  # they mean something else, or are folders of a run
Name = Annotated[str, Field(pattern=NAME)]
Share = Annotated[float, Field(ge=0, lt=1)]
Template = Annotated[str, AfterValidator(_template)]
Pattern = Annotated[str, AfterValidator(_pattern)]
GroupPattern = Annotated[Pattern, AfterValidator(_with_group)]


class Model(BaseModel):
    """A part of the configuration: unknown entries are errors, so that typos are seen."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
