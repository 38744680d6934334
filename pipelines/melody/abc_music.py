"""Reading of the music of one ABC voice into bars: lengths, accidentals, ties, tuplets, bar lines."""

import functools
import re
from collections.abc import Iterable

from pipelines.melody import abc_fields, abc_ornaments
from pipelines.melody.abc_book import Line
from pipelines.melody.keys import KeyName
from pipelines.melody.play_order import MAX_PLAYS, Mark, merge, parse_endings
from pipelines.melody.score import TICKS_PER_WHOLE, Bar, Metre, Note, bar_ticks
from rl_tuner.datasets.writer import RejectedError

_PITCHES = {"C": 60, "D": 62, "E": 64, "F": 65, "G": 67, "A": 69, "B": 71}
_LENGTH = r"\d*(?:/\d*)*"
_NOTE = (
    r"(?:(?P<sign>\^\^|\^|__|_|=)(?P<part>[\d/]*))?"
    rf"(?P<letter>[A-Ga-g])(?P<octave>[,']*)(?P<length>{_LENGTH})"
)
_CHORD_NOTE = re.compile(_NOTE + r"\s*(?P<tie>-?)")
_TOKEN = re.compile(
    rf"(?P<note>{_NOTE})"
    r"|(?P<space>[ \t\n]+)"
    r"|(?P<bar>(?:[:|\]]|\[(?=[\d|:\]\s]|$))+)(?P<endings>\s*\d(?:[\d,.-]|,\s+\d)*)?"
    r"|(?P<mark>[<>]+|-)"
    rf"|(?P<rest>[zx])(?P<rest_length>{_LENGTH})"
    r"|(?P<tuplet>\(\d(?::\d*){0,2})"
    r"|\[(?P<field>[A-Za-z]):(?P<value>[^\]\n]*)\]"
    rf"|\[(?P<chord>\s*(?!\d)[^\]\n|:]{{0,80}}[A-Ga-gz][^\]\n|:]{{0,80}})\](?P<chord_length>{_LENGTH})"
    r"|(?P<bars>[ZX](?P<number>\d*))"
    r"|§(?P<play>[a-z]+);"
    r"|(?P<overlay>&+)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_TIMES = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
# ABC has at most three marks of broken rhythm; many more would leave no length.
_MOST_BROKEN = 6
_MAX_REST_BARS = 1_000


class VoiceReader:
    """A reader of the lines of one voice; it keeps key, metre and unit length between calls.

    Args:
        header: Fields of the header, in effect at the beginning.
    """

    def __init__(self, header: Iterable[Line]):
        self._key: dict[str, int] = {}
        self._key_name: KeyName | None = None
        self._metre: Metre | None = None
        self._unit: abc_fields.Fraction | None = None
        self._ticks = 0  # the ticks of the unit length, once a note needs it
        for line in header:
            self._set_field(line.field, line.text)
        self._begin()

    def read(self, lines: Iterable[Line]) -> tuple[list[Bar], list[Mark]]:
        """Return the bars of a segment, and the marks before each bar and after the last.

        Raises:
            RejectedError: if the music contains something that cannot be read.
        """
        self._begin()
        music = "\n".join(
            f"[{line.field}:{line.text}]" if line.field else line.text for line in lines
        )
        for token in _TOKEN.finditer(abc_ornaments.plain(music)):
            kind = token.lastgroup
            if kind == "note":
                self._play([self._pitch(token)], token["length"])
            elif kind in ("bar", "endings"):
                self._end_bar(_parse_mark(token["bar"], token["endings"]))
            elif kind == "mark":
                self._mark(token["mark"])
            elif kind == "rest_length":
                self._play([], token["rest_length"])
            elif kind == "tuplet":
                self._begin_tuplet(token["tuplet"])
            elif kind == "value":
                self._set_field(token["field"], token["value"])
            elif kind == "chord_length":
                self._play_chord(token["chord"], token["chord_length"])
            elif kind == "bars" and self._now:
                # Z or X among the notes of a bar is probably a mistake for z or x.
                self._play([], token["number"])
            elif kind == "bars":
                self._rest_bars(int(token["number"] or 1))
            elif kind == "play":
                self._set_play(token["play"])
            elif kind == "overlay":
                self._overlay(token["overlay"])
        if self._has_notes:
            self._end_bar(Mark())
        return self._bars, [*(bar.mark for bar in self._bars), self._bar.mark]

    def _begin(self) -> None:
        self._bars: list[Bar] = []
        self._bar = Bar()
        self._has_notes = False
        self._now = 0
        self._end_mark = Mark()  # signs inside the bar that take effect at its end
        self._accidentals: dict[str, int] = {}
        self._last: list[Note] = []  # the notes of the last event
        self._last_names: list[str] = []
        self._last_length = 0
        self._tied: dict[str, int] = {}  # name -> pitch of the notes that are tied
        self._broken = 0  # number of > (positive) or < (negative) before the next note
        self._tuplet = (1, 1, 0)  # p notes in the time of q, for the next r notes

    def _set_field(self, letter: str, value: str) -> None:
        if letter == "K":
            key = abc_fields.parse_key(value)
            if key is not None and (value.strip() or not self._ticks):
                self._key, self._key_name = key, abc_fields.key_name(value)
        elif letter == "M":
            self._metre = abc_fields.parse_metre(value, self._metre)
        elif letter == "L":
            self._unit = abc_fields.parse_length(value) or self._unit
            self._ticks = 0

    def _play_chord(self, content: str, length: str) -> None:
        notes = list(_CHORD_NOTE.finditer(content))
        if notes:
            pitches = [self._pitch(note) for note in notes]
            self._play(pitches, length, notes[0]["length"])
            for note, sounding in zip(notes, self._last):
                if note["tie"]:
                    self._tie(sounding, note["letter"] + note["octave"])
        else:
            self._play([], length, content.strip(" z"))

    def _pitch(self, token: re.Match) -> tuple[str, int]:
        """Return the name of a note, by which ties are matched, and its pitch."""
        sign, letter, octave = token["sign"], token["letter"], token["octave"]
        name = letter + octave
        upper = letter.upper()
        if sign:
            # A part of a semitone is rounded to none.
            alter = 0 if token["part"] else abc_fields.alter_of(sign)
            self._accidentals[upper] = alter
        elif name in self._tied and upper not in self._accidentals:
            return name, self._tied[name]
        else:
            alter = self._accidentals.get(upper, self._key.get(upper, 0))
        pitch = _PITCHES[upper] + alter + 12 * (upper != letter)
        if octave:
            pitch += 12 * (octave.count("'") - octave.count(","))
        return name, pitch

    def _play(self, pitches: list[tuple[str, int]], *lengths: str) -> None:
        """Add notes that start together, or a rest."""
        if not self._has_notes:
            self._has_notes = True
            self._bar.metre, self._bar.key = self._metre, self._key_name
        written = self._duration(lengths)
        start = self._now
        self._now += self._broken_off(written)
        self._tied = {}
        self._last = [Note(start, self._now, pitch) for _, pitch in pitches]
        self._last_names = [name for name, _ in pitches]
        self._last_length = written
        self._bar.notes += self._last

    def _duration(self, lengths: Iterable[str]) -> int:
        if not self._ticks:
            self._unit = self._unit or abc_fields.default_length(self._metre)
            self._ticks = TICKS_PER_WHOLE * self._unit[0] // self._unit[1]
        duration = self._ticks
        for length in lengths:
            if length:
                numerator, denominator = _parse_length(length)
                duration = duration * numerator // denominator
        times, per, left = self._tuplet
        if left:
            duration = duration * per // times
            self._tuplet = (times, per, left - 1)
        return duration

    def _broken_off(self, written: int) -> int:
        """Return the length of a note after shortening or lengthening by a preceding > or <."""
        part, broken = written >> abs(self._broken), self._broken
        self._broken = 0
        if broken > 0:
            return part
        return 2 * written - part if broken else written

    def _mark(self, mark: str) -> None:
        if mark == "-":
            for note, name in zip(self._last, self._last_names):
                self._tie(note, name)
            return
        # A>B: the first note is dotted, and the second is shortened; A<B is the reverse.
        if not self._last_length or self._broken:
            return
        mark = mark[:_MOST_BROKEN]
        part = self._last_length >> len(mark)
        change = self._last_length - part if mark[0] == ">" else part - self._last_length
        # Shortened from both sides, as in A>B<C, or twice, nothing would be left of a note.
        if any(note.end + change <= note.start for note in self._last):
            return
        self._now += change
        for note in self._last:
            note.end += change
        self._broken = len(mark) if mark[0] == ">" else -len(mark)

    def _tie(self, note: Note, name: str) -> None:
        note.is_tied = True
        self._tied[name] = note.pitch

    def _begin_tuplet(self, tuplet: str) -> None:
        numbers = [int(n) if n else 0 for n in tuplet[1:].split(":")]
        times, per, notes = [*numbers, 0, 0][:3]
        default = _TIMES.get(times, 3 if abc_fields.is_compound(self._metre) else 2)
        self._tuplet = (times or 1, per or default, notes or times)

    def _rest_bars(self, number: int) -> None:
        """Add bars of rest."""
        if number > _MAX_REST_BARS:
            raise RejectedError("too long", f"a rest of {number} bars")
        for i in range(number):
            self._has_notes = True
            self._bar.metre, self._bar.key = self._metre, self._key_name
            self._now += bar_ticks(self._metre)
            self._last, self._last_length, self._tied = [], 0, {}
            if i < number - 1:
                self._end_bar(Mark())

    def _overlay(self, overlay: str) -> None:
        """Return to the beginning of the bar, for notes that sound together with those before."""
        if len(overlay) > 1:
            raise RejectedError("unreadable abc", "voice overlay over several bars")
        self._bar.length = max(self._bar.length, self._now)
        self._now = 0
        self._last, self._last_length, self._tied = [], 0, {}

    def _set_play(self, sign: str) -> None:
        """Record a sign at the bar line where it takes effect."""
        if sign in ("segno", "coda") and not self._now:
            here = Mark(is_segno=sign == "segno", is_coda=sign == "coda")
            self._bar.mark = merge(self._bar.mark, here)
            return
        there = {
            "segno": Mark(is_segno=True),
            "coda": Mark(is_coda=True),
            "tocoda": Mark(is_to_coda=True),
            "fine": Mark(is_fine=True),
            "capo": Mark(jump="capo"),
            "dalsegno": Mark(jump="segno"),
        }[sign]
        self._end_mark = merge(self._end_mark, there)

    def _end_bar(self, mark: Mark) -> None:
        self._accidentals = {}
        if not self._has_notes:
            self._bar.mark = merge(self._bar.mark, mark)
            return
        self._bar.length = max(self._bar.length, self._now)
        self._bars.append(self._bar)
        self._bar = Bar(merge(self._end_mark, mark))
        self._end_mark = Mark()
        self._has_notes = False
        self._now = self._last_length = 0


@functools.lru_cache(maxsize=1024)
def _parse_length(length: str) -> tuple[int, int]:
    first, *others = length.split("/")
    numerator, denominator = int(first or 1), 1
    for other in others:
        denominator *= int(other or 2)
    return (numerator, denominator) if denominator else (numerator, 1)


@functools.lru_cache(maxsize=256)
def _parse_mark(symbols: str, endings: str | None) -> Mark:
    if "|" in symbols:
        backward = len(symbols) - len(symbols.lstrip(":"))
        forward = len(symbols) - len(symbols.rstrip(":"))
    else:
        backward = forward = symbols.count(":") // 2
    if max(backward, forward) >= MAX_PLAYS:
        raise RejectedError("unreadable abc", f"repeat of {backward + 1} times")
    lines = symbols.replace(":", "")
    # "[1" begins an ending, not a section.
    if endings:
        lines = lines.removesuffix("[")
    return Mark(backward, forward > 0, len(lines) > 1, parse_endings(endings or ""))
