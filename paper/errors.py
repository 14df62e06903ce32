"""The one exception a user can cause, the same in the model package and around it."""

from vega.errors import InputError

__all__ = ["InputError"]
