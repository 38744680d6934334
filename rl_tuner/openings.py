"""Beginnings of sequences that are to be continued, and the options with which sequences are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rl_tuner.common.errors import UserError
from rl_tuner.common.progress import say

if TYPE_CHECKING:
    from rl_tuner.tasks.presentation import Presentation

MELODY = "melody"


def read_opening(presentation: Presentation, path: str) -> tuple[list[int], dict[str, Any]]:
    """Return the classes of a primer, and the options with which its continuation is written.

    A tune that a pipeline reads is continued in its own key, metre and tempo, which are told.

    Raises:
        UserError: the file cannot be read, or does not contain a primer.
    """
    from rl_tuner.tasks.melody.presentation import MelodyPresentation

    if not isinstance(presentation, MelodyPresentation):
        return presentation.read_primer(path), {}
    from pipelines.melody.primer import read_primer

    task = presentation.task
    primer = read_primer(path, task.encoding, task.frame.key.fifths)
    say(f"primer {path}: {primer.describe()}")
    tempo = {} if primer.qpm is None else {"qpm": primer.qpm}
    return primer.classes, {"frame": primer.frame} | tempo


def check_opening(metadata: dict[str, Any], primer: str | None, prompt: str | None) -> None:
    """Check a primer or a prompt for a prior, without importing TensorFlow.

    A task of the user's own checks them later, when it reads them.

    Args:
        metadata: the prior's description, with its kind and encoding.
        primer: path of a file; None for none.
        prompt: text; None for none.

    Raises:
        UserError: sequences of this kind cannot begin with it.
    """
    from rl_tuner.tasks import opening

    if primer and metadata.get("kind") == MELODY:
        from pipelines.melody.primer import read_primer

        read_primer(primer, metadata.get("encoding") or {})
    else:
        opening.check(metadata, primer, prompt)


def options_of(
    presentation: Presentation, formats: Sequence[str], qpm: float | None
) -> dict[str, Any]:
    """Return the options with which sequences are written.

    Raises:
        UserError: sequences of this kind have no formats or no tempo, or these are unknown.
    """
    kind = presentation.task.kind
    given: dict[str, Any] = {}
    if formats:
        if not presentation.formats:
            raise UserError(f"formats: {kind} sequences have only one format; leave them out")
        unknown = [name for name in formats if name not in presentation.formats]
        if unknown:
            known = ", ".join(presentation.formats)
            raise UserError(f"formats: {unknown[0]!r} is unknown; use one or more of {known}")
        given["formats"] = tuple(formats)
    if qpm is not None:
        check_tempo(qpm)
        if not hasattr(presentation.task, "qpm"):
            raise UserError(f"qpm: {kind} sequences have no tempo; leave it out")
        given["qpm"] = qpm
    return given


def check_tempo(qpm: float) -> None:
    """Make sure that a tempo is between 10 and 1000 quarters per minute.

    Raises:
        UserError: it is not.
    """
    if not 10 <= qpm <= 1_000:
        raise UserError(f"qpm must be between 10 and 1000 quarters per minute, not {qpm}")


def check_kind(
    metadata: dict[str, Any], formats: Sequence[str], bars: int | None, qpm: float | None
) -> None:
    """Check the options of melodies for a prior, without importing TensorFlow.

    Raises:
        UserError: the prior is not one of melodies, or an option is out of range.
    """
    given = {"formats": formats, "bars": bars, "qpm": qpm}
    used = [name for name, value in given.items() if value]
    kind = metadata.get("kind", "")
    if used and kind == "molecule":
        raise UserError(f"--{used[0]} is for melodies; this run makes {kind} sequences")
    if kind == MELODY and formats:
        from rl_tuner.tasks.melody.formats import check_formats

        check_formats(formats)
    if qpm is not None:
        check_tempo(qpm)
