"""The one exception a user can cause."""


class InputError(Exception):
    """Something the user can mend: the message is one line with what, where and what to do."""
