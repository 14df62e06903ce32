"""Reference of the package: parameters described together keep their own types and defaults.

MkDocs calls this file (`extensions` in `mkdocs.yml`), since mkdocstrings would give all names of
such an entry the type and the default of the first.
"""

from dataclasses import fields
from typing import Any

import griffe

from vega import settings


class OwnDefaults(griffe.Extension):
    """Takes types and defaults of parameters from signatures."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Correct the parameters of a function."""
        _correct(func)

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """Correct the parameters of a class, and describe the hyperparameters of settings."""
        if cls.module.path == settings.__name__ and cls.docstring:
            cls.docstring.value += "\n\nAttributes\n----------"
            for each in fields(getattr(settings, cls.name)):
                description = each.metadata["description"]
                cls.docstring.value += f"\n{each.name}\n    `{each.default!r}`. {description}"
        _correct(cls)


def _correct(of: griffe.Function | griffe.Class) -> None:
    sections = of.docstring.parsed if of.docstring else []
    told = [s for s in sections if s.kind is griffe.DocstringSectionKind.parameters]
    for parameter in (p for section in told for p in section.value):
        if parameter.name in of.parameters:
            signature = of.parameters[parameter.name]
            parameter.value, parameter.annotation = signature.default, signature.annotation
