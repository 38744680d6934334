"""Reading of MusicXML scores into the notes of their parts, in the order in which bars are played."""

import collections
import re
from xml.etree import ElementTree

from pipelines.melody.keys import KeyName, key_of_signature
from pipelines.melody.play_order import MAX_PLAYS, Mark, merge, parse_endings, play_order, share
from pipelines.melody.score import TICKS_PER_QUARTER, Bar, Metre, Note, Part, bar_ticks, perform

_PITCHES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_WORDS = (
    (re.compile(r"d\.? ?c\.?($|\W)|da capo"), Mark(jump="capo")),
    (re.compile(r"d\.? ?s\.?($|\W)|dal segno"), Mark(jump="segno")),
    (re.compile(r"(to|al) coda|alla coda"), Mark(is_to_coda=True)),
    (re.compile(r"fine\W*$"), Mark(is_fine=True)),
)

DRUMS = "drum notes left out"
CUE = "cue and grace notes left out"


def read_parts(root: ElementTree.Element) -> tuple[list[Part], collections.Counter[str]]:
    """Return the notes of each part of a score, and the numbers of omitted notes by kind."""
    counts: collections.Counter[str] = collections.Counter()
    drums = {
        score_part.get("id")
        for score_part in root.iter("score-part")
        if any(channel.text == "10" for channel in score_part.iter("midi-channel"))
    }
    written = []
    for part in root.iter("part"):
        if part.get("id") in drums:
            counts[DRUMS] += sum(1 for _ in part.iter("pitch"))
        else:
            written.append(_PartReader(counts).read(part))
    marks = share([own for _, own in written])
    played = [perform(bars[i] for i in play_order(own)) for (bars, _), own in zip(written, marks)]
    return played, counts


class _PartReader:
    """A reader of the measures of one part; it keeps attributes between measures."""

    def __init__(self, counts: collections.Counter[str]):
        self._counts = counts
        self._divisions = 1.0
        self._key: KeyName | None = None
        self._metre: Metre | None = None
        self._transpose = 0
        self._is_percussion = False
        self._main_voice = ""

    def read(self, part: ElementTree.Element) -> tuple[list[Bar], list[Mark]]:
        """Return the bars, and the marks before each bar and after the last."""
        bars: list[Bar] = []
        mark = Mark()
        for measure in part.iter("measure"):
            bar, after = self._read_measure(measure)
            bar.mark = merge(mark, bar.mark)
            bars.append(bar)
            mark = after
        return bars, [*(bar.mark for bar in bars), mark]

    def _read_measure(self, measure: ElementTree.Element) -> tuple[Bar, Mark]:
        """Return a measure and the mark at its end."""
        bar, after = Bar(), Mark()
        now = start = 0
        # A measure without backup is a single line, whatever the voices of its notes.
        is_one_line = measure.find("backup") is None
        for element in measure:
            if element.tag == "note":
                if element.find("grace") is not None:
                    self._counts[CUE] += 1
                    continue
                duration = self._duration(element)
                if element.find("chord") is None:
                    start = now
                    now += duration
                self._add_note(bar, element, start, duration, is_one_line)
            elif element.tag == "backup":
                now = max(0, now - self._duration(element))
            elif element.tag == "forward":
                now += self._duration(element)
            elif element.tag == "attributes":
                self._read_attributes(element)
            elif element.tag == "barline":
                if element.get("location") == "left":
                    bar.mark = merge(bar.mark, _barline(element))
                else:
                    after = merge(after, _barline(element))
            elif element.tag in ("direction", "sound"):
                before_it, after_it = _directions(element)
                bar.mark, after = merge(bar.mark, before_it), merge(after, after_it)
            bar.length = max(bar.length, now)
        bar.metre = self._metre
        if self._key is not None:
            bar.key = (self._key[0] + self._transpose) % 12, self._key[1]
        if not bar.length:
            bar.length = bar_ticks(self._metre)
        return bar, after

    def _add_note(
        self, bar: Bar, element: ElementTree.Element, start: int, duration: int, is_one_line: bool
    ) -> None:
        if element.find("rest") is not None:
            return
        pitch = self._pitch(element)
        if pitch is None or self._is_percussion:
            self._counts[DRUMS] += 1
        elif element.find("cue") is not None:
            self._counts[CUE] += 1
        else:
            voice = element.findtext("voice", "")
            self._main_voice = self._main_voice or voice
            ties = {tie.get("type") for tie in element.iter("tie")}
            ties |= {tie.get("type") for tie in element.iter("tied")}
            line = self._main_voice if is_one_line else voice
            bar.notes.append(Note(start, start + duration, pitch, "start" in ties, line))

    def _pitch(self, element: ElementTree.Element) -> int | None:
        """Return the sounding pitch; None for a note without one."""
        step = element.findtext("pitch/step", "").strip().upper()
        octave = _number(element.findtext("pitch/octave"))
        if step not in _PITCHES or octave is None:
            return None
        alter = _number(element.findtext("pitch/alter")) or 0
        return 12 * (int(octave) + 1) + _PITCHES[step] + round(alter) + self._transpose

    def _duration(self, element: ElementTree.Element) -> int:
        divisions = _number(element.findtext("duration")) or 0
        return max(0, round(divisions * TICKS_PER_QUARTER / self._divisions))

    def _read_attributes(self, attributes: ElementTree.Element) -> None:
        divisions = _number(attributes.findtext("divisions"))
        if divisions and divisions > 0:
            self._divisions = divisions
        time = attributes.find("time")
        if time is not None:
            self._metre = _metre(time)
        fifths = _number(attributes.findtext("key/fifths"))
        if fifths is not None:
            mode = attributes.findtext("key/mode", "").strip().lower()
            mode = {"ionian": "major", "aeolian": "minor"}.get(mode, mode)
            self._key = key_of_signature(round(fifths), mode)
        sign = attributes.findtext("clef/sign")
        if sign is not None:
            self._is_percussion = sign.strip().lower() == "percussion"
        transpose = attributes.find("transpose")
        if transpose is not None:
            octaves = _number(transpose.findtext("octave-change")) or 0
            semitones = _number(transpose.findtext("chromatic")) or 0
            self._transpose = round(semitones + 12 * octaves)


