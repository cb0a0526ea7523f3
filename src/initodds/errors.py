"""The one error that a user's own input raises."""


class InputError(ValueError):
    """A value that the user gave cannot be used.

    The message is one line that names the key, the value and what is accepted; the command shows it as it is.
    """


def one_line(error: BaseException) -> str:
    """The message of any error, as one line of single-spaced words."""
    return " ".join(str(error).split()) or type(error).__name__
