"""The file formats in which melodies are written."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from rl_tuner.common.errors import UserError
from rl_tuner.common.files import replacing
from rl_tuner.tasks.melody.notation import Piece

FORMATS = ("mid", "musicxml", "abc", "wav", "svg", "png")
DEFAULT_FORMATS = ("mid",)
_SHEET = ("svg", "png")


def check_formats(formats: Sequence[str]) -> None:
    """Make sure that melodies can be written in some formats.

    Raises:
        UserError: a format is unknown, or needs an extra that is not installed.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        wrong = f"{unknown[0]!r} is unknown" if unknown else "none is given"
        raise UserError(f"formats: {wrong}; use one or more of {', '.join(FORMATS)}")
    if any(name in _SHEET for name in formats):
        from rl_tuner.tasks.melody import sheet

        sheet.check_available()


def write(path: str, piece: Piece) -> None:
    """Write a melody atomically, in the format of the path's suffix.

    Raises:
        UserError: the format needs an extra that is not installed.
        ValueError: the melody has an unknown class, or is empty.
        OSError: the file cannot be written.
    """
    data = _WRITERS[path.rpartition(".")[2]](piece)
    with replacing(os.fspath(path)) as temporary, open(temporary, "wb") as file:
        file.write(data)


def _midi(piece: Piece) -> bytes:
    from rl_tuner.tasks.melody.rendering import midi_bytes

    return midi_bytes(piece)


def _musicxml(piece: Piece) -> bytes:
    from rl_tuner.tasks.melody.musicxml import to_musicxml

    return to_musicxml(piece).encode()


def _abc(piece: Piece) -> bytes:
    from rl_tuner.tasks.melody.abc import to_abc

    return to_abc(piece).encode()


def _wav(piece: Piece) -> bytes:
    from rl_tuner.tasks.melody.rendering import wav_bytes

    return wav_bytes(piece)


def _svg(piece: Piece) -> bytes:
    from rl_tuner.tasks.melody import sheet

    return sheet.to_svg(piece).encode()


def _png(piece: Piece) -> bytes:
    from rl_tuner.tasks.melody import sheet

    return sheet.to_png(piece)


_WRITERS: dict[str, Callable[[Piece], bytes]] = {
    "mid": _midi,
    "musicxml": _musicxml,
    "abc": _abc,
    "wav": _wav,
    "svg": _svg,
    "png": _png,
}
