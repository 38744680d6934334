"""The exception for errors that the user can correct."""


class UserError(Exception):
    """Invalid input; the message is one line that names the file, the value and the remedy."""


def first_line(error: BaseException | str) -> str:
    """Return the first line of an error's message, or the name of its class if it has no message."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