def _metre(time: ElementTree.Element) -> Metre | None:
    """Return the sum of a time signature's fractions; None if it has none."""
    metre = None
    for beats, beat_type in zip(time.findall("beats"), time.findall("beat-type")):
        numbers = re.findall(r"\d+", beats.text or "")
        denominator = _number(beat_type.text)
        if not numbers or not denominator or denominator != int(denominator):
            return None
        numerator, denominator = sum(map(int, numbers)), int(denominator)
        if metre:
            common = max(metre[1], denominator)
            numerator = metre[0] * common // metre[1] + numerator * common // denominator
            denominator = common
        metre = numerator, denominator
    return metre if metre and metre[0] else None


def _barline(element: ElementTree.Element) -> Mark:
    backward, is_forward = 0, False
    endings: frozenset[int] = frozenset()
    closes_ending = False
    repeat = element.find("repeat")
    if repeat is not None and repeat.get("direction") == "backward":
        times = _number(repeat.get("times")) or 2
        backward = min(max(1, int(times) - 1), MAX_PLAYS - 1)
    elif repeat is not None:
        is_forward = True
    ending = element.find("ending")
    if ending is not None and ending.get("type") == "start":
        endings = parse_endings(ending.get("number", "")) or parse_endings(ending.text or "")
    elif ending is not None:
        closes_ending = True
    return Mark(
        backward,
        is_forward,
        endings=endings,
        closes_ending=closes_ending,
        is_segno=element.find("segno") is not None,
        is_coda=element.find("coda") is not None,
    )


def _directions(element: ElementTree.Element) -> tuple[Mark, Mark]:
    """Return the marks of a direction at the beginning and at the end of its measure."""
    before, after = Mark(), Mark()
    for sound in element.iter("sound"):
        before = merge(
            before, Mark(is_segno="segno" in sound.attrib, is_coda="coda" in sound.attrib)
        )
        jump = "segno" if "dalsegno" in sound.attrib else ""
        if sound.get("dacapo") == "yes":
            jump = "capo"
        is_to_coda = "tocoda" in sound.attrib
        after = merge(after, Mark(is_to_coda=is_to_coda, is_fine="fine" in sound.attrib, jump=jump))
    if after == before == Mark():
        before = Mark(
            is_segno=next(element.iter("segno"), None) is not None,
            is_coda=next(element.iter("coda"), None) is not None,
        )
        for words in element.iter("words"):
            plain = " ".join((words.text or "").lower().split())
            found = (mark for pattern, mark in _WORDS if pattern.match(plain))
            after = merge(after, next(found, Mark()))
    return before, after


def _number(value: str | None) -> float | None:
    try:
        return float(value or "")
    except ValueError:
        return None
