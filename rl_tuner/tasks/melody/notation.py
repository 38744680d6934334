"""Melodies as written music: bars, note values, ties, tuplets and the spelling of pitches."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from fractions import Fraction

from rl_tuner.tasks.melody.frame import DEFAULT_FRAME, Frame
from rl_tuner.tasks.melody.key import Key

DEFAULT_QPM = 120.0

_LETTERS_BY_FIFTHS = "FCGDAEB"
_SHORTEST, _LONGEST = Fraction(1, 32), Fraction(8)
# How far from the major tonic, in fifths, a note is still spelled: from the minor third to the raised fifth.
_FLATTEST = -3


@dataclasses.dataclass(frozen=True)
class Piece:
    """A melody as it is written to a file.

    Attributes:
        classes: the classes of the melody.
        frame: its grid and key.
        qpm: quarter notes per minute.
        title: title, and name of the track; "" for none.
    """

    classes: Sequence[int]
    frame: Frame = DEFAULT_FRAME
    qpm: float = DEFAULT_QPM
    title: str = ""

    def notes(self) -> list[tuple[int, int, int]]:
        """Return the notes as (pitch, start_step, end_step)."""
        return self.frame.grid.notes(self.classes)


@dataclasses.dataclass(frozen=True)
class Value:
    """A note value.

    Attributes:
        quarters: the written length without dots, in quarters.
        dots: 0 or 1.
        is_triplet: whether three such notes have the time of two.
    """

    quarters: Fraction
    dots: int = 0
    is_triplet: bool = False

    @property
    def length(self) -> Fraction:
        """The length in quarters as it sounds."""
        length = self.quarters * (Fraction(3, 2) if self.dots else 1)
        return length * Fraction(2, 3) if self.is_triplet else length


@dataclasses.dataclass(frozen=True)
class Symbol:
    """A note or a rest within a bar.

    Attributes:
        pitch: MIDI pitch; None for a rest.
        value: note value.
        is_tied: whether the note continues in the next symbol.
        continues: whether it continues the symbol before.
    """

    pitch: int | None
    value: Value
    is_tied: bool = False
    continues: bool = False


def bars(piece: Piece) -> list[list[Symbol]]:
    """Return the symbols of each bar; the last bar is filled with a rest.

    Notes are cut at bar lines, and at beats where they begin off the beat.

    Raises:
        ValueError: if a class is unknown, or the melody is empty.
    """
    grid = piece.frame.grid
    if not len(piece.classes):
        raise ValueError("a melody without steps cannot be written")
    length = -(-len(piece.classes) // grid.steps_per_bar) * grid.steps_per_bar
    found: list[list[Symbol]] = [[] for _ in range(length // grid.steps_per_bar)]
    for pitch, start, end in _spans(piece, length):
        cuts = list(_cuts(start, end, piece.frame))
        for (step, value), number in zip(cuts, range(len(cuts))):
            is_note = pitch is not None
            found[step // grid.steps_per_bar].append(
                Symbol(pitch, value, is_note and number < len(cuts) - 1, is_note and number > 0)
            )
    return found


def _spans(piece: Piece, length: int) -> Iterator[tuple[int | None, int, int]]:
    """Yield notes and, with pitch None, the rests between them."""
    now = 0
    for pitch, start, end in piece.notes():
        if start > now:
            yield None, now, start
        yield pitch, start, end
        now = end
    if now < length:
        yield None, now, length


def _cuts(start: int, end: int, frame: Frame) -> Iterator[tuple[int, Value]]:
    grid = frame.grid
    while start < end:
        in_bar = start % grid.steps_per_bar
        room = grid.steps_per_bar - in_bar
        off_beat = in_bar % grid.steps_per_beat
        if off_beat:
            room = grid.steps_per_beat - off_beat
        steps, value = next(
            (n, v) for n, v in _values(grid.steps_per_quarter) if n <= min(room, end - start)
        )
        yield start, value
        start += steps


@functools.lru_cache
def _values(steps_per_quarter: int) -> list[tuple[int, Value]]:
    """Return the note values that are whole numbers of steps, the longest first, plain ones preferred."""
    found: dict[int, Value] = {}
    for is_triplet in (False, True):
        quarters = _LONGEST
        while quarters >= _SHORTEST:
            for dots in (1, 0):
                value = Value(quarters, dots, is_triplet)
                steps = value.length * steps_per_quarter
                if steps.denominator == 1 and not (is_triplet and dots):
                    found.setdefault(int(steps), value)
            quarters /= 2
    return sorted(found.items(), key=lambda pair: -pair[0])


def spell(pitch: int, key: Key) -> tuple[str, int, int]:
    """Return the letter, the alteration in semitones and the octave of a MIDI pitch in a key."""
    first = key.fifths + _FLATTEST
    fifths = first + (7 * pitch - first) % 12
    letter = _LETTERS_BY_FIFTHS[(fifths + 1) % 7]
    alter = (fifths + 1) // 7
    return letter, alter, (pitch - alter) // 12 - 1


def signature(key: Key) -> dict[str, int]:
    """Return the alteration of every letter in the key signature."""
    return {
        _LETTERS_BY_FIFTHS[i]: (key.fifths + 6 - i) // 7
        if key.fifths > 0
        else -((i - key.fifths) // 7)
        for i in range(7)
    }


def positions(bar: Sequence[Symbol]) -> list[Fraction]:
    """Return the time of each symbol in its bar, in quarters."""
    times, now = [], Fraction(0)
    for symbol in bar:
        times.append(now)
        now += symbol.value.length
    return times


def beams(bar: Sequence[Symbol], frame: Frame) -> list[list[str]]:
    """Return for each symbol its beams, from the eighths' down: begin, continue, end or a hook.

    Notes with flags that follow one another within a beat are joined.
    """
    beat = Fraction(frame.grid.steps_per_beat, frame.grid.steps_per_quarter)
    flags = [0 if symbol.pitch is None else _flags(symbol.value) for symbol in bar]
    beats = [time // beat for time in positions(bar)]

    def joined(i: int, j: int, level: int) -> bool:
        return 0 <= j < len(bar) and beats[i] == beats[j] and min(flags[i], flags[j]) >= level

    found: list[list[str]] = []
    for i, count in enumerate(flags):
        states = []
        for level in range(1, count + 1):
            before, after = joined(i, i - 1, level), joined(i, i + 1, level)
            if before or after:
                states.append("continue" if before and after else "end" if before else "begin")
            elif states:
                states.append("backward hook" if joined(i, i - 1, 1) else "forward hook")
        found.append(states)
    return found


def _flags(value: Value) -> int:
    return max(0, (1 / value.quarters).numerator.bit_length() - 1) if value.quarters < 1 else 0


def tuplets(bar: Sequence[Symbol]) -> list[str]:
    """Return "start" and "stop" at the ends of each complete group of triplets, else ""."""
    marks = [""] * len(bar)
    first, length = 0, Fraction(0)
    for i, symbol in enumerate(bar):
        if not symbol.value.is_triplet:
            length = Fraction(0)
            continue
        first = i if not length else first
        length += symbol.value.length
        if length.denominator % 3:
            if i > first:
                marks[first], marks[i] = "start", "stop"
            length = Fraction(0)
    return marks
