"""Melodies as MusicXML."""

from __future__ import annotations

from xml.etree import ElementTree

from rl_tuner.tasks.melody.key import Key
from rl_tuner.tasks.melody.notation import Piece, Symbol, bars, beams, signature, spell, tuplets

_DOCTYPE = (
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN"'
    ' "http://www.musicxml.org/dtds/partwise.dtd">'
)
_TYPES = {
    8: "breve",
    4: "whole",
    2: "half",
    1: "quarter",
    0.5: "eighth",
    0.25: "16th",
    0.125: "32nd",
    0.0625: "64th",
    0.03125: "128th",
}
_ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}


def to_musicxml(piece: Piece, *, metronome: bool = True) -> str:
    """Return a melody as a MusicXML document with key, metre, tempo and title.

    Args:
        piece: the melody.
        metronome: whether the tempo is shown.

    Raises:
        ValueError: if a class is unknown, or the melody is empty.
    """
    root = ElementTree.Element("score-partwise", version="4.0")
    if piece.title:
        _add(_add(root, "work"), "work-title", piece.title)
    part_list = _add(root, "part-list")
    _add(_add(part_list, "score-part", id="P1"), "part-name", piece.title or "Melody")
    part = _add(root, "part", id="P1")
    written = bars(piece)
    for number, bar in enumerate(written, 1):
        measure = _add(part, "measure", number=str(number))
        if number == 1:
            _attributes(measure, piece)
            _tempo(measure, piece, metronome)
        shown: dict[tuple[str, int], int] = {}
        for symbol, beam, tuplet in zip(bar, beams(bar, piece.frame), tuplets(bar), strict=True):
            note = _note(measure, symbol, piece, shown)
            for level, state in enumerate(beam, 1):
                _add(note, "beam", state, number=str(level))
            _notations(note, symbol, tuplet)
        if number == len(written):
            line = _add(measure, "barline", location="right")
            _add(line, "bar-style", "light-heavy")
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{_DOCTYPE}\n{body}\n'


def _add(
    parent: ElementTree.Element, tag: str, text: object = "", **attributes: str
) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, tag, attributes)
    element.text = str(text) if text != "" else None
    return element


def _attributes(measure: ElementTree.Element, piece: Piece) -> None:
    grid, key = piece.frame.grid, piece.frame.key
    attributes = _add(measure, "attributes")
    _add(attributes, "divisions", grid.steps_per_quarter)
    signature = _add(attributes, "key")
    _add(signature, "fifths", key.fifths)
    _add(signature, "mode", key.mode)
    time = _add(attributes, "time")
    _add(time, "beats", grid.metre[0])
    _add(time, "beat-type", grid.metre[1])
    clef = _add(attributes, "clef")
    low = _is_low(piece)
    _add(clef, "sign", "F" if low else "G")
    _add(clef, "line", 4 if low else 2)


def _tempo(measure: ElementTree.Element, piece: Piece, is_shown: bool) -> None:
    if not is_shown:
        _add(measure, "sound", tempo=f"{piece.qpm:g}")
        return
    direction = _add(measure, "direction", placement="above")
    metronome = _add(_add(direction, "direction-type"), "metronome")
    _add(metronome, "beat-unit", "quarter")
    _add(metronome, "per-minute", f"{piece.qpm:g}")
    _add(direction, "sound", tempo=f"{piece.qpm:g}")


def _is_low(piece: Piece) -> bool:
    pitches = [pitch for pitch, _, _ in piece.notes()]
    return bool(pitches) and sum(pitches) / len(pitches) < 55


def _note(
    measure: ElementTree.Element,
    symbol: Symbol,
    piece: Piece,
    shown: dict[tuple[str, int], int],
) -> ElementTree.Element:
    """Add and return a note or rest; `shown` has the accidentals in effect in the bar."""
    grid, key, value = piece.frame.grid, piece.frame.key, symbol.value
    note = _add(measure, "note")
    if symbol.pitch is None:
        _add(note, "rest")
    else:
        letter, alter, octave = spell(symbol.pitch, key)
        pitch = _add(note, "pitch")
        _add(pitch, "step", letter)
        if alter:
            _add(pitch, "alter", alter)
        _add(pitch, "octave", octave)
    _add(note, "duration", int(value.length * grid.steps_per_quarter))
    for is_there, kind in ((symbol.continues, "stop"), (symbol.is_tied, "start")):
        if is_there:
            _add(note, "tie", type=kind)
    _add(note, "voice", 1)
    _add(note, "type", _TYPES[float(value.quarters)])
    if value.dots:
        _add(note, "dot")
    if symbol.pitch is not None:
        _accidental(note, symbol, key, shown)
    if value.is_triplet:
        modification = _add(note, "time-modification")
        _add(modification, "actual-notes", 3)
        _add(modification, "normal-notes", 2)
    return note


def _notations(note: ElementTree.Element, symbol: Symbol, tuplet: str) -> None:
    if not (symbol.continues or symbol.is_tied or tuplet):
        return
    notations = _add(note, "notations")
    for is_there, kind in ((symbol.continues, "stop"), (symbol.is_tied, "start")):
        if is_there:
            _add(notations, "tied", type=kind)
    if tuplet:
        _add(notations, "tuplet", type=tuplet, bracket="yes")


def _accidental(
    note: ElementTree.Element, symbol: Symbol, key: Key, shown: dict[tuple[str, int], int]
) -> None:
    if symbol.pitch is None or symbol.continues:
        return
    letter, alter, octave = spell(symbol.pitch, key)
    if alter != shown.get((letter, octave), signature(key)[letter]):
        _add(note, "accidental", _ACCIDENTALS[alter])
        shown[letter, octave] = alter
