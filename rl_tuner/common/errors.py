"""The one kind of error that a user can cause and mend."""


class UserError(Exception):
    """Bad input: the message is one line that names the file, the value and the remedy."""


def first_line(error: BaseException | str) -> str:
    """Return what an error says in its first line, or the name of its class where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
