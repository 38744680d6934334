"""Melodies in ABC notation, version 2.1."""

from __future__ import annotations

from fractions import Fraction

from rl_tuner.tasks.melody.key import Key
from rl_tuner.tasks.melody.notation import Piece, Symbol, bars, signature, spell

_BARS_PER_LINE = 4
_MODES = {
    "major": "",
    "minor": "m",
    "dorian": "dor",
    "phrygian": "phr",
    "lydian": "lyd",
    "mixolydian": "mix",
    "locrian": "loc",
}
_SIGNS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}
_UNIT = Fraction(1, 2)  # quarters: L:1/8


def to_abc(piece: Piece, number: int = 1) -> str:
    """Return a melody as an ABC tune with key, metre, tempo and title.

    Args:
        piece: the melody.
        number: its number in a book.

    Raises:
        ValueError: if a class is unknown, or the melody is empty.
    """
    key, grid = piece.frame.key, piece.frame.grid
    header = [
        f"X:{number}",
        f"T:{piece.title or 'Melody'}",
        f"M:{grid.metre_name}",
        "L:1/8",
        f"Q:1/4={piece.qpm:g}",
        f"K:{_tonic(key)}{_MODES[key.mode]}",
    ]
    written = [_bar(bar, piece) for bar in bars(piece)]
    lines = [
        " | ".join(written[i : i + _BARS_PER_LINE]) for i in range(0, len(written), _BARS_PER_LINE)
    ]
    return "\n".join([*header, *(f"{line} |" for line in lines[:-1]), f"{lines[-1]} |]"]) + "\n"


def _tonic(key: Key) -> str:
    letter, alter, _ = spell(key.tonic, key)
    return letter + {-1: "b", 0: "", 1: "#"}[alter]


def _bar(symbols: list[Symbol], piece: Piece) -> str:
    grid = piece.frame.grid
    words: list[str] = []
    altered: set[str] = set()
    now = Fraction(0)
    beat = Fraction(grid.steps_per_beat, grid.steps_per_quarter)
    for symbol in symbols:
        # Notes of a beat are written together, which beams them.
        gap = " " if words and now % beat == 0 else ""
        words.append(gap + _symbol(symbol, piece.frame.key, altered))
        now += symbol.value.length
    return "".join(words)


def _symbol(symbol: Symbol, key: Key, altered: set[str]) -> str:
    """Return a note or rest.

    An accidental is written wherever a letter has been altered in the bar, in any octave, because programs
    disagree about how far an accidental reaches.
    """
    value = symbol.value
    units = value.quarters / _UNIT * (Fraction(3, 2) if value.dots else 1)
    tuplet = "(3:2:1" if value.is_triplet else ""
    if symbol.pitch is None:
        return f"{tuplet}z{_length(units)}"
    letter, alter, octave = spell(symbol.pitch, key)
    sign = ""
    if alter != signature(key)[letter] or letter in altered:
        sign = _SIGNS[alter]
        altered.add(letter)
    marks = "'" * (octave - 5) if octave >= 5 else "," * (4 - octave)
    name = letter.lower() if octave >= 5 else letter
    return f"{tuplet}{sign}{name}{marks}{_length(units)}{'-' if symbol.is_tied else ''}"


def _length(units: Fraction) -> str:
    if units.denominator == 1:
        return "" if units == 1 else str(units)
    return f"{'' if units.numerator == 1 else units.numerator}/{units.denominator}"
