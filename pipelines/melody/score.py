"""Written scores as bars, and the notes that sound when the bars are played in order.

Times are whole numbers of ticks, so that sums of thirds and sixteenths have no rounding errors.
"""

import dataclasses
from collections.abc import Iterable

from pipelines.melody import play_order
from pipelines.melody.keys import KeyName
from rl_tuner.datasets.writer import RejectedError

# Divisible by every note length down to 128ths and by the usual tuplets.
TICKS_PER_QUARTER = 2**7 * 3**2 * 5 * 7 * 11 * 13
TICKS_PER_WHOLE = 4 * TICKS_PER_QUARTER

# More bars than this can only result from nested repeats.
_MAX_BARS = 20_000

Metre = tuple[int, int]


@dataclasses.dataclass(slots=True)
class Note:
    """A note, with times in ticks from the beginning of its bar.

    Attributes:
        start: Start of the note.
        end: End of the note.
        pitch: MIDI pitch.
        is_tied: Whether the note is tied to the next note of its pitch.
        line: Name of its line within the part.
    """

    start: int
    end: int
    pitch: int
    is_tied: bool = False
    line: str = ""


@dataclasses.dataclass(slots=True)
class Bar:
    """A bar.

    Attributes:
        mark: Mark of its first bar line for the order of play.
        metre: Time signature; None for none.
        key: Key, as it sounds; None for none.
        length: Length in ticks, which may differ from that of the metre.
        notes: Notes of the bar.
    """

    mark: play_order.Mark = dataclasses.field(default_factory=play_order.Mark)
    metre: Metre | None = None
    key: KeyName | None = None
    length: int = 0
    notes: list[Note] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Part:
    """One part of a score as it sounds.

    Attributes:
        notes: Notes with times from the beginning of the part; tied notes are joined.
        metres: Time signatures with the ticks at which they begin.
        keys: Keys with the ticks at which they begin.
    """

    notes: list[Note]
    metres: list[tuple[int, Metre]]
    keys: list[tuple[int, KeyName]] = dataclasses.field(default_factory=list)


def bar_ticks(metre: Metre | None) -> int:
    """Return the length of a bar; common time is assumed if there is no metre."""
    numerator, denominator = metre or (4, 4)
    return TICKS_PER_WHOLE * numerator // denominator


def perform(bars: Iterable[Bar]) -> Part:
    """Return the notes of bars played one after the other.

    Raises:
        RejectedError: if there are too many bars.
    """
    notes: list[Note] = []
    metres: list[tuple[int, Metre]] = []
    keys: list[tuple[int, KeyName]] = []
    tied: dict[int, Note] = {}
    now = 0
    for number, bar in enumerate(bars):
        if number >= _MAX_BARS:
            raise RejectedError("too long", f"more than {_MAX_BARS} bars as played")
        if bar.metre and (not metres or metres[-1][1] != bar.metre):
            metres.append((now, bar.metre))
        if bar.key and (not keys or keys[-1][1] != bar.key):
            keys.append((now, bar.key))
        for note in bar.notes:
            start, end = now + note.start, now + note.end
            sounding = tied.get(note.pitch) if tied else None
            if sounding is not None and sounding.end == start:
                sounding.end = end
            else:
                sounding = Note(start, end, note.pitch, line=note.line)
                notes.append(sounding)
            if note.is_tied:
                tied[note.pitch] = sounding
            elif tied and tied.get(note.pitch) is sounding:
                del tied[note.pitch]
        now += bar.length
    return Part(notes, metres, keys)
