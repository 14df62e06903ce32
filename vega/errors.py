"""The one exception a user can cause."""


class InputError(ValueError):
    """Something the user can mend: the message is one line with what, where and what to do."""

    def __str__(self) -> str:
        """The message, whatever it quotes on one line and without what a terminal would obey."""
        return "".join(c if c.isprintable() else "?" for c in one_line(super().__str__()))


def one_line(error: object) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
