"""The exception for errors that the user can correct."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Invalid input; the message is one line that names the file, the value and the remedy.

    Args:
        *lines: the message; several if several things are wrong at once.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


def first_line(error: BaseException | str) -> str:
    """Return the first line of an error's message, or the name of its class if it has no message."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def class_and_message(error: BaseException) -> str:
    """Return an error's class and message on one line of at most 300 characters, as "ValueError: a b"."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean NAME?" with the most similar known name; "" if there is none."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
