"""Keys of melodies: a tonic and a scale, by name or as intervals."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from rl_tuner.common.errors import UserError
from rl_tuner.tasks.melody.encoding import MAJOR_SCALE, TONIC_PITCH

# Semitones above the tonic.
SCALES = {
    "major": MAJOR_SCALE,
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "chromatic": tuple(range(12)),
}
# The seven modes, with the semitones from the tonic of the major scale of the same notes.
MODES = {
    "major": 0,
    "dorian": 2,
    "phrygian": 4,
    "lydian": 5,
    "mixolydian": 7,
    "minor": 9,
    "locrian": 11,
}
SHARP_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLAT_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ALTERATIONS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}


@dataclasses.dataclass(frozen=True)
class Key:
    """A key: the tonic as a MIDI pitch, and the scale as semitones above it.

    Attributes:
        tonic: MIDI pitch of the tonic, with its octave: melodies start and end there.
        scale: semitones from 0 to 11, in order.
        scale_name: name of the scale; "" for one of the user's own.
    """

    tonic: int = TONIC_PITCH
    scale: tuple[int, ...] = MAJOR_SCALE
    scale_name: str = "major"

    @property
    def third(self) -> int:
        """The third of the scale in semitones: 3 if it has only a minor third, else 4."""
        return 3 if 3 in self.scale and 4 not in self.scale else 4

    @property
    def fifths(self) -> int:
        """The key signature as sharps above 0 and flats below, from -6 to 6.

        A scale that is not one of the seven modes has that of the major or minor key of its tonic.
        """
        mode = self.mode
        major = (self.tonic - MODES[mode]) % 12
        fifths = major * 7 % 12
        return fifths - 12 if fifths > 6 else fifths

    @property
    def mode(self) -> str:
        """The mode of the scale, or major or minor, by its third, for other scales."""
        if self.scale_name in MODES:
            return self.scale_name
        return "minor" if self.third == 3 else "major"

    @property
    def tonic_name(self) -> str:
        """The name of the tonic without its octave, spelled as in the key signature."""
        names = FLAT_NAMES if self.fifths < 0 else SHARP_NAMES
        return names[self.tonic % 12]

    def contains(self, pitch: int) -> bool:
        """Return whether a MIDI pitch is in the scale."""
        return (pitch - self.tonic) % 12 in self.scale

    def __str__(self) -> str:
        return f"{self.tonic_name} {self.scale_name or 'scale'}"


def make_key(tonic: int | str, scale: str | Sequence[int]) -> Key:
    """Return a key.

    Args:
        tonic: a MIDI pitch, or a name such as "A3"; without an octave, the one in C4 to B4.
        scale: a name of `SCALES`, or semitones above the tonic.

    Raises:
        UserError: the tonic is not a pitch, or the scale is not one.
    """
    return Key(parse_pitch(tonic), *_parse_scale(scale))


def _parse_scale(scale: str | Sequence[int]) -> tuple[tuple[int, ...], str]:
    if isinstance(scale, str):
        if scale not in SCALES:
            raise UserError(f"scale {scale!r} is unknown; use one of {', '.join(SCALES)}")
        return SCALES[scale], scale
    notes = tuple(scale)
    if (
        not notes
        or any(type(n) is not int or not 0 <= n < 12 for n in notes)
        or list(notes) != sorted(set(notes))
        or notes[0] != 0
    ):
        raise UserError(
            f"scale must be a name or rising semitones from 0 to 11 that start with 0, not {scale!r}"
        )
    return notes, next((name for name, known in SCALES.items() if known == notes), "")


def parse_pitch(pitch: int | str) -> int:
    """Return a MIDI pitch given as a number or a name: "A3" is 57; without an octave, C4 to B4.

    Raises:
        UserError: it is not a pitch from 0 to 127.
    """
    if isinstance(pitch, str):
        found = re.fullmatch(r"([A-Ga-g])([#♯b♭]?)(-?\d)?", pitch)
        if found:
            letter, alteration, octave = found.groups()
            number = _LETTERS[letter.upper()] + _ALTERATIONS[alteration]
            number = number + 12 * (int(octave) + 1) if octave else 60 + number % 12
            if 0 <= number <= 127:
                return number
    elif type(pitch) is int and 0 <= pitch <= 127:
        return pitch
    raise UserError(f"tonic_pitch must be a MIDI pitch or a name such as A3, not {pitch!r}")


C_MAJOR = Key()
