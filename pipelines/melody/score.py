"""A written score as bars, and the notes that are heard when its bars are played in order.

Time is whole ticks, so that no sum of thirds and sixteenths is ever off by a rounding error.
"""

import dataclasses
from collections.abc import Iterable

from pipelines.melody import play_order
from rl_tuner.datasets.writer import RejectedError

# Divisible by every note length down to 128ths and by the usual tuplets.
TICKS_PER_QUARTER = 2**7 * 3**2 * 5 * 7 * 11 * 13
TICKS_PER_WHOLE = 4 * TICKS_PER_QUARTER

# Nobody's tune, but that of nested repeats.
_MAX_BARS = 20_000

Metre = tuple[int, int]


@dataclasses.dataclass(slots=True)
class Note:
    """A note: when it starts and ends, in ticks from the beginning of its bar.

    Attributes:
        start: When it starts.
        end: When it ends.
        pitch: Its MIDI pitch.
        is_tied: Whether it continues in the next note of its pitch.
        line: Which of the lines of its part it belongs to.
    """

    start: int
    end: int
    pitch: int
    is_tied: bool = False
    line: str = ""


@dataclasses.dataclass(slots=True)
class Bar:
    """What stands between two bar lines.

    Attributes:
        mark: What its first bar line says about the order of play.
        metre: Its time signature; None where there is none.
        length: Its length in ticks, which need not be that of the metre.
        notes: Its notes.
    """

    mark: play_order.Mark = dataclasses.field(default_factory=play_order.Mark)
    metre: Metre | None = None
    length: int = 0
    notes: list[Note] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Part:
    """One part of a score as it sounds.

    Attributes:
        notes: Its notes with the ticks counted from the beginning, ties joined.
        metres: Where each time signature begins, in ticks.
    """

    notes: list[Note]
    metres: list[tuple[int, Metre]]


def bar_ticks(metre: Metre | None) -> int:
    """Return the length of a bar; without a metre, that of common time."""
    numerator, denominator = metre or (4, 4)
    return TICKS_PER_WHOLE * numerator // denominator


def perform(bars: Iterable[Bar]) -> Part:
    """Return the notes of bars that are played one after the other.

    Raises:
        RejectedError: if there are more bars than any tune has.
    """
    notes: list[Note] = []
    metres: list[tuple[int, Metre]] = []
    tied: dict[int, Note] = {}
    now = 0
    for number, bar in enumerate(bars):
        if number >= _MAX_BARS:
            raise RejectedError("too long", f"more than {_MAX_BARS} bars as played")
        if bar.metre and (not metres or metres[-1][1] != bar.metre):
            metres.append((now, bar.metre))
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
    return Part(notes, metres)
