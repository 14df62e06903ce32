"""The exception for mistakes that a user can correct."""


class InputError(ValueError):
    """A mistake that the user can correct; the message is one line: what, where, what to do."""

    def __str__(self) -> str:
        """Return the message on one line, without control characters of text that it quotes."""
        return "".join(c if c.isprintable() else "?" for c in one_line(super().__str__()))


def one_line(error: object) -> str:
    """Return the message of an error on one line."""
    return " ".join(str(error).split()) or type(error).__name__
