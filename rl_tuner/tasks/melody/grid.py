"""The grid of a melody: its steps in time, its range of pitches and its metre."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from rl_tuner.common.errors import UserError
from rl_tuner.tasks.melody import encoding

OCTAVE = 12
# The detectors of repeated motifs and of distinct pitches count in 64 bits.
MAX_PITCHES = 60
# The divisors of 24: all their notes can be written in notes and triplets.
STEPS_PER_QUARTER_CHOICES = (1, 2, 3, 4, 6, 8, 12, 24)
COMMON_TIME = (4, 4)

Metre = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Grid:
    """The classes of melodies, and what they mean in time and pitch.

    Class 0 is no event, class 1 ends the sounding note, class 2 + i begins the pitch `min_pitch` + i.

    Attributes:
        steps_per_quarter: steps per quarter note: 4 for sixteenths, 6 for triplets of sixteenths, 12
            for both, 24 for swing.
        min_pitch: the lowest MIDI pitch.
        max_pitch: the highest MIDI pitch.
        metre: numerator and denominator of the time signature.

    Raises:
        UserError: if a number is out of range, or a beat is not a whole number of steps.
    """

    steps_per_quarter: int = encoding.STEPS_PER_QUARTER
    min_pitch: int = encoding.MIN_NOTE
    max_pitch: int = encoding.MAX_NOTE - 1
    metre: Metre = COMMON_TIME

    def __post_init__(self) -> None:
        if self.steps_per_quarter not in STEPS_PER_QUARTER_CHOICES:
            known = ", ".join(map(str, STEPS_PER_QUARTER_CHOICES))
            raise UserError(
                f"steps_per_quarter must be one of {known}, not {self.steps_per_quarter}"
            )
        if not (
            self.min_pitch >= 0
            and self.max_pitch <= 127
            and OCTAVE <= self.num_pitches <= MAX_PITCHES
        ):
            raise UserError(
                f"min_pitch and max_pitch must be MIDI pitches from 0 to 127 with {OCTAVE} to"
                f" {MAX_PITCHES} pitches between them, both counted, not {self.min_pitch} and"
                f" {self.max_pitch}"
            )
        for what, quarters in ("bar", self._bar_quarters), ("beat", self._beat_quarters):
            steps = quarters * self.steps_per_quarter
            if steps.denominator != 1:
                raise UserError(
                    f"a {what} of {self.metre_name} is {float(steps):g} steps with steps_per_quarter ="
                    f" {self.steps_per_quarter}; use a multiple of {quarters.denominator}"
                )

    @property
    def num_pitches(self) -> int:
        """The number of pitches."""
        return self.max_pitch - self.min_pitch + 1

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return encoding.NUM_SPECIAL_CLASSES + self.num_pitches

    @property
    def pitch_offset(self) -> int:
        """The difference between the MIDI pitch of a class and the class."""
        return self.min_pitch - encoding.NUM_SPECIAL_CLASSES

    @property
    def steps_per_bar(self) -> int:
        """The number of steps of a bar."""
        return int(self._bar_quarters * self.steps_per_quarter)

    @property
    def steps_per_beat(self) -> int:
        """The number of steps of a beat, which is a dotted note in compound metres such as 6/8."""
        return int(self._beat_quarters * self.steps_per_quarter)

    @property
    def metre_name(self) -> str:
        """The time signature, such as "6/8"."""
        return "{}/{}".format(*self.metre)

    @property
    def _bar_quarters(self) -> Fraction:
        return Fraction(4 * self.metre[0], self.metre[1])

    @property
    def _beat_quarters(self) -> Fraction:
        is_compound = self.metre[1] >= 8 and self.metre[0] > 3 and self.metre[0] % 3 == 0
        return Fraction(4 * (3 if is_compound else 1), self.metre[1])

    def encode_events(self, events: Iterable[int]) -> list[int]:
        """Return the classes of note-seq melody events (-2 no event, -1 note off, else a pitch).

        Raises:
            ValueError: if an event is neither special nor a pitch in range.
        """
        classes = []
        for event in events:
            if event >= 0 and not self.min_pitch <= event <= self.max_pitch:
                raise ValueError(
                    f"pitch {event} has no class: expected {self.min_pitch}..{self.max_pitch}"
                )
            is_note = event >= 0
            classes.append(int(event) - self.pitch_offset if is_note else int(event) + 2)
        return classes

    def notes(self, classes: Iterable[int]) -> list[tuple[int, int, int]]:
        """Return the notes of a melody as (pitch, start_step, end_step); see `notes_from_classes`."""
        return encoding.notes_from_classes(classes, self.min_pitch, self.num_classes)

    def to_json(self) -> dict[str, Any]:
        """Return the entry "encoding" of a dataset.json; the metre only if it is not 4/4."""
        found = {
            "min_note": self.min_pitch,
            "max_note": self.max_pitch + 1,
            "num_classes": self.num_classes,
            "steps_per_quarter": self.steps_per_quarter,
            "transpose_to_key": encoding.TRANSPOSE_TO_KEY,
        }
        return found if self.metre == COMMON_TIME else found | {"metre": list(self.metre)}

    @classmethod
    def from_json(cls, described: Mapping[str, Any]) -> Grid:
        """Return the grid of an entry "encoding"; entries that are missing have their defaults.

        Raises:
            UserError: if an entry is out of range, or num_classes does not fit the range.
        """
        default = encoding.MELODY_ENCODING | dict(described)
        grid = cls(
            int(default["steps_per_quarter"]),
            int(default["min_note"]),
            int(default["max_note"]) - 1,
            parse_metre("{}/{}".format(*default.get("metre", COMMON_TIME))),
        )
        if described.get("num_classes", grid.num_classes) != grid.num_classes:
            raise UserError(
                f"an encoding of pitches {grid.min_pitch} to {grid.max_pitch} has {grid.num_classes}"
                f" classes, not {described['num_classes']}"
            )
        return grid


def parse_metre(text: str) -> Metre:
    """Return the numerator and denominator of a time signature such as "6/8".

    Raises:
        UserError: if the text is not a time signature.
    """
    numerator, _, denominator = text.partition("/")
    if numerator.isdecimal() and denominator.isdecimal():
        metre = int(numerator), int(denominator)
        if 1 <= metre[0] <= 32 and metre[1] in (1, 2, 4, 8, 16, 32):
            return metre
    raise UserError(f"metre must be a time signature such as 6/8, not {text!r}")


DEFAULT_GRID = Grid()
