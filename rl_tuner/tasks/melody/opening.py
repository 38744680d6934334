"""Reading of the beginning of a melody that is to be continued."""

from __future__ import annotations

from typing import Any, NoReturn

from rl_tuner.common.errors import UserError
from rl_tuner.tasks.melody import rendering


def read_primer(path: str) -> list[int]:
    """Return the classes of the first melody in a MIDI file; see `rendering.read_melody`.

    Raises:
        UserError: the file cannot be read, or does not contain a melody.
    """
    try:
        return rendering.read_melody(path)
    except OSError as error:
        raise UserError(f"primer {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"primer {path}: {error}; give a MIDI file with a melody") from error


def read_prompt(text: str) -> NoReturn:
    """Reject a prompt, because melodies have no text form.

    Raises:
        UserError: always.
    """
    raise UserError(
        f"prompt {text!r}: melodies have no text form; give a primer, a MIDI file, instead"
    )


def check(metadata: dict[str, Any], primer: str | None, prompt: str | None) -> None:
    """Read a primer or a prompt only for its errors; see `rl_tuner.tasks.opening.check`."""
    del metadata
    if primer:
        read_primer(primer)
    if prompt:
        read_prompt(prompt)
